//! Many commits at once, for backlogs: one commit for each handoff as always,
//! made durable together at the end.

use std::path::PathBuf;
use std::sync::Arc;

use super::LedgerError;
use super::build::Build;
use super::change::Change;
use super::checkout::CheckoutRemark;
use super::handle::{hold, object_id};
use super::names::FolderNames;
use super::snapshot::Snapshot;
use super::writer::Writer;
use crate::model::ObjectId;

/// Commits that are about to be made.
pub struct Batch {
    build: Build,
    changes: Vec<Change>,
    names: Arc<FolderNames>,
    root: PathBuf,
}

/// What a batch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchDone {
    /// One for each change, in their order; `None` where it changed nothing.
    pub commits: Vec<Option<ObjectId>>,
    /// Whether the branch moved meanwhile into the same folders, and both
    /// changes are in; renderings may be stale then.
    pub merged: bool,
    /// What was left as it is in the checkout.
    pub remarks: Vec<CheckoutRemark>,
}

impl Batch {
    /// The ledger with what was committed in this batch so far.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.build.snapshot(Arc::clone(&self.names), &self.root)
    }

    /// Adds one commit; `false` when the change changes nothing.
    ///
    /// # Errors
    /// When a path may not be written. The batch goes on without the change.
    pub fn commit(&mut self, change: Change) -> Result<bool, LedgerError> {
        let made = self.build.add(&change)?;
        self.changes.push(change);
        Ok(made.is_some())
    }
}

impl Writer {
    /// Makes many commits and moves the branch once. They are on the disk when
    /// this returns, not before; when `work` fails, none is made.
    ///
    /// # Errors
    /// What `work` returns; or as for [`Writer::commit`].
    pub fn batch<E: From<LedgerError>>(
        &mut self,
        work: impl FnOnce(&mut Batch) -> Result<(), E>,
    ) -> Result<BatchDone, E> {
        let seen = self.seen();
        let refname = self.refname();
        let mut batch = Batch {
            build: self.build(seen, seen)?,
            changes: Vec::new(),
            names: Arc::clone(self.ledger().names()),
            root: self.ledger().root().to_path_buf(),
        };
        work(&mut batch)?;
        self.refuse_filters(&batch.changes, &hold(batch.build.staging.repo()))?;
        let done = self.publish(&refname, seen, batch.build, &batch.changes)?;
        Ok(BatchDone {
            commits: done.made.into_iter().map(|id| id.map(object_id)).collect(),
            merged: done.merged,
            remarks: done.remarks,
        })
    }
}
