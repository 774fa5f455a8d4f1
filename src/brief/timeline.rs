//! What happened to one handoff, in order; append-only.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::check_version;
use crate::model::Key;
use crate::yaml;

/// The schema a timeline names.
pub const TIMELINE_SCHEMA: &str = "handoff/timeline/v1";

/// What can happen to a handoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The webhook's arrival.
    Received,
    /// A brief before the signature.
    Drafted,
    /// The brief has its signature.
    Signed,
    /// A later document of the same deal was added to the brief.
    Amended,
    /// The deal was corrected in its CRM, and the brief follows.
    Corrected,
    /// The CSM's first-touch task exists.
    TaskOpened,
    /// A chat channel knows.
    Notified,
    /// The mail went out.
    Emailed,
    /// The onboarding project exists.
    ProjectStarted,
    /// The customer's welcome was triggered.
    Welcomed,
    /// The CRM says Closed Won and links the brief.
    CrmUpdated,
    /// The handoff has a (new) CSM.
    Assigned,
    /// The CSM accepted.
    Accepted,
    /// The CSM returned it, with a reason.
    Returned,
    /// The rep knows that it was returned.
    RepTold,
    /// It was returned and is resubmitted.
    Resubmitted,
    /// The CSM knows what it was resubmitted with.
    CsmTold,
    /// Somebody was reminded of what they owe.
    Reminded,
    /// Somebody's manager was told what is overdue.
    Escalated,
    /// Record the CSM's first human contact with the customer.
    Touched,
    /// Somebody gave the first touch another deadline.
    DeadlineMoved,
    /// Open tasks of the onboarding project are past their day, or none is any more.
    OnboardingSeen,
    /// Every task of the onboarding project is done.
    OnboardingDone,
    /// Somebody decided that no handoff is needed.
    Exempted,
    /// A promise was kept.
    PromiseKept,
    /// The document was voided or declined.
    Voided,
    /// The brief was made afterwards, for a handoff that an audit found missing.
    Backfilled,
    /// A receiver of events has all that happened so far.
    EventsSent,
    /// A task that was opened is gone for good: nobody can read it back any more.
    TaskGone,
    /// A delivery failed for good.
    DeliveryFailed,
}

impl EventKind {
    /// The name in timelines, commits and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Drafted => "drafted",
            Self::Signed => "signed",
            Self::Amended => "amended",
            Self::Corrected => "corrected",
            Self::TaskOpened => "task_opened",
            Self::Notified => "notified",
            Self::Emailed => "emailed",
            Self::ProjectStarted => "project_started",
            Self::Welcomed => "welcomed",
            Self::CrmUpdated => "crm_updated",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Returned => "returned",
            Self::RepTold => "rep_told",
            Self::Resubmitted => "resubmitted",
            Self::CsmTold => "csm_told",
            Self::Reminded => "reminded",
            Self::Escalated => "escalated",
            Self::Touched => "touched",
            Self::DeadlineMoved => "deadline_moved",
            Self::OnboardingSeen => "onboarding_seen",
            Self::OnboardingDone => "onboarding_done",
            Self::Exempted => "exempted",
            Self::PromiseKept => "promise_kept",
            Self::Voided => "voided",
            Self::Backfilled => "backfilled",
            Self::EventsSent => "events_sent",
            Self::TaskGone => "task_gone",
            Self::DeliveryFailed => "delivery_failed",
        }
    }

    /// The name as people read it: `task opened`.
    #[must_use]
    pub fn words(self) -> String {
        self.as_str().replace('_', " ")
    }
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How well a first touch is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TouchEvidence {
    /// The CSM says so.
    Claimed,
    /// The CRM has an e-mail, call or meeting with a contact of the deal.
    Crm,
}

/// What decided that a document is a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// A rule under `documents:`.
    Rule,
    /// The deal was won already.
    Won,
    /// The document has a total above zero.
    Total,
    /// A person, with `--as` or by releasing a held document.
    Person,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub event: EventKind,
    /// Through what: a provider, a sink, `cli`, `github`.
    pub via: String,
    /// A URL or id that can be found again.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Who did it, for what people do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The git blob id of the `brief.yaml` as the machine wrote it, for
    /// `drafted`, `signed`, `resubmitted` and `backfilled`: what people changed since is kept
    /// when the deal is corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brief: Option<String>,
    /// The git blob id of the `sources.yaml` that was written with it: another one is not
    /// handoff's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<String>,
    /// JSON pointers of the answers that people had changed and that this
    /// version of the brief therefore kept, beside `brief`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// The deadline that was set, for `deadline_moved`; for `onboarding_seen` the first day of
    /// an open task, where that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<DateTime<Utc>>,
    /// How well it is known, for `touched`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<TouchEvidence>,
    /// What decided that the document counts, for `signed`, `amended` and `backfilled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<DecidedBy>,
}

