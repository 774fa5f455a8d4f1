//! What people are told about: a new handoff, its return, its coming again.

use super::Handoff;
use crate::brief::{Event, EventKind};

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// The contract was signed: the CSM learns of the handoff.
    Signed,
    /// The CSM returned it: the rep learns why.
    Returned,
    /// It came again: the CSM learns what changed.
    Resubmitted,
}

impl MessageKind {
    /// Every one of them, in the order of the story.
    pub const ALL: [Self; 3] = [Self::Signed, Self::Returned, Self::Resubmitted];

    /// What this message answers; a new handoff is told of once and answers
    /// nothing.
    #[must_use]
    pub fn trigger(self) -> Option<EventKind> {
        match self {
            Self::Signed => None,
            Self::Returned => Some(EventKind::Returned),
            Self::Resubmitted => Some(EventKind::Resubmitted),
        }
    }

    /// The occasion of which such a delivery tells.
    #[must_use]
    pub fn of(delivery: EventKind) -> Self {
        match delivery {
            EventKind::RepTold => Self::Returned,
            EventKind::CsmTold => Self::Resubmitted,
            _ => Self::Signed,
        }
    }

    /// The event that records such a message; `new` is the one of a new handoff.
    #[must_use]
    pub fn event(self, new: EventKind) -> EventKind {
        match self {
            Self::Signed => new,
            Self::Returned => EventKind::RepTold,
            Self::Resubmitted => EventKind::CsmTold,
        }
    }

    /// The step that a mark names, another one for each return: `returned-2`.
    pub(super) fn step(self, handoff: &Handoff, new: &str) -> String {
        let count = |kind| handoff.timeline.events.iter().filter(|it| it.event == kind).count();
        match self.trigger() {
            None => new.to_owned(),
            Some(EventKind::Returned) => format!("returned-{}", count(EventKind::Returned)),
            Some(kind) => format!("resubmitted-{}", count(kind) + count(EventKind::Amended)),
        }
    }
}

/// The part of a timeline in which a delivery is to be looked for: all of it,
/// or what was recorded behind the last event that the delivery answers.
/// `None` where there is nothing to answer: never returned, or returned and
/// meanwhile settled.
#[must_use]
pub fn answered_part(delivery: EventKind, events: &[Event]) -> Option<&[Event]> {
    let Some(trigger) = MessageKind::of(delivery).trigger() else { return Some(events) };
    let to_csm = trigger == EventKind::Resubmitted;
    let is_verdict = |event: &Event| match event.event {
        EventKind::Returned | EventKind::Resubmitted | EventKind::Accepted => true,
        // An amendment is news for the CSM, and answers no return.
        EventKind::Amended => to_csm,
        _ => false,
    };
    let last = events.iter().rposition(is_verdict)?;
    let is_open = events.get(last).is_some_and(|event| {
        event.event == trigger || (to_csm && event.event == EventKind::Amended)
    });
    is_open.then(|| events.get(last + 1..).unwrap_or_default())
}
