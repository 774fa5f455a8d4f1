//! What stands in the streams, for people and for figures.

use std::collections::BTreeMap;

use async_nats::jetstream::consumer::Info;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::message;
use super::queue::JetStreamInbox;
use super::streams::Lane;
use crate::intake::inbox::envelope::{Envelope, EventName, EventState};
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::{InboxCounts, ListedEvent, choose};
use crate::model::DocumentKind;

/// So many messages are asked for at a time.
const AT_ONCE: usize = 16;
/// So many of the events that wait for another try are looked at for the one
/// that has been due longest.
const LOOKED_AT: usize = 64;

/// An event where it was found.
struct StreamEvent<'a> {
    stream: &'a Stream,
    message: StreamMessage,
    state: EventState,
}

impl StreamEvent<'_> {
    fn envelope(&self) -> Result<Envelope, InboxError> {
        let StreamMessage { subject, headers, payload, .. } = &self.message;
        message::read(subject, Some(headers), payload)
            .map_err(|why| InboxError::Damaged { place: subject.to_string(), why })
    }
}

impl JetStreamInbox {
    /// Counts the events. The server does not tell an event in hand from one
    /// that waits for its next try: one that is tried again counts as waiting.
    pub(super) async fn count(&self, now: DateTime<Utc>) -> Result<InboxCounts, InboxError> {
        self.connected()?;
        let handed_out = self.consumer_info().await?.num_ack_pending;
        let again = self.subjects(&self.streams.queue, &self.streams.every(Lane::Again)).await?;
        let waiting = self.size(&self.streams.queue).await?;
        let work = handed_out.saturating_sub(again.len()).min(waiting);
        Ok(InboxCounts {
            new: waiting - work,
            work,
            held: self.size(&self.streams.held).await?,
            failed: self.size(&self.streams.failed).await?,
            done: self.size(&self.streams.done).await?,
            oldest_due: self
                .oldest_due(&again, now)
                .await?
                .and_then(|due| (now - due).to_std().ok()),
        })
    }

    async fn size(&self, stream: &Stream) -> Result<usize, InboxError> {
        let info = stream.get_info().await.map_err(self.streams.server("counting"))?;
        Ok(usize::try_from(info.state.messages).unwrap_or(usize::MAX))
    }

    /// When the event was due that has been due longest, in hand or not.
    async fn oldest_due(
        &self,
        again: &[String],
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, InboxError> {
        let first = self.streams.queue.raw_message_builder().sequence(1);
        let first = match first.next_by_subject(self.streams.every(Lane::New)).send().await {
            Ok(first) => Some(first),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => None,
            Err(error) => return Err(self.streams.server("reading")(error)),
        };
        let mut messages: Vec<StreamMessage> = first.into_iter().collect();
        let looked_at = &again[..again.len().min(LOOKED_AT)];
        messages.extend(self.messages(&self.streams.queue, looked_at).await?);
        let due = |found: &StreamMessage| {
            message::read(&found.subject, Some(&found.headers), &found.payload)
                .ok()
                .map(|envelope| envelope.due())
        };
        Ok(messages.iter().filter_map(due).filter(|due| *due <= now).min())
    }

    /// The events of these states.
    pub(super) async fn listed(
        &self,
        states: &[EventState],
        now: DateTime<Utc>,
    ) -> Result<Vec<ListedEvent>, InboxError> {
        self.connected()?;
        // A queue may hold an event twice for a moment; the newer copy is shown.
        let mut events: BTreeMap<(EventState, EventName), ListedEvent> = BTreeMap::new();
        for stream in self.streams.all() {
            let is_queue = std::ptr::eq(stream, &self.streams.queue);
            if !states.iter().any(|state| self.stream_of(*state, stream)) {
                continue;
            }
            let handed_out = if is_queue { self.handed_out().await? } else { 0 };
            let subjects = self.subjects(stream, "").await?;
            for message in self.messages(stream, &subjects).await? {
                let Some(name) = message::name(&message.subject) else { continue };
                let state = self.state_of(stream, &message, handed_out, now);
                if states.contains(&state) {
                    let envelope = StreamEvent { stream, message, state }.envelope();
                    events.insert((state, name.clone()), ListedEvent { name, state, envelope });
                }
            }
        }
        let mut listed: Vec<ListedEvent> = events.into_values().collect();
        ListedEvent::sort(&mut listed);
        Ok(listed)
    }

    /// The one event with this name or delivery id, or whose begins with it.
    pub(super) async fn look_up(
        &self,
        id: &str,
        now: DateTime<Utc>,
    ) -> Result<ListedEvent, InboxError> {
        self.connected()?;
        let mut events = Vec::new();
        for (stream, state) in [
            (&self.streams.queue, EventState::New),
            (&self.streams.held, EventState::Held),
            (&self.streams.failed, EventState::Failed),
            (&self.streams.done, EventState::Done),
        ] {
            let subjects = self.subjects(stream, "").await?;
            events.extend(
                subjects.iter().filter_map(|subject| message::name(subject)).map(|it| (it, state)),
            );
        }
        let (name, _) = choose(id, events)?;
        let found = self.locate(&name, now).await?;
        Ok(ListedEvent { name, state: found.state, envelope: found.envelope() })
    }

    /// Makes an event that failed, is held, or waits, due at once.
    pub(super) async fn try_now(
        &self,
        name: &EventName,
        now: DateTime<Utc>,
        decided: Option<DocumentKind>,
    ) -> Result<(), InboxError> {
        let found = self.take_up(name, now, decided.is_some()).await?;
        let mut envelope = found.envelope()?;
        envelope.begin_anew(now, decided);
        self.publish(Lane::Again, &envelope, false).await?;
        self.stored.notify_one();
        self.remove(&found).await
    }

    /// Gives an event up for good. A message that is none is removed.
    pub(super) async fn drop_for_good(
        &self,
        name: &EventName,
        now: DateTime<Utc>,
    ) -> Result<(), InboxError> {
        let found = self.take_up(name, now, false).await?;
        if let Ok(mut envelope) = found.envelope() {
            envelope.drop_by_hand(now, found.state);
            self.publish(Lane::Done, &envelope, false).await?;
        }
        self.remove(&found).await
    }

    /// An event that a person may change.
    async fn take_up(
        &self,
        name: &EventName,
        now: DateTime<Utc>,
        done: bool,
    ) -> Result<StreamEvent<'_>, InboxError> {
        self.connected()?;
        let found = self.locate(name, now).await?;
        match found.state {
            EventState::New | EventState::Held | EventState::Failed => Ok(found),
            EventState::Done if done => Ok(found),
            other => Err(InboxError::NotHere { id: name.to_string(), state: other.shown() }),
        }
    }

