//! Where handoffs stand, from their briefs and timelines.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::deliveries::{Horizon, keys_within};
use super::folder_facts::{Kind, facts};
use super::store::{Stored, stored_from};
use super::{Context, WorkflowError};
use crate::brief::{
    Brief, Completeness, Event, EventKind, Timeline, TouchEvidence, View, deadline_in_force,
    deadline_moves,
};
use crate::ledger::{Folder, Snapshot};
use crate::model::{Gap, Key};

/// Where one handoff stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The CSM has returned it to the rep.
    Returned,
    /// Signed, and the first touch is past its deadline.
    Overdue,
    /// Signed, and waiting for the first touch.
    Waiting,
    /// A brief without a signature.
    Draft,
    /// Touched, and neither accepted nor returned.
    Touched,
    /// Touched and accepted.
    Done,
    /// Somebody decided that no handoff is needed.
    Exempted,
    /// The document was voided.
    Voided,
}

impl Standing {
    /// Whether somebody still has to do something.
    #[must_use]
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Done | Self::Exempted | Self::Voided)
    }

    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Returned => "returned to the rep",
            Self::Overdue => "first touch overdue",
            Self::Waiting => "waiting for the first touch",
            Self::Draft => "draft, not signed yet",
            Self::Touched => "touched, not accepted yet",
            Self::Done => "done",
            Self::Exempted => "exempted",
            Self::Voided => "voided",
        }
    }
}

/// A return and its clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Return {
    /// When the CSM returned it.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it came again, or was accepted all the same.
    pub answered_at: Option<DateTime<Utc>>,
    /// From the return to the answer, or until now.
    pub seconds: i64,
}

/// One handoff with what a list or its story shows.
#[derive(Debug, Clone, Serialize)]
pub struct StatusRow {
    /// The handoff.
    pub key: Key,
    /// Its folder.
    pub folder: String,
    /// The customer.
    pub customer: Option<String>,
    /// Who makes the first touch.
    pub csm: Option<String>,
    /// Who sold it.
    pub rep: Option<String>,
    /// Where it stands.
    pub standing: Standing,
    /// When it was signed.
    pub signed_at: Option<DateTime<Utc>>,
    /// By when the first touch is due.
    pub due: Option<DateTime<Utc>>,
    /// When it was made; where `first_touch.proof` wants evidence, as the CRM shows it.
    pub touched_at: Option<DateTime<Utc>>,
    /// Whether somebody says so or the CRM shows it.
    pub touch_evidence: Option<TouchEvidence>,
    /// The last return, and how long the rep took or has taken.
    pub returned: Option<Return>,
    /// The fields without an answer.
    pub missing: Vec<String>,
    /// What happened.
    pub events: Vec<Event>,
}

impl StatusRow {
    /// Whether the first touch is past its deadline.
    #[must_use]
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.standing.is_open()
            && self.touched_at.is_none()
            && self.due.is_some_and(|due| due < now)
    }
}

/// One handoff's status; `None` when there is no such handoff.
///
/// # Errors
/// When it cannot be read.
pub fn status_of(context: &Context, key: &Key) -> Result<Option<StatusRow>, WorkflowError> {
    Ok(context.stored(key, None)?.map(|stored| {
        let folder = stored.folder.clone();
        row(context, key, folder, Facts::of(context, stored))
    }))
}

/// The handoffs within the horizon, what is most urgent first, and what could
/// not be read.
///
/// # Errors
/// When the ledger cannot be read at all.
pub fn status(
    context: &Context,
    horizon: Horizon,
) -> Result<(Vec<StatusRow>, Vec<Gap>), WorkflowError> {
    let (keys, mut gaps) = keys_within(context, horizon)?;
    let snapshot = context.ledger.snapshot()?;
    let mut places = single_folders(&snapshot);
    let (keys, others): (Vec<Key>, Vec<Key>) =
        keys.into_iter().partition(|key| places.contains_key(key));
    let folders: Vec<Folder> = keys.iter().filter_map(|key| places.remove(key)).collect();
    let schema = serde_json::to_vec(context.schema.document()).expect("JSON is text");
    let kind = Kind { name: "status", basis: &schema };
    let read = facts(context, &snapshot, &folders, &kind, |folder, files| {
        let key = folder.key.as_ref().expect("it was found by its key");
        let stored = stored_from(folder, files, key).map_err(|error| error.to_string())?;
        Ok(Facts::of(context, stored))
    })?;
    let mut rows = Vec::with_capacity(keys.len());
    for ((key, folder), read) in keys.into_iter().zip(folders).zip(read) {
        match read {
            Ok(facts) => rows.push(row(context, &key, folder.path, facts)),
            Err(why) => gaps.push(Gap { what: key.to_string(), why, help: None }),
        }
    }
    for key in others {
        match status_of(context, &key) {
            Ok(found) => rows.extend(found),
            Err(error) => {
                gaps.push(Gap { what: key.to_string(), why: error.to_string(), help: None })
            }
        }
    }
    rows.sort_by(|a, b| (a.standing, a.due, &a.key).cmp(&(b.standing, b.due, &b.key)));
    Ok((rows, gaps))
}

