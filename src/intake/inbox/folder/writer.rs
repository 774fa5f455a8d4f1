//! What comes is made durable together before any of it is answered. Where the
//! disk is quick, whoever brings what comes alone writes it, and else a task, when
//! all others that are ready have brought theirs: to hand it to a thread and back
//! takes longer. A thread writes where the disk is not. Another makes the files
//! behind it, once nothing more comes for a moment.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use super::journal::JournalRecord;
use super::spool::Spool;
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
/// After so many that came one by one the next is taken to come alone.
const ALONE: u32 = 16;

type Answer = oneshot::Sender<Result<Put, InboxError>>;

/// Puts events into a spool, many connections at once. The threads end with it,
/// and let go of the spool before.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    queue: Arc<WriteQueue>,
    threads: Vec<JoinHandle<()>>,
}

/// Where what comes stands until it is on the disk.
#[derive(Debug)]
struct WriteQueue {
    spool: Arc<Spool>,
    line: Mutex<QueuedRecords>,
    /// It is the thread's turn, or the end.
    turn: Condvar,
    stored: Arc<Notify>,
}

#[derive(Debug)]
struct QueuedRecords {
    records: Vec<JournalRecord>,
    /// As many as records.
    answers: Vec<Answer>,
    writer: WrittenBy,
    /// Whether the disk was when it was last waited for.
    is_quick: bool,
    /// How many came one by one before.
    alone: u32,
    /// Where tasks run.
    runtime: Option<Handle>,
    /// Wakes who makes files. Nothing at the end: then nothing more is taken.
    came: Option<SyncSender<()>>,
}

/// Who writes what is in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WrittenBy {
    Nobody,
    /// Whoever has the [`Turn`].
    Turn,
    Thread,
}

impl SpoolWriter {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(spool: &Arc<Spool>) -> std::io::Result<Self> {
        let (came, has_come) = sync_channel(1);
        let line = QueuedRecords {
            records: Vec::new(),
            answers: Vec::new(),
            writer: WrittenBy::Nobody,
            is_quick: false,
            alone: 0,
            runtime: None,
            came: Some(came),
        };
        let queue = Arc::new(WriteQueue {
            spool: Arc::clone(spool),
            line: Mutex::new(line),
            turn: Condvar::new(),
            stored: Arc::new(Notify::new()),
        });
        let mut writer = Self { queue: Arc::clone(&queue), threads: Vec::new() };
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        writer.threads.push(thread("inbox").spawn(move || write_in_thread(&queue))?);
        let to = Arc::clone(spool);
        writer.threads.push(thread("inbox-files").spawn(move || make_files(&to, &has_come))?);
        Ok(writer)
    }

    /// Puts an event in; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it is not.
    pub(super) async fn put(&self, record: JournalRecord) -> Result<Put, InboxError> {
        let result = match self.queue.put_alone(record) {
            Ok(put) => return put,
            Err(record) => self.queue.line_up(record),
        };
        result.await.map_err(|_| InboxError::Closed)?
    }

    /// What tells a worker that something came.
    pub(super) fn stored(&self) -> Arc<Notify> {
        Arc::clone(&self.queue.stored)
    }
}

impl WriteQueue {
    fn line(&self) -> MutexGuard<'_, QueuedRecords> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one event in where the last ones came alone and the disk is quick;
    /// else gives it back.
    fn put_alone(
        self: &Arc<Self>,
        record: JournalRecord,
    ) -> Result<Result<Put, InboxError>, JournalRecord> {
        let mut line = self.line();
        let is_free = line.writer == WrittenBy::Nobody && line.came.is_some();
        if !is_free || !line.is_quick || line.alone < ALONE {
            return Err(record);
        }
        line.writer = WrittenBy::Turn;
        drop(line);
        let turn = Turn(Arc::clone(self));
        let put = self.timed(|| self.spool.put_at_once(std::slice::from_ref(&record)));
        turn.go_on();
        let Some(put) = put.and_then(|mut put| put.pop()) else { return Err(record) };
        self.tell();
        Ok(put)
    }

    /// Puts one event in line; gives where its answer comes.
    fn line_up(
        self: &Arc<Self>,
        record: JournalRecord,
    ) -> oneshot::Receiver<Result<Put, InboxError>> {
        let (answer, result) = oneshot::channel();
        let mut line = self.line();
        if line.came.is_some() {
            line.records.push(record);
            line.answers.push(answer);
            if line.writer == WrittenBy::Nobody {
                line.writer = WrittenBy::Turn;
                line.runtime = Handle::try_current().ok();
                drop(line);
                Turn(Arc::clone(self)).go_on();
            }
        }
        result
    }

    fn timed<T>(&self, act: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = act();
        self.line().is_quick = begun.elapsed() < QUICK;
        done
    }

    fn answer(&self, answers: Vec<Answer>, results: Vec<Result<Put, InboxError>>) {
        for (answer, result) in answers.into_iter().zip(results) {
            // Whoever has hung up sends it again and is told that it is known.
            let _ = answer.send(result);
        }
        self.tell();
    }

    fn tell(&self) {
        self.stored.notify_one();
        if let Some(came) = &self.line().came {
            // When it is full, the other thread has been told and has not begun.
            let _ = came.try_send(());
        }
    }
}

