//! What people add: accepted, returned, resubmitted, touched, exempted, assigned.

use chrono::{DateTime, Utc};

use super::recording::append;
use super::sources::{ReplacedVersion, WrittenVersion};
use super::store::{LOCK_WAIT, Stored, brief_change, commit, version};
use super::{Context, WorkflowError, pending_pull_request};
use crate::brief::{
    AnswerSource, Brief, Event, EventKind, SourceKind, Timeline, TouchEvidence, View,
};
use crate::config::Csm;
use crate::crm::CrmError;
use crate::deliver::Roles;
use crate::ledger::{Identity, blob_id, folder_for};
use crate::model::{DealId, Key, Remarks, is_same_person, may_be_person};
use crate::text::{did_you_mean, one_line, quoted, shorten};

/// What the folder of an exemption has in place of the customer's name, where nobody
/// knows it.
pub const NO_CUSTOMER: &str = "exempt";

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
            told.customer.as_deref().unwrap_or(NO_CUSTOMER),
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
/// that is remarked. Gives the customer's name as the deal has it.
///
/// # Errors
/// When no deal has this key, or the approver is its rep.
pub async fn check_exemption(
    context: &Context,
    key: &Key,
    told: &PersonEvent,
    remarks: &mut Remarks,
) -> Result<Option<String>, WorkflowError> {
    if context.stored(key, None)?.is_some_and(|stored| stored.brief.is_some()) {
        return Ok(None);
    }
    let Some(crm) = &context.crm else {
        remarks.push(format!("no CRM was asked whether a deal has the key {key}"));
        return Ok(None);
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
            return Ok(None);
        }
        Err(CrmError::NotFound { .. }) => {
            return Err(no(format!(
                "{} has no deal {id}, so there is nothing to exempt",
                crm.name()
            )));
        }
        Err(error) => {
            remarks.push(format!("the CRM could not be asked for the deal of {key}: {error}"));
            return Ok(None);
        }
    };
    let rep: Vec<String> =
        deal.owner.into_iter().flat_map(|owner| [owner.name, owner.email]).flatten().collect();
    separate(context, key, told, &Roles { rep, ..Roles::default() })?;
    Ok(deal.company.and_then(|company| company.name).or(deal.name))
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
    let person = |word: &str| team.find(word).and_then(|at| team.csms.get(at));
    let by = one_line(&told.by);
    // One person of the team may be known to the deal by another of their words.
    let is_one_of = |words: &[String]| {
        words.iter().any(|word| {
            is_same_person(word, &by) || person(&by).is_some_and(|person| person.is(word))
        })
    };
    let (is_rep, is_csm) = (is_one_of(&roles.rep), is_one_of(&roles.csm));
    if is_rep && (told.kind == EventKind::Exempted || !is_csm) {
        return no(format!("{} is the rep of this deal", quoted(&by)), who_may);
    }
    if told.kind == EventKind::Exempted && !team.approvers.is_empty() && !team.is_approver(&by) {
        return no(format!("{} is not one of the approvers", quoted(&by)), who_may);
    }
    // A name alone in the team tells nobody apart.
    let is_told_apart = |csm: &Csm| csm.words().count() > 1;
    let is_known = is_csm || person(&by).is_some_and(is_told_apart) || team.is_approver(&by);
    if told.via == "cli" && !is_known && may_be_person(&by, &roles.rep) {
        return no(
            format!("{} may be the rep of this deal, {}", quoted(&by), roles.rep.join(" or ")),
            "write who it is in full, with a name, e-mail address or login that cannot be the rep's; as the rep's own word it does not count".to_owned(),
        );
    }
    let mut proven = told.proven.clone();
    let identity = context.ledger.identity();
    if told.via == "cli" && *identity != Identity::default() {
        proven.extend([identity.name.clone(), identity.email.clone()]);
    }
    // One person under two words of the team.
    let is_by = |word: &String| {
        is_same_person(word, &by) || person(word).is_some_and(|it| person(&by) == Some(it))
    };
    if proven.iter().any(is_by) {
        return Ok(());
    }
    // A machine's name proves nothing of who told it; somebody else's does.
    let is_known = |word: &&String| {
        person(word).is_some()
            || team.is_approver(word)
            || roles.rep.iter().any(|rep| is_same_person(rep, word))
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
    Err(WorkflowError::unfit(key, message))
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
    let no = |message: String| Err(WorkflowError::unfit(key, message));
    let needs_signature =
        matches!(told.kind, EventKind::Accepted | EventKind::Returned | EventKind::Touched);
    if needs_signature && !signed {
        return no("it is not signed yet, so it cannot be accepted, returned or touched".to_owned());
    }
    if told.kind == EventKind::Exempted && signed {
        return Err(WorkflowError::NotAllowed {
            key: key.clone(),
            message: "it is signed and was handed over, so there is nothing to exempt".to_owned(),
            help: "what is wrong with it goes back with `handoff return`; where the contract is void, void the document at the e-signature provider, which stops deliveries and reminders".to_owned(),
        });
    }
    let was_returned = timeline.verdict().is_some_and(|event| event.event != EventKind::Accepted);
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
            // What changed after the acceptance is accepted again.
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
    timeline.last_of(same_matter).is_some_and(|last| {
        last.event == told.kind
            && (told.kind != EventKind::Returned
                || last.reason.as_deref() == told.reason.as_deref())
            // Of an exemption it counts who decided it.
            && (told.kind != EventKind::Exempted
                || last.by.as_deref().is_some_and(|by| is_same_person(by, &told.by)))
    })
}

// Another CSM takes a handoff: told at the command line or at a target, or
// written into the brief.

