//! Reading back: what people did about the deliveries becomes events.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::deliveries::{Horizon, handoff_of, keys_within};
use super::people::{Assignment, assign, changed_since_acceptance, notice};
use super::recording::append;
use super::store::version;
use super::{Context, Standing, StatusRow, WorkflowError, deadlines};
use crate::brief::{
    Event, EventKind, Timeline, TouchEvidence, View, deadline_in_force, deadline_moves,
};
use crate::config::Config;
use crate::crm::{ActivitiesOf, Activity, Crm, CrmError};
use crate::deliver::{
    DeliveryError, Handoff, MovedDeadline, Observed, Onboarding, OpenTask, ReadBack, Reader,
    Reassigned,
};
use crate::model::{Check, CheckLevel, DealId, Evidence, Gap, Key, Person, Remarks};
use crate::text::{one_line, quoted, shorten};

/// Handoffs whose first touches are asked for together.
const AT_ONCE: usize = 100;

/// A task that could not be read, so that nothing is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRead {
    /// Where it was to be read, `github`.
    pub via: String,
    /// The task; of a CRM the deal.
    pub reference: String,
    /// What happened.
    pub why: String,
    /// What to do.
    pub help: Option<String>,
    /// Whether the task is gone, so that asking again tells no more.
    pub for_good: bool,
    /// Whether an earlier reading has recorded that it is gone.
    pub is_known: bool,
}

/// What reading one handoff back came to.
#[derive(Debug, Clone)]
pub struct Synced {
    /// The handoff.
    pub key: Key,
    /// How many tasks were read.
    pub read: usize,
    /// What is new.
    pub added: Vec<Event>,
    /// What could not be read. Nothing said about it means nothing known.
    pub not_read: Vec<NotRead>,
    /// What a person should know.
    pub remarks: Remarks,
}

/// Reads what people did about one handoff's deliveries and records what is
/// new, each thing once however often it is read. `record` is off for a dry
/// run.
///
/// # Errors
/// When the ledger cannot be read or written, or has no such handoff. A
/// target that cannot be read is in [`Synced::not_read`].
pub async fn sync(
    context: &Context,
    readers: &[Box<dyn Reader>],
    key: &Key,
    record: bool,
) -> Result<Synced, WorkflowError> {
    let mut shown = shown_touches(context, std::slice::from_ref(key)).await;
    sync_with(context, readers, key, record, shown.remove(key)).await
}

/// As [`sync`], of several handoffs one after the other. The CRM is asked for
/// their first touches together, so many at once; `told` hears of each.
///
/// # Errors
/// As [`sync`]; what was recorded of those before stays.
pub async fn sync_many(
    context: &Context,
    readers: &[Box<dyn Reader>],
    keys: &[Key],
    record: bool,
    told: &mut (dyn FnMut(&Synced) + Send),
) -> Result<Vec<Synced>, WorkflowError> {
    let mut results = Vec::with_capacity(keys.len());
    for keys in keys.chunks(AT_ONCE) {
        let mut shown = shown_touches(context, keys).await;
        for key in keys {
            let synced = sync_with(context, readers, key, record, shown.remove(key)).await?;
            told(&synced);
            results.push(synced);
        }
    }
    Ok(results)
}

/// What the CRM shows of the first touch of one handoff.
struct ShownTouch {
    deal: DealId,
    /// Of each who was the CSM for a time, in their order.
    read: Vec<(Person, Result<Evidence<Activity>, CrmError>)>,
}

