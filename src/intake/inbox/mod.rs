//! The inbox: one spool of plain files for `serve`, `watch`, `catch-up` and
//! people, in front of the ledger. `new/` waits, `work/<process>/` is in hand,
//! `failed/` waits for a person, `done/` is remembered for thirty days.

mod backoff;
mod desk;
mod durable;
mod envelope;
mod error;
mod folder;
mod listing;
mod settle;
mod writer;

pub use backoff::Backoff;
pub use envelope::{Body, Content, Envelope, EventName, Trouble};
pub use error::InboxError;
pub use folder::{Inbox, Put, State};
pub use listing::{Counts, Listed};
pub use settle::Claimed;
pub use writer::InboxWriter;