/// That somebody gives a handoff to another CSM.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The new CSM: a login, an e-mail address or a name of `team.csms`.
    pub to: String,
    /// Who says so, where that is known.
    pub by: Option<String>,
    /// When, if not now.
    pub at: Option<DateTime<Utc>>,
    /// Through what: `cli`, `github`, …
    pub via: String,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// Gives a handoff to another CSM: one commit with the brief, its page and
/// the event. `None` where they have it already.
///
/// # Errors
/// When there is no such handoff, it is not signed,
/// the CSM is not in the team, or the ledger cannot be written.
pub fn assign(
    context: &Context,
    key: &Key,
    told: &Assignment,
    remarks: &mut Remarks,
) -> Result<Option<Timeline>, WorkflowError> {
    let no = |message: String| WorkflowError::unfit(key, message);
    let csm = find(context, &told.to).map_err(no)?;
    let mut writer = context.ledger.lock(LOCK_WAIT)?;
    let snapshot = writer.snapshot()?;
    let stored = pending_pull_request::find(context, &snapshot, key, None)?;
    let earlier = ReplacedVersion::of(context, &snapshot, stored.as_ref())?;
    let Some(Stored { folder, branch, brief, mut timeline, .. }) = stored else {
        return Err(WorkflowError::NoHandoff(key.clone()));
    };
    let Some(brief) = brief.filter(|brief| brief.view().is_signed()) else {
        return Err(no("it is not signed yet; change the CSM of a draft in its brief".to_owned()));
    };
    let at = told.at.unwrap_or(context.now);
    if at > context.now {
        return Err(no(format!("{} is in the future", at.format("%Y-%m-%d %H:%M UTC"))));
    }
    if brief.view().csm_words().iter().any(|word| csm.is(word)) {
        return Ok(None);
    }
    let mut json = brief.json().clone();
    json["first_action"]["owner"] = csm.to_json();
    let brief = Brief::from_json(context.schema.in_order(&json));
    let mut event = Event::new(at, EventKind::Assigned, told.via.clone());
    event.reference = Some(name_of(csm).to_owned());
    event.by = told.by.as_deref().map(|by| shorten(&one_line(by), 200));
    event.reason = told.reason.as_deref().map(|reason| shorten(&one_line(reason), 1_000));
    let blob = blob_id(brief.to_yaml(Context::depth(&folder)).as_bytes()).to_string();
    event.brief = Some(blob.clone());
    let given = AnswerSource::of(SourceKind::Person).at(at);
    let given = match &event.by {
        Some(by) => given.named(by),
        None => given.named(format!("somebody, through {}", told.via)),
    };
    let version =
        WrittenVersion { key, brief: brief.json(), blob: &blob, earlier: earlier.as_ref() };
    let owner = "/first_action/owner".to_owned();
    let sources = version.of_person(context, &[owner], &given);
    event.sources = Some(blob_id(sources.as_bytes()).to_string());
    timeline.events.push(event);
    let change = brief_change(context, key, &folder, &brief, sources)?
        .trailer("Handoff-Event", EventKind::Assigned.as_str())
        .put("timeline.yaml", timeline.to_yaml());
    commit(&mut writer, branch.as_deref(), &change, remarks)?;
    Ok(Some(timeline))
}

/// Records that the brief has another CSM than it was given to: written into
/// it by hand, or named by the corrected deal. Nothing is read where the brief
/// is as it was then.
pub(super) fn notice(
    context: &Context,
    key: &Key,
    stored: &Stored,
    remarks: &mut Remarks,
) -> Result<Option<Timeline>, WorkflowError> {
    let (Some(brief), Some(blob)) = (&stored.brief, &stored.brief_blob) else { return Ok(None) };
    let Some(given) = as_given(&stored.timeline) else { return Ok(None) };
    if given == blob || !brief.view().is_signed() {
        return Ok(None);
    }
    let Some(before) = version(context, given) else { return Ok(None) };
    let (before, now) = (View::of(&before).csm_words(), brief.view().csm_words());
    let is_same = before.iter().any(|word| now.iter().any(|it| is_same_person(it, word)));
    if before.is_empty() || now.is_empty() || is_same {
        return Ok(None);
    }
    // Of a correction the place that it came from is known.
    let mut events = stored.timeline.events.iter();
    let written =
        events.rfind(|it| it.event == EventKind::Corrected && it.brief.as_ref() == Some(blob));
    let via = written.map_or("brief", |it| it.via.as_str());
    let mut event = Event::new(context.now, EventKind::Assigned, via);
    event.reference = now.first().map(|word| (*word).to_owned());
    event.brief = Some(blob.clone());
    append(context, key, &stored.folder, vec![event], remarks)
}

/// The brief's blob as it was when its CSM was given it.
pub(super) fn as_given(timeline: &Timeline) -> Option<&str> {
    let gives = [EventKind::Assigned, EventKind::Signed, EventKind::Backfilled];
    let mut events = timeline.events.iter().rev();
    events.find(|it| gives.contains(&it.event) && it.brief.is_some())?.brief.as_deref()
}

/// The CSM whom a word means.
fn find<'a>(context: &'a Context, word: &str) -> Result<&'a Csm, String> {
    let team = &context.config.team;
    let csm = team.find(word).and_then(|at| team.csms.get(at));
    csm.ok_or_else(|| {
        let names: Vec<&str> = team.csms.iter().map(name_of).collect();
        let hint = match names.is_empty() {
            true => "nobody is listed there".to_owned(),
            false => did_you_mean(word, names),
        };
        format!("{} is not listed under team.csms; {hint}", quoted(word))
    })
}

fn name_of(csm: &Csm) -> &str {
    csm.github.as_deref().or(csm.email.as_deref()).unwrap_or(&csm.name)
}
