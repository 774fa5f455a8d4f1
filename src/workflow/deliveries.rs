//! Reconciling: every signed brief gets all its deliveries.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::handoff_summary::{HandoffSummary, known_handoffs};
use super::people::{as_given, notice};
use super::recording::{DeliveryLock, Intents, Recording};
use super::store::{Stored, version};
use super::{Context, WorkflowError, deadlines, pending_pull_request, reminders};
use crate::brief::{
    ChangedAnswer, Completeness, EventKind, MissingField, Timeline, changed_answers, changed_data,
};
use crate::deliver::{
    self, Circumstances, DeliveryPlan, DeliveryResult, DeliveryState, Handoff, Missing,
    WantedDelivery, is_change, is_told,
};
use crate::http::Schedule;
use crate::ledger::month_for;
use crate::model::{Gap, Key, Remarks};

/// Which handoffs are reconciled when none is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Folders of the months from this moment on.
    pub since: DateTime<Utc>,
}

/// What became of one handoff's deliveries.
#[derive(Debug)]
pub struct Delivered {
    /// The handoff.
    pub key: Key,
    /// What was planned.
    pub plan: DeliveryPlan,
    /// What each sink would make, for `--dry-run`.
    pub would: Vec<String>,
    /// What was done; empty for a plan alone.
    pub results: Vec<DeliveryResult>,
    /// The timeline afterwards.
    pub timeline: Timeline,
    /// Why nothing was delivered yet: the remote does not have the brief.
    pub held: Option<String>,
    /// What a person should know.
    pub remarks: Remarks,
}

impl Delivered {
    /// Nothing is done yet.
    fn planned(key: &Key, plan: DeliveryPlan, timeline: Timeline) -> Self {
        let (would, results, remarks) = (Vec::new(), Vec::new(), Remarks::default());
        Self { key: key.clone(), plan, would, results, timeline, held: None, remarks }
    }
}

/// The keys of the handoffs within the horizon, and what could not be read.
///
/// # Errors
/// When the ledger cannot be read at all.
pub fn keys_within(
    context: &Context,
    horizon: Horizon,
) -> Result<(Vec<Key>, Vec<Gap>), WorkflowError> {
    let (mut keys, mut gaps) = (Vec::new(), Vec::new());
    let snapshot = context.ledger.snapshot()?;
    for month in months_within(context, horizon)? {
        let (folders, missing) = snapshot.folders(Some(&month)).into_parts();
        keys.extend(folders.into_iter().filter_map(|folder| folder.key));
        gaps.extend(missing);
    }
    let (waiting, unreadable) = pending_pull_request::all(context, &snapshot)?;
    gaps.extend(unreadable);
    keys.extend(waiting.into_iter().filter(|(_, it)| is_within(it, horizon)).map(|(key, _)| key));
    keys.sort();
    keys.dedup();
    Ok((keys, gaps))
}

/// The months from the horizon to now, as the layout has them.
pub(super) fn months_within(
    context: &Context,
    horizon: Horizon,
) -> Result<BTreeSet<String>, WorkflowError> {
    let layout = context.config.layout.as_str();
    let mut months = BTreeSet::new();
    let mut day = horizon.since;
    loop {
        months.insert(month_for(layout, day.min(context.now))?);
        if day >= context.now {
            return Ok(months);
        }
        day = day + chrono::Days::new(1);
    }
}

/// Whether a handoff on a branch of its own was signed within the horizon.
fn is_within(stored: &Stored, horizon: Horizon) -> bool {
    let signed_at = stored.brief.as_ref().and_then(|brief| brief.view().signed_at());
    signed_at.is_none_or(|at| at >= horizon.since)
}

