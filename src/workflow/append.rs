//! Adds what happened to a handoff's timeline.

use super::context::Context;
use super::error::WorkflowError;
use super::pending_pull_request;
use super::remarks::Remarks;
use super::store::LOCK_WAIT;
use crate::brief::{Event, EventKind, Timeline};
use crate::deliver::answered_part;
use crate::ledger::{BRIEFS, Change};
use crate::model::Key;

/// Appends events to a timeline in one commit. What another writer recorded
/// in the meantime stays, and nothing is recorded twice.
///
/// # Errors
/// When the ledger cannot be read or written.
pub(super) fn append(
    context: &Context,
    key: &Key,
    folder: &str,
    events: Vec<Event>,
    remarks: &mut Remarks,
) -> Result<Option<Timeline>, WorkflowError> {
    if events.is_empty() {
        return Ok(None);
    }
    let mut writer = context.ledger.lock(LOCK_WAIT)?;
    let stored = pending_pull_request::find(context, &writer.snapshot()?, key, month_in(folder))?;
    let seen = stored.as_ref().and_then(|stored| stored.brief_blob.clone());
    let (mut timeline, customer, path, branch) = match stored {
        Some(stored) => {
            let customer =
                stored.brief.as_ref().and_then(|b| b.view().customer_name().map(str::to_owned));
            (stored.timeline, customer, stored.folder, stored.branch)
        }
        None => (Timeline::new(key.clone()), None, folder.to_owned(), None),
    };
    let mut new: Vec<Event> =
        events.into_iter().filter(|event| !is_recorded(&timeline, event)).collect();
    // What a CSM returns or accepts is the brief as they see it; what comes again, and what is
    // accepted again, is compared with it.
    let verdicts = [EventKind::Returned, EventKind::Accepted];
    for event in new.iter_mut().filter(|event| verdicts.contains(&event.event)) {
        event.brief.clone_from(&seen);
    }
    if new.is_empty() {
        return Ok(Some(timeline));
    }
    let mut names: Vec<&str> = new.iter().map(|event| event.event.as_str()).collect();
    names.dedup();
    timeline.events.extend(new);
    // A folder without a brief has the customer in its name.
    let named = path.rsplit('/').next().and_then(|name| name.rsplit_once("--"));
    let named = named.map_or("customer", |(customer, _)| customer).to_owned();
    let change = Change::of_handoff(path, customer.as_deref().unwrap_or(&named), key, context.now)
        .trailer("Handoff-Event", names.join(" "))
        .put("timeline.yaml", timeline.to_yaml());
    let committed = match &branch {
        Some(branch) => writer.commit_on_branch(branch, &change)?,
        None => writer.commit(&change)?,
    };
    if let Some(committed) = committed {
        remarks.extend(committed.remarks.iter().map(ToString::to_string));
    }
    Ok(Some(timeline))
}

/// The layout's part of a folder, where the search begins.
fn month_in(folder: &str) -> Option<&str> {
    let inner = folder.strip_prefix(BRIEFS)?.strip_prefix('/')?;
    inner.rsplit_once('/').map(|(month, _)| month)
}

/// Whether a timeline has this event: a delivery is made once by each sink,
/// whoever made it; anything else may happen again at another time.
fn is_recorded(timeline: &Timeline, event: &Event) -> bool {
    let events = answered_part(event.event, &event.via, &timeline.events);
    let events = events.unwrap_or(&timeline.events);
    let is_same = |other: &Event| match event.event {
        EventKind::TaskOpened
        | EventKind::Notified
        | EventKind::Emailed
        | EventKind::ProjectStarted
        | EventKind::Welcomed
        | EventKind::CrmUpdated
        | EventKind::RepTold => true,
        // What follows the brief is made again when the brief is another.
        EventKind::CsmTold => other.brief == event.brief,
        EventKind::Reminded | EventKind::Escalated => other.reference == event.reference,
        _ => false,
    };
    events.iter().any(|other| {
        other == event || (other.event == event.event && other.via == event.via && is_same(other))
    })
}
