//! The machinery of the history scan: objects in, changes out. Nothing here
//! is known outside the ledger.

mod bases;
mod chain;
mod delta;
mod diff;
mod objects;
mod packs;
mod record;
mod repository;
mod tree;
mod walk;

pub(super) use chain::{Chain, walk};
pub(super) use diff::Slot;
pub(super) use objects::{InPack, Kind, ObjectFault, ObjectReader, Objects};
pub(super) use record::{FolderState, ScanRecord};
pub use repository::ChosenParents;
pub(super) use repository::{Repository, common_dir, wholeness};
pub(super) use walk::compare;

/// A SHA-1 as git stores it.
pub(super) type Id = [u8; 20];
