//! What people add: accepted, returned, resubmitted, touched, exempted.

use chrono::{DateTime, Utc};

use super::append::append;
use super::store::Stored;
use super::{Context, Remarks, WorkflowError};
use crate::brief::{Brief, Event, EventKind, Timeline, TouchEvidence};
use crate::crm::CrmError;
use crate::deliver::Roles;
use crate::ledger::Identity;
use crate::ledger::folder_for;
use crate::model::{DealId, Key};
use crate::text::{one_line, quoted, shorten};

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
    /// What the channel proves of who it is: logins, addresses, names. At the
    /// command line git's own name counts beside them.
    pub proven: Vec<String>,
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
    let brief = stored.as_ref().and_then(|stored| stored.brief.as_ref());
    let roles = brief.map_or_else(Roles::default, |brief| Roles::of_brief(brief.json()));
    separate(context, key, told, &roles)?;
    if let Some(stored) = &stored {
        let signed = brief.is_some_and(|brief| brief.view().is_signed());
        fits(key, &stored.timeline, signed, told, at, context.now)?;
        if let Some(brief) = brief {
            may_be_then(key, brief, told, at)?;
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

/// Holds an exemption against the deal it takes out of what is due: there has
/// to be one, and it must not be the approver's own. Where nobody can be asked,
/// that is remarked.
///
/// # Errors
/// When no deal has this key, or the approver is its rep.
pub async fn check_exemption(
    context: &Context,
    key: &Key,
    told: &PersonEvent,
    remarks: &mut Remarks,
) -> Result<(), WorkflowError> {
    if context.stored(key, None)?.is_some_and(|stored| stored.brief.is_some()) {
        return Ok(());
    }
    let Some(crm) = &context.crm else {
        remarks.push(format!("no CRM was asked whether a deal has the key {key}"));
        return Ok(());
    };
    let no = |message: String| WorkflowError::NotAllowed {
        key: key.clone(),
        message,
        help: "check the key: it is the CRM's name and the deal's id, such as hubspot-9876543210"
            .to_owned(),
    };
    let Some(id) = key.as_str().strip_prefix(&format!("{}-", crm.name())) else {
        return Err(no(format!(
            "no handoff has this key, and it is not the key of a deal in {}",
            crm.name()
        )));
    };
    let deal = match crm.deal(&DealId::new(id), None).await {
        Ok(deal) => deal,
        // A key has no capitals, and an id may.
        Err(CrmError::NotFound { .. }) if id.bytes().any(|byte| byte.is_ascii_lowercase()) => {
            remarks.push(format!(
                "{} could not be asked for the deal of {key} by its key alone",
                crm.name()
            ));
            return Ok(());
        }
        Err(CrmError::NotFound { .. }) => {
            return Err(no(format!(
                "{} has no deal {id}, so there is nothing to exempt",
                crm.name()
            )));
        }
        Err(error) => {
            remarks.push(format!("the CRM could not be asked for the deal of {key}: {error}"));
            return Ok(());
        }
    };
    let rep: Vec<String> =
        deal.owner.into_iter().flat_map(|owner| [owner.name, owner.email]).flatten().collect();
    separate(context, key, told, &Roles { rep, ..Roles::default() })
}

/// Whoever did it must not be the one it is about: no rep decides on their own
/// deal, only approvers exempt, and nobody acts in somebody else's name.
fn separate(
    context: &Context,
    key: &Key,
    told: &PersonEvent,
    roles: &Roles,
) -> Result<(), WorkflowError> {
    if !matches!(
        told.kind,
        EventKind::Accepted | EventKind::Returned | EventKind::Touched | EventKind::Exempted
    ) {
        return Ok(());
    }
    let team = &context.config.team;
    let approvers = team.approvers.join(", ");
    let who_may = match told.kind {
        EventKind::Exempted if !approvers.is_empty() => {
            format!("have one of the approvers do it: {approvers}")
        }
        EventKind::Exempted => {
            "have somebody else decide; `team: {approvers: […]}` in handoff.yaml says who may"
                .to_owned()
        }
        _ => "the CSM does it, with `--by` and their own login, address or name".to_owned(),
    };
    let no = |message: String, help: String| {
        Err(WorkflowError::NotAllowed { key: key.clone(), message, help })
    };
    let same = |a: &str, b: &str| {
        let bare = |word: &str| word.trim().trim_start_matches('@').to_lowercase();
        bare(a) == bare(b)
    };
    let by = one_line(&told.by);
    let is_rep = roles.rep.iter().any(|word| same(word, &by));
    let is_csm = roles.csm.iter().any(|word| same(word, &by));
    if is_rep && (told.kind == EventKind::Exempted || !is_csm) {
        return no(format!("{} is the rep of this deal", quoted(&by)), who_may);
    }
    if told.kind == EventKind::Exempted && !team.approvers.is_empty() && !team.is_approver(&by) {
        return no(format!("{} is not one of the approvers", quoted(&by)), who_may);
    }
    let mut proven = told.proven.clone();
    let identity = context.ledger.identity();
    if told.via == "cli" && *identity != Identity::default() {
        proven.extend([identity.name.clone(), identity.email.clone()]);
    }
    // One person under two words of the team.
    let person = |word: &str| team.find(word.trim_start_matches('@'));
    let is_by =
        |word: &String| same(word, &by) || person(word).is_some_and(|it| person(&by) == Some(it));
    if proven.iter().any(is_by) {
        return Ok(());
    }
    // A machine's name proves nothing of who told it; somebody else's does.
    let is_known = |word: &&String| {
        person(word).is_some()
            || team.is_approver(word)
            || roles.rep.iter().any(|rep| same(rep, word))
    };
    match proven.iter().find(is_known) {
        Some(other) => no(
            format!("{} runs this, and it says that {} did it", quoted(other), quoted(&by)),
            format!(
                "{} does it; what you decide yourself goes with `--by {}`",
                by,
                other.split_whitespace().collect::<Vec<_>>().join(" ")
            ),
        ),
        None => Ok(()),
    }
}

/// Whether it can have happened then.
fn may_be_then(
    key: &Key,
    brief: &Brief,
    told: &PersonEvent,
    at: DateTime<Utc>,
) -> Result<(), WorkflowError> {
    if !matches!(told.kind, EventKind::Accepted | EventKind::Returned | EventKind::Touched) {
        return Ok(());
    }
    let Some(signed_at) = brief.view().signed_at().filter(|signed| at < *signed) else {
        return Ok(());
    };
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let message = format!("{} is before the signature of {}", time(at), time(signed_at));
    Err(WorkflowError::DoesNotFit { key: key.clone(), message })
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
        return no("it was not returned, so it cannot be resubmitted".to_owned());
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
