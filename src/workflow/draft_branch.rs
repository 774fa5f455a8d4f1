//! Drafts and their branches, here and on the remote. Where there is a
//! remote, a draft lives there, since people answer in its pull request.

use super::context::{Stored, stored_in};
use super::{Context, WorkflowError, pending_pull_request};
use crate::ledger::Ledger;
use crate::model::Key;
use crate::text::shorten;

/// The draft of a key with its branch; `None` where there is none.
///
/// # Errors
/// When the branch or the draft's files cannot be read.
pub(super) fn stored_draft(
    context: &Context,
    key: &Key,
) -> Result<Option<(String, Stored)>, WorkflowError> {
    let branch = Ledger::draft_branch(key);
    let Some(snapshot) = context.ledger.snapshot_of_branch(&branch)? else { return Ok(None) };
    let stored = stored_in(&snapshot, key, None)?;
    Ok(stored.map(|stored| (branch.clone(), Stored { branch: Some(branch), ..stored })))
}

/// The drafts as the remote had them a moment ago.
pub(super) struct Drafts<'a> {
    context: &'a Context,
    remote: Option<String>,
}

impl<'a> Drafts<'a> {
    /// Takes over what others have pushed: drafts, and handoffs that need not be
    /// made a second time. Without it what was fetched before counts, and a
    /// remark says so.
    pub(super) fn look(context: &'a Context, remarks: &mut Vec<String>) -> Self {
        let remote = context.remote();
        let Some(name) = &remote else { return Self { context, remote } };
        match context.ledger.catch_up(name, context.now) {
            Ok(_) => Self { context, remote },
            Err(error) => {
                remarks.push(format!(
                    "{name} was not asked for news: {}",
                    shorten(&error.to_string(), 200)
                ));
                Self { context, remote: None }
            }
        }
    }

    /// Puts what this clone has of a draft together with what the remote has.
    ///
    /// # Errors
    /// When the two contradict each other, or the ledger cannot be written.
    pub(super) fn combine(
        &self,
        key: &Key,
        remarks: &mut Vec<String>,
    ) -> Result<bool, WorkflowError> {
        if self.remote.is_none() {
            Ok(false)
        } else {
            pending_pull_request::publish(self.context, key, remarks)
        }
    }

    /// Deletes the remote's branch of a draft that has landed.
    pub(super) fn retire(&self, key: &Key, remarks: &mut Vec<String>) {
        let Some(remote) = &self.remote else { return };
        let branch = Ledger::draft_branch(key);
        if let Err(error) = self.context.ledger.delete_remote_branch(remote, &branch) {
            remarks.push(format!(
                "the draft has landed, and its branch {branch} is still on {remote}: {}",
                shorten(&error.to_string(), 200)
            ));
        }
    }
}
