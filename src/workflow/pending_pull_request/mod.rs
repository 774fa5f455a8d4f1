//! What waits in a pull request: drafts, and signed handoffs whose task is a
//! pull request, each on a branch of its own until somebody merges it.

mod branches;

pub(super) use branches::{Drafts, publish};
pub use branches::{catch_up, publish_everything};

use super::context::Context;
use super::error::WorkflowError;
use super::store::{Stored, stored_in};
use crate::ledger::{Ledger, Snapshot, web_links};
use crate::model::{Gap, Key};

impl Context {
    /// The handoff with this key at the tip; else the signed one that waits
    /// on its own branch.
    ///
    /// # Errors
    /// When the ledger or one of the two files cannot be read.
    pub fn stored(&self, key: &Key, month: Option<&str>) -> Result<Option<Stored>, WorkflowError> {
        find(self, &self.ledger.snapshot()?, key, month)
    }
}

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

/// Whether signed briefs wait for the merge of their pull request.
pub(super) fn is_mode(context: &Context) -> bool {
    context.config.deliver.opens_pull_request()
}

/// A handoff in one commit of the ledger, else the signed one on its own
/// branch. What is on the ledger's branch counts, whatever a branch that was
/// merged still says.
///
/// # Errors
/// When a commit or a file cannot be read.
pub(super) fn find(
    context: &Context,
    snapshot: &Snapshot,
    key: &Key,
    month: Option<&str>,
) -> Result<Option<Stored>, WorkflowError> {
    if let Some(stored) = stored_in(snapshot, key, month)? {
        return Ok(Some(stored));
    }
    if !is_mode(context) {
        return Ok(None);
    }
    let draft = stored_draft(context, key)?.map(|(_, stored)| stored);
    Ok(draft.filter(|stored| stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed())))
}

/// Handoffs by key, and what could not be read.
type Waiting = (Vec<(Key, Stored)>, Vec<Gap>);

/// Every handoff that waits, by key, and what could not be read.
///
/// # Errors
/// When the ledger or its branches cannot be listed.
pub(super) fn all(context: &Context, snapshot: &Snapshot) -> Result<Waiting, WorkflowError> {
    let (mut waiting, mut gaps) = (Vec::new(), Vec::new());
    if !is_mode(context) {
        return Ok((waiting, gaps));
    }
    for key in context.ledger.draft_keys()? {
        match find(context, snapshot, &key, None) {
            Ok(Some(stored)) if stored.branch.is_some() => waiting.push((key, stored)),
            Ok(_) => {}
            Err(error) => gaps.push(Gap {
                what: Ledger::draft_branch(&key),
                why: error.to_string(),
                help: None,
            }),
        }
    }
    Ok((waiting, gaps))
}

/// Where people read a handoff's folder on the forge.
pub(super) fn web_url(context: &Context, stored: &Stored) -> Option<String> {
    let Some(branch) = &stored.branch else { return context.ledger.web_url(&stored.folder) };
    let url = context.ledger.remote_url(&context.ledger.remote()?)?;
    web_links(&url, branch)
        .map(|links| links.within(context.ledger.prefix()).folder(&stored.folder))
}
