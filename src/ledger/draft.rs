//! Drafts: a handoff before its signature, on a branch of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use super::change::Change;
use super::handle::{branch_commit, branch_or_remote, check_branch, hold};
use super::snapshot::Snapshot;
use super::writer::{Committed, Writer};
use super::{Ledger, LedgerError};
use crate::model::Key;

impl Ledger {
    /// The branch of a key's draft: `handoff/<key>`.
    #[must_use]
    pub fn draft_branch(key: &Key) -> String {
        format!("handoff/{key}")
    }

    /// The ledger as a branch has it, local or (where there is none) as last
    /// fetched from the usual remote; `None` if there is no such branch.
    ///
    /// # Errors
    /// When the branch cannot be read.
    pub fn snapshot_of_branch(&self, branch: &str) -> Result<Option<Snapshot>, LedgerError> {
        check_branch(branch)?;
        let commit = branch_or_remote(&hold(self.shared()), branch, self.root())?;
        commit.map(|commit| self.snapshot_of(Some(commit))).transpose()
    }

    /// The ledger as a remote's branch had it when it was last seen; `None` if
    /// there is no such branch.
    ///
    /// # Errors
    /// When the branch cannot be read.
    pub fn snapshot_on_remote(
        &self,
        remote: &str,
        branch: &str,
    ) -> Result<Option<Snapshot>, LedgerError> {
        check_branch(branch)?;
        let Some(commit) = self.on_remote(remote, branch)? else { return Ok(None) };
        self.snapshot_of(Some(commit)).map(Some)
    }

    /// The keys that have a branch of their own, here or as last fetched from
    /// the usual remote; sorted.
    ///
    /// # Errors
    /// When the branches cannot be listed.
    pub fn draft_keys(&self) -> Result<Vec<Key>, LedgerError> {
        let remote = self.remote().map(|remote| format!("refs/remotes/{remote}"));
        let roots: Vec<String> = ["refs/heads".to_owned()].into_iter().chain(remote).collect();
        self.keys_below(&roots)
    }

    /// The keys that have a branch of their own in this clone; sorted.
    ///
    /// # Errors
    /// When the branches cannot be listed.
    pub fn local_draft_keys(&self) -> Result<Vec<Key>, LedgerError> {
        self.keys_below(&["refs/heads".to_owned()])
    }

    fn keys_below(&self, roots: &[String]) -> Result<Vec<Key>, LedgerError> {
        let repo = hold(self.shared());
        let failed = LedgerError::git("listing the branches", self.root());
        let mut keys = BTreeSet::new();
        let mut read = || {
            for root in roots {
                let prefix = format!("{root}/handoff/");
                for reference in repo.references_glob(&format!("{prefix}*"))? {
                    let reference = reference?;
                    // Another branch below `handoff/` is somebody's own.
                    let key = reference.name().ok().and_then(|name| name.strip_prefix(&prefix));
                    keys.extend(key.and_then(|key| Key::parse(key).ok()));
                }
            }
            Ok::<(), git2::Error>(())
        };
        read().map_err(failed)?;
        Ok(keys.into_iter().collect())
    }

    /// Leaves a branch to the remote: deletes it here where the remote is
    /// known to have all of it, so that what people change there is not hidden
    /// by an older copy. `false` where it stays.
    ///
    /// # Errors
    /// When the branch cannot be read or deleted.
    pub fn leave_to_remote(
        &self,
        remote: &str,
        branch: &str,
        timeout: Duration,
    ) -> Result<bool, LedgerError> {
        check_branch(branch)?;
        let local =
            branch_commit(&hold(self.shared()), &format!("refs/heads/{branch}"), self.root())?;
        if local.is_none() || local != self.on_remote(remote, branch)? {
            return Ok(false);
        }
        match self.lock(timeout)?.delete_branch(branch) {
            Err(LedgerError::BranchBusy { .. }) => Ok(false),
            other => other,
        }
    }
}

impl Writer {
    /// Commits a change on another branch, which starts at the ledger's tip if
    /// it is new. No checkout changes, unless one has that branch checked out.
    ///
    /// # Errors
    /// As for [`Writer::commit`].
    pub fn commit_on_branch(
        &mut self,
        branch: &str,
        change: &Change,
    ) -> Result<Option<Committed>, LedgerError> {
        check_branch(branch)?;
        let root = self.ledger().root();
        let seen = branch_or_remote(self.repo(), branch, root)?.or(self.seen());
        let refname = format!("refs/heads/{branch}");
        self.commit_to(&refname, seen, std::slice::from_ref(change))
    }

    /// Puts a draft on the ledger's branch as one commit and deletes its
    /// branch here: the change's files, and those of the draft's folder that
    /// the change does not name. `None` when the ledger has all of it already.
    /// The remote's branch is deleted with [`Ledger::delete_remote_branch`].
    ///
    /// # Errors
    /// As for [`Writer::commit`].
    pub fn land(
        &mut self,
        branch: &str,
        change: &Change,
    ) -> Result<Option<Committed>, LedgerError> {
        let mut change = change.clone();
        if let Some(draft) = self.ledger().snapshot_of_branch(branch)? {
            for name in
                ["brief.yaml", "timeline.yaml", "sources.yaml", "proposed.yaml", "README.md"]
            {
                if !change.files.contains_key(name)
                    && let Some(bytes) = draft.read(&format!("{}/{name}", change.folder))?
                {
                    change.files.insert(name.to_owned(), Some(bytes));
                }
            }
        }
        let done = self.commit(&change)?;
        self.delete_branch(branch)?;
        Ok(done)
    }

    /// Deletes a local branch; `false` if there is none.
    ///
    /// # Errors
    /// When it is the ledger's own branch or checked out, or cannot be deleted.
    pub fn delete_branch(&mut self, branch: &str) -> Result<bool, LedgerError> {
        check_branch(branch)?;
        let refname = format!("refs/heads/{branch}");
        let root = self.ledger().root();
        if branch_commit(self.repo(), &refname, root)?.is_none() {
            return Ok(false);
        }
        let busy =
            |why: &str| LedgerError::BranchBusy { branch: branch.to_owned(), why: why.to_owned() };
        if refname == self.refname() {
            return Err(busy("it is the ledger's own branch"));
        }
        if !super::checkout::following(self.repo(), self.ledger().git_dir(), &refname).is_empty() {
            return Err(busy("it is checked out"));
        }
        // What is recorded of it must not bring it back after a power failure.
        self.journal().settle()?;
        let root = self.ledger().root();
        self.repo()
            .find_reference(&refname)
            .and_then(|mut reference| reference.delete())
            .map_err(LedgerError::git("deleting the branch", root))?;
        Ok(true)
    }
}
