//! What happened to a handoff as the audit keeps it: packed, because a hundred
//! thousand handoffs have half a million events, and each is read a few times.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::brief::{Event, EventKind, Timeline, TouchEvidence};
use crate::model::{Key, ObjectId};

/// One thing that happened, as far as the audit needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened<'a> {
    /// When.
    #[serde(with = "moment")]
    pub at: DateTime<Utc>,
    /// What.
    pub event: EventKind,
    /// Through what: a provider, a sink, `cli`, `github`.
    pub via: &'a str,
    /// The task's URL or id, or the signed document's; what other references
    /// say no audit tells.
    pub reference: Option<&'a str>,
    /// The brief that was written, hex, for what writes a signed one.
    pub brief: Option<&'a str>,
    /// Who did it, for what people do.
    pub by: Option<&'a str>,
    /// Why, in their words.
    pub reason: Option<&'a str>,
    /// The deadline that was set, for `deadline_moved`.
    #[serde(with = "maybe_moment")]
    pub due: Option<DateTime<Utc>>,
    /// How well it is known, for `touched`.
    pub evidence: Option<TouchEvidence>,
}

impl<'a> From<&'a Event> for Happened<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            at: event.at,
            event: event.event,
            via: &event.via,
            reference: event.reference.as_deref().filter(|_| tells_reference(event.event)),
            brief: event.brief.as_deref().filter(|_| writes_signed(event.event)),
            by: event.by.as_deref(),
            reason: event.reason.as_deref(),
            due: event.due,
            evidence: event.evidence,
        }
    }
}

/// Seconds and nanoseconds; `DateTime` itself would be kept as text.
mod moment {
    use chrono::{DateTime, Utc};
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(in crate::audit) fn serialize<S: Serializer>(
        at: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (at.timestamp(), at.timestamp_subsec_nanos()).serialize(serializer)
    }

    pub(in crate::audit) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        let (seconds, nanos) = <(i64, u32)>::deserialize(deserializer)?;
        DateTime::from_timestamp(seconds, nanos).ok_or_else(|| D::Error::custom("no such moment"))
    }
}

/// The same for a moment that may be absent.
mod maybe_moment {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(in crate::audit) fn serialize<S: Serializer>(
        at: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::kept_moment(*at).serialize(serializer)
    }

    pub(in crate::audit) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        Ok(super::moment_of(super::Moment::deserialize(deserializer)?))
    }
}

/// A moment that may be absent.
pub(super) type Moment = Option<(i64, u32)>;

pub(super) fn kept_moment(at: Option<chrono::DateTime<chrono::Utc>>) -> Moment {
    at.map(|at| (at.timestamp(), at.timestamp_subsec_nanos()))
}

pub(super) fn moment_of(kept: Moment) -> Option<chrono::DateTime<chrono::Utc>> {
    kept.and_then(|(seconds, nanos)| chrono::DateTime::from_timestamp(seconds, nanos))
}

/// The events of one handoff in their order, packed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Events {
    packed: Box<[u8]>,
    /// One bit for each kind that is among them: most are asked for in vain.
    kinds: u32,
}

impl Events {
    /// Packs events in the order they come.
    #[must_use]
    pub fn pack<'a>(events: impl IntoIterator<Item = Happened<'a>>) -> Self {
        let mut kinds = 0;
        let packed = events.into_iter().fold(Vec::new(), |packed, event| {
            kinds |= bit(event.event);
            postcard::to_extend(&event, packed).expect("texts and times always fit a vector")
        });
        Self { packed: packed.into_boxed_slice(), kinds }
    }

    /// The events, first to last.
    pub fn iter(&self) -> impl Iterator<Item = Happened<'_>> {
        let mut rest = &self.packed[..];
        std::iter::from_fn(move || {
            let (event, after) = postcard::take_from_bytes(rest).ok()?;
            rest = after;
            Some(event)
        })
    }

    /// The events of one kind, first to last.
    pub fn of(&self, kind: EventKind) -> impl Iterator<Item = Happened<'_>> {
        let any = self.has(kind).then(|| self.iter());
        any.into_iter().flatten().filter(move |event| event.event == kind)
    }

    /// Whether there is one of this kind.
    #[must_use]
    pub fn has(&self, kind: EventKind) -> bool {
        self.kinds & bit(kind) != 0
    }

    /// The first event that `later` lacks; events may be added anywhere, as two
    /// clones' timelines are merged by time.
    #[must_use]
    pub(super) fn missing_from<'a>(&'a self, later: &'a Self) -> Option<Happened<'a>> {
        if later.packed.starts_with(&self.packed) {
            return None;
        }
        let mut rest = later.iter();
        self.iter().find(|event| !rest.any(|other| other == *event))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.packed
    }

    /// Events that [`Events::bytes`] gave, if each can be read.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (mut rest, mut kinds) = (bytes, 0);
        while !rest.is_empty() {
            let (event, after) = postcard::take_from_bytes::<Happened<'_>>(rest).ok()?;
            kinds |= bit(event.event);
            rest = after;
        }
        Some(Self { packed: bytes.into(), kinds })
    }
}

fn tells_reference(kind: EventKind) -> bool {
    matches!(kind, EventKind::TaskOpened | EventKind::Signed | EventKind::Backfilled)
}

fn writes_signed(kind: EventKind) -> bool {
    matches!(kind, EventKind::Signed | EventKind::Backfilled)
}

fn bit(kind: EventKind) -> u32 {
    1 << kind as u32
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What the audit needs of one `timeline.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineFacts {
    /// The handoff.
    pub key: Key,
    /// What happened.
    pub events: Events,
    /// The `sources.yaml` that its events say were written.
    pub sources: Vec<ObjectId>,
}

impl From<&Timeline> for TimelineFacts {
    fn from(timeline: &Timeline) -> Self {
        Self {
            key: timeline.key.clone(),
            events: Events::pack(timeline.events.iter().map(Happened::from)),
            sources: timeline
                .events
                .iter()
                .filter_map(|event| event.sources.as_deref()?.parse().ok())
                .collect(),
        }
    }
}
