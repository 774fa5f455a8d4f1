//! Onto the remote, which is where a handoff counts.

use super::context::Context;
use super::error::WorkflowError;
use super::remarks::{NotPushed, Remarks};
use super::store::{LOCK_WAIT, Stored, stored_in};
use crate::ledger::{Change, LedgerError, Unpushed};
use crate::model::Key;
use crate::text::shorten;

impl Context {
    /// Renders the pages of folders into which two machines have written;
    /// whether there was anything to render.
    fn render_merged(&self, folders: &[String]) -> Result<bool, WorkflowError> {
        let mut rendered = false;
        for folder in folders {
            let mut writer = self.ledger.lock(LOCK_WAIT)?;
            let Some(key) = crate::ledger::key_of(folder) else { continue };
            let Some(Stored { folder, brief: Some(brief), .. }) =
                stored_in(&writer.snapshot()?, &key, None)?
            else {
                continue;
            };
            let customer = brief.view().title().unwrap_or("customer").to_owned();
            let change = Change::of_handoff(folder, &customer, &key, self.now)
                .trailer("Handoff-Event", "merged")
                .put("README.md", self.render(&brief)?);
            rendered |= writer.commit(&change)?.is_some();
        }
        Ok(rendered)
    }

    /// The remote that is pushed to, where there is one and it is wanted.
    pub(super) fn remote(&self) -> Option<String> {
        if self.push { self.ledger.remote() } else { None }
    }

    /// Pushes one branch as [`Context::push`] does; tells whether the remote
    /// has it now.
    pub(super) fn push_branch(
        &self,
        branch: &str,
        remarks: &mut Remarks,
    ) -> Result<bool, WorkflowError> {
        let Some(remote) = self.remote() else { return Ok(false) };
        match self.ledger.push_branch(&remote, branch, self.now) {
            Ok(pushed) => {
                remarks.extend(pushed.remarks.iter().map(ToString::to_string));
                if branch == self.ledger.branch() && self.render_merged(&pushed.merged)? {
                    self.ledger.push_branch(&remote, branch, self.now)?;
                }
                remarks.pushed();
                Ok(true)
            }
            Err(
                error @ (LedgerError::TimedOut { .. }
                | LedgerError::Program { .. }
                | LedgerError::Outrun { .. }
                | LedgerError::Rejected { .. }
                | LedgerError::HistoryReplaced { .. }
                | LedgerError::BranchGone { .. }),
            ) => {
                let reason = shorten(&error.to_string(), 300);
                remarks.not_pushed_yet(NotPushed { remote, reason, help: error.help() });
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Why the deliveries of a handoff have to wait: the remote does not have
    /// its brief. Pushes it first, where a push is wanted.
    ///
    /// # Errors
    /// When the ledger cannot be read, or the two sides contradict each other.
    pub(super) fn not_on_remote(
        &self,
        key: &Key,
        stored: &Stored,
        remarks: &mut Remarks,
    ) -> Result<Option<String>, WorkflowError> {
        if self.config.deliver.before_push {
            return Ok(None);
        }
        let Some(remote) = self.ledger.remote() else { return Ok(None) };
        let branch = stored.branch.as_deref().unwrap_or(self.ledger.branch());
        let has_brief = || -> Result<bool, WorkflowError> {
            let Some(there) = self.ledger.snapshot_on_remote(&remote, branch)? else {
                return Ok(false);
            };
            if stored.branch.is_none() && there.commit() == self.ledger.tip()? {
                return Ok(true);
            }
            let there = stored_in(&there, key, None)?;
            Ok(there.is_some_and(|there| there.brief_blob == stored.brief_blob))
        };
        if has_brief()? || (self.push_branch(branch, remarks)? && has_brief()?) {
            return Ok(None);
        }
        Ok(Some(format!(
            "its deliveries wait until the brief is on {remote}; `deliver: {{before_push: true}}` in handoff.yaml lets them go before"
        )))
    }
}

/// What only this clone has of a ledger; `None` where there is no remote or it
/// has everything that was last seen of it.
///
/// # Errors
/// When the ledger cannot be read.
pub fn unpushed(context: &Context) -> Result<Option<Unpushed>, WorkflowError> {
    Ok(context.ledger.unpushed()?)
}
