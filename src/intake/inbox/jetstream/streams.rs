//! The streams of an inbox: what they are called, how they are made, and what
//! one that is there already must promise.

use std::fmt::Display;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, ErrorCode};

use crate::intake::inbox::address::NatsAddress;
use crate::intake::inbox::envelope::EventName;
use crate::intake::inbox::error::InboxError;

/// So long after its last sign of life a worker's events are given to another.
pub(super) const ACK_WAIT: Duration = Duration::from_secs(30);
/// So long a delivery that comes again is recognised.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// So many events may be in hand or wait for their next try; what waits counts.
const IN_HAND: i64 = 100_000;
/// What hands events to workers.
const CONSUMER: &str = "worker";

/// Which subject an event is under; the last part of it is the event's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// In the queue, as it came.
    New,
    /// In the queue, after a try that failed or a person's wish.
    Again,
    /// Its meaning is not certain.
    Held,
    /// A dead letter.
    Failed,
    /// Remembered.
    Done,
}

impl Lane {
    fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Again => "again",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    /// The lane and the event of a subject.
    pub(super) fn of_subject(subject: &str) -> Option<(Self, &str)> {
        let (front, event) = subject.rsplit_once('.')?;
        let (_, word) = front.rsplit_once('.')?;
        let lanes = [Self::New, Self::Again, Self::Held, Self::Failed, Self::Done];
        lanes.into_iter().find(|lane| lane.word() == word).map(|lane| (lane, event))
    }
}

/// The streams of an inbox.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    name: String,
    place: String,
    /// Events that wait or are in hand.
    pub(super) queue: Stream,
    /// Events whose meaning is not certain.
    pub(super) held: Stream,
    /// Dead letters.
    pub(super) failed: Stream,
    /// What was processed or dropped.
    pub(super) done: Stream,
    /// What hands events of the queue to workers.
    pub(super) consumer: PullConsumer,
}

impl Streams {
    /// Opens the streams; with `make`, those that are missing are made.
    pub(super) async fn open(
        context: &Context,
        address: &NatsAddress,
        make: bool,
    ) -> Result<Self, InboxError> {
        let queue = open_stream(context, queue(address), address, make).await?;
        check_queue(&queue, address)?;
        // An inbox of an earlier version has no such stream: it is made whoever opens it.
        let certain = waiting(address, "held", "handoff: events whose meaning is not certain");
        let held = open_stream(context, certain, address, true).await?;
        check_kept(&held, address)?;
        let person = waiting(address, "failed", "handoff: events that wait for a person");
        let failed = open_stream(context, person, address, make).await?;
        check_kept(&failed, address)?;
        let done = open_stream(context, done(address), address, make).await?;
        let consumer = queue
            .create_consumer(pull::Config {
                durable_name: Some(CONSUMER.to_owned()),
                description: Some("handoff: hands each event to one worker".to_owned()),
                ack_policy: AckPolicy::Explicit,
                ack_wait: ACK_WAIT,
                // How often an event is tried is handoff's own count, which a crash does not raise.
                max_deliver: -1,
                max_ack_pending: IN_HAND,
                ..pull::Config::default()
            })
            .await
            .map_err(server("making the consumer of", &address.to_string()))?;
        Ok(Self {
            name: address.name.clone(),
            place: address.to_string(),
            queue,
            held,
            failed,
            done,
            consumer,
        })
    }

    /// Where this is, without secrets.
    pub(super) fn location(&self) -> &str {
        &self.place
    }

    /// The streams that hold events, in the order in which events move.
    pub(super) fn all(&self) -> [&Stream; 4] {
        [&self.queue, &self.held, &self.failed, &self.done]
    }

    /// The subject of an event.
    pub(super) fn subject(&self, lane: Lane, event: &EventName) -> String {
        format!("{}.{}.{event}", self.name, lane.word())
    }

