//! The one HTTP client for APIs: timeouts everywhere, retries as a schedule,
//! `Retry-After` respected and clamped, faults told apart in one place, errors
//! without secrets. HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE count, as reqwest and
//! rustls read them. Knows no vendor.

mod client;
mod pages;

pub use client::{
    ApiRequest, BaseUrl, BaseUrlError, Client, Fault, Limits, NetError, Response, Schedule,
    Semantics, connector, requests, secret_header, use_ring,
};
pub use pages::{Page, PageWalk, PagesFault};
