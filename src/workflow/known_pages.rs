//! The pages that were found to be what their briefs give, kept in the git
//! folder by the bytes of all that a page is made from: to render each again
//! would take most of the time of a `validate`.

use std::borrow::Cow;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{Context, WorkflowError};
use crate::ledger::KeptDigests;
use crate::model::ObjectId;

/// The name of the file that keeps them.
const NAME: &str = "pages";
/// It grows when the way in which pages are made changes without the program's version.
const FORMAT: u32 = 1;
/// Rendering fewer again costs less than writing the file.
const WORTH_WRITING: usize = 50;

/// The known pages of a ledger's template and schema.
pub(super) struct KnownPages {
    basis: Sha256,
    kept: KeptDigests,
}

impl KnownPages {
    /// Reads what an earlier check has left; nothing where it is missing or broken.
    pub(super) fn open(context: &Context) -> Result<Self, WorkflowError> {
        let kept = KeptDigests::open(context.ledger.git_dir(), NAME, FORMAT)?;
        let basis = Sha256::new()
            .chain_update(env!("CARGO_PKG_VERSION"))
            .chain_update(context.renderer.fingerprint())
            .chain_update(Sha256::digest(context.schema.document().to_string()));
        Ok(Self { basis, kept })
    }

    /// What a brief and its page are known by.
    pub(super) fn fingerprint(&self, brief: &[u8], page: &[u8]) -> ObjectId {
        let length = u64::try_from(brief.len()).unwrap_or(u64::MAX);
        let sum = self.basis.clone().chain_update(length.to_le_bytes());
        let sum = sum.chain_update(brief).chain_update(page).finalize();
        ObjectId(*sum.first_chunk().expect("a checksum of 32 bytes"))
    }

    /// Whether this brief gives this page.
    pub(super) fn has(&self, fingerprint: ObjectId) -> bool {
        self.kept.get(fingerprint).is_some()
    }

    /// Keeps these pages, of all that there are, for the next check.
    pub(super) fn keep(&self, git_dir: &Path, pages: &[ObjectId]) -> Result<(), WorkflowError> {
        let news = pages.iter().filter(|page| !self.has(**page)).count();
        if news >= WORTH_WRITING {
            let rows: Vec<_> = pages.iter().map(|page| (*page, Cow::Borrowed(&[][..]))).collect();
            KeptDigests::save(git_dir, NAME, FORMAT, &rows)?;
        }
        Ok(())
    }
}
