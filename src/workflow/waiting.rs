//! Handoffs whose task is a pull request: signed, on a branch of their own,
//! until somebody merges them onto the ledger's branch.

use super::draft_branch::stored_draft;
use super::workplace::{LOCK_WAIT, Stored, stored_in};
use super::{WorkflowError, Workplace};
use crate::facts::{Gap, Key};
use crate::ledger::{Ledger, Snapshot, web_links};
use crate::text::shorten;

/// Whether signed briefs wait for the merge of their pull request.
pub(super) fn is_mode(place: &Workplace) -> bool {
    place.config.deliver.opens_pull_request()
}

/// A handoff in one commit of the ledger, else the signed one on its own
/// branch. What is on the ledger's branch counts, whatever a branch that was
/// merged still says.
///
/// # Errors
/// When a commit or a file cannot be read.
pub(super) fn find(
    place: &Workplace,
    snapshot: &Snapshot,
    key: &Key,
    month: Option<&str>,
) -> Result<Option<Stored>, WorkflowError> {
    if let Some(stored) = stored_in(snapshot, key, month)? {
        return Ok(Some(stored));
    }
    if !is_mode(place) {
        return Ok(None);
    }
    let draft = stored_draft(place, key)?.map(|(_, stored)| stored);
    Ok(draft.filter(|stored| stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed())))
}

/// Handoffs by key, and what could not be read.
type Waiting = (Vec<(Key, Stored)>, Vec<Gap>);

/// Every handoff that waits, by key, and what could not be read.
///
/// # Errors
/// When the ledger or its branches cannot be listed.
pub(super) fn all(place: &Workplace, snapshot: &Snapshot) -> Result<Waiting, WorkflowError> {
    let (mut waiting, mut gaps) = (Vec::new(), Vec::new());
    if !is_mode(place) {
        return Ok((waiting, gaps));
    }
    for key in place.ledger.draft_keys()? {
        match find(place, snapshot, &key, None) {
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
    place: &Workplace,
    key: &Key,
    remarks: &mut Vec<String>,
) -> Result<bool, WorkflowError> {
    let Some(remote) = place.remote() else { return Ok(false) };
    let branch = Ledger::draft_branch(key);
    let pushed = place.push_branch(&branch, remarks)?;
    if pushed {
        place.ledger.leave_to_remote(&remote, &branch, LOCK_WAIT)?;
    }
    Ok(pushed)
}

/// Publishes every handoff that waits and has a branch in this clone.
///
/// # Errors
/// As for [`publish`].
pub(super) fn publish_all(
    place: &Workplace,
    remarks: &mut Vec<String>,
) -> Result<(), WorkflowError> {
    if !is_mode(place) || place.remote().is_none() {
        return Ok(());
    }
    let snapshot = place.ledger.snapshot()?;
    for key in place.ledger.local_draft_keys()? {
        if find(place, &snapshot, &key, None)?.is_some_and(|stored| stored.branch.is_some()) {
            publish(place, &key, remarks)?;
        }
    }
    Ok(())
}

/// Takes over what was merged and what people wrote on the remote, where
/// signed briefs wait there. A remote that does not answer is a remark.
pub fn catch_up(place: &Workplace, remarks: &mut Vec<String>) {
    let Some(remote) = place.remote().filter(|_| is_mode(place)) else { return };
    if let Err(error) = place.ledger.catch_up(&remote, place.now) {
        remarks
            .push(format!("{remote} was not asked for news: {}", shorten(&error.to_string(), 200)));
    }
}

/// Where people read a handoff's folder on the forge.
pub(super) fn web_url(place: &Workplace, stored: &Stored) -> Option<String> {
    let Some(branch) = &stored.branch else { return place.ledger.web_url(&stored.folder) };
    let url = place.ledger.remote_url(&place.ledger.remote()?)?;
    web_links(&url, branch).map(|links| links.folder(&stored.folder))
}
