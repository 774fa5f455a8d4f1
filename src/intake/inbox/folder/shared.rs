//! A spool as an inbox: reading and writing at the side of what waits on the
//! network, and threads that write for everybody.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::journal::JournalRecord;
use super::spool::Spool;
use super::writer::SpoolWriter;
use crate::intake::inbox::envelope::{Envelope, EventName, EventState};
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::{Claimed, Inbox, InboxCounts, ListedEvent, Put};
use crate::model::DocumentKind;

/// An inbox that is a folder.
#[derive(Debug)]
pub struct FolderInbox {
    spool: Arc<Spool>,
    writer: SpoolWriter,
}

impl FolderInbox {
    /// Opens a folder, makes what is missing of it, and starts the threads that
    /// write.
    ///
    /// # Errors
    /// When the folder cannot be made, or the system gives no thread.
    pub fn open(root: &Path) -> Result<Self, InboxError> {
        let spool = Arc::new(Spool::open(root)?);
        let writer =
            SpoolWriter::start(&spool).map_err(InboxError::io("starting threads for", root))?;
        Ok(Self { spool, writer })
    }

    /// Does what may take long where it keeps nobody waiting.
    async fn aside<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Spool) -> Result<T, InboxError> + Send + 'static,
    ) -> Result<T, InboxError> {
        let spool = Arc::clone(&self.spool);
        let done = tokio::task::spawn_blocking(move || act(&spool)).await;
        done.unwrap_or(Err(InboxError::Closed))
    }
}

#[async_trait]
impl Inbox for FolderInbox {
    fn location(&self) -> String {
        self.spool.root().display().to_string()
    }

    fn stored(&self) -> Arc<Notify> {
        self.writer.stored()
    }

    async fn put(&self, envelope: Envelope) -> Result<Put, InboxError> {
        let record = JournalRecord::of(&envelope);
        drop(envelope);
        self.writer.put(record).await
    }

    async fn check_writable(&self) -> Result<(), InboxError> {
        self.aside(Spool::check_writable).await
    }

    async fn tidy(&self, now: DateTime<Utc>) -> Result<usize, InboxError> {
        self.aside(move |spool| {
            let recovered = spool.recover();
            let made = spool.make_all_files();
            spool.prune(now)?;
            made.and(recovered)
        })
        .await
    }

    async fn claim(&self, now: DateTime<Utc>, most: usize) -> Result<Vec<Claimed>, InboxError> {
        self.aside(move |spool| spool.claim(now, most)).await
    }

    // The next three are a rename each.

    async fn give_back(&self, claimed: &Claimed) -> Result<(), InboxError> {
        self.spool.give_back(claimed)
    }

    async fn give_all_back(&self) -> Result<usize, InboxError> {
        self.spool.give_all_back()
    }

    async fn settle(&self, claimed: &Claimed, to: EventState) -> Result<(), InboxError> {
        self.spool.settle(claimed, to)
    }

    async fn counts(&self, now: DateTime<Utc>) -> Result<InboxCounts, InboxError> {
        self.aside(move |spool| spool.counts(now)).await
    }

    async fn list(
        &self,
        states: &[EventState],
        _now: DateTime<Utc>,
    ) -> Result<Vec<ListedEvent>, InboxError> {
        let states = states.to_vec();
        self.aside(move |spool| spool.list(&states)).await
    }

    async fn find(&self, id: &str, _now: DateTime<Utc>) -> Result<ListedEvent, InboxError> {
        let id = id.to_owned();
        self.aside(move |spool| spool.find(&id)).await
    }

    async fn retry(
        &self,
        name: &EventName,
        now: DateTime<Utc>,
        decided: Option<DocumentKind>,
    ) -> Result<(), InboxError> {
        let name = name.clone();
        self.aside(move |spool| spool.retry(&name, now, decided)).await?;
        self.stored().notify_one();
        Ok(())
    }

    async fn discard(&self, name: &EventName, now: DateTime<Utc>) -> Result<(), InboxError> {
        let name = name.clone();
        self.aside(move |spool| spool.discard(&name, now)).await
    }
}
