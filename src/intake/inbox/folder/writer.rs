//! Two threads that write for everybody. One makes what comes while it waits
//! for the disk durable together, before any of it is answered; the other makes
//! the files behind it, once nothing more comes for a moment. What comes alone is
//! written by who brings it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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

/// A disk that took less for what came last keeps nobody else waiting.
const QUICK: Duration = Duration::from_millis(1);

struct Job {
    record: Record,
    answer: oneshot::Sender<Result<Put, InboxError>>,
}

/// Puts events into a spool, many connections at once. The threads end with it,
/// and let go of the spool before.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    jobs: Option<mpsc::Sender<Job>>,
    line: Option<Arc<WriteQueue>>,
    stored: Arc<Notify>,
    threads: Vec<JoinHandle<()>>,
}

/// Where what comes stands until it is on the disk.
#[derive(Debug)]
struct WriteQueue {
    spool: Arc<Spool>,
    /// Held by who writes.
    writing: Mutex<()>,
    /// Whether the disk was when it was last waited for.
    is_quick: AtomicBool,
    stored: Arc<Notify>,
    came: SyncSender<()>,
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
        let line = Arc::new(WriteQueue {
            spool: Arc::clone(spool),
            writing: Mutex::new(()),
            is_quick: AtomicBool::new(false),
            stored: Arc::clone(&stored),
            came,
        });
        let mut writer =
            Self { jobs: Some(jobs), line: Some(Arc::clone(&line)), stored, threads: Vec::new() };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        writer.threads.push(thread("inbox").spawn(move || line.store(waiting))?);
        let to = Arc::clone(spool);
        writer.threads.push(thread("inbox-files").spawn(move || make_files(&to, &has_come))?);
        Ok(writer)
    }

    /// Puts an event in; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it is not.
    pub(super) async fn put(&self, envelope: &Envelope) -> Result<Put, InboxError> {
        let (Some(jobs), Some(line)) = (&self.jobs, &self.line) else {
            return Err(InboxError::Closed);
        };
        let record = Record::of(envelope);
        let is_alone = jobs.capacity() == jobs.max_capacity();
        if is_alone && let Some(put) = line.put_at_once(&record) {
            return put;
        }
        let (answer, result) = oneshot::channel();
        jobs.send(Job { record, answer }).await.map_err(|_| InboxError::Closed)?;
        result.await.map_err(|_| InboxError::Closed)?
    }

    /// What tells a worker that something came.
    pub(super) fn stored(&self) -> Arc<Notify> {
        Arc::clone(&self.stored)
    }
}

impl WriteQueue {
    /// Puts one event in where nobody writes and the disk is quick: to hand it to
    /// a thread and back takes longer than that. Else nothing is done.
    fn put_at_once(&self, record: &Record) -> Option<Result<Put, InboxError>> {
        if !self.is_quick.load(Ordering::Relaxed) {
            return None;
        }
        let writing = self.writing.try_lock().ok()?;
        let put = self.timed(|| self.spool.put_at_once(record))?;
        drop(writing);
        self.tell();
        Some(put)
    }

    fn timed<T>(&self, act: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = act();
        self.is_quick.store(begun.elapsed() < QUICK, Ordering::Relaxed);
        done
    }

    fn tell(&self) {
        self.stored.notify_one();
        // When it is full, the other thread has been told and has not begun.
        let _ = self.came.try_send(());
    }

    /// Makes what waits durable together, until no more can come.
    fn store(&self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
            let (records, answers): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|job| (job.record, job.answer)).unzip();
            let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let results = self.timed(|| self.spool.put_records(&records));
            drop(writing);
            for (answer, result) in answers.into_iter().zip(results) {
                // Whoever has hung up sends it again and is told that it is known.
                let _ = answer.send(result);
            }
            self.tell();
        }
    }
}

/// Makes files when the spool has had nothing new for a moment. Looks now and
/// then whether something has come: to be woken for everything that comes would
/// cost more than to store it. Ends with the other thread; what is left then is
/// made by the spool's own end.
fn make_files(spool: &Spool, has_come: &Receiver<()>) {
    while has_come.recv().is_ok() {
        let mut pause = QUIET;
        loop {
            std::thread::sleep(pause);
            match has_come.try_recv() {
                Ok(()) => {
                    pause = QUIET;
                    continue;
                }
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            match spool.make_files(FILES) {
                Ok(true) => pause = Duration::ZERO,
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, "events have no files yet; it is tried again");
                    if has_come.recv_timeout(AGAIN) == Err(RecvTimeoutError::Disconnected) {
                        return;
                    }
                    pause = QUIET;
                }
            }
        }
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        (self.jobs, self.line) = (None, None);
        for thread in self.threads.drain(..) {
            // Waited for: a process that ends earlier would leave its claims behind.
            let _ = thread.join();
        }
    }
}
