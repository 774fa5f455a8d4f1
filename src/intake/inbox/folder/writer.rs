//! Two threads that write for everybody. One makes what comes while it waits
//! for the disk durable together, before any of it is answered; the other makes
//! the files behind it, once nothing more comes for a moment.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use super::journal::Record;
use super::spool::Spool;
use crate::intake::inbox::envelope::Envelope;
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::Put;

/// The most events that are made durable together.
const BATCH: usize = 256;
/// Files are made when nothing has come for so long, so that a burst is
/// answered first.
const QUIET: Duration = Duration::from_millis(20);
/// So many files are made before it is looked whether more has come.
const FILES: usize = 64;
/// How long to wait after files could not be made.
const AGAIN: Duration = Duration::from_secs(1);

struct Job {
    record: Record,
    answer: oneshot::Sender<Result<Put, InboxError>>,
}

/// Puts events into a spool, many connections at once. The threads end with it,
/// and let go of the spool before.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    jobs: Option<mpsc::Sender<Job>>,
    stored: Arc<Notify>,
    threads: Vec<JoinHandle<()>>,
}

impl SpoolWriter {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(spool: &Arc<Spool>) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel::<Job>(4 * BATCH);
        let (came, has_come) = sync_channel(1);
        let stored = Arc::new(Notify::new());
        let mut writer = Self { jobs: Some(jobs), stored, threads: Vec::new() };
        let (to, tell) = (Arc::clone(spool), Arc::clone(&writer.stored));
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        writer.threads.push(thread("inbox").spawn(move || store(&to, waiting, &tell, &came))?);
        let to = Arc::clone(spool);
        writer.threads.push(thread("inbox-files").spawn(move || make_files(&to, &has_come))?);
        Ok(writer)
    }

    /// Puts an event in; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it is not.
    pub(super) async fn put(&self, envelope: &Envelope) -> Result<Put, InboxError> {
        let jobs = self.jobs.as_ref().ok_or(InboxError::Closed)?;
        let (answer, result) = oneshot::channel();
        let job = Job { record: Record::of(envelope), answer };
        jobs.send(job).await.map_err(|_| InboxError::Closed)?;
        result.await.map_err(|_| InboxError::Closed)?
    }

    /// What tells a worker that something came.
    pub(super) fn stored(&self) -> Arc<Notify> {
        Arc::clone(&self.stored)
    }
}

fn store(spool: &Spool, mut jobs: mpsc::Receiver<Job>, tell: &Notify, came: &SyncSender<()>) {
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let (records, answers): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|job| (job.record, job.answer)).unzip();
        for (answer, result) in answers.into_iter().zip(spool.put_records(&records)) {
            // Whoever has hung up sends it again and is told that it is known.
            let _ = answer.send(result);
        }
        tell.notify_one();
        // When it is full, the other thread has been told and has not begun.
        let _ = came.try_send(());
    }
}

/// Makes files when the spool has had nothing new for a moment. Ends with the
/// other thread; what is left then is made by the spool's own end.
fn make_files(spool: &Spool, has_come: &Receiver<()>) {
    while has_come.recv().is_ok() {
        let mut pause = QUIET;
        loop {
            match has_come.recv_timeout(pause) {
                Ok(()) => pause = QUIET,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => match spool.make_files(FILES) {
                    Ok(true) => pause = Duration::ZERO,
                    Ok(false) => break,
                    Err(error) => {
                        tracing::error!(%error, "events have no files yet; it is tried again");
                        pause = AGAIN;
                    }
                },
            }
        }
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // Waited for: a process that ends earlier would leave its claims behind.
            let _ = thread.join();
        }
    }
}