/// What the CRM shows of the CSMs' first contacts with their customers. Asked
/// for until it shows one: a claim is not evidence.
async fn shown_touches(context: &Context, keys: &[Key]) -> BTreeMap<Key, ShownTouch> {
    let Some(crm) = context.crm.as_deref() else { return BTreeMap::new() };
    let mut open = Vec::new();
    for key in keys {
        // A handoff that cannot be read says so when its turn comes.
        let Ok(stored) = context.handoff(key) else { continue };
        let Some(brief) = stored.brief.filter(|brief| brief.view().is_signed()) else { continue };
        if stored.timeline.first_touch(true).is_some() {
            continue;
        }
        let view = brief.view();
        let of_crm = view.deal().is_some_and(|(name, _)| name == *crm.name());
        let (Some(deal), Some(since)) = (view.deal_id().filter(|_| of_crm), view.signed_at())
        else {
            continue;
        };
        for (by, from, until) in csms(context, &stored.timeline, view, since) {
            open.push((key.clone(), deal.clone(), by, from, until));
        }
    }
    let asked: Vec<ActivitiesOf<'_>> = open
        .iter()
        .map(|(_, deal, by, since, until)| ActivitiesOf { deal, by, since: *since, until: *until })
        .collect();
    let found = crm.activities(&asked).await.unwrap_or_default();
    let mut shown = BTreeMap::new();
    for ((key, deal, by, ..), read) in open.into_iter().zip(found) {
        let of_key = shown.entry(key).or_insert(ShownTouch { deal, read: Vec::new() });
        of_key.read.push((by, read));
    }
    shown
}

/// Who was the CSM from when until when: the touch of whoever had the handoff
/// counts, also once somebody else has taken it over.
fn csms(
    context: &Context,
    timeline: &Timeline,
    view: View<'_>,
    signed_at: DateTime<Utc>,
) -> Vec<(Person, DateTime<Utc>, DateTime<Utc>)> {
    let person = |view: View<'_>| {
        let csm = view.first_action_owner()?;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Person { name: owned(csm.name), email: owned(csm.email) })
    };
    let mut given: Vec<(Person, DateTime<Utc>)> = Vec::new();
    let mut assigned = timeline.events.iter().filter(|it| it.event == EventKind::Assigned);
    if let Some(first) = assigned.next() {
        let before = timeline.events.iter().take_while(|it| !std::ptr::eq(*it, first));
        let before = before.filter_map(|it| version(context, it.brief.as_deref()?)).last();
        given.extend(before.and_then(|brief| Some((person(View::of(&brief))?, signed_at))));
        for event in std::iter::once(first).chain(assigned) {
            let brief = event.brief.as_deref().and_then(|blob| version(context, blob));
            let by = brief.and_then(|brief| person(View::of(&brief)));
            given.extend(by.map(|by| (by, event.at.max(signed_at))));
        }
    }
    if given.is_empty() {
        given.extend(person(view).map(|by| (by, signed_at)));
    }
    // Whoever has it now may have been in touch before they were given it.
    let ends = given.iter().skip(1).map(|(_, at)| *at).chain([context.now]);
    let ends: Vec<DateTime<Utc>> = ends.collect();
    if let Some((_, from)) = given.last_mut() {
        *from = signed_at;
    }
    given.into_iter().zip(ends).map(|((by, from), until)| (by, from, until)).collect()
}

