//! The one HTTP client for APIs: timeouts everywhere, retries as a schedule,
//! `Retry-After` respected and clamped, faults told apart in one place, errors
//! without secrets. HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE count, as reqwest and
//! rustls read them, also for mail and NATS, which have clients of their own.
//! Knows no vendor.

mod client;
mod pages;
mod tunnel;

pub use client::{
    ApiRequest, BaseUrl, BaseUrlError, Client, Fault, Limits, NetError, Response, Schedule,
    Semantics, connector, requests, secret_header, use_ring, whole_body,
};
pub use pages::{Page, PageWalk, PagesFault};
pub use tunnel::{Forwarder, ProxyFault, system_authorities};
