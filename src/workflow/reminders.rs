//! Reminders: what is due by when, who is reminded of it, and that each is
//! reminded once.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::handoff_summary::HandoffSummary;
use super::recording::Recording;
use super::store::Stored;
use super::{Context, WorkflowError};
use crate::brief::{Event, EventKind, Timeline, View, deadline_in_force, deadline_moves};
use crate::config::{Channel, Csm, Due, Lead, Offset, Recipient, ReminderRule};
use crate::deliver::{
    DeliveryError, DeliveryResult, Follower as _, Handoff, RemindedPerson, Reminder, Sink,
    WholeDays, deliver_one, is_told,
};
use crate::http::Schedule;
use crate::link::LinkRole;
use crate::model::Remarks;
use crate::text::{quoted, shorten};
use crate::time::{Calendar, deadline};

/// What should have been sent longer ago is not sent any more: who turns
/// reminders on, or was away, is not flooded with the past.
const TOO_LATE: TimeDelta = TimeDelta::days(7);

/// Something that is due.
struct Thing {
    due: Due,
    /// Which of several, `2` for the second promise; empty where there is one.
    which: String,
    words: String,
    at: DateTime<Utc>,
}

/// The reminders of one handoff whose time has come and that were not sent,
/// each with the sink that sends it. `at_once` does not wait after a failure.
pub(super) async fn due(
    context: &Context,
    stored: &Stored,
    handoff: &Handoff,
    at_once: bool,
    remarks: &mut Remarks,
) -> Vec<Box<dyn Sink>> {
    let facts = HandoffSummary::of(context, stored);
    let mut things = things(context, &facts);
    if reminds_of_onboarding(context) && is_open(context, &facts) {
        things.extend(open_tasks(context, stored, handoff, remarks).await);
    }
    let mut sinks = Vec::new();
    for rung in &context.config.reminders {
        for thing in things.iter().filter(|thing| thing.due == rung.due) {
            let Some(id) = comes(context, &stored.timeline, rung, thing) else { continue };
            let to = recipients(context, &rung.to, handoff);
            if to.is_empty() {
                continue;
            }
            let escalates = matches!(rung.to, Recipient::Lead | Recipient::Addresses(_));
            let words = thing.words.clone();
            let role = match rung.to {
                Recipient::Csm => Some(LinkRole::Csm),
                Recipient::Rep => Some(LinkRole::Rep),
                Recipient::Lead | Recipient::Addresses(_) => None,
            };
            let (about, due) = (rung.due.as_str(), thing.at);
            let reminder = Arc::new(Reminder { id, escalates, about, role, what: words, due, to });
            if let Some(sink) = sink(context, rung, &reminder)
                && (at_once || !rests(stored, sink.as_ref(), context.now))
            {
                sinks.push(sink);
            }
        }
    }
    sinks
}

/// Whether a reminder of this handoff may be due; whether an onboarding task is
/// done, only its target knows.
pub(super) fn may_be_due(context: &Context, facts: &HandoffSummary) -> bool {
    let comes = |rung: &ReminderRule, thing: &Thing| {
        thing.due == rung.due && comes(context, &facts.timeline, rung, thing).is_some()
    };
    let things = things(context, facts);
    (reminds_of_onboarding(context) && is_open(context, facts))
        || context.config.reminders.iter().any(|rung| things.iter().any(|it| comes(rung, it)))
}

fn reminds_of_onboarding(context: &Context) -> bool {
    let is_wanted = context.config.reminders.iter().any(|rung| rung.due == Due::Onboarding);
    is_wanted && project_sinks(context).next().is_some()
}

/// The sinks that may have made onboarding tasks. Without one nobody is
/// reminded of any, and a run need not read handoffs for them.
fn project_sinks(context: &Context) -> impl Iterator<Item = &dyn Sink> {
    let sinks = context.sinks.iter().map(AsRef::as_ref);
    sinks.filter(|sink| sink.has_onboarding())
}

/// What a rung is known by, where its time has come and it was not sent.
fn comes(
    context: &Context,
    timeline: &Timeline,
    rung: &ReminderRule,
    thing: &Thing,
) -> Option<String> {
    // Nobody is late with what they were not told; where telling them failed, it goes on.
    let of_first_touch = [Due::FirstTouch, Due::Acceptance, Due::MissingAnswers];
    let mut from = thing.at;
    if !rung.at.before && of_first_touch.contains(&rung.due) {
        let tries = |it: &&Event| is_told(it.event) || it.event == EventKind::DeliveryFailed;
        let told = timeline.events.iter().filter(tries).map(|it| it.at).min()?;
        // A target's clock may be ahead of this one.
        if told <= context.now {
            from = from.max(told);
        }
    }
    let moment = moment(rung.at, from, context.config.first_touch.calendar.as_ref());
    let is_stale = moment + TOO_LATE < context.now || (rung.at.before && context.now >= thing.at);
    if moment > context.now || is_stale {
        return None;
    }
    let id = id(rung, thing);
    (!is_sent(timeline, &id)).then_some(id)
}

