//! One thread that writes for everybody: what comes while it waits for the
//! disk is made durable together, before any of it is answered.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{Notify, mpsc, oneshot};

use super::spool::Spool;
use crate::intake::inbox::envelope::Envelope;
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::Put;

/// The most events that are made durable together.
const BATCH: usize = 256;

struct Job {
    envelope: Envelope,
    answer: oneshot::Sender<Result<Put, InboxError>>,
}

/// Puts events into a spool, many connections at once. The thread ends with it,
/// and lets go of the spool before.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    jobs: Option<mpsc::Sender<Job>>,
    stored: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl SpoolWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(spool: Arc<Spool>) -> std::io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(4 * BATCH);
        let stored = Arc::new(Notify::new());
        let tell = Arc::clone(&stored);
        let thread = std::thread::Builder::new().name("inbox".to_owned()).spawn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
                let (envelopes, answers): (Vec<_>, Vec<_>) =
                    batch.drain(..).map(|job| (job.envelope, job.answer)).unzip();
                for (answer, result) in answers.into_iter().zip(spool.put_all(&envelopes)) {
                    // Whoever has hung up sends it again and is told that it is known.
                    let _ = answer.send(result);
                }
                tell.notify_one();
            }
        })?;
        Ok(Self { jobs: Some(jobs), stored, thread: Some(thread) })
    }

    /// Puts an event in; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it is not.
    pub(super) async fn put(&self, envelope: Envelope) -> Result<Put, InboxError> {
        let jobs = self.jobs.as_ref().ok_or(InboxError::Closed)?;
        let (answer, result) = oneshot::channel();
        jobs.send(Job { envelope, answer }).await.map_err(|_| InboxError::Closed)?;
        result.await.map_err(|_| InboxError::Closed)?
    }

    /// What tells a worker that something came.
    pub(super) fn stored(&self) -> Arc<Notify> {
        Arc::clone(&self.stored)
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // Waited for: a process that ends earlier would leave its claims behind.
            let _ = thread.join();
        }
    }
}