async fn sync_with(
    context: &Context,
    readers: &[Box<dyn Reader>],
    key: &Key,
    record: bool,
    shown: Option<ShownTouch>,
) -> Result<Synced, WorkflowError> {
    let stored = context.handoff(key)?;
    let mut synced = Synced {
        key: key.clone(),
        read: 0,
        added: Vec::new(),
        not_read: Vec::new(),
        remarks: Remarks::default(),
    };
    let Some(handoff) = handoff_of(context, key, &stored)? else { return Ok(synced) };
    let is_signed = stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed());
    if !is_signed {
        return Ok(synced);
    }
    let is_changed = changed_since_acceptance(&stored);
    let mut timeline = stored.timeline.clone();
    let mut given = Vec::new();
    for reader in readers {
        let Some(reference) = task_of(&timeline, reader.as_ref()) else { continue };
        let read = reader.read_back(&handoff, &reference).await;
        let is_known = gone_before(&timeline, reader.via(), &reference);
        let mut unread = |why: String, help: Option<String>, for_good: bool| {
            let (via, reference) = (reader.via().to_owned(), reference.clone());
            let is_known = for_good && is_known;
            synced.not_read.push(NotRead { via, reference, why, help, for_good, is_known });
        };
        match read {
            Ok(ReadBack::Seen { observed, deadline, assigned, onboarding, remarks }) => {
                synced.read += 1;
                synced.remarks.extend(remarks);
                if let Some(event) = onboarding
                    .and_then(|it| onboarding_event(&timeline, reader.via(), *it, context.now))
                {
                    timeline.events.push(event.clone());
                    synced.added.push(event);
                }
                if let Some(moved) = deadline
                    && let Some(event) = moved_event(&timeline, reader.via(), &moved, context.now)
                {
                    synced.remarks.extend(too_late(&handoff, &timeline, &event));
                    timeline.events.push(event.clone());
                    synced.added.push(event);
                }
                given.extend(assigned.map(|assigned| (reader.via(), assigned)));
                for act in &observed {
                    if let Some(why) = impossible(&handoff, act, context.now) {
                        synced.remarks.push(why);
                        continue;
                    }
                    match judge(&timeline, reader.via(), act, is_changed) {
                        Judgement::Known => {}
                        Judgement::Overtaken => synced.remarks.push(format!(
                            "{} by {} on {} came before what is recorded already: not counted ({})",
                            act.kind.words(),
                            act.by,
                            act.at.format("%Y-%m-%d %H:%M UTC"),
                            act.reference
                        )),
                        Judgement::New => {
                            let event = event_of(reader.via(), act);
                            timeline.events.push(event.clone());
                            synced.added.push(event);
                        }
                    }
                }
            }
            Ok(ReadBack::Gone { why, help }) => {
                unread(why.clone(), Some(help), true);
                if !is_known {
                    let mut event = Event::new(context.now, EventKind::TaskGone, reader.via());
                    event.reference = Some(reference);
                    event.reason = Some(shorten(&one_line(&why), 1_000));
                    timeline.events.push(event.clone());
                    synced.added.push(event);
                }
            }
            Ok(ReadBack::Unknown { why, help }) => unread(why, Some(help), false),
            Err(error) => {
                let help = match &error {
                    DeliveryError::Permanent { help, .. } => Some(help.clone()),
                    DeliveryError::Transient { .. } | DeliveryError::Unclear { .. } => None,
                };
                unread(error.to_string(), help, false);
            }
        }
    }
    if let (Some(crm), Some(shown)) = (context.crm.as_deref(), shown) {
        touched(context, crm.name().as_str(), shown, &mut synced);
    }
    if record {
        let is_move = |event: &Event| event.event == EventKind::DeadlineMoved;
        let (moves, others): (Vec<Event>, Vec<Event>) =
            synced.added.iter().cloned().partition(is_move);
        append(context, key, &stored.folder, others, &mut synced.remarks)?;
        for moved in moves {
            deadlines::record(context, key, moved, None, &mut synced.remarks)?;
        }
        notice(context, key, &stored, &mut synced.remarks)?;
        let stored = context.handoff(key)?;
        deadlines::notice(context, key, &stored, &mut synced.remarks)?;
    }
    // Where two targets name somebody, the later word counts.
    if let Some((via, given)) = given.into_iter().max_by_key(|(_, given)| given.at) {
        take_over(context, key, via, &given, record, &mut synced)?;
    }
    Ok(synced)
}