/// The folder of each key that has one alone; none where a name could not be
/// read, since the folder that counts may be behind it.
fn single_folders(snapshot: &Snapshot) -> BTreeMap<Key, Folder> {
    let (folders, gaps) = snapshot.folders(None).into_parts();
    if !gaps.is_empty() {
        return BTreeMap::new();
    }
    let (mut single, mut several) = (BTreeMap::new(), Vec::new());
    for folder in folders {
        // A name that is no text is not found by its key either.
        let named = folder.key.clone().filter(|_| !folder.path.contains('\u{fffd}'));
        let Some(key) = named else { continue };
        if single.insert(key.clone(), folder).is_some() {
            several.push(key);
        }
    }
    for key in several {
        single.remove(&key);
    }
    single
}

/// What the files of a handoff say, whatever the moment and the settings.
#[derive(Serialize, Deserialize)]
struct Facts {
    customer: Option<String>,
    csm: Option<String>,
    rep: Option<String>,
    is_signed: bool,
    signed_at: Option<DateTime<Utc>>,
    /// The deadline in the brief, before anybody moved it.
    due: Option<DateTime<Utc>>,
    missing: Vec<String>,
    timeline: Timeline,
}

impl Facts {
    fn of(context: &Context, stored: Stored) -> Self {
        let view = stored.brief.as_ref().map(Brief::view);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            customer: view.and_then(|view| owned(view.customer_name())),
            csm: view
                .and_then(View::first_action_owner)
                .and_then(|o| owned(o.name.or(o.github).or(o.email))),
            rep: view.and_then(View::deal_owner).and_then(|o| owned(o.name.or(o.email))),
            is_signed: view.is_some_and(View::is_signed),
            signed_at: view.and_then(View::signed_at),
            due: view.and_then(View::first_action_due),
            missing: stored.brief.as_ref().map_or_else(Vec::new, |brief| {
                Completeness::of(&context.schema, brief.json())
                    .missing
                    .into_iter()
                    .map(|field| field.field)
                    .collect()
            }),
            timeline: stored.timeline,
        }
    }
}

fn row(context: &Context, key: &Key, folder: String, facts: Facts) -> StatusRow {
    let needs_evidence = context.config.first_touch.needs_evidence();
    let touch = facts.timeline.first_touch(needs_evidence);
    let touched_at = touch.map(|event| event.at);
    let touch_evidence = touch.and_then(|event| event.evidence);
    let due = deadline_in_force(facts.due, deadline_moves(&facts.timeline.events));
    StatusRow {
        key: key.clone(),
        folder,
        standing: standing(&facts, due, touched_at, context.now),
        customer: facts.customer,
        csm: facts.csm,
        rep: facts.rep,
        signed_at: facts.signed_at,
        due,
        touched_at,
        touch_evidence,
        returned: last_return(&facts.timeline.events, context.now),
        missing: facts.missing,
        events: facts.timeline.events,
    }
}

/// The last return, where there was one.
fn last_return(events: &[Event], now: DateTime<Utc>) -> Option<Return> {
    let context = events.iter().rposition(|event| event.event == EventKind::Returned)?;
    let (returned, after) = events.get(context..)?.split_first()?;
    let answers = [EventKind::Resubmitted, EventKind::Accepted];
    let answered_at = after.iter().find(|it| answers.contains(&it.event)).map(|it| it.at);
    Some(Return {
        at: returned.at,
        by: returned.by.clone(),
        reason: returned.reason.clone(),
        answered_at,
        seconds: (answered_at.unwrap_or(now) - returned.at).num_seconds().max(0),
    })
}

fn standing(
    facts: &Facts,
    due: Option<DateTime<Utc>>,
    touched_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Standing {
    let timeline = &facts.timeline;
    let last = |kinds: &[EventKind]| {
        timeline.events.iter().rev().find(|event| kinds.contains(&event.event))
    };
    if timeline.first(EventKind::Exempted).is_some() {
        return Standing::Exempted;
    }
    if timeline.is_voided() {
        return Standing::Voided;
    }
    if !facts.is_signed {
        return Standing::Draft;
    }
    let verdict = last(&[EventKind::Accepted, EventKind::Returned, EventKind::Resubmitted])
        .map(|event| event.event);
    match (verdict, touched_at) {
        (Some(EventKind::Returned), _) => Standing::Returned,
        (Some(EventKind::Accepted), Some(_)) => Standing::Done,
        (_, Some(_)) => Standing::Touched,
        (_, None) if due.is_some_and(|due| due < now) => Standing::Overdue,
        (_, None) => Standing::Waiting,
    }
}