/// Reconciles one handoff: plans from its timeline, carries the plan out
/// unless it is only asked for, and records what was done.
///
/// # Errors
/// When the ledger cannot be read or written. A sink that fails is in the
/// results and in the timeline, not an error.
pub async fn deliver(
    context: &Context,
    key: &Key,
    at_once: bool,
    dry_run: bool,
) -> Result<Delivered, WorkflowError> {
    let _turn = if dry_run { None } else { Some(DeliveryLock::take(context, key).await?) };
    let mut stored = context.handoff(key)?;
    let folder = stored.folder.clone();
    let recording = Recording::new(context, key, &folder);
    let mut remarks = Remarks::default();
    let unsettled = if dry_run { None } else { recording.settle(&stored.timeline)? };
    // What just turned out to be unclear is asked for again by a person who knows.
    let at_once = at_once && unsettled.is_none();
    stored.timeline = unsettled.unwrap_or(stored.timeline);
    if !dry_run && let Some(timeline) = notice(context, key, &stored, &mut remarks)? {
        stored.timeline = timeline;
    }
    if !dry_run && deadlines::notice(context, key, &stored, &mut remarks)? {
        stored = context.handoff(key)?;
    }
    let circumstances = circumstances_of(context, at_once, &stored);
    let plan = deliver::plan(&wanted(context), &stored.timeline, &circumstances);
    let mut delivered = Delivered::planned(key, plan, stored.timeline.clone());
    delivered.remarks = remarks;
    let Some(handoff) = handoff_of(context, key, &stored)? else { return Ok(delivered) };
    if !dry_run && stored.branch.is_some() {
        keep_up(context, &handoff, &mut delivered).await;
    }
    let due = delivered.plan.steps.iter().filter(|step| step.is_due());
    delivered.would = due
        .filter_map(|step| {
            context.sinks.iter().find(|sink| sink.event() == step.event && sink.via() == step.via)
        })
        .map(|sink| sink.describe(&handoff))
        .collect();
    let reminders =
        reminders::due(context, &stored, &handoff, at_once, &mut delivered.remarks).await;
    delivered.would.extend(
        reminders.iter().map(|sink| format!("remind through {}: {}", sink.via(), sink.subject())),
    );
    if dry_run || (delivered.plan.is_idle() && reminders.is_empty()) {
        return Ok(delivered);
    }
    delivered.held = context.not_on_remote(key, &stored, &mut delivered.remarks)?;
    if delivered.held.is_some() {
        return Ok(delivered);
    }
    if stored.branch.is_some() {
        // A pull request needs its branch.
        pending_pull_request::publish(context, key, &mut delivered.remarks)?;
    }
    let (plan, _) = delivered.plan.apart(&context.sinks);
    delivered.results = run(context, &plan, &handoff, &recording).await;
    // What failed to be recorded above ends here, too.
    if !recording.has_failed() {
        delivered.results.extend(reminders::send(&reminders, &handoff, &recording).await?);
    }
    if let Some(timeline) = recording.finish(&mut delivered.remarks)? {
        delivered.timeline = timeline;
    }
    report_events(context, key, at_once, &mut delivered).await?;
    Ok(delivered)
}

async fn run(
    context: &Context,
    plan: &DeliveryPlan,
    handoff: &Handoff,
    recording: &Recording<'_>,
) -> Vec<DeliveryResult> {
    let schedule = Schedule::interactive();
    deliver::run(plan, &context.sinks, handoff, context.now, &schedule, recording).await
}

/// Reports what is recorded by now, to whom the whole timeline is reported.
async fn report_events(
    context: &Context,
    key: &Key,
    at_once: bool,
    delivered: &mut Delivered,
) -> Result<(), WorkflowError> {
    if !context.sinks.iter().any(|sink| sink.reports_what_is_recorded()) {
        return Ok(());
    }
    let stored = context.handoff(key)?;
    let circumstances = circumstances_of(context, at_once, &stored);
    let plan = deliver::plan(&wanted(context), &stored.timeline, &circumstances);
    let (_, plan) = plan.apart(&context.sinks);
    let Some(handoff) = handoff_of(context, key, &stored)?.filter(|_| !plan.is_idle()) else {
        return Ok(());
    };
    let recording = Recording::new(context, key, &stored.folder);
    delivered.results.extend(run(context, &plan, &handoff, &recording).await);
    if let Some(timeline) = recording.finish(&mut delivered.remarks)? {
        delivered.timeline = timeline;
    }
    Ok(())
}

/// What the ledger's settings want of each handoff.
pub(super) fn wanted(context: &Context) -> Vec<WantedDelivery> {
    context.sinks.iter().map(|sink| WantedDelivery::from_sink(sink.as_ref())).collect()
}

fn circumstances_of(context: &Context, at_once: bool, stored: &Stored) -> Circumstances {
    let customer = stored.brief.as_ref().and_then(|brief| brief.view().customer_name());
    circumstances(context, at_once, stored.brief_blob.clone(), customer)
}

fn circumstances(
    context: &Context,
    at_once: bool,
    brief_blob: Option<String>,
    customer: Option<&str>,
) -> Circumstances {
    Circumstances {
        at_once,
        since: context.config.deliver.since,
        brief_blob,
        // The answer `none` is no name.
        customer_is_named: customer.is_some_and(|name| name != "none"),
        ..Circumstances::at(context.now)
    }
}

/// Brings what was made and is still open in line with the brief.
async fn keep_up(context: &Context, handoff: &Handoff, delivered: &mut Delivered) {
    for step in
        delivered.plan.steps.iter().filter(|step| matches!(step.state, DeliveryState::Done { .. }))
    {
        let mut sinks = context.sinks.iter();
        let sink = sinks.find(|sink| sink.event() == step.event && sink.via() == step.via);
        let Some(sink) = sink else { continue };
        match sink.keep_up(handoff).await {
            Ok(news) => delivered.remarks.extend(news),
            Err(error) => {
                delivered.remarks.push(format!("{} via {}: {error}", handoff.key, step.via))
            }
        }
    }
}