impl Event {
    /// An event with nothing but time, kind and origin.
    #[must_use]
    pub fn new(at: DateTime<Utc>, event: EventKind, via: impl Into<String>) -> Self {
        Self {
            at,
            event,
            via: via.into(),
            reference: None,
            by: None,
            reason: None,
            brief: None,
            sources: None,
            kept: Vec::new(),
            due: None,
            evidence: None,
            decided_by: None,
        }
    }

    /// Whether it says something of the deal itself, which changed no answer:
    /// that it is lost, deleted, merged, or won again.
    #[must_use]
    pub fn is_of_deal(&self) -> bool {
        self.event == EventKind::Corrected
            && self.brief.is_none()
            && self.sources.is_none()
            && self.by.is_none()
    }

    /// Whether it says what a draft was made of: a document that went out, or a deal.
    fn makes_draft(&self) -> bool {
        self.event == EventKind::Drafted && self.brief.is_some() && self.reference.is_some()
    }
}

/// Whether a document is voided among these events.
fn voids(events: &[Event], via: &str, document: Option<&str>) -> bool {
    events.iter().any(|it| {
        it.event == EventKind::Voided && it.via == via && it.reference.as_deref() == document
    })
}

/// What happened to one handoff, in order; written by handoff only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// Always [`TIMELINE_SCHEMA`].
    pub schema: String,
    /// The handoff.
    pub key: Key,
    /// The events, oldest first.
    pub events: Vec<Event>,
}

impl Timeline {
    /// A timeline without events.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { schema: TIMELINE_SCHEMA.to_owned(), key, events: Vec::new() }
    }

    /// Reads a `timeline.yaml`.
    ///
    /// # Errors
    /// When it is no timeline; the place is that of the value at fault.
    pub fn parse(source: &[u8]) -> Result<Self, yaml::Error> {
        let file = yaml::read(source)?;
        check_version(&file, TIMELINE_SCHEMA)?;
        yaml::from_node(&file)
    }

    /// The bytes of the `timeline.yaml`.
    ///
    /// # Panics
    /// Never: a timeline holds only texts and times.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml::write(&serde_json::to_value(self).expect("a timeline is plain data"))
    }

    /// Whether the document that the handoff stands on was voided; for a draft, each
    /// that it was made of. An amendment that was voided says nothing of the contract.
    #[must_use]
    pub fn is_voided(&self) -> bool {
        let signed =
            |event: &Event| matches!(event.event, EventKind::Signed | EventKind::Backfilled);
        let Some(at) = self.events.iter().rposition(signed) else {
            // A draft of a deal stands without a document.
            let mut made = self.events.iter().enumerate().filter(|(_, it)| it.makes_draft());
            return self.first(EventKind::Voided).is_some()
                && made
                    .all(|(at, it)| voids(&self.events[at..], &it.via, it.reference.as_deref()));
        };
        let document = &self.events[at].reference;
        self.events[at..].iter().any(|event| {
            event.event == EventKind::Voided
                && (event.reference.is_none() || event.reference == *document)
        })
    }

    /// Whether a draft was made of this document, which was not voided since.
    #[must_use]
    pub fn is_drafted_of(&self, via: &str, document: &str) -> bool {
        let is_it = |it: &Event| {
            it.makes_draft() && it.via == via && it.reference.as_deref() == Some(document)
        };
        let last = self.events.iter().rposition(is_it);
        last.is_some_and(|at| !voids(&self.events[at..], via, Some(document)))
    }

    /// Whether somebody decided that no handoff is needed. Beside a signed brief
    /// that counts for nothing: it was handed over.
    #[must_use]
    pub fn is_exempt(&self, is_signed: bool) -> bool {
        !is_signed && self.first(EventKind::Exempted).is_some()
    }

    /// What the CRM says of a deal that is lost or deleted: nobody waits for
    /// its handoff any more. `None` where it says otherwise since.
    #[must_use]
    pub fn deal_is_over(&self) -> Option<&str> {
        let last = self.events.iter().rev().find(|event| event.is_of_deal())?;
        last.reason.as_deref().filter(|said| OVER.iter().any(|over| said.contains(over)))
    }

    /// The first event of a kind.
    #[must_use]
    pub fn first(&self, kind: EventKind) -> Option<&Event> {
        self.events.iter().find(|event| event.event == kind)
    }

    /// The earliest first touch; where evidence is needed, of those that the
    /// CRM shows.
    #[must_use]
    pub fn first_touch(&self, needs_evidence: bool) -> Option<&Event> {
        let touches = self.events.iter().filter(|event| event.event == EventKind::Touched);
        touches
            .filter(|event| !needs_evidence || event.evidence == Some(TouchEvidence::Crm))
            .min_by_key(|event| event.at)
    }

    /// The last event of a kind.
    #[must_use]
    pub fn last(&self, kind: EventKind) -> Option<&Event> {
        self.last_of(&[kind])
    }

    /// The last event of one of these kinds.
    #[must_use]
    pub fn last_of(&self, kinds: &[EventKind]) -> Option<&Event> {
        self.events.iter().rev().find(|event| kinds.contains(&event.event))
    }

    /// The last event of a kind that came through this channel.
    #[must_use]
    pub fn last_via(&self, kind: EventKind, via: &str) -> Option<&Event> {
        self.events.iter().rev().find(|event| event.event == kind && event.via == via)
    }

    /// What people last said of the whole handoff: accepted, returned, or that
    /// it comes again.
    #[must_use]
    pub fn verdict(&self) -> Option<&Event> {
        self.last_of(&[EventKind::Accepted, EventKind::Returned, EventKind::Resubmitted])
    }

    /// The acceptance that a later correction or amendment left behind: the CSM
    /// is asked to accept again.
    #[must_use]
    pub fn outdated_acceptance(&self) -> Option<&Event> {
        let accepted = self.verdict().filter(|it| it.event == EventKind::Accepted)?;
        let changes = [EventKind::Accepted, EventKind::Corrected, EventKind::Amended];
        self.last_of(&changes).filter(|it| it.event != EventKind::Accepted).map(|_| accepted)
    }
}

