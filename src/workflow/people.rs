//! What people add: accepted, returned, resubmitted, touched, exempted.

use chrono::{DateTime, Utc};

use super::append::append;
use super::store::Stored;
use super::{Context, Remarks, WorkflowError};
use crate::brief::{Brief, Event, EventKind, Timeline, TouchEvidence};
use crate::deliver::{Actor, Roles};
use crate::ledger::folder_for;
use crate::model::Key;
use crate::text::{one_line, shorten};

/// Something a person adds to a timeline.
#[derive(Debug, Clone)]
pub struct PersonEvent {
    /// What.
    pub kind: EventKind,
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// When, if not now.
    pub at: Option<DateTime<Utc>>,
    /// Through what: `cli`, `github`, …
    pub via: String,
    /// A URL or id that can be found again.
    pub reference: Option<String>,
    /// The customer's name, for an exemption of a deal that has no folder.
    pub customer: Option<String>,
}

/// Records what a person did. The same thing by the same person again records
/// nothing; `None` then.
///
/// # Errors
/// When there is no such handoff (an exemption makes its folder), when the
/// event does not fit, or the ledger cannot be written.
pub fn record(
    context: &Context,
    key: &Key,
    told: &PersonEvent,
    remarks: &mut Remarks,
) -> Result<Option<Timeline>, WorkflowError> {
    let at = told.at.unwrap_or(context.now);
    let stored = context.stored(key, None)?;
    let folder = match &stored {
        Some(stored) => stored.folder.clone(),
        None if told.kind == EventKind::Exempted => folder_for(
            &context.config.layout,
            at,
            told.customer.as_deref().unwrap_or("exempt"),
            key,
        )?,
        None => return Err(WorkflowError::NoHandoff(key.clone())),
    };
    if let Some(stored) = &stored {
        fits(
            key,
            &stored.timeline,
            stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed()),
            told,
            at,
            context.now,
        )?;
        if let Some(brief) = &stored.brief {
            may(key, brief, told, at)?;
        }
        let is_anew = told.kind == EventKind::Accepted && changed_since_acceptance(stored);
        if !is_anew && repeats(&stored.timeline, told) {
            return Ok(None);
        }
    }
    let mut event = Event::new(at, told.kind, told.via.clone());
    event.by = Some(shorten(&one_line(&told.by), 200));
    event.reason = told
        .reason
        .as_deref()
        .map(|reason| shorten(&one_line(reason), 1_000))
        .filter(|r| !r.is_empty());
    event.reference.clone_from(&told.reference);
    event.evidence = (told.kind == EventKind::Touched).then_some(TouchEvidence::Claimed);
    append(context, key, &folder, vec![event], remarks)
}

/// Whether it can have happened then, and whether it is theirs to say.
fn may(
    key: &Key,
    brief: &Brief,
    told: &PersonEvent,
    at: DateTime<Utc>,
) -> Result<(), WorkflowError> {
    if !matches!(told.kind, EventKind::Accepted | EventKind::Returned | EventKind::Touched) {
        return Ok(());
    }
    let no = |message: String| WorkflowError::DoesNotFit { key: key.clone(), message };
    if let Some(signed_at) = brief.view().signed_at().filter(|signed| at < *signed) {
        let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
        let (at, signed_at) = (time(at), time(signed_at));
        return Err(no(format!("{at} lies before the signature of {signed_at}")));
    }
    let actor = Actor { id: &told.by, name: &told.by, is_person: true, is_outsider: false };
    let roles = Roles::of_brief(brief.json());
    roles.counts(&actor).map_err(|why| no(why.unwrap_or_else(|| "not a person".to_owned())))
}

/// Whether an event makes sense after what has happened.
fn fits(
    key: &Key,
    timeline: &Timeline,
    signed: bool,
    told: &PersonEvent,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), WorkflowError> {
    let no = |message: String| Err(WorkflowError::DoesNotFit { key: key.clone(), message });
    let needs_signature =
        matches!(told.kind, EventKind::Accepted | EventKind::Returned | EventKind::Touched);
    if needs_signature && !signed {
        return no("it is not signed yet, so it cannot be accepted, returned or touched".to_owned());
    }
    if needs_signature && timeline.first(EventKind::Exempted).is_some() {
        return no("somebody decided that it needs no handoff (exempted)".to_owned());
    }
    let verdict = timeline.events.iter().rev().find(|event| {
        matches!(event.event, EventKind::Accepted | EventKind::Returned | EventKind::Resubmitted)
    });
    let was_returned = verdict.is_some_and(|event| event.event != EventKind::Accepted);
    if told.kind == EventKind::Resubmitted && !was_returned {
        return no("it is not returned, so it cannot come again".to_owned());
    }
    if at > now {
        return no(format!("{} is in the future", at.format("%Y-%m-%d %H:%M UTC")));
    }
    Ok(())
}

/// Whether the brief is another one than the CSM has accepted: somebody edited
/// it by hand, which no event tells.
pub(super) fn changed_since_acceptance(stored: &Stored) -> bool {
    let events = &stored.timeline.events;
    let Some(at) = events.iter().rposition(|event| event.event == EventKind::Accepted) else {
        return false;
    };
    // An acceptance of before it named its brief was one of the brief last written.
    let accepted = events[..=at].iter().rev().find_map(|event| event.brief.as_ref());
    accepted.is_some() && accepted != stored.brief_blob.as_ref()
}

/// Whether the last word on this matter says the same already.
fn repeats(timeline: &Timeline, told: &PersonEvent) -> bool {
    let same_matter: &[EventKind] = match told.kind {
        EventKind::Accepted | EventKind::Returned | EventKind::Resubmitted => {
            // What changed after the acceptance is accepted anew.
            &[
                EventKind::Accepted,
                EventKind::Returned,
                EventKind::Resubmitted,
                EventKind::Corrected,
                EventKind::Amended,
            ]
        }
        EventKind::Touched => &[EventKind::Touched],
        EventKind::Exempted => &[EventKind::Exempted],
        _ => return false,
    };
    let last = timeline.events.iter().rev().find(|event| same_matter.contains(&event.event));
    last.is_some_and(|last| {
        last.event == told.kind
            && (told.kind != EventKind::Returned
                || last.reason.as_deref() == told.reason.as_deref())
    })
}
