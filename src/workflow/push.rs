//! Onto the remote, which is where a handoff counts.

use super::context::Context;
use super::error::WorkflowError;
use super::remarks::Remarks;
use super::store::{LOCK_WAIT, Stored, stored_in};
use crate::ledger::{Change, LedgerError};
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
            let customer = brief.view().customer_name().unwrap_or("customer").to_owned();
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
                Ok(true)
            }
            Err(
                error @ (LedgerError::TimedOut { .. }
                | LedgerError::Program { .. }
                | LedgerError::Outrun { .. }
                | LedgerError::Rejected { .. }),
            ) => {
                remarks.push(format!(
                    "the commit is safe here and was not pushed to {remote}: {}; the next run pushes it",
                    shorten(&error.to_string(), 200)
                ));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}
