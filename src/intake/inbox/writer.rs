//! One thread that writes for everybody: what comes while it waits for the
//! disk is made durable together, before any of it is answered.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot};

use super::envelope::Envelope;
use super::error::InboxError;
use super::folder::{Inbox, Put};

/// The most events that are made durable together.
const BATCH: usize = 256;

struct Job {
    envelope: Envelope,
    answer: oneshot::Sender<Result<Put, InboxError>>,
}

/// Puts events into an inbox, many connections at once.
#[derive(Debug, Clone)]
pub struct InboxWriter {
    jobs: mpsc::Sender<Job>,
    stored: Arc<Notify>,
}

impl InboxWriter {
    /// Starts the thread. It ends when the last writer is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(inbox: Arc<Inbox>) -> std::io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(4 * BATCH);
        let stored = Arc::new(Notify::new());
        let tell = Arc::clone(&stored);
        std::thread::Builder::new().name("inbox".to_owned()).spawn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
                let (envelopes, answers): (Vec<_>, Vec<_>) =
                    batch.drain(..).map(|job| (job.envelope, job.answer)).unzip();
                for (answer, result) in answers.into_iter().zip(inbox.put_all(&envelopes)) {
                    // Whoever has hung up sends it again and is told that it is known.
                    let _ = answer.send(result);
                }
                tell.notify_one();
            }
        })?;
        Ok(Self { jobs, stored })
    }

    /// Puts an event in; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it is not.
    pub async fn put(&self, envelope: Envelope) -> Result<Put, InboxError> {
        let (answer, result) = oneshot::channel();
        self.jobs.send(Job { envelope, answer }).await.map_err(|_| InboxError::Closed)?;
        result.await.map_err(|_| InboxError::Closed)?
    }

    /// What tells a worker that something came.
    #[must_use]
    pub fn stored(&self) -> Arc<Notify> {
        Arc::clone(&self.stored)
    }
}