/// What the CRM says of a deal that is over.
pub const DEAL_LOST: &str = " is lost";
/// See [`DEAL_LOST`].
pub const DEAL_GONE: &str = " is deleted or archived";
/// See [`DEAL_LOST`].
pub const DEAL_MISSING: &str = " has no deal ";
const OVER: [&str; 3] = [DEAL_LOST, DEAL_GONE, DEAL_MISSING];

/// When the first touch's deadline was moved, and to when.
pub fn deadline_moves(
    events: &[Event],
) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> + '_ {
    events
        .iter()
        .filter(|event| event.event == EventKind::DeadlineMoved)
        .filter_map(|event| Some((event.at, event.due?)))
}

/// The deadline of the first touch that counts: the one that the brief told,
/// moved by each `deadline_moved` that was made before the deadline that it
/// moves. Who is late already does not become punctual by moving it.
#[must_use]
pub fn deadline_in_force(
    told: Option<DateTime<Utc>>,
    moves: impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)>,
) -> Option<DateTime<Utc>> {
    let mut moves: Vec<_> = moves.collect();
    moves.sort_by_key(|(at, _)| *at);
    moves.into_iter().fold(told, |due, (at, moved)| match due {
        Some(due) if at > due => Some(due),
        _ => Some(moved),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the schema is the program's own")]
    fn the_shipped_schema_knows_every_event_by_the_name_that_timelines_write() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../schema/timeline.schema.json"))
                .expect("the schema is JSON");
        let names = schema["properties"]["events"]["items"]["properties"]["event"]["enum"]
            .as_array()
            .expect("the names of events");
        let mut last = None;
        for name in names {
            let kind: EventKind = serde_json::from_value(name.clone()).expect("a known event");
            assert_eq!(name, kind.as_str());
            assert!(last < Some(kind), "{kind} is out of order");
            last = Some(kind);
        }
        // The last one by order is the last one there is.
        assert_eq!(
            (last, names.len()),
            (Some(EventKind::DeliveryFailed), 1 + EventKind::DeliveryFailed as usize)
        );
    }

    #[test]
    fn a_deadline_is_moved_before_it_has_passed_or_not_at_all() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let moved = |at: &str, due: &str| {
            let mut event = Event::new(time(at), EventKind::DeadlineMoved, "jira");
            event.due = Some(time(due));
            event
        };
        let told = Some(time("2026-11-21T15:00:00Z"));
        let in_force = |events: &[Event]| deadline_in_force(told, deadline_moves(events));
        let later = time("2026-11-25T15:00:00Z");
        assert_eq!(in_force(&[]), told);
        assert_eq!(in_force(&[moved("2026-11-21T14:59:59Z", "2026-11-25T15:00:00Z")]), Some(later));
        assert_eq!(in_force(&[moved("2026-11-21T15:00:00Z", "2026-11-25T15:00:00Z")]), Some(later));
        assert_eq!(in_force(&[moved("2026-11-21T15:00:01Z", "2026-11-25T15:00:00Z")]), told);
        // In the order of time, whatever the order of recording; earlier is possible, too.
        let twice = [
            moved("2026-11-22T15:00:00Z", "2026-11-23T15:00:00Z"),
            moved("2026-11-21T09:00:00Z", "2026-11-25T15:00:00Z"),
        ];
        assert_eq!(in_force(&twice), Some(time("2026-11-23T15:00:00Z")));
        assert_eq!(
            deadline_in_force(None, deadline_moves(&twice[..1])),
            Some(time("2026-11-23T15:00:00Z"))
        );
    }
}
