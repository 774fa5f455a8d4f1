//! The inbox as a folder of plain files that the processes of one machine
//! share: `new/` waits, `work/<process>/` is in hand, `held/` waits for
//! certainty, `failed/` for a person, `done/` is remembered for thirty days.

mod listing;
mod settle;
mod shared;
mod spool;
mod worker_claims;
mod writer;

pub use shared::FolderInbox;
pub use spool::Spool;
