//! Handoffs whose task is a pull request: signed, on a branch of their own,
//! until somebody merges them onto the ledger's branch.

use super::context::{LOCK_WAIT, Stored, stored_in};
use super::draft_branch::stored_draft;
use super::{Context, WorkflowError};
use crate::ledger::{Ledger, Snapshot, web_links};
use crate::model::{Gap, Key};
use crate::text::shorten;

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

/// Pushes the branch of a handoff that waits, and leaves it to the remote,
/// where people change it; tells whether the remote has it.
///
/// # Errors
/// When the two sides contradict each other, or the ledger cannot be written.
pub(super) fn publish(
    context: &Context,
    key: &Key,
    remarks: &mut Vec<String>,
) -> Result<bool, WorkflowError> {
    let Some(remote) = context.remote() else { return Ok(false) };
    let branch = Ledger::draft_branch(key);
    let pushed = context.push_branch(&branch, remarks)?;
    if pushed {
        context.ledger.leave_to_remote(&remote, &branch, LOCK_WAIT)?;
    }
    Ok(pushed)
}

/// Publishes every handoff that waits and has a branch in this clone.
///
/// # Errors
/// As for [`publish`].
pub(super) fn publish_all(
    context: &Context,
    remarks: &mut Vec<String>,
) -> Result<(), WorkflowError> {
    if !is_mode(context) || context.remote().is_none() {
        return Ok(());
    }
    let snapshot = context.ledger.snapshot()?;
    for key in context.ledger.local_draft_keys()? {
        if find(context, &snapshot, &key, None)?.is_some_and(|stored| stored.branch.is_some()) {
            publish(context, &key, remarks)?;
        }
    }
    Ok(())
}

/// Takes over what was merged and what people wrote on the remote, where
/// signed briefs wait there. A remote that does not answer is a remark.
pub fn catch_up(context: &Context, remarks: &mut Vec<String>) {
    let Some(remote) = context.remote().filter(|_| is_mode(context)) else { return };
    if let Err(error) = context.ledger.catch_up(&remote, context.now) {
        remarks
            .push(format!("{remote} was not asked for news: {}", shorten(&error.to_string(), 200)));
    }
}

/// Where people read a handoff's folder on the forge.
pub(super) fn web_url(context: &Context, stored: &Stored) -> Option<String> {
    let Some(branch) = &stored.branch else { return context.ledger.web_url(&stored.folder) };
    let url = context.ledger.remote_url(&context.ledger.remote()?)?;
    web_links(&url, branch).map(|links| links.folder(&stored.folder))
}