    /// The subject of whichever event of a lane.
    pub(super) fn every(&self, lane: Lane) -> String {
        format!("{}.{}.*", self.name, lane.word())
    }

    /// The subject of an event in any lane; a stream has only its own.
    pub(super) fn anywhere(&self, event: &EventName) -> String {
        format!("{}.*.{event}", self.name)
    }

    /// An error of the server while something was tried.
    pub(super) fn server<E: Display>(&self, doing: &'static str) -> impl FnOnce(E) -> InboxError {
        server(doing, &self.place)
    }
}

fn server<E: Display>(doing: &'static str, place: &str) -> impl FnOnce(E) -> InboxError {
    let place = place.to_owned();
    move |error| InboxError::Server { doing, place, why: error.to_string() }
}

fn queue(address: &NatsAddress) -> Config {
    let name = &address.name;
    Config {
        name: name.clone(),
        subjects: vec![format!("{name}.new.*"), format!("{name}.again.*")],
        description: Some("handoff: signed events that wait for a worker".to_owned()),
        retention: RetentionPolicy::WorkQueue,
        // A queue that is full says no; it never forgets the oldest.
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: address.replicas,
        ..Config::default()
    }
}

/// A stream beside the queue in which one lane's events wait.
fn waiting(address: &NatsAddress, lane: &str, what: &str) -> Config {
    let name = &address.name;
    Config {
        name: format!("{name}-{lane}"),
        subjects: vec![format!("{name}.{lane}.*")],
        description: Some(what.to_owned()),
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: address.replicas,
        ..Config::default()
    }
}

fn done(address: &NatsAddress) -> Config {
    let name = &address.name;
    Config {
        name: format!("{name}-done"),
        subjects: vec![format!("{name}.done.*")],
        description: Some("handoff: events that were processed, for thirty days".to_owned()),
        max_messages_per_subject: 1,
        max_age: REMEMBERED,
        storage: StorageType::File,
        num_replicas: address.replicas,
        ..Config::default()
    }
}

async fn open_stream(
    context: &Context,
    config: Config,
    address: &NatsAddress,
    make: bool,
) -> Result<Stream, InboxError> {
    let place = address.to_string();
    let missing = match context.get_stream(&config.name).await {
        Ok(stream) => return Ok(stream),
        Err(error) => {
            let missing = matches!(
                error.kind(),
                GetStreamErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::STREAM_NOT_FOUND
            );
            if !missing {
                return Err(server("opening", &place)(error));
            }
            missing
        }
    };
    if missing && !make {
        return Err(InboxError::Missing(place));
    }
    context.create_stream(config).await.map_err(server("making the streams of", &place))
}

/// A queue that is there already must keep what it acknowledges.
fn check_queue(queue: &Stream, address: &NatsAddress) -> Result<(), InboxError> {
    check_kept(queue, address)?;
    let config = &queue.cached_info().config;
    let why = if config.retention != RetentionPolicy::WorkQueue {
        "its retention is not a work queue's"
    } else if config.no_ack {
        "it acknowledges nothing"
    } else {
        return Ok(());
    };
    Err(unsuitable(queue, address, why))
}

fn check_kept(stream: &Stream, address: &NatsAddress) -> Result<(), InboxError> {
    let config = &stream.cached_info().config;
    let limited = config.max_messages > 0 || config.max_bytes > 0;
    let why = if config.storage != StorageType::File {
        "it is kept in memory"
    } else if !config.max_age.is_zero() {
        "it forgets events after a time"
    } else if limited && config.discard != DiscardPolicy::New {
        "it forgets the oldest events when it is full"
    } else {
        return Ok(());
    };
    Err(unsuitable(stream, address, why))
}

fn unsuitable(stream: &Stream, address: &NatsAddress, why: &str) -> InboxError {
    InboxError::Unsuitable {
        place: address.servers.join(","),
        stream: stream.cached_info().config.name.clone(),
        why: why.to_owned(),
    }
}
