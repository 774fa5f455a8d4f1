//! Receiving webhooks, whether they report signatures or deals: requests
//! and answers, secrets compared in constant time, limits, reasons to refuse,
//! the identity of a delivery. Knows no vendor. May use floors below (`model`,
//! `text`).

mod check;
mod delivery_id;
pub mod json;
pub mod mac;
mod rejection;
mod route;

pub use check::{check, essence, expect_content_type, lacks, unusable};
pub use delivery_id::DeliveryId;
pub use rejection::{Malformed, Rejection};
pub use route::{BODY_LIMIT, Reply, Request, Route, RouteNames};
