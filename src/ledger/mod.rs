//! The ledger: the git repository that is the database. Reads the tip, writes
//! commits durably, pushes. Depends on facts, text, yaml and `brief::Timeline`.

mod batch;
mod behind;
mod blob;
pub mod blobs;
mod branch_ref;
mod build;
pub mod cache;
mod change;
mod changed;
mod checkout;
pub mod checkpoint;
mod draft;
mod durable;
mod eol;
mod error;
mod file_versions;
mod git_program;
mod handle;
pub mod history;
mod identity;
mod index_file;
mod lock;
mod loose;
mod merge;
mod names;
mod pack;
mod path;
mod push;
mod remote;
mod replay;
mod repository;
mod scan;
mod server_hook;
mod signing;
mod snapshot;
mod staging;
mod timestamp;
mod tree;
mod tree_cache;
mod tree_diff;
mod tree_edit;
mod web_url;
mod working_file;
mod write_ahead;
mod writer;

pub use batch::{Batch, BatchDone};
pub use blob::blob_id;
pub use blobs::{Blobs, Maker};
pub use cache::{FactsKind, FolderGroup, FolderGroups, KeptDigests};
pub use change::Change;
pub use changed::LeftOut;
pub use checkout::CheckoutRemark;
pub use checkpoint::{
    Checkpoint, CheckpointFacts, Checkpoints, Containment, Displaced, Followed, RemoteCheckpoints,
    find_containment, find_line, is_contained, list_checkpoints, merkle_root, write_checkpoint,
};
pub use error::{HistoryError, LedgerError};
pub use file_versions::{FileVersion, FileVersions};
pub use history::{ChosenParents, ScanAt, Scanned, first_parents, scan, scan_cold, scan_in};
pub use identity::Identity;
pub use merge::merge_timelines;
pub use path::{BRIEFS, Folder, LONGEST_SLUG, folder_for, key_of, key_text, month_for, month_of};
pub use push::{Gone, Pushed};
pub use remote::{PushProbe, Unpushed};
pub use repository::Ledger;
pub use server_hook::{HOOK, HookLaid, PUSH_LOG, lay_hook};
pub use snapshot::{HandoffFiles, Snapshot};
pub use web_url::{WebLinks, web_links};
pub use writer::{Committed, Writer};
