//! Drafts and their branches, here and on the remote. Where there is a
//! remote, a draft lives there, since people answer in its pull request.

use super::workplace::{Stored, stored_in};
use super::{WorkflowError, Workplace, waiting};
use crate::facts::Key;
use crate::ledger::Ledger;
use crate::text::shorten;

/// The draft of a key with its branch; `None` where there is none.
///
/// # Errors
/// When the branch or the draft's files cannot be read.
pub(super) fn stored_draft(
    place: &Workplace,
    key: &Key,
) -> Result<Option<(String, Stored)>, WorkflowError> {
    let branch = Ledger::draft_branch(key);
    let Some(snapshot) = place.ledger.snapshot_of_branch(&branch)? else { return Ok(None) };
    let stored = stored_in(&snapshot, key, None)?;
    Ok(stored.map(|stored| (branch.clone(), Stored { branch: Some(branch), ..stored })))
}

/// The drafts as the remote had them a moment ago.
pub(super) struct Drafts<'a> {
    place: &'a Workplace,
    remote: Option<String>,
}

impl<'a> Drafts<'a> {
    /// Takes over what others have pushed: drafts, and handoffs that need not be
    /// made a second time. Without it what was fetched before counts, and a
    /// remark says so.
    pub(super) fn look(place: &'a Workplace, remarks: &mut Vec<String>) -> Self {
        let remote = place.remote();
        let Some(name) = &remote else { return Self { place, remote } };
        match place.ledger.catch_up(name, place.now) {
            Ok(_) => Self { place, remote },
            Err(error) => {
                remarks.push(format!(
                    "{name} was not asked for news: {}",
                    shorten(&error.to_string(), 200)
                ));
                Self { place, remote: None }
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
        if self.remote.is_none() { Ok(false) } else { waiting::publish(self.place, key, remarks) }
    }

    /// Deletes the remote's branch of a draft that has landed.
    pub(super) fn retire(&self, key: &Key, remarks: &mut Vec<String>) {
        let Some(remote) = &self.remote else { return };
        let branch = Ledger::draft_branch(key);
        if let Err(error) = self.place.ledger.delete_remote_branch(remote, &branch) {
            remarks.push(format!(
                "the draft has landed, and its branch {branch} is still on {remote}: {}",
                shorten(&error.to_string(), 200)
            ));
        }
    }
}
