//! Events in, taken in hand, and put where they belong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State as Connection;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use async_nats::jetstream::{AckKind, Context, Message};
use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use tokio::sync::Notify;

use super::connect::connect;
use super::message;
use super::streams::{ACK_WAIT, Lane, Streams};
use crate::esign::BODY_LIMIT;
use crate::intake::inbox::address::NatsAccess;
use crate::intake::inbox::address::NatsAddress;
use crate::intake::inbox::envelope::{Envelope, EventName, EventState};
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::{Claimed, Put};

/// How long the server may take to hand out what is there.
const FETCH_TIME: Duration = Duration::from_secs(5);
/// How often the server is told that what is in hand is being worked on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// So much room an event's header needs at most beside the body.
const HEADER_ROOM: usize = 16 * 1024;

/// An inbox that is three streams of NATS JetStream.
pub struct JetStreamInbox {
    pub(super) client: Client,
    context: Context,
    pub(super) streams: Streams,
    in_hand: Mutex<BTreeMap<EventName, Arc<Message>>>,
    pub(super) stored: Arc<Notify>,
}

impl JetStreamInbox {
    /// Connects and opens the streams; with `make`, what is missing of them is
    /// made. The connection lives in the runtime that this is called in.
    ///
    /// # Errors
    /// When no server answers, or a stream would not keep what it takes.
    pub async fn open(
        address: &NatsAddress,
        access: &NatsAccess,
        make: bool,
    ) -> Result<Arc<Self>, InboxError> {
        let client = connect(address, access).await?;
        let context = async_nats::jetstream::new(client.clone());
        let streams = Streams::open(&context, address, make).await?;
        let limit = client.max_payload();
        if limit < BODY_LIMIT + HEADER_ROOM {
            tracing::warn!(
                limit,
                "the server's max_payload is less than the largest webhook; raise it to 2MB, or such webhooks are answered with 503"
            );
        }
        if streams.queue.cached_info().config.num_replicas < 2 {
            tracing::info!(
                "the queue is kept by one server: what it acknowledges survives a power cut only with `sync_interval: always`, or with replicas"
            );
        }
        let inbox = Arc::new(Self {
            client,
            context,
            streams,
            in_hand: Mutex::default(),
            stored: Arc::default(),
        });
        tokio::spawn(give_signs_of_life(Arc::downgrade(&inbox)));
        Ok(inbox)
    }

    /// Fails at once while there is no connection, instead of after a time.
    pub(super) fn connected(&self) -> Result<(), InboxError> {
        match self.client.connection_state() {
            Connection::Connected => Ok(()),
            _ => Err(self.streams.server("reaching")("the connection is lost and not back yet")),
        }
    }

