//! What people are told about: a new handoff, its return, what changed since,
//! what is due.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::brief::{Event, EventKind, Timeline};
use crate::link::LinkRole;

/// Somebody who is to be reminded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RemindedPerson {
    /// The full name.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// The Slack member id.
    pub slack: Option<String>,
}

/// One reminder that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reminder {
    /// What it is known by, the same at every run: `first_touch-4h.csm`.
    pub id: String,
    /// Whether it goes past the people of the handoff, to a lead.
    pub escalates: bool,
    /// What kind of thing is due, as `reminders:` names it: `missing_answers`.
    pub about: &'static str,
    /// Whose part it is, where it is a party to the handoff: the link is theirs.
    #[serde(skip)]
    pub role: Option<LinkRole>,
    /// What is due, in words: `the first touch`.
    pub what: String,
    /// By when.
    pub due: DateTime<Utc>,
    /// Whom it is for.
    pub to: Vec<RemindedPerson>,
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageKind {
    /// The contract is out for signature: the rep learns what the draft lacks.
    Drafted,
    /// The contract was signed: the CSM learns of the handoff.
    Signed,
    /// The CSM returned it: the rep learns why.
    Returned,
    /// It was resubmitted, corrected, amended or given to somebody else: the
    /// CSM learns what changed.
    Changed,
    /// Something is due.
    Reminder(Arc<Reminder>),
}

impl MessageKind {
    /// Those that every handoff can have, in the order of the story.
    pub const ALL: [Self; 3] = [Self::Signed, Self::Returned, Self::Changed];

    /// The kind of message that such a delivery is.
    #[must_use]
    pub fn of(delivery: EventKind) -> Self {
        match delivery {
            EventKind::Drafted => Self::Drafted,
            EventKind::RepTold => Self::Returned,
            EventKind::CsmTold => Self::Changed,
            _ => Self::Signed,
        }
    }

    /// The event that records such a message; `new` is the one of a new handoff.
    #[must_use]
    pub fn event(&self, new: EventKind) -> EventKind {
        match self {
            Self::Drafted => EventKind::Drafted,
            Self::Signed => new,
            Self::Returned => EventKind::RepTold,
            Self::Changed => EventKind::CsmTold,
            Self::Reminder(reminder) if reminder.escalates => EventKind::Escalated,
            Self::Reminder(_) => EventKind::Reminded,
        }
    }

    /// Whose link it holds in a channel; a lead's reminder holds nobody's.
    #[must_use]
    pub fn role(&self) -> Option<LinkRole> {
        match self {
            Self::Drafted | Self::Returned => Some(LinkRole::Rep),
            Self::Signed | Self::Changed => Some(LinkRole::Csm),
            Self::Reminder(reminder) => reminder.role,
        }
    }

    /// The reminder, for whatever announces new handoffs: it reminds, too.
    pub(super) fn reminding(&self, reminder: &Arc<Reminder>) -> Option<Self> {
        (*self == Self::Signed).then(|| Self::Reminder(Arc::clone(reminder)))
    }

    /// What tells two messages of this kind apart, where there can be two at once.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Reminder(reminder) => &reminder.id,
            _ => "",
        }
    }

    /// The step that a mark names, another one for each return: `returned-2`.
    pub(super) fn step(&self, timeline: &Timeline, new: &str) -> String {
        let events = &timeline.events;
        let count = |kind: EventKind| events.iter().filter(|it| it.event == kind).count();
        match self {
            Self::Drafted => "draft".to_owned(),
            Self::Signed => new.to_owned(),
            Self::Returned => format!("returned-{}", count(EventKind::Returned)),
            Self::Changed if is_resubmission(events) => {
                format!("resubmitted-{}", count(EventKind::Resubmitted))
            }
            Self::Changed => {
                format!("changed-{}", events.iter().filter(|it| is_change(it)).count())
            }
            Self::Reminder(reminder) => reminder.id.clone(),
        }
    }
}

/// Events after which a handoff is another than people were told.
const CHANGES: &[EventKind] = &[
    EventKind::Resubmitted,
    EventKind::Corrected,
    EventKind::Amended,
    EventKind::Assigned,
    EventKind::Voided,
];

/// Whether a handoff is another than people were told after this event. A
/// deadline that was moved is in the brief then, unless it came too late.
#[must_use]
pub fn is_change(event: &Event) -> bool {
    CHANGES.contains(&event.event)
        || event.event == EventKind::DeadlineMoved && event.brief.is_some()
}

/// Whether the last change is that it was resubmitted after a return.
pub(super) fn is_resubmission(events: &[Event]) -> bool {
    let last = events.iter().rev().find(|event| is_change(event));
    last.is_some_and(|event| event.event == EventKind::Resubmitted)
}

/// The part of a timeline in which a delivery is to be looked for: all of it,
/// or what was recorded behind the last event that the delivery answers.
/// `None` where there is nothing to answer: never returned, or returned and
/// meanwhile settled; nothing changed that this sink has reported before.
#[must_use]
pub fn answered_part<'a>(
    delivery: EventKind,
    via: &str,
    events: &'a [Event],
) -> Option<&'a [Event]> {
    let verdicts = [EventKind::Returned, EventKind::Resubmitted, EventKind::Accepted];
    let last = |kinds: &[EventKind]| events.iter().rposition(|it| kinds.contains(&it.event));
    let behind = |at: usize| events.get(at + 1..).unwrap_or_default();
    match MessageKind::of(delivery) {
        MessageKind::Drafted | MessageKind::Signed | MessageKind::Reminder(_) => Some(events),
        MessageKind::Returned => {
            let at = last(&verdicts)?;
            (events.get(at)?.event == EventKind::Returned).then(|| behind(at))
        }
        MessageKind::Changed => {
            let at = events.iter().rposition(is_change)?;
            let wanted = match events.get(at)?.event {
                // Who has accepted or returned what was resubmitted knows it.
                EventKind::Resubmitted => last(&verdicts) == Some(at),
                _ => events.get(..at)?.iter().any(|it| it.via == via && is_told(it.event)),
            };
            wanted.then(|| behind(at))
        }
    }
}

/// Events by which a sink has told people of a handoff.
#[must_use]
pub fn is_told(event: EventKind) -> bool {
    matches!(
        event,
        EventKind::TaskOpened
            | EventKind::Notified
            | EventKind::Emailed
            | EventKind::ProjectStarted
            | EventKind::CsmTold
    )
}

/// Whether a change is to be reported through this sink.
pub(super) fn is_to_be_told(timeline: &Timeline, via: &str) -> bool {
    let part = answered_part(EventKind::CsmTold, via, &timeline.events);
    part.is_some_and(|events| {
        !events.iter().any(|it| it.event == EventKind::CsmTold && it.via == via)
    })
}
