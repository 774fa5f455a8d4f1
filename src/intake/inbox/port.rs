//! What an inbox does, wherever it is, and when an event is tried again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::backoff::Backoff;
use super::envelope::{Envelope, EventName, EventState};
use super::error::InboxError;
use crate::model::{DealId, DocumentKind};

/// What became of an event that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is kept: on the disk, or acknowledged by the server.
    Stored,
    /// It was there already.
    Known(EventState),
}

/// An event that this process has in hand. Only an inbox makes one.
#[derive(Debug)]
pub struct Claimed {
    /// The event.
    pub envelope: Envelope,
}

impl Claimed {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self { envelope }
    }
}

/// An event of the inbox, as far as it can be read.
#[derive(Debug)]
pub struct ListedEvent {
    /// Its name.
    pub name: EventName,
    /// Where it is.
    pub state: EventState,
    /// What is kept of it.
    pub envelope: Result<Envelope, InboxError>,
}

impl ListedEvent {
    /// Puts events into the order in which they are shown: by state, then by
    /// the time they came.
    pub(super) fn sort(listed: &mut [Self]) {
        listed.sort_by_cached_key(|event| {
            (
                event.state,
                event.envelope.as_ref().ok().map(|envelope| envelope.received_at),
                event.name.clone(),
            )
        });
    }
}

/// How many events are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InboxCounts {
    /// That wait.
    pub new: usize,
    /// In hand.
    pub work: usize,
    /// Whose meaning is not certain.
    pub held: usize,
    /// That wait for a person.
    pub failed: usize,
    /// That are remembered.
    pub done: usize,
    /// How long the oldest event that is due has been due.
    pub oldest_due: Option<Duration>,
}

impl InboxCounts {
    /// The number for a state.
    #[must_use]
    pub fn of(&self, state: EventState) -> usize {
        match state {
            EventState::New => self.new,
            EventState::Work => self.work,
            EventState::Held => self.held,
            EventState::Failed => self.failed,
            EventState::Done => self.done,
        }
    }

    pub(super) fn of_mut(&mut self, state: EventState) -> &mut usize {
        match state {
            EventState::New => &mut self.new,
            EventState::Work => &mut self.work,
            EventState::Held => &mut self.held,
            EventState::Failed => &mut self.failed,
            EventState::Done => &mut self.done,
        }
    }
}

/// An inbox: it takes events durably and once, hands them out to workers, and
/// remembers for thirty days what was done. Every error is an [`InboxError`]
/// of the place it is at.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Where it is, without secrets.
    fn location(&self) -> String;

    /// Tells a worker of this process that something came.
    fn stored(&self) -> Arc<Notify>;

    /// Puts an event in; it is kept when this returns.
    async fn put(&self, envelope: Envelope) -> Result<Put, InboxError>;

    /// Tells whether it takes events.
    async fn check_writable(&self) -> Result<(), InboxError>;

    /// Takes up what processes that are gone had in hand, as far as that does
    /// not happen by itself, and forgets what was done long ago; gives how many
    /// events were taken up.
    async fn tidy(&self, now: DateTime<Utc>) -> Result<usize, InboxError>;

    /// Takes at most so many events in hand that are due, oldest first.
    async fn claim(&self, now: DateTime<Utc>, most: usize) -> Result<Vec<Claimed>, InboxError>;

    /// Returns an event that was not touched.
    async fn give_back(&self, claimed: &Claimed) -> Result<(), InboxError>;

    /// Returns everything that this process has in hand, after something went
    /// wrong between taking and settling; gives how many events.
    async fn give_all_back(&self) -> Result<usize, InboxError>;

    /// Puts an event in hand where it belongs now, as its envelope says: `New`
    /// waits until it is due, `Held` until its meaning is certain, `Failed` waits for a person, `Done` is remembered.
    /// When this fails the event is processed again, which makes nothing new.
    async fn settle(&self, claimed: &Claimed, to: EventState) -> Result<(), InboxError>;

    /// Counts the events.
    async fn counts(&self, now: DateTime<Utc>) -> Result<InboxCounts, InboxError>;

    /// The events of these states, by state and then by the time they came. One
    /// that cannot be read is in the list.
    async fn list(
        &self,
        states: &[EventState],
        now: DateTime<Utc>,
    ) -> Result<Vec<ListedEvent>, InboxError>;

    /// The one event with this name or delivery id, or whose begins with it.
    async fn find(&self, id: &str, now: DateTime<Utc>) -> Result<ListedEvent, InboxError>;

    /// Makes an event that failed, is held, or waits, due at once. A person may
    /// have said what kind of document it is.
    async fn retry(
        &self,
        name: &EventName,
        now: DateTime<Utc>,
        decided: Option<DocumentKind>,
    ) -> Result<(), InboxError>;

    /// Gives an event up for good. It stays known for as long as those that
    /// were processed, so that the provider's own retry does not bring it back.
    async fn discard(&self, name: &EventName, now: DateTime<Utc>) -> Result<(), InboxError>;

    /// An event that may succeed later: due again after the wait that
    /// `backoff` gives, or put aside when no more tries are due.
    async fn try_later(
        &self,
        claimed: &mut Claimed,
        now: DateTime<Utc>,
        why: &str,
        backoff: &Backoff,
    ) -> Result<EventState, InboxError> {
        let to = claimed.envelope.failed(now, why, Some(backoff));
        self.settle(claimed, to).await.map(|()| to)
    }

    /// An event whose meaning is not certain.
    async fn hold(
        &self,
        claimed: &mut Claimed,
        now: DateTime<Utc>,
        why: &str,
        deals: Vec<DealId>,
    ) -> Result<(), InboxError> {
        claimed.envelope.hold(now, why, deals);
        self.settle(claimed, EventState::Held).await
    }

    /// An event that needs a person.
    async fn give_up(
        &self,
        claimed: &mut Claimed,
        now: DateTime<Utc>,
        why: &str,
    ) -> Result<(), InboxError> {
        let to = claimed.envelope.failed(now, why, None);
        self.settle(claimed, to).await
    }
}

/// The one of these events with this name or delivery id, else the one whose
/// begins with it.
pub(super) fn choose(
    id: &str,
    events: impl IntoIterator<Item = (EventName, EventState)>,
) -> Result<(EventName, EventState), InboxError> {
    let mut found: Vec<(EventName, EventState)> = Vec::new();
    for (name, state) in events {
        if name.as_str() == id || name.delivery() == id {
            return Ok((name, state));
        }
        let begins = name.as_str().starts_with(id) || name.delivery().starts_with(id);
        if begins && !found.iter().any(|(other, _)| *other == name) {
            found.push((name, state));
        }
    }
    match found.len() {
        0 => Err(InboxError::Unknown(crate::text::quoted(id))),
        1 => Ok(found.remove(0)),
        count => Err(InboxError::Ambiguous { id: crate::text::quoted(id), count }),
    }
}