/// The onboarding tasks that are not done. A target is asked only where a
/// reminder of one of its tasks would be sent now.
async fn open_tasks(
    context: &Context,
    stored: &Stored,
    handoff: &Handoff,
    remarks: &mut Remarks,
) -> Vec<Thing> {
    let days = WholeDays(context.config.timezone);
    let rungs: Vec<&ReminderRule> =
        context.config.reminders.iter().filter(|rung| rung.due == Due::Onboarding).collect();
    let mut open = Vec::new();
    for sink in project_sinks(context) {
        let mut things: Vec<Thing> = sink
            .onboarding(handoff)
            .into_iter()
            // The first task is the first touch, which has a ladder of its own.
            .skip(1)
            .map(|(which, task)| Thing {
                due: Due::Onboarding,
                which,
                words: format!("the task {}", quoted(&shorten(&task.what, 120))),
                at: days.end(task.due),
            })
            .collect();
        things.retain(|thing| {
            rungs.iter().any(|rung| comes(context, &stored.timeline, rung, thing).is_some())
        });
        if things.is_empty() {
            continue;
        }
        match sink.open_tasks(handoff).await {
            Ok(there) => {
                things.retain(|thing| there.contains(&thing.which));
                open.extend(things);
            }
            Err(error) => remarks.push(format!(
                "{}: nobody is reminded of onboarding tasks in {}, which were not read: {error}",
                handoff.key,
                sink.via()
            )),
        }
    }
    open
}

/// Sends them, each recorded as soon as it was sent.
pub(super) async fn send(
    sinks: &[Box<dyn Sink>],
    handoff: &Handoff,
    recording: &Recording<'_>,
) -> Result<Vec<DeliveryResult>, WorkflowError> {
    let mut results = Vec::new();
    for sink in sinks {
        let tries = if sink.can_look_up() { 0 } else { recording.left(sink.as_ref())? };
        let result = if tries > 1 || (tries == 1 && !sink.repeats_when_unclear()) {
            let message =
                "the run that sent it ended before it could record what became of it".to_owned();
            let outcome = Err(DeliveryError::unclear(message));
            Some(DeliveryResult::of(sink.as_ref(), handoff, outcome))
        } else {
            deliver_one(sink.as_ref(), handoff, &Schedule::interactive(), recording).await
        };
        let Some(result) = result else { break };
        let goes_on = recording.after(sink.as_ref(), &result).is_continue();
        results.push(result);
        if !goes_on {
            break;
        }
    }
    Ok(results)
}

/// Whether anybody is to be reminded of anything about this handoff.
fn is_open(context: &Context, facts: &HandoffSummary) -> bool {
    let HandoffSummary { brief: Some(brief), timeline } = facts else { return false };
    let documents = [EventKind::Voided, EventKind::Signed, EventKind::Backfilled];
    let document = timeline.last_of(&documents).map(|it| it.event);
    let is_over =
        document.is_none_or(|it| it == EventKind::Voided) || timeline.is_exempt(brief.is_signed);
    let since = context.config.deliver.since;
    let is_old = since.zip(brief.signed_at).is_some_and(|(since, at)| at < since);
    // Of a lost or deleted deal the CSM was told; nothing is due any more.
    let is_lost = timeline.deal_is_over().is_some();
    !is_over && !is_lost && !is_old && brief.is_signed
}

/// What of a handoff is due, while it is.
fn things(context: &Context, facts: &HandoffSummary) -> Vec<Thing> {
    let HandoffSummary { brief: Some(brief), timeline } = facts else { return Vec::new() };
    if !is_open(context, facts) {
        return Vec::new();
    }
    let mut things = Vec::new();
    let mut add =
        |due, which: String, words: String, at| things.push(Thing { due, which, words, at });
    if let Some(at) = deadline_in_force(brief.due, deadline_moves(&timeline.events)) {
        let one = String::new;
        let needs_evidence = context.config.first_touch.needs_evidence();
        if timeline.first_touch(needs_evidence).is_none() {
            add(Due::FirstTouch, one(), "the first touch".to_owned(), at);
        }
        let verdict = timeline.last_of(&[
            EventKind::Accepted,
            EventKind::Returned,
            EventKind::Resubmitted,
            EventKind::Corrected,
            EventKind::Amended,
        ]);
        if !matches!(verdict.map(|it| it.event), Some(EventKind::Accepted | EventKind::Returned)) {
            add(Due::Acceptance, one(), "accepting or returning the handoff".to_owned(), at);
        }
        let missing = brief.missing.len();
        if missing > 0 {
            let words = match missing {
                1 => "1 missing answer".to_owned(),
                more => format!("{more} missing answers"),
            };
            add(Due::MissingAnswers, one(), words, at);
        }
    }
    let days = WholeDays(context.config.timezone);
    for (number, promise, day) in &brief.promises {
        let words = format!("the promise {}", quoted(&shorten(promise, 120)));
        add(Due::Promise, number.to_string(), words, days.end(*day));
    }
    for (field, why, day) in &brief.unknowns {
        let words = format!("the open answer {field}{why}");
        add(Due::Unknown, field.clone(), words, days.end(*day));
    }
    things
}