impl QueuedRecords {
    /// The oldest that are made durable together.
    fn next_batch(&mut self) -> Option<(Vec<JournalRecord>, Vec<Answer>)> {
        let count = self.records.len().min(BATCH);
        self.alone = match count {
            0 => return None,
            1 => self.alone.saturating_add(1),
            _ => 0,
        };
        Some((self.records.drain(..count).collect(), self.answers.drain(..count).collect()))
    }
}

/// The turn to write. When it ends before the line does, the thread goes on.
struct Turn(Arc<WriteQueue>);

impl Turn {
    /// Has a task write what is in line, where the disk is quick.
    fn go_on(self) {
        let line = self.0.line();
        let runtime = line.runtime.clone().filter(|_| line.is_quick && !line.records.is_empty());
        drop(line);
        if let Some(runtime) = runtime {
            // Where that is shutting down this ends at once.
            runtime.spawn(self.write());
        }
    }

    async fn write(self) {
        let queue = &self.0;
        loop {
            // Everybody who is ready to bring something does so first.
            tokio::task::yield_now().await;
            let Some((records, answers)) = queue.line().next_batch() else { return };
            let Some(results) = queue.timed(|| queue.spool.put_at_once(&records)) else {
                // Something has to be made or listed before, which may take long.
                let mut line = queue.line();
                line.records.splice(..0, records);
                line.answers.splice(..0, answers);
                return;
            };
            queue.answer(answers, results);
            if !queue.line().is_quick {
                return;
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut line = self.0.line();
        line.writer = WrittenBy::Nobody;
        if !line.records.is_empty() {
            line.writer = WrittenBy::Thread;
            self.0.turn.notify_one();
        }
    }
}

/// Writes what is in line when it is the thread's turn, until no more can come.
fn write_in_thread(queue: &Arc<WriteQueue>) {
    /// Whoever waits when this ends, also by a panic, is told so.
    struct End<'a>(&'a WriteQueue);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            let mut line = self.0.line();
            line.came = None;
            line.records.clear();
            line.answers.clear();
        }
    }
    let _end = End(queue);
    loop {
        let mut line = queue.line();
        while line.writer != WrittenBy::Thread && line.came.is_some() {
            line = queue.turn.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        let Some((records, answers)) = line.next_batch() else {
            if line.came.is_none() {
                return;
            }
            line.writer = WrittenBy::Nobody;
            continue;
        };
        drop(line);
        let results = queue.timed(|| queue.spool.put_records(&records));
        queue.answer(answers, results);
        let mut line = queue.line();
        if line.came.is_some() {
            line.writer = WrittenBy::Turn;
            drop(line);
            Turn(Arc::clone(queue)).go_on();
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
        self.queue.line().came = None;
        self.queue.turn.notify_one();
        for thread in self.threads.drain(..) {
            // Waited for: a process that ends earlier would leave its claims behind.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::inbox::envelope::Envelope;
    use crate::model::ProviderName;
    use crate::webhook::DeliveryId;
    use chrono::DateTime;
    use tokio::runtime::Builder;

    fn record(id: &str) -> JournalRecord {
        let id = DeliveryId::of(&[id.as_bytes()]);
        let provider = ProviderName::new("pandadoc");
        JournalRecord::of(&Envelope::new(provider, &id, None, DateTime::UNIX_EPOCH, b"{}".to_vec()))
    }

    #[test]
    fn whoever_writes_and_whatever_ends_before_what_is_awaited_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Arc::new(Spool::open(folder.path()).unwrap());
        let writer = Arc::new(SpoolWriter::start(&spool).unwrap());
        let mut awaited = 0;
        for round in 0..8 {
            let mut builder = match round % 2 {
                0 => Builder::new_current_thread(),
                _ => Builder::new_multi_thread(),
            };
            let runtime = builder.worker_threads(2).enable_all().build().unwrap();
            let put = |name: String| {
                let writer = Arc::clone(&writer);
                async move { writer.put(record(&name)).await }
            };
            // Many at once, then one by one; or a disk that is slow all of a sudden.
            let many: Vec<_> =
                (0..40).map(|it| runtime.spawn(put(format!("{round}-many-{it}")))).collect();
            runtime.block_on(async {
                for task in many {
                    assert_eq!(task.await.unwrap(), Ok(Put::Stored));
                }
                for number in 0..2 * ALONE {
                    assert_eq!(put(format!("{round}-one-{number}")).await, Ok(Put::Stored));
                    if number % 7 == 0 {
                        writer.queue.line().is_quick = false;
                    }
                }
            });
            awaited += 40 + 2 * ALONE as usize;
            // These wait when it ends.
            for number in 0..40 {
                runtime.spawn(put(format!("{round}-cut-{number}")));
            }
            runtime.shutdown_background();
        }
        drop(writer);
        let begun = Instant::now();
        while Arc::strong_count(&spool) > 1 {
            assert!(begun.elapsed() < Duration::from_secs(60), "something holds it for ever");
            std::thread::sleep(QUIET);
        }
        let stored = spool.counts(DateTime::UNIX_EPOCH).unwrap().new;
        assert!((awaited..=awaited + 8 * 40).contains(&stored), "{stored} of {awaited}");
    }
}
