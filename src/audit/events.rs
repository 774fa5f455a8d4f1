//! What happened to a handoff as the audit keeps it: packed, because a hundred
//! thousand handoffs have half a million events, and each is read a few times.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::{DateTime, Utc};

use crate::brief::{Event, EventKind, Timeline, TouchEvidence};
use crate::model::{Key, ObjectId};

/// One thing that happened, as far as the audit needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened<'a> {
    /// When.
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

/// A moment that may be absent.
pub(super) type EventTime = Option<(i64, u32)>;

pub(super) fn kept_moment(at: Option<DateTime<Utc>>) -> EventTime {
    at.map(seconds_and_nanos)
}

fn seconds_and_nanos(at: DateTime<Utc>) -> (i64, u32) {
    (at.timestamp(), at.timestamp_subsec_nanos())
}

pub(super) fn moment_of(kept: EventTime) -> Option<DateTime<Utc>> {
    kept.and_then(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos))
}

/// What an event says beside its kind and time: `via`, `reference`, `brief`, `by`,
/// `reason`, `due` and `evidence`.
type EventDetails<'a> = (
    &'a str,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
    EventTime,
    Option<TouchEvidence>,
);

/// Before what an event says: its kind (1 byte), seconds (8) and nanoseconds (4),
/// and how long the rest is (4). So most are passed by without being read.
const HEAD: usize = 17;

/// An event as it is packed.
#[derive(Clone, Copy)]
struct Packed<'a> {
    kind: u8,
    /// Seconds and nanoseconds.
    at: (i64, u32),
    whole: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Takes the first event off; `None` at the end, and for what is none.
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let head: &[u8; HEAD] = rest.first_chunk()?;
        let seconds = i64::from_le_bytes(*head[1..].first_chunk()?);
        let at = (seconds, u32::from_le_bytes(*head[9..].first_chunk()?));
        let length = u32::from_le_bytes(*head[13..].first_chunk()?);
        let length = HEAD.checked_add(usize::try_from(length).ok()?)?;
        let (whole, after) = rest.split_at_checked(length)?;
        *rest = after;
        Some(Self { kind: head[0], at, whole })
    }

    fn read(self) -> Option<Happened<'a>> {
        let (via, reference, brief, by, reason, due, evidence): EventDetails<'a> =
            postcard::from_bytes(&self.whole[HEAD..]).ok()?;
        let event = postcard::from_bytes(&[self.kind]).ok()?;
        let (at, due) = (moment_of(Some(self.at))?, moment_of(due));
        Some(Happened { at, event, via, reference, brief, by, reason, due, evidence })
    }
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
        let mut packed = Vec::new();
        for event in events {
            let Happened { at, event: kind, via, reference, brief, by, reason, due, evidence } =
                event;
            kinds |= bit(kind);
            let said: EventDetails<'_> =
                (via, reference, brief, by, reason, kept_moment(due), evidence);
            packed.push(kind as u8);
            packed.extend_from_slice(&at.timestamp().to_le_bytes());
            packed.extend_from_slice(&at.timestamp_subsec_nanos().to_le_bytes());
            let length_at = packed.len();
            packed.extend_from_slice(&[0; 4]);
            packed = postcard::to_extend(&said, packed).expect("texts and times fit a vector");
            let length = u32::try_from(packed.len() - length_at - 4);
            let length = length.expect("a timeline has at most 4 MiB").to_le_bytes();
            packed[length_at..length_at + 4].copy_from_slice(&length);
        }
        Self { packed: packed.into_boxed_slice(), kinds }
    }

    /// The events of several timelines up to a moment by time, each once.
    #[must_use]
    pub(super) fn merge(mut timelines: Vec<Self>, until: DateTime<Utc>) -> Self {
        if timelines.len() == 1
            && let Some(only) = timelines.pop_if(|only| only.is_merged(until))
        {
            return only;
        }
        let mut events: Vec<Packed<'_>> = Vec::new();
        let until = seconds_and_nanos(until);
        for event in timelines.iter().flat_map(Self::packed) {
            let same = |other: &Packed<'_>| other.whole == event.whole;
            if event.at <= until && !events.iter().any(same) {
                events.push(event);
            }
        }
        events.sort_by_key(|event| event.at);
        let kinds = events.iter().fold(0, |kinds, event| kinds | 1 << event.kind);
        let packed = events.iter().flat_map(|event| event.whole).copied();
        let length = events.iter().map(|event| event.whole.len()).sum();
        let mut whole = Vec::with_capacity(length);
        whole.extend(packed);
        Self { packed: whole.into_boxed_slice(), kinds }
    }

    /// Whether they are in the order of their times, each once and none later.
    fn is_merged(&self, until: DateTime<Utc>) -> bool {
        let mut of_a_moment: Vec<Packed<'_>> = Vec::new();
        let until = seconds_and_nanos(until);
        self.packed().all(|event| {
            let before = of_a_moment.last().map(|last| last.at);
            if before.is_some_and(|before| before < event.at) {
                of_a_moment.clear();
            }
            let is_next = before.is_none_or(|before| before <= event.at)
                && event.at <= until
                && of_a_moment.iter().all(|other| other.whole != event.whole);
            of_a_moment.push(event);
            is_next
        })
    }

    fn packed(&self) -> impl Iterator<Item = Packed<'_>> {
        let mut rest = &self.packed[..];
        std::iter::from_fn(move || Packed::take(&mut rest))
    }

    /// The events, first to last.
    pub fn iter(&self) -> impl Iterator<Item = Happened<'_>> {
        self.packed().map_while(Packed::read)
    }

    /// The events of one kind, first to last.
    pub fn of(&self, kind: EventKind) -> impl Iterator<Item = Happened<'_>> {
        let any = self.has(kind).then(|| self.packed());
        let of_kind = any.into_iter().flatten().filter(move |event| event.kind == kind as u8);
        of_kind.map_while(Packed::read)
    }

    /// Whether there is one of this kind.
    #[must_use]
    pub fn has(&self, kind: EventKind) -> bool {
        self.kinds & bit(kind) != 0
    }

    /// The time of the latest one.
    pub(super) fn latest(&self) -> Option<DateTime<Utc>> {
        moment_of(self.packed().map(|event| event.at).max())
    }

    /// The events that `earlier` lack, in their order.
    #[must_use]
    pub(super) fn beyond<'a>(&self, earlier: impl IntoIterator<Item = &'a Self>) -> Self {
        let known: BTreeSet<&[u8]> =
            earlier.into_iter().flat_map(|it| it.packed().map(|event| event.whole)).collect();
        let new = self.packed().filter(|event| !known.contains(event.whole));
        Self::pack(new.filter_map(Packed::read))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.packed
    }

    /// Events that [`Events::bytes`] gave, if each can be told from the next. What
    /// they say is read when it is asked for: the file's checksum vouches for it.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (mut rest, mut kinds) = (bytes, 0);
        while !rest.is_empty() {
            let event = Packed::take(&mut rest)?;
            postcard::from_bytes::<EventKind>(&[event.kind]).ok()?;
            moment_of(Some(event.at))?;
            kinds |= 1 << event.kind;
        }
        Some(Self { packed: bytes.into(), kinds })
    }
}

