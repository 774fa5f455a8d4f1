//! What was read of the ledger, kept in `<git folder>/handoff/`. Never needed
//! for a correct answer: whatever does not fit (another format, a cut or
//! foreign file, a tip that is no longer in the history) is ignored without a
//! word and rebuilt.

mod digests;
mod file;
mod folders;
mod record;

pub use digests::KeptDigests;
pub(super) use folders::KeptGroup;
pub use folders::{FactsKind, FolderGroup, FolderGroups};
pub(super) use record::{is_worth_saving, load_record, save_record};

const FOLDER: &str = "handoff";
/// Below this, reading the news again costs less than writing the whole file.
const WORTH_WRITING: usize = 500;
