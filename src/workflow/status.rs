//! Where handoffs stand, from their briefs and timelines.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::deliveries::{Horizon, keys_within, months_within};
use super::handoff_summary::{BriefSummary, HandoffSummary, known_handoffs};
use super::link_page::stored_anywhere;
use super::{Context, WorkflowError};
use crate::brief::{Event, EventKind, Timeline, TouchEvidence, deadline_in_force, deadline_moves};
use crate::deliver::open_failures;
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
    /// Accepted, and corrected or amended since: to be accepted again.
    Corrected,
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
            Self::Corrected => "corrected since it was accepted, not accepted again yet",
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
    /// When it was resubmitted, or was accepted all the same.
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
    /// What the CRM says, where the deal is lost or deleted: nobody is reminded any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deal_is_over: Option<String>,
    /// Deliveries that failed and were not made since: the sink with the last reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_delivered: Vec<String>,
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
            && self.deal_is_over.is_none()
            && self.touched_at.is_none()
            && self.due.is_some_and(|due| due < now)
    }
}

/// One handoff's status; `None` when there is no such handoff.
///
/// # Errors
/// When it cannot be read.
pub fn status_of(context: &Context, key: &Key) -> Result<Option<StatusRow>, WorkflowError> {
    Ok(stored_anywhere(context, key)?.map(|stored| {
        let facts = HandoffSummary::of(context, &stored);
        row(context, key, stored.folder, facts)
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
    let (mut keys, mut gaps) = keys_within(context, horizon)?;
    // Drafts have no day by which they could be too old.
    keys.extend(context.ledger.draft_keys()?);
    keys.sort();
    keys.dedup();
    let mut known = known_handoffs(context, &keys, &months_within(context, horizon)?)?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let found = match known.remove(&key) {
            Some((folder, facts)) => Ok(Some(row(context, &key, folder, facts))),
            None => status_of(context, &key),
        };
        match found {
            Ok(found) => rows.extend(found),
            Err(error) => gaps.push(Gap::new(key.to_string(), error.to_string())),
        }
    }
    rows.sort_by(|a, b| (a.standing, a.due, &a.key).cmp(&(b.standing, b.due, &b.key)));
    Ok((rows, gaps))
}

fn row(context: &Context, key: &Key, folder: String, facts: HandoffSummary) -> StatusRow {
    let HandoffSummary { brief, timeline } = facts;
    let needs_evidence = context.config.first_touch.needs_evidence();
    let touch = timeline.first_touch(needs_evidence);
    let (touched_at, touch_evidence) =
        (touch.map(|event| event.at), touch.and_then(|event| event.evidence));
    let told = brief.as_ref().and_then(|brief| brief.due);
    let due = deadline_in_force(told, deadline_moves(&timeline.events));
    let is_signed = brief.as_ref().is_some_and(|brief| brief.is_signed);
    let standing = standing(&timeline, is_signed, due, touched_at, context.now);
    let BriefSummary { customer, csm, rep, signed_at, mut missing, .. } = brief.unwrap_or_default();
    if !is_signed {
        // It comes with the signature, and is nobody's to answer.
        missing.retain(|field| field != "first_action.due");
    }
    StatusRow {
        key: key.clone(),
        folder,
        customer,
        csm,
        rep,
        standing,
        signed_at,
        due,
        touched_at,
        touch_evidence,
        deal_is_over: timeline.deal_is_over().map(str::to_owned),
        not_delivered: open_failures(&timeline)
            .map(|event| {
                format!("{}: {}", event.via, event.reason.as_deref().unwrap_or("no reason"))
            })
            .collect(),
        returned: last_return(&timeline.events, context.now),
        missing,
        events: timeline.events,
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
    timeline: &Timeline,
    is_signed: bool,
    due: Option<DateTime<Utc>>,
    touched_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Standing {
    if timeline.is_exempt(is_signed) {
        return Standing::Exempted;
    }
    if timeline.is_voided() {
        return Standing::Voided;
    }
    if !is_signed {
        return Standing::Draft;
    }
    match (timeline.verdict().map(|event| event.event), touched_at) {
        (Some(EventKind::Returned), _) => Standing::Returned,
        (_, None) if due.is_some_and(|due| due < now) => Standing::Overdue,
        (Some(EventKind::Accepted), _) if timeline.outdated_acceptance().is_some() => {
            Standing::Corrected
        }
        (Some(EventKind::Accepted), Some(_)) => Standing::Done,
        (_, Some(_)) => Standing::Touched,
        (_, None) => Standing::Waiting,
    }
}
