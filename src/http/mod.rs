//! The one HTTP client for APIs: timeouts everywhere, retries as a schedule,
//! `Retry-After` respected and clamped, errors without secrets. Knows no vendor.

mod base_url;
mod client;
mod pages;
mod schedule;

pub use base_url::{BaseUrl, BaseUrlError};
pub use client::{Client, NetError, Response, Semantics};
pub use pages::{Page, PageWalk, PagesFault};
pub use schedule::Schedule;