/// `first_touch-4h.csm`, `promise.2+1d.lead`: the same at every run.
fn id(rung: &ReminderRule, thing: &Thing) -> String {
    let what = rung.due.as_str();
    let dot = if thing.which.is_empty() { "" } else { "." };
    let to = match rung.to {
        Recipient::Csm => "csm",
        Recipient::Rep => "rep",
        Recipient::Lead => "lead",
        Recipient::Addresses(_) => "list",
    };
    // It stands in file names, mail headers and marks.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let which: String = thing.which.chars().map(plain).collect();
    format!("{what}{dot}{which}{}.{to}", rung.at)
}

/// When a rung's time has come, in business time where there is a calendar.
fn moment(at: Offset, due: DateTime<Utc>, calendar: Option<&Calendar>) -> DateTime<Utc> {
    match (at.before, calendar) {
        (false, calendar) => deadline(due, at.distance, calendar),
        (true, Some(calendar)) => calendar.before(due, at.distance),
        (true, None) => due.checked_sub_signed(at.distance.plain()).unwrap_or(due),
    }
}

fn is_sent(timeline: &Timeline, id: &str) -> bool {
    timeline.events.iter().any(|event| {
        matches!(event.event, EventKind::Reminded | EventKind::Escalated)
            && event.reference.as_deref() == Some(id)
    })
}

/// Whether it failed and its next try is still to come, or there is none.
fn rests(stored: &Stored, sink: &dyn Sink, now: DateTime<Utc>) -> bool {
    let reference = format!("{}:{}", sink.event(), sink.subject());
    let failed: Vec<DateTime<Utc>> = stored
        .timeline
        .events
        .iter()
        .filter(|it| it.event == EventKind::DeliveryFailed && it.via == sink.via())
        .filter(|it| it.reference.as_ref() == Some(&reference))
        .map(|it| it.at)
        .collect();
    let Some(last) = failed.last() else { return false };
    match Schedule::over_days().waits.get(failed.len() - 1) {
        Some(wait) => TimeDelta::from_std(*wait).is_ok_and(|wait| *last + wait > now),
        None => true,
    }
}

/// The people of a rung, as far as somebody is known.
fn recipients(context: &Context, to: &Recipient, handoff: &Handoff) -> Vec<RemindedPerson> {
    let of_brief = |at: &str| {
        let owner = handoff.brief.pointer(at)?;
        let of = |name: &str| owner[name].as_str().map(str::to_owned);
        let person = RemindedPerson { name: of("name"), email: of("email"), slack: of("slack") };
        (person.name.is_some() || person.email.is_some()).then_some(person)
    };
    let at_address =
        |email: &str| RemindedPerson { email: Some(email.to_owned()), ..RemindedPerson::default() };
    let team = &context.config.team;
    match to {
        Recipient::Csm => of_brief("/first_action/owner").into_iter().collect(),
        Recipient::Rep => of_brief("/deal/owner").into_iter().collect(),
        Recipient::Lead => {
            let words = View::of(&handoff.brief).csm_words();
            let csm = words.into_iter().find_map(|word| team.find(word));
            let lead = csm.and_then(|index| team.lead(team.csms.get(index)?));
            let lead = lead.map(|lead| match lead {
                Lead::Csm(Csm { name, email, slack, .. }) => RemindedPerson {
                    name: Some(name.clone()),
                    email: email.clone(),
                    slack: slack.clone(),
                },
                Lead::Address(email) => at_address(email),
            });
            lead.into_iter().collect()
        }
        Recipient::Addresses(list) => list.iter().map(|email| at_address(email)).collect(),
    }
}

/// The sink that sends it: the configured channel; else the first that can,
/// where a list of addresses needs mail.
fn sink(context: &Context, rung: &ReminderRule, reminder: &Arc<Reminder>) -> Option<Box<dyn Sink>> {
    let mut made: BTreeMap<&'static str, Box<dyn Sink>> = BTreeMap::new();
    for sink in &context.sinks {
        if let Some(sink) = sink.for_reminder(reminder) {
            made.entry(sink.via()).or_insert(sink);
        }
    }
    let wanted: &[&str] = match (rung.by, &rung.to) {
        (Some(Channel::Slack), _) => &["slack", "outbox"],
        (Some(Channel::Email), _) | (None, Recipient::Addresses(_)) => &["email", "outbox"],
        (None, _) => &["slack", "email", "outbox"],
    };
    wanted.iter().find_map(|via| made.remove(via))
}