    async fn remove(&self, found: &StreamEvent<'_>) -> Result<(), InboxError> {
        let removed = found.stream.delete_message(found.message.sequence).await;
        removed.map(|_| ()).map_err(self.streams.server("removing from"))
    }

    async fn locate(
        &self,
        name: &EventName,
        now: DateTime<Utc>,
    ) -> Result<StreamEvent<'_>, InboxError> {
        let subject = self.streams.anywhere(name);
        for stream in self.streams.all() {
            if let Some(message) = self.last(stream, &subject).await? {
                let handed_out = self.handed_out().await?;
                let state = self.state_of(stream, &message, handed_out, now);
                return Ok(StreamEvent { stream, message, state });
            }
        }
        Err(InboxError::Unknown(name.to_string()))
    }

    fn stream_of(&self, state: EventState, stream: &Stream) -> bool {
        std::ptr::eq(
            stream,
            match state {
                EventState::New | EventState::Work => &self.streams.queue,
                EventState::Held => &self.streams.held,
                EventState::Failed => &self.streams.failed,
                EventState::Done => &self.streams.done,
            },
        )
    }

    /// Where a message is: one of the queue is in hand when it was handed out
    /// and does not wait for its next try.
    fn state_of(
        &self,
        stream: &Stream,
        found: &StreamMessage,
        handed_out: u64,
        now: DateTime<Utc>,
    ) -> EventState {
        let aside = [EventState::Held, EventState::Failed, EventState::Done];
        if let Some(state) = aside.into_iter().find(|state| self.stream_of(*state, stream)) {
            return state;
        }
        let envelope = message::read(&found.subject, Some(&found.headers), &found.payload).ok();
        let due = envelope.and_then(|envelope| envelope.not_before);
        if found.sequence > handed_out || due.is_some_and(|due| due > now) {
            EventState::New
        } else {
            EventState::Work
        }
    }

    /// The last message of the queue that was ever handed out.
    async fn handed_out(&self) -> Result<u64, InboxError> {
        Ok(self.consumer_info().await?.delivered.stream_sequence)
    }

    async fn consumer_info(&self) -> Result<Info, InboxError> {
        let name = &self.streams.consumer.cached_info().name;
        self.streams.queue.consumer_info(name).await.map_err(self.streams.server("counting"))
    }

    /// The subjects of a stream that there are events under, in order.
    async fn subjects(&self, stream: &Stream, filter: &str) -> Result<Vec<String>, InboxError> {
        let filter = if filter.is_empty() { ">" } else { filter };
        let doing = "listing";
        let subjects =
            stream.info_with_subjects(filter).await.map_err(self.streams.server(doing))?;
        let mut subjects: Vec<String> = subjects
            .map_ok(|(subject, _)| subject)
            .try_collect()
            .await
            .map_err(self.streams.server(doing))?;
        subjects.sort();
        Ok(subjects)
    }

    /// The last message under each of these subjects that is still there.
    async fn messages(
        &self,
        stream: &Stream,
        subjects: &[String],
    ) -> Result<Vec<StreamMessage>, InboxError> {
        stream::iter(subjects.to_vec())
            .map(async |subject| self.last(stream, &subject).await)
            .buffered(AT_ONCE)
            .try_filter_map(async |found| Ok(found))
            .try_collect()
            .await
    }
}