/// What the sinks get of a handoff; nothing for one without a brief.
///
/// # Errors
/// When the brief cannot be rendered.
pub fn handoff_of(
    context: &Context,
    key: &Key,
    stored: &Stored,
) -> Result<Option<Handoff>, WorkflowError> {
    let Some(brief) = &stored.brief else { return Ok(None) };
    let missing = Completeness::of(&context.schema, brief.json()).missing;
    let told = told(context, stored);
    Ok(Some(Handoff {
        key: key.clone(),
        folder: stored.folder.clone(),
        readme: context.render(brief, &stored.confirmed)?,
        brief_yaml: brief.to_yaml(Context::depth(&stored.folder)),
        brief: brief.json().clone(),
        timeline: stored.timeline.clone(),
        missing: missing.into_iter().map(gap).collect(),
        changes: changes(context, stored, told.as_ref()),
        changed_data: told
            .as_ref()
            .map_or_else(Vec::new, |told| changed_data(&context.schema, told, brief.json())),
        told,
        brief_blob: stored.brief_blob.clone(),
        url: pending_pull_request::web_url(context, stored),
        commit: context.tip_of(stored)?.map_or_else(String::new, |id| id.to_string()),
    }))
}

/// The brief as it was when people were last told about it: the oldest of what
/// the sinks know, else as it was before it last changed.
fn told(context: &Context, stored: &Stored) -> Option<Value> {
    let events = &stored.timeline.events;
    let mut last: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (index, event) in events.iter().enumerate().filter(|(_, it)| is_told(it.event)) {
        if let Some(blob) = event.brief.as_deref() {
            last.insert(&event.via, (index, blob));
        }
    }
    let known = last.into_values().min().map(|(_, blob)| blob);
    let before_change = || {
        let at = events.iter().rposition(is_change)?;
        events.get(..at)?.iter().rev().find_map(|it| it.brief.as_deref())
    };
    let blob = known.or_else(before_change)?;
    match (&stored.brief, &stored.brief_blob) {
        (Some(brief), Some(now)) if now == blob => Some(brief.json().clone()),
        _ => version(context, blob),
    }
}

/// The answers that are others than people were told; of one that was resubmitted,
/// others than the CSM returned.
fn changes(context: &Context, stored: &Stored, told: Option<&Value>) -> Vec<ChangedAnswer> {
    let events = &stored.timeline.events;
    let change = events.iter().rev().find(|it| is_change(it)).map(|it| it.event);
    let returned = stored.timeline.last(EventKind::Returned).and_then(|it| it.brief.as_deref());
    let returned = returned.filter(|_| change.is_none_or(|it| it == EventKind::Resubmitted));
    let returned = returned.and_then(|blob| version(context, blob));
    match (returned.as_ref().or(told), &stored.brief) {
        (Some(before), Some(now)) => changed_answers(&context.schema, before, now.json()),
        _ => Vec::new(),
    }
}

/// A missing answer as the sinks show it.
pub(super) fn gap(field: MissingField) -> Missing {
    let MissingField { question, field, ask, example, .. } = field;
    Missing { question, field, ask, example }
}

// The handoffs for which nothing is to be delivered, told from what is kept of
// them: a run of `deliver` or of the timer reads the others alone.

/// Those of these handoffs for which [`super::deliver`] would find nothing to
/// do, with what it would give. `keys` are those within the horizon.
///
/// # Errors
/// When the ledger cannot be read at all.
pub fn idle_deliveries(
    context: &Context,
    keys: &[Key],
    horizon: Horizon,
    dry_run: bool,
) -> Result<BTreeMap<Key, Delivered>, WorkflowError> {
    let mut idle = BTreeMap::new();
    for (key, (_, facts)) in known_handoffs(context, keys, &months_within(context, horizon)?)? {
        if !dry_run && may_have_news(context, &key, &facts)? {
            continue;
        }
        let brief = facts.brief.as_ref();
        let (blob, customer) = (
            brief.and_then(|brief| brief.blob.clone()),
            brief.and_then(|brief| brief.customer.as_deref()),
        );
        let circumstances = circumstances(context, false, blob, customer);
        let plan = deliver::plan(&wanted(context), &facts.timeline, &circumstances);
        if plan.is_idle() && !reminders::may_be_due(context, &facts) {
            let delivered = Delivered::planned(&key, plan, facts.timeline);
            idle.insert(key, delivered);
        }
    }
    Ok(idle)
}

/// Whether a run may have died while it sent something, or the brief may name
/// another CSM than it was given to.
fn may_have_news(
    context: &Context,
    key: &Key,
    facts: &HandoffSummary,
) -> Result<bool, WorkflowError> {
    let intents = Intents::of(context, key);
    for sink in context.sinks.iter().filter(|sink| !sink.can_look_up()) {
        if intents.left(sink.as_ref())? > 0 {
            return Ok(true);
        }
    }
    let Some(brief) = facts.brief.as_ref().filter(|brief| brief.is_signed) else {
        return Ok(false);
    };
    let given = as_given(&facts.timeline);
    Ok(given.is_some_and(|given| brief.blob.as_deref() != Some(given)))
}
