//! Messages to people: one sink for each kind of message, the same on every
//! channel.

use std::sync::Arc;

use async_trait::async_trait;

use super::message_kind::{MessageKind, Reminder};
use super::messages::Messages;
use super::sink::{DeliveryError, Handoff, Mark, Notice, Sink};
use crate::brief::EventKind;
use crate::model::Check;

/// One message that is to go out.
#[derive(Clone, Copy)]
pub(super) struct Outgoing<'a> {
    pub handoff: &'a Handoff,
    pub kind: &'a MessageKind,
    pub messages: &'a Messages,
}

impl Outgoing<'_> {
    /// What tells it from the handoff's other messages.
    pub(super) fn step(&self, first: &str) -> String {
        self.kind.step(&self.handoff.timeline, first)
    }
}

/// A way on which messages reach people.
#[async_trait]
pub(super) trait MessageChannel: Send + Sync {
    /// Its name in timelines.
    fn via(&self) -> &'static str;

    /// The event of a new handoff's message.
    fn event(&self) -> EventKind {
        EventKind::Notified
    }

    /// See [`Sink::can_look_up`].
    fn can_look_up(&self) -> bool {
        false
    }

    /// See [`Sink::repeats_when_unclear`].
    fn repeats_when_unclear(&self) -> bool {
        false
    }

    /// See [`Sink::describe`].
    fn describe(&self, message: Outgoing<'_>) -> String;

    /// See [`Sink::look_up`].
    async fn look_up(&self, _: Outgoing<'_>) -> Result<Option<Mark>, DeliveryError> {
        Ok(None)
    }

    /// See [`Sink::act`].
    async fn send(&self, message: Outgoing<'_>) -> Result<Mark, DeliveryError>;

    /// See [`Sink::notify`].
    async fn notify(&self, _: &Notice, _: &Messages) -> Result<bool, DeliveryError> {
        Ok(false)
    }

    /// See [`Sink::checks`].
    async fn checks(&self, offline: bool) -> Vec<Check>;
}

/// Sends one kind of message on a channel.
#[derive(Clone)]
pub(super) struct MessageSink {
    channel: Arc<dyn MessageChannel>,
    messages: Messages,
    kind: MessageKind,
}

impl MessageSink {
    /// The one for this kind.
    pub(super) fn of(
        channel: Arc<dyn MessageChannel>,
        messages: &Messages,
        kind: MessageKind,
    ) -> Box<dyn Sink> {
        Box::new(Self { channel, messages: messages.clone(), kind })
    }

    /// One for each kind that every handoff can have.
    pub(super) fn all(
        channel: &Arc<dyn MessageChannel>,
        messages: &Messages,
    ) -> Vec<Box<dyn Sink>> {
        MessageKind::ALL.map(|kind| Self::of(Arc::clone(channel), messages, kind)).into()
    }

    fn outgoing<'a>(&'a self, handoff: &'a Handoff) -> Outgoing<'a> {
        Outgoing { handoff, kind: &self.kind, messages: &self.messages }
    }
}

#[async_trait]
impl Sink for MessageSink {
    fn event(&self) -> EventKind {
        self.kind.event(self.channel.event())
    }

    fn via(&self) -> &'static str {
        self.channel.via()
    }

    fn can_look_up(&self) -> bool {
        self.channel.can_look_up()
    }

    fn repeats_when_unclear(&self) -> bool {
        self.channel.repeats_when_unclear()
    }

    fn subject(&self) -> &str {
        self.kind.subject()
    }

    fn for_reminder(&self, reminder: &Arc<Reminder>) -> Option<Box<dyn Sink>> {
        let kind = self.kind.reminding(reminder)?;
        Some(Self::of(Arc::clone(&self.channel), &self.messages, kind))
    }

    async fn notify(&self, notice: &Notice) -> Result<bool, DeliveryError> {
        match self.kind {
            MessageKind::Signed => self.channel.notify(notice, &self.messages).await,
            _ => Ok(false),
        }
    }

    fn describe(&self, handoff: &Handoff) -> String {
        self.channel.describe(self.outgoing(handoff))
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        self.channel.look_up(self.outgoing(handoff)).await
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        self.channel.send(self.outgoing(handoff)).await
    }

    /// The channel is the same for all kinds.
    async fn checks(&self, offline: bool) -> Vec<Check> {
        match self.kind {
            MessageKind::Signed => self.channel.checks(offline).await,
            _ => Vec::new(),
        }
    }
}
