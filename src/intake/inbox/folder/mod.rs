//! The inbox as a folder of plain files that the processes of one machine
//! share: `new/` waits, `work/<process>/` is in hand, `held/` waits for
//! certainty, `failed/` for a person, `done/` is remembered for thirty days.
//! What comes is appended to a segment in `journal/` first, and has its file a
//! moment later.

mod journal;
mod known;
mod listing;
mod own;
mod segment;
mod settle;
mod shared;
mod spool;
mod worker_claims;
mod writer;

pub use shared::FolderInbox;
pub use spool::Spool;