/// Takes in what the CRM shows of the first touch.
fn touched(context: &Context, via: &str, shown: ShownTouch, synced: &mut Synced) {
    let ShownTouch { deal, read } = shown;
    let (mut found, mut gaps) = (Vec::new(), Vec::new());
    for (by, read) in read {
        match read {
            Ok(read) => {
                let (activities, missing) = read.into_parts();
                found.extend(activities.into_iter().map(|it| (it, by.clone())));
                gaps.extend(missing);
            }
            Err(error) => {
                let help = error.help().map(str::to_owned);
                let what = format!("the activities of deal {deal}");
                gaps.push(Gap { what, why: error.to_string(), help });
            }
        }
    }
    gaps.dedup();
    if gaps.is_empty() || !found.is_empty() {
        synced.read += 1;
    }
    if let Some((first, by)) = found.iter().min_by_key(|(it, _)| it.at) {
        let mut event = Event::new(first.at, EventKind::Touched, via);
        event.reference = Some(first.reference.clone());
        event.by = by.name.as_ref().or(by.email.as_ref()).map(|by| shorten(&one_line(by), 200));
        // Who logs a call days later has still called on the day they say.
        let late = first.logged_at.filter(|logged| *logged - first.at > TimeDelta::hours(1));
        let logged = late.map(|at| format!(", logged on {}", at.format("%Y-%m-%d %H:%M UTC")));
        event.reason = Some(format!("{}{}", first.kind.words(), logged.unwrap_or_default()));
        event.evidence = Some(TouchEvidence::Crm);
        synced.added.push(event);
    }
    let matters = found.is_empty() && context.config.first_touch.needs_evidence();
    for Gap { what, why, help } in gaps {
        let why = format!("{what} could not be read: {why}");
        if matters {
            let (via, reference) = (via.to_owned(), deal.as_str().to_owned());
            let (for_good, is_known) = (false, false);
            synced.not_read.push(NotRead { via, reference, why, help, for_good, is_known });
        } else {
            let help = help.map_or_else(String::new, |help| format!(" {help}"));
            synced.remarks.push(format!("{why}{help}"));
        }
    }
}

/// Whether the CRM lets itself be read for first touches, for `doctor`: only
/// where `sync` is of use, and a failure only where nothing else counts.
pub async fn check_touches(crm: &dyn Crm, config: &Config) -> Vec<Check> {
    let needs_evidence = config.first_touch.needs_evidence();
    let reads_back = config.deliver.workflow_needs().any(|(_, needs)| needs.reads_back);
    if !needs_evidence && !reads_back {
        return Vec::new();
    }
    let mut checks = crm.activity_checks().await;
    for check in checks.iter_mut().filter(|it| it.level == CheckLevel::Failed && !needs_evidence) {
        check.level = CheckLevel::Warning;
        check.detail.push_str("; first touches that the CSM claims count all the same");
    }
    checks
}