    fn hands(&self) -> MutexGuard<'_, BTreeMap<EventName, Arc<Message>>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last message of a stream under a subject.
    pub(super) async fn last(
        &self,
        stream: &Stream,
        subject: &str,
    ) -> Result<Option<async_nats::jetstream::message::StreamMessage>, InboxError> {
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(self.streams.server("reading")(error)),
        }
    }

    /// Where an event is, if it is here. Asked in the order in which events
    /// move: each is in its next place before it leaves the one before.
    async fn known(&self, name: &EventName) -> Result<Option<EventState>, InboxError> {
        let subject = self.streams.anywhere(name);
        if self.last(&self.streams.queue, &subject).await?.is_some() {
            let state =
                if self.hands().contains_key(name) { EventState::Work } else { EventState::New };
            return Ok(Some(state));
        }
        for (stream, state) in
            [(&self.streams.held, EventState::Held), (&self.streams.failed, EventState::Failed)]
        {
            if self.last(stream, &subject).await?.is_some() {
                return Ok(Some(state));
            }
        }
        Ok(self.last(&self.streams.done, &subject).await?.map(|_| EventState::Done))
    }

    /// Puts an event in; the server has acknowledged it when this returns.
    pub(super) async fn store(&self, envelope: &Envelope) -> Result<Put, InboxError> {
        self.connected()?;
        if let Some(state) = self.known(&envelope.name()).await? {
            return Ok(Put::Known(state));
        }
        let lane = if envelope.first_state() == EventState::Held { Lane::Held } else { Lane::New };
        let ack = self.publish(lane, envelope, true).await?;
        self.stored.notify_one();
        // Another process put the same event at the same moment.
        Ok(if ack.duplicate { Put::Known(EventState::New) } else { Put::Stored })
    }

    pub(super) async fn publish(
        &self,
        lane: Lane,
        envelope: &Envelope,
        first: bool,
    ) -> Result<PublishAck, InboxError> {
        let name = envelope.name();
        let (headers, body) = message::write(envelope, first)
            .map_err(|why| InboxError::Damaged { place: name.to_string(), why })?;
        let bytes = body.len();
        let publish = PublishMessage::build().headers(headers).payload(body.into());
        self.send(&self.streams.subject(lane, &name), publish, bytes).await
    }

    async fn send(
        &self,
        subject: &str,
        publish: PublishMessage,
        bytes: usize,
    ) -> Result<PublishAck, InboxError> {
        let sent = match self.context.send_publish(subject.to_owned(), publish).await {
            Ok(acknowledged) => acknowledged.await,
            Err(error) => Err(error),
        };
        sent.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => {
                InboxError::TooLarge { bytes, limit: self.client.max_payload() }
            }
            _ => self.streams.server("storing in")(error),
        })
    }

    /// Takes events in hand; see [`crate::intake::Inbox::claim`].
    pub(super) async fn take(
        &self,
        now: DateTime<Utc>,
        most: usize,
    ) -> Result<Vec<Claimed>, InboxError> {
        self.connected()?;
        let mut claimed = Vec::new();
        loop {
            let messages = self.fetch(most).await?;
            if messages.is_empty() {
                return Ok(claimed);
            }
            for message in messages {
                claimed.extend(self.take_one(message, now).await?);
            }
            // What was only looked at and put off may have hidden what is due.
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
    }

    async fn fetch(&self, most: usize) -> Result<Vec<Message>, InboxError> {
        let doing = "taking events from";
        // What is there now: the server says at once when that is less, or nothing.
        let fetch = self.streams.consumer.fetch().max_messages(most);
        let mut batch = fetch.messages().await.map_err(self.streams.server(doing))?;
        let mut messages = Vec::new();
        let until = tokio::time::Instant::now() + FETCH_TIME;
        while let Ok(Some(next)) = tokio::time::timeout_at(until, batch.next()).await {
            messages.push(next.map_err(self.streams.server(doing))?);
        }
        Ok(messages)
    }

    async fn take_one(
        &self,
        message: Message,
        now: DateTime<Utc>,
    ) -> Result<Option<Claimed>, InboxError> {
        let read = message::read(&message.subject, message.headers.as_ref(), &message.payload);
        let envelope = match read {
            Ok(envelope) => envelope,
            Err(why) => {
                tracing::error!(subject = %message.subject, why, "a message cannot be read and is put aside");
                return self.put_aside_unread(&message).await.map(|()| None);
            }
        };
        let wait = envelope.not_before.and_then(|due| (due - now).to_std().ok());
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            self.answer(&message, AckKind::Nak(Some(wait))).await?;
            return Ok(None);
        }
        let name = envelope.name();
        let again = message.info().is_ok_and(|info| info.delivered > 1);
        let done = self.streams.subject(Lane::Done, &name);
        if again && self.last(&self.streams.done, &done).await?.is_some() {
            // It was processed, and its worker ended before it could say so.
            self.confirm(&message).await?;
            return Ok(None);
        }
        if self.hands().contains_key(&name) {
            // A second copy, from a retry by hand: it is looked at once this one is settled.
            self.answer(&message, AckKind::Nak(Some(ACK_WAIT))).await?;
            return Ok(None);
        }
        self.hands().insert(name, Arc::new(message));
        Ok(Some(Claimed::new(envelope)))
    }

    /// A message that is no event waits for a person, as it is.
    async fn put_aside_unread(&self, unread: &Message) -> Result<(), InboxError> {
        let stray = || {
            let sequence = unread.info().map_or(0, |info| info.stream_sequence);
            EventName::parse(&format!("unknown--{sequence}"))
                .expect("a number is a delivery's identity")
        };
        let name = message::name(&unread.subject).unwrap_or_else(stray);
        let mut publish = PublishMessage::build().payload(unread.payload.clone());
        if let Some(headers) = unread.headers.clone() {
            publish = publish.headers(headers);
        }
        let subject = self.streams.subject(Lane::Failed, &name);
        self.send(&subject, publish, unread.payload.len()).await?;
        self.confirm(unread).await
    }

    /// Puts an event in hand where it belongs; it is there before it leaves the queue.
    pub(super) async fn put_where_it_belongs(
        &self,
        envelope: &Envelope,
        to: EventState,
    ) -> Result<(), InboxError> {
        let name = envelope.name();
        let message = self.hands().get(&name).cloned();
        let message = message.ok_or_else(|| InboxError::Unknown(name.to_string()))?;
        let lane = match to {
            EventState::New | EventState::Work => Lane::Again,
            EventState::Held => Lane::Held,
            EventState::Failed => Lane::Failed,
            EventState::Done => Lane::Done,
        };
        self.publish(lane, envelope, false).await?;
        self.hands().remove(&name);
        self.confirm(&message).await
    }

    /// Returns events in hand to the queue, to be handed out at once.
    pub(super) async fn let_go(&self, name: Option<&EventName>) -> Result<usize, InboxError> {
        let held: Vec<(EventName, Arc<Message>)> = {
            let hands = self.hands();
            let wanted = |other: &EventName| name.is_none_or(|name| name == other);
            hands
                .iter()
                .filter(|(name, _)| wanted(name))
                .map(|(name, message)| (name.clone(), Arc::clone(message)))
                .collect()
        };
        for (name, message) in &held {
            // Whether it is heard or not: without a sign of life it is handed out again.
            self.hands().remove(name);
            self.answer(message, AckKind::Nak(None)).await?;
        }
        Ok(held.len())
    }

    async fn answer(&self, message: &Message, kind: AckKind) -> Result<(), InboxError> {
        message.ack_with(kind).await.map_err(self.streams.server("answering"))
    }

    /// Says that a message is dealt with, and waits until the server knows.
    async fn confirm(&self, message: &Message) -> Result<(), InboxError> {
        message.double_ack().await.map_err(self.streams.server("acknowledging an event of"))
    }
}

/// Tells the server that what is in hand is being worked on, however long that takes.
async fn give_signs_of_life(inbox: Weak<JetStreamInbox>) {
    loop {
        tokio::time::sleep(SIGN_OF_LIFE).await;
        let Some(inbox) = inbox.upgrade() else { return };
        let held: Vec<Arc<Message>> = inbox.hands().values().cloned().collect();
        for message in held {
            if let Err(error) = inbox.answer(&message, AckKind::Progress).await {
                tracing::warn!(%error, "what is in hand may be handed to another worker as well");
            }
        }
    }
}