fn tells_reference(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::TaskOpened | EventKind::Signed | EventKind::Backfilled | EventKind::Voided
    )
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
    /// The `brief.yaml` that its events say were written.
    pub briefs: Vec<ObjectId>,
    /// A print of all that each event says: more than the audit keeps of it.
    pub prints: Vec<u64>,
}

impl TimelineFacts {
    /// What the first event was that `later` lacks; events may be added anywhere, as two
    /// clones' timelines are merged by time.
    #[must_use]
    pub(super) fn missing_from(&self, later: &Self) -> Option<EventKind> {
        if later.prints.starts_with(&self.prints) {
            return None;
        }
        let mut rest = later.prints.iter();
        let lost = self.prints.iter().position(|print| !rest.any(|other| other == print))?;
        self.events.iter().nth(lost).map(|event| event.event)
    }
}

/// A print of an event; the same in one run of the program.
fn print_of(event: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.hash(&mut hasher);
    hasher.finish()
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
            briefs: timeline
                .events
                .iter()
                .filter(|it| !matches!(it.event, EventKind::Accepted | EventKind::Returned))
                .filter_map(|event| event.brief.as_deref()?.parse().ok())
                .collect(),
            prints: timeline.events.iter().map(print_of).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_events_are_refused_as_a_whole() {
        let at = DateTime::from_timestamp(1_795_000_000, 0).expect("a time");
        let event = Event::new(at, EventKind::Accepted, "cli");
        let events = Events::pack([Happened::from(&event)]);
        assert_eq!(Events::from_bytes(events.bytes()).as_ref(), Some(&events));
        let damaged = |at: usize, byte: u8| {
            let mut bytes = events.bytes().to_vec();
            bytes[at] = byte;
            Events::from_bytes(&bytes)
        };
        // Its kind, the end of its seconds and nanoseconds, and how long the rest is.
        for (at, byte) in [(0, 0xff), (8, 0x7f), (12, 0xff), (13, 0xff)] {
            assert_eq!(damaged(at, byte), None, "{at}");
        }
        assert_eq!(Events::from_bytes(&events.bytes()[..HEAD]), None);
    }
}
