//! The streams as an inbox.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::queue::JetStreamInbox;
use crate::intake::inbox::envelope::{Envelope, EventName, EventState};
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::{Claimed, Inbox, InboxCounts, ListedEvent, Put};
use crate::model::DocumentKind;

#[async_trait]
impl Inbox for JetStreamInbox {
    fn location(&self) -> String {
        self.streams.location().to_owned()
    }

    fn stored(&self) -> Arc<Notify> {
        Arc::clone(&self.stored)
    }

    async fn put(&self, envelope: Envelope) -> Result<Put, InboxError> {
        self.store(&envelope).await
    }

    async fn check_writable(&self) -> Result<(), InboxError> {
        self.connected()?;
        let info = self.streams.queue.get_info().await;
        info.map(|_| ()).map_err(self.streams.server("reaching"))
    }

    /// Nothing is left to do: the server hands out again what a process left
    /// behind, and forgets what was done.
    async fn tidy(&self, _now: DateTime<Utc>) -> Result<usize, InboxError> {
        Ok(0)
    }

    async fn claim(&self, now: DateTime<Utc>, most: usize) -> Result<Vec<Claimed>, InboxError> {
        self.take(now, most).await
    }

    async fn give_back(&self, claimed: &Claimed) -> Result<(), InboxError> {
        self.let_go(Some(&claimed.envelope.name())).await.map(|_| ())
    }

    async fn give_all_back(&self) -> Result<usize, InboxError> {
        self.let_go(None).await
    }

    async fn settle(&self, claimed: &Claimed, to: EventState) -> Result<(), InboxError> {
        self.put_where_it_belongs(&claimed.envelope, to).await
    }

    async fn counts(&self, now: DateTime<Utc>) -> Result<InboxCounts, InboxError> {
        self.count(now).await
    }

    async fn list(
        &self,
        states: &[EventState],
        now: DateTime<Utc>,
    ) -> Result<Vec<ListedEvent>, InboxError> {
        self.listed(states, now).await
    }

    async fn find(&self, id: &str, now: DateTime<Utc>) -> Result<ListedEvent, InboxError> {
        self.look_up(id, now).await
    }

    async fn retry(
        &self,
        name: &EventName,
        now: DateTime<Utc>,
        decided: Option<DocumentKind>,
    ) -> Result<(), InboxError> {
        self.try_now(name, now, decided).await
    }

    async fn discard(&self, name: &EventName, now: DateTime<Utc>) -> Result<(), InboxError> {
        self.drop_for_good(name, now).await
    }
}
