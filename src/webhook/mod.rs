//! The doors that webhooks come in by: what is the same for every sender,
//! whether it tells of signatures or of deals. Request and answer, secrets
//! compared in constant time, limits, reasons to refuse, the identity of a
//! delivery. Knows no vendor. May use floors below (`model`, `text`).

mod answer;
mod check;
mod delivery_id;
pub mod json;
pub mod mac;
mod malformed;
mod rejection;
mod request;
mod route;

pub use answer::Answer;
pub use check::{check, essence, expect_content_type, lacks};
pub use delivery_id::DeliveryId;
pub use malformed::Malformed;
pub use rejection::Rejection;
pub use request::{BODY_LIMIT, Request};
pub use route::Route;
