//! Another deadline of the first touch: moved at a target, or written into the
//! brief. The brief says the one in force, so that its page, every task and every
//! message do, too.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::compose::follow_in_instruction;
use super::sources::{ReplacedVersion, WrittenVersion};
use super::store::{LOCK_WAIT, Stored, brief_change, commit, version};
use super::{Context, WorkflowError, pending_pull_request};
use crate::brief::{
    AnswerSource, Brief, Event, EventKind, SourceKind, Timeline, View, deadline_in_force,
    deadline_moves,
};
use crate::ledger::{Change, blob_id};
use crate::model::{Key, Remarks};

const DUE: &str = "/first_action/due";

/// Records a deadline that was moved: one commit with the event, and with the
/// brief and its page where the move counts. `before` is the brief as it was
/// while it said the deadline before; absent, as it is.
///
/// # Errors
/// When there is no such handoff, or the ledger cannot be written.
pub(super) fn record(
    context: &Context,
    key: &Key,
    mut event: Event,
    before: Option<Value>,
    remarks: &mut Remarks,
) -> Result<(), WorkflowError> {
    let mut writer = context.ledger.lock(LOCK_WAIT)?;
    let snapshot = writer.snapshot()?;
    let stored = pending_pull_request::find(context, &snapshot, key, None)?;
    let earlier = ReplacedVersion::of(context, &snapshot, stored.as_ref())?;
    let Some(Stored { folder, branch, brief: Some(brief), mut timeline, .. }) = stored else {
        return Err(WorkflowError::NoHandoff(key.clone()));
    };
    let is_this = |it: &Event| {
        (it.event, &it.via, it.at, it.due) == (event.event, &event.via, event.at, event.due)
    };
    if timeline.events.iter().any(is_this) {
        return Ok(());
    }
    let is_written = before.is_some();
    let before = before.unwrap_or_else(|| brief.json().clone());
    let told = View::of(&before).first_action_due();
    let in_force = deadline_in_force(told, deadline_moves(&timeline.events));
    let counts = is_written || in_force.is_none_or(|due| event.at <= due);
    let customer = brief.view().title().unwrap_or("customer").to_owned();
    let mut change = Change::of_handoff(&folder, &customer, key, context.moment());
    if let Some(due) = event.due.filter(|_| counts && is_of_use(context, &timeline)) {
        let mut json = brief.json().clone();
        if !is_written {
            json["first_action"]["due"] = json!(due.to_rfc3339_opts(SecondsFormat::Secs, true));
        }
        follow_in_instruction(context, &before, &mut json);
        let now = Brief::from_json(context.schema.in_order(&json));
        let blob = blob_id(now.to_yaml(Context::depth(&folder)).as_bytes()).to_string();
        event.brief = Some(blob.clone());
        if now.json() != brief.json() {
            let by = event.by.clone();
            let by = by.unwrap_or_else(|| format!("somebody, through {}", event.via));
            let given = AnswerSource::of(SourceKind::Person).named(&by).at(event.at);
            let version =
                WrittenVersion { key, brief: now.json(), blob: &blob, earlier: earlier.as_ref() };
            let moved: &[String] = if is_written { &[] } else { &[DUE.to_owned()] };
            let sources = version.of_person(context, moved, &given);
            event.sources = Some(blob_id(sources.as_bytes()).to_string());
            change = brief_change(context, key, &folder, &now, sources)?;
        }
    }
    timeline.events.push(event);
    let change = change
        .trailer("Handoff-Event", EventKind::DeadlineMoved.as_str())
        .put("timeline.yaml", timeline.to_yaml());
    commit(&mut writer, branch.as_deref(), &change, remarks)?;
    Ok(())
}

/// Whether the deadline still matters: the first touch was not made yet.
fn is_of_use(context: &Context, timeline: &Timeline) -> bool {
    let needs_evidence = context.config.first_touch.needs_evidence();
    timeline.first_touch(needs_evidence).is_none()
}

/// Records that the brief says another deadline than the one that was told:
/// written into it by hand, or named by the corrected deal. Says whether
/// something was recorded.
///
/// # Errors
/// When the ledger cannot be written.
pub(super) fn notice(
    context: &Context,
    key: &Key,
    stored: &Stored,
    remarks: &mut Remarks,
) -> Result<bool, WorkflowError> {
    let (Some(brief), Some(blob)) = (&stored.brief, &stored.brief_blob) else { return Ok(false) };
    let (view, timeline) = (brief.view(), &stored.timeline);
    let Some(due) = view.first_action_due().filter(|_| view.is_signed()) else { return Ok(false) };
    if !is_of_use(context, timeline) {
        return Ok(false);
    }
    let tells = [EventKind::Signed, EventKind::Backfilled, EventKind::DeadlineMoved];
    let mut events = timeline.events.iter().rev();
    let told = events.find(|it| tells.contains(&it.event) && it.brief.is_some());
    let Some(told) = told.and_then(|it| it.brief.as_deref()).filter(|told| told != blob) else {
        return Ok(false);
    };
    let Some(before) = version(context, told) else { return Ok(false) };
    let was: Option<DateTime<Utc>> = View::of(&before).first_action_due();
    if was.is_none_or(|was| was == due) {
        return Ok(false);
    }
    // Of a correction the place that it came from is known.
    let mut events = timeline.events.iter();
    let written =
        events.rfind(|it| it.event == EventKind::Corrected && it.brief.as_ref() == Some(blob));
    let via = written.map_or("brief", |it| it.via.as_str());
    let mut event = Event::new(context.now, EventKind::DeadlineMoved, via);
    event.due = Some(due);
    if let Some(was) = was.filter(|was| context.now > *was) {
        let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC");
        remarks.push(format!(
            "{key}: the brief says another deadline since the one of {} has passed; the audit counts that one",
            time(was)
        ));
    }
    record(context, key, event, Some(before), remarks)?;
    Ok(true)
}
