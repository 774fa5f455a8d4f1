//! Another CSM takes a handoff: told at the command line or at a target, or
//! written into the brief.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::append::append;
use super::sources::{Earlier, Version};
use super::store::{LOCK_WAIT, Stored, version};
use super::{Context, Remarks, WorkflowError, pending_pull_request};
use crate::brief::{AnswerSource, Brief, BriefSources, Event, EventKind, SourceKind, Timeline};
use crate::config::Csm;
use crate::ledger::{Change, blob_id};
use crate::model::Key;
use crate::text::{did_you_mean, one_line, quoted, shorten};

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
/// When there is no such handoff, it is not signed or needs nobody any more,
/// the CSM is not in the team, or the ledger cannot be written.
pub fn assign(
    context: &Context,
    key: &Key,
    told: &Assignment,
    remarks: &mut Remarks,
) -> Result<Option<Timeline>, WorkflowError> {
    let no = |message: String| WorkflowError::DoesNotFit { key: key.clone(), message };
    let csm = find(context, &told.to).map_err(no)?;
    let mut writer = context.ledger.lock(LOCK_WAIT)?;
    let snapshot = writer.snapshot()?;
    let stored = pending_pull_request::find(context, &snapshot, key, None)?;
    let earlier = match &stored {
        Some(stored) => Earlier::of(context, &snapshot, stored)?,
        None => None,
    };
    let Some(Stored { folder, branch, brief, mut timeline, .. }) = stored else {
        return Err(WorkflowError::NoHandoff(key.clone()));
    };
    let Some(brief) = brief.filter(|brief| brief.view().is_signed()) else {
        return Err(no("it is not signed yet; change the CSM of a draft in its brief".to_owned()));
    };
    if timeline.first(EventKind::Exempted).is_some() {
        return Err(no("somebody decided that it needs no handoff (exempted)".to_owned()));
    }
    let at = told.at.unwrap_or(context.now);
    if at > context.now {
        return Err(no(format!("{} is in the future", at.format("%Y-%m-%d %H:%M UTC"))));
    }
    if owner_words(brief.json()).iter().any(|word| csm.is(word)) {
        return Ok(None);
    }
    let mut json = brief.json().clone();
    json["first_action"]["owner"] = owner(csm);
    let brief = Brief::from_json(context.schema.in_order(&json));
    let text = brief.to_yaml(Context::depth(&folder));
    let mut event = Event::new(at, EventKind::Assigned, told.via.clone());
    event.reference = Some(name_of(csm).to_owned());
    event.by = told.by.as_deref().map(|by| shorten(&one_line(by), 200));
    event.reason = told.reason.as_deref().map(|reason| shorten(&one_line(reason), 1_000));
    let blob = blob_id(text.as_bytes()).to_string();
    event.brief = Some(blob.clone());
    let given = AnswerSource::of(SourceKind::Person).at(at);
    let given = match &event.by {
        Some(by) => given.named(by),
        None => given.named(format!("somebody, through {}", told.via)),
    };
    let version = Version { key, brief: brief.json(), blob: &blob, earlier: earlier.as_ref() };
    let owner = "/first_action/owner".to_owned();
    let sources = version.of_person(context, &[owner], &given);
    event.sources = Some(blob_id(sources.as_bytes()).to_string());
    timeline.events.push(event);
    let customer = brief.view().title().unwrap_or("customer").to_owned();
    let change = Change::of_handoff(&folder, &customer, key, context.now)
        .trailer("Handoff-Event", EventKind::Assigned.as_str())
        .put("timeline.yaml", timeline.to_yaml())
        .put("README.md", context.render(&brief)?)
        .put("brief.yaml", text)
        .put(BriefSources::FILE, sources);
    let committed = match &branch {
        Some(branch) => writer.commit_on_branch(branch, &change)?,
        None => writer.commit(&change)?,
    };
    if let Some(committed) = committed {
        remarks.extend(committed.remarks.iter().map(ToString::to_string));
    }
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
    let (before, now) = (owner_words(&before), owner_words(brief.json()));
    let is_same = before.iter().any(|word| now.iter().any(|it| it.eq_ignore_ascii_case(word)));
    if before.is_empty() || now.is_empty() || is_same {
        return Ok(None);
    }
    // Of a correction the place that it came from is known.
    let mut events = stored.timeline.events.iter();
    let written =
        events.rfind(|it| it.event == EventKind::Corrected && it.brief.as_ref() == Some(blob));
    let via = written.map_or("brief", |it| it.via.as_str());
    let mut event = Event::new(context.now, EventKind::Assigned, via);
    event.reference = now.first().cloned();
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
    let csm = team.find(word.trim().trim_start_matches('@')).and_then(|at| team.csms.get(at));
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

/// A CSM as the brief names the owner of the first action.
fn owner(csm: &Csm) -> Value {
    let mut owner = Map::new();
    owner.insert("name".to_owned(), Value::from(csm.name.clone()));
    for (name, value) in [("email", &csm.email), ("github", &csm.github), ("slack", &csm.slack)] {
        if let Some(value) = value {
            owner.insert(name.to_owned(), Value::from(value.clone()));
        }
    }
    Value::Object(owner)
}

/// All that the owner of the first action is known by, what is surest first.
fn owner_words(brief: &Value) -> Vec<String> {
    let of = |name: &str| brief["first_action"]["owner"][name].as_str().map(str::to_owned);
    ["github", "email", "name"].into_iter().filter_map(of).collect()
}