/// Records that somebody gave the task to another CSM.
fn take_over(
    context: &Context,
    key: &Key,
    via: &'static str,
    given: &Reassigned,
    record: bool,
    synced: &mut Synced,
) -> Result<(), WorkflowError> {
    let told = Assignment {
        to: given.to.clone(),
        by: given.by.clone(),
        at: Some(given.at),
        via: via.to_owned(),
        reason: None,
    };
    let mut event = Event::new(given.at, EventKind::Assigned, via);
    event.reference = Some(given.to.clone());
    event.by = given.by.clone();
    if !record {
        synced.added.push(event);
        return Ok(());
    }
    match assign(context, key, &told, &mut synced.remarks) {
        Ok(Some(timeline)) => synced.added.extend(timeline.events.last().cloned()),
        Ok(None) => {}
        Err(WorkflowError::DoesNotFit { message, .. }) => synced.remarks.push(format!(
            "the task was given to {} on {via} and stays with the CSM of the brief: {message}",
            quoted(&given.to)
        )),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Why an act cannot be what it claims to be, if so: nobody touches, accepts
/// or returns before the signature, or after the moment of the reading.
fn impossible(handoff: &Handoff, act: &Observed, now: DateTime<Utc>) -> Option<String> {
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC");
    let signed_at = View::of(&handoff.brief).signed_at().filter(|signed| act.at < *signed);
    let why = match signed_at {
        Some(signed_at) => format!("before the signature of {}", time(signed_at)),
        None if act.at > now => format!("after this reading of {}", time(now)),
        None => return None,
    };
    Some(format!(
        "{} by {} on {} is {why}: not counted ({})",
        act.kind.words(),
        act.by,
        time(act.at),
        act.reference
    ))
}

/// The handoff whose task has this address, and what could not be read on the
/// way.
///
/// # Errors
/// When the ledger cannot be read at all.
pub fn key_of_task(
    context: &Context,
    readers: &[Box<dyn Reader>],
    address: &str,
    horizon: Horizon,
) -> Result<(Option<Key>, Vec<Gap>), WorkflowError> {
    let (keys, mut gaps) = keys_within(context, horizon)?;
    // Tasks are answered within days: the newest handoffs come first.
    for key in keys.into_iter().rev() {
        let timeline = match context.stored(&key, None) {
            Ok(stored) => stored.map(|stored| stored.timeline),
            Err(error) => {
                gaps.push(Gap::new(key.to_string(), error.to_string()));
                continue;
            }
        };
        let is_task = |timeline: Timeline| {
            readers.iter().any(|reader| {
                task_of(&timeline, reader.as_ref())
                    .is_some_and(|task| task.eq_ignore_ascii_case(address.trim_end_matches('/')))
            })
        };
        if timeline.is_some_and(is_task) {
            return Ok((Some(key), gaps));
        }
    }
    Ok((None, gaps))
}

/// The task that a reader reads: the last one that was opened.
fn task_of(timeline: &Timeline, reader: &dyn Reader) -> Option<String> {
    let is_its = |it: &&Event| it.event == reader.event() && it.via == reader.via();
    timeline.events.iter().rev().filter(is_its).find_map(|event| event.reference.clone())
}

/// Whether an earlier reading has recorded that this task is gone.
fn gone_before(timeline: &Timeline, via: &str, task: &str) -> bool {
    timeline.events.iter().any(|event| {
        event.event == EventKind::TaskGone
            && event.via == via
            && event.reference.as_deref() == Some(task)
    })
}

fn event_of(via: &str, act: &Observed) -> Event {
    let mut event = Event::new(act.at, act.kind, via);
    event.reference = Some(act.reference.clone());
    event.by = Some(shorten(&one_line(&act.by), 200));
    event.reason = act.reason.clone();
    event.evidence = (act.kind == EventKind::Touched).then_some(TouchEvidence::Claimed);
    event
}

/// A deadline that somebody has set, unless it is the last one that was read
/// there already.
fn moved_event(
    timeline: &Timeline,
    via: &str,
    moved: &MovedDeadline,
    now: DateTime<Utc>,
) -> Option<Event> {
    let last = timeline.last_via(EventKind::DeadlineMoved, via);
    let at = moved.at.unwrap_or(now);
    let written = timeline.last_via(EventKind::CsmTold, via).map(|it| it.at);
    // One that handoff has written over since may be set once more.
    let is_over = |last: &Event| written.is_some_and(|it| it > last.at && at > it);
    if last.is_some_and(|last| last.due == Some(moved.due) && !is_over(last)) {
        return None;
    }
    let mut event = Event::new(at, EventKind::DeadlineMoved, via);
    event.reference = Some(moved.reference.clone());
    event.by = moved.by.as_deref().map(|by| shorten(&one_line(by), 200));
    event.due = Some(moved.due);
    Some(event)
}

/// What the onboarding project says that the last reading did not: open tasks
/// are past their day, none is any more, or all are done.
fn onboarding_event(
    timeline: &Timeline,
    via: &str,
    seen: Onboarding,
    now: DateTime<Utc>,
) -> Option<Event> {
    let is_reading = |it: &&Event| it.via == via && is_onboarding(it.event);
    let last = timeline.events.iter().rev().find(is_reading);
    let mut late: Vec<(DateTime<Utc>, &OpenTask)> = seen
        .open
        .iter()
        .filter_map(|task| Some((task.due?, task)))
        .filter(|(due, _)| *due < now)
        .collect();
    late.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    let kind = match seen.open.is_empty() {
        true => EventKind::OnboardingDone,
        false => EventKind::OnboardingSeen,
    };
    let due = late.first().map(|(due, _)| *due);
    let said = last.map(|last| (last.event, last.due));
    let was_late = last.is_some_and(|last| last.due.is_some());
    // That all goes well is said where something did not.
    if said == Some((kind, due)) || kind == EventKind::OnboardingSeen && due.is_none() && !was_late
    {
        return None;
    }
    let of = seen.tasks;
    let reason = match late.len() {
        0 if kind == EventKind::OnboardingDone => format!("all {of} tasks are done"),
        0 => format!("{} of {of} tasks open, none past its day", seen.open.len()),
        count => {
            let names: Vec<String> = late
                .iter()
                .take(5)
                .map(|(due, task)| format!("{} ({})", quoted(&task.name), due.date_naive()))
                .collect();
            let more = if count > names.len() { ", …" } else { "" };
            format!("{count} of {of} tasks open past their day: {}{more}", names.join(", "))
        }
    };
    let mut event = Event::new(now, kind, via);
    event.reference = Some(seen.reference);
    event.reason = Some(shorten(&reason, 1_000));
    event.due = due;
    Some(event)
}

fn is_onboarding(kind: EventKind) -> bool {
    matches!(kind, EventKind::OnboardingSeen | EventKind::OnboardingDone)
}

/// Whether a target may still report on a handoff: what is done was read before,
/// but for an onboarding project, which goes on after that.
#[must_use]
pub fn may_tell_more(row: &StatusRow, readers: &[Box<dyn Reader>]) -> bool {
    let mut readers = readers.iter();
    row.standing.is_open()
        || row.standing == Standing::Done && readers.any(|it| has_open_project(row, it.as_ref()))
}

fn has_open_project(row: &StatusRow, reader: &dyn Reader) -> bool {
    let mut of_it = row.events.iter().rev().filter(|event| event.via == reader.via());
    let last = of_it.clone().find(|event| is_onboarding(event.event)).map(|event| event.event);
    reader.event() == EventKind::ProjectStarted
        && of_it.any(|event| event.event == EventKind::ProjectStarted)
        && last != Some(EventKind::OnboardingDone)
}

/// Why a deadline that was moved does not count, if it does not.
fn too_late(handoff: &Handoff, timeline: &Timeline, moved: &Event) -> Option<String> {
    let told = View::of(&handoff.brief).first_action_due();
    let due =
        deadline_in_force(told, deadline_moves(&timeline.events)).filter(|due| moved.at > *due)?;
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC");
    Some(format!(
        "the deadline was moved on {}, when it had passed already: the one of {} counts",
        time(moved.at),
        time(due)
    ))
}

enum Judgement {
    /// It is recorded, or says again what is.
    Known,
    /// A later word on the same matter is recorded.
    Overtaken,
    New,
}

/// What an act adds to a timeline.
fn judge(timeline: &Timeline, via: &str, act: &Observed, is_changed: bool) -> Judgement {
    let is_verdict = |kind| matches!(kind, EventKind::Accepted | EventKind::Returned);
    if act.kind == EventKind::Touched {
        // The first touch happens once, whoever recorded it.
        let touched = timeline.first(EventKind::Touched).is_some();
        return if touched { Judgement::Known } else { Judgement::New };
    }
    // An edited comment keeps its address; the word that was recorded stays.
    let recorded = timeline.events.iter().any(|event| {
        event.via == via
            && event.reference.as_ref() == Some(&act.reference)
            && is_verdict(event.event)
    });
    if recorded {
        return Judgement::Known;
    }
    // What changed after an acceptance is accepted again.
    let is_later_word = |kind| match kind {
        EventKind::Corrected | EventKind::Amended => act.kind == EventKind::Accepted,
        kind => is_verdict(kind) || kind == EventKind::Resubmitted,
    };
    let last = timeline.events.iter().rev().find(|event| is_later_word(event.event));
    match last {
        // A brief that was edited by hand since is accepted again.
        Some(last)
            if last.event == act.kind
                && act.kind == EventKind::Accepted
                && !(is_changed && act.at > last.at) =>
        {
            Judgement::Known
        }
        Some(last) if act.at < last.at => Judgement::Overtaken,
        _ => Judgement::New,
    }
}
