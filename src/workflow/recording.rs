//! Adds what happened to timelines, and records a run while it goes: what cannot
//! be looked up is noted before it is sent and committed as soon as it was, so
//! that no crash of a later delivery repeats it.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use chrono::{DateTime, SecondsFormat, Utc};

use super::store::{LOCK_WAIT, commit};
use super::{Context, WorkflowError, pending_pull_request};
use crate::brief::{Event, EventKind, Timeline};
use crate::deliver::{DeliveryError, DeliveryResult, Follower, Sink, StepMoment, answered_part};
use crate::disk::{self, Access, FileLock};
use crate::ledger::{BRIEFS, Change};
use crate::model::{Key, Remarks};

/// The follower that writes into the ledger.
pub(super) struct Recording<'a> {
    context: &'a Context,
    key: &'a Key,
    folder: &'a str,
    intents: Intents,
    state: RefCell<RecordingState>,
}

#[derive(Default)]
struct RecordingState {
    /// What was done and is not in the ledger yet.
    pending: Vec<Event>,
    timeline: Option<Timeline>,
    remarks: Remarks,
    failed: Option<WorkflowError>,
}

impl<'a> Recording<'a> {
    pub(super) fn new(context: &'a Context, key: &'a Key, folder: &'a str) -> Self {
        let intents = Intents::of(context, key);
        Self { context, key, folder, intents, state: RefCell::default() }
    }

    /// What earlier runs began to send and never recorded. A target that may
    /// get it twice gets it once more; after a second such death, or where a
    /// repeat is not allowed, the timeline says that the outcome is unclear.
    /// Gives the timeline where that was written.
    pub(super) fn settle(&self, timeline: &Timeline) -> Result<Option<Timeline>, WorkflowError> {
        let mut events = Vec::new();
        let mut settled = Vec::new();
        for sink in self.context.sinks.iter().filter(|sink| !sink.can_look_up()) {
            let (event, via) = (sink.event(), sink.via());
            let tries = self.intents.left(sink.as_ref())?;
            if tries == 0 || (tries == 1 && sink.repeats_when_unclear()) {
                continue;
            }
            settled.push(sink);
            let part = answered_part(event, via, &timeline.events).unwrap_or(&timeline.events);
            if part.iter().any(|known| known.event == event && known.via == via) {
                continue;
            }
            let message =
                "the run that sent it ended before it could record what became of it".to_owned();
            let outcome = Err(DeliveryError::unclear(message));
            let result = DeliveryResult::new(event, via, outcome);
            events.push(result.to_event(self.context.moment()));
        }
        let mut state = self.state.borrow_mut();
        let after = append(self.context, self.key, self.folder, events, &mut state.remarks)?;
        for sink in settled {
            self.intents.clear(sink.as_ref())?;
        }
        Ok(after)
    }

    /// Whether something could not be recorded, so that nothing more is sent.
    pub(super) fn has_failed(&self) -> bool {
        self.state.borrow().failed.is_some()
    }

    /// How many runs began to send this and never recorded what became of it.
    pub(super) fn left(&self, sink: &dyn Sink) -> Result<usize, WorkflowError> {
        self.intents.left(sink)
    }

    /// Records the rest; gives the timeline where something was written.
    pub(super) fn finish(self, remarks: &mut Remarks) -> Result<Option<Timeline>, WorkflowError> {
        let flushed = self.flush();
        let state = self.state.into_inner();
        remarks.take_over(state.remarks);
        flushed?;
        match state.failed {
            Some(error) => Err(error),
            None => Ok(state.timeline),
        }
    }

    fn flush(&self) -> Result<(), WorkflowError> {
        let state = &mut *self.state.borrow_mut();
        let events = std::mem::take(&mut state.pending);
        if let Some(timeline) =
            append(self.context, self.key, self.folder, events, &mut state.remarks)?
        {
            state.timeline = Some(timeline);
        }
        Ok(())
    }

    fn go_on(&self, done: Result<(), WorkflowError>) -> ControlFlow<()> {
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.state.borrow_mut().failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl Follower for Recording<'_> {
    fn before(&self, sink: &dyn Sink, moment: StepMoment) -> ControlFlow<()> {
        if sink.can_look_up() || moment != StepMoment::Act {
            return ControlFlow::Continue(());
        }
        // Not sent where it cannot be noted: a full disk must not send mail for ever.
        self.go_on(self.intents.write(sink, self.context.moment()))
    }

    fn after(&self, sink: &dyn Sink, result: &DeliveryResult) -> ControlFlow<()> {
        self.state.borrow_mut().pending.push(result.to_event(self.context.moment()));
        if sink.can_look_up() {
            return ControlFlow::Continue(());
        }
        let done = self.flush().and_then(|()| self.intents.clear(sink));
        self.go_on(done)
    }
}

/// Appends events to a timeline in one commit. What another writer recorded
/// in the meantime stays, and nothing is recorded twice.
///
/// # Errors
/// When the ledger cannot be read or written.
pub(super) fn append(
    context: &Context,
    key: &Key,
    folder: &str,
    events: Vec<Event>,
    remarks: &mut Remarks,
) -> Result<Option<Timeline>, WorkflowError> {
    if events.is_empty() {
        return Ok(None);
    }
    let mut writer = context.ledger.lock(LOCK_WAIT)?;
    let stored = pending_pull_request::find(context, &writer.snapshot()?, key, month_in(folder))?;
    let seen = stored.as_ref().and_then(|stored| stored.brief_blob.clone());
    let (mut timeline, customer, path, branch) = match stored {
        Some(stored) => {
            let customer =
                stored.brief.as_ref().and_then(|b| b.view().customer_name().map(str::to_owned));
            (stored.timeline, customer, stored.folder, stored.branch)
        }
        None => (Timeline::new(key.clone()), None, folder.to_owned(), None),
    };
    let mut new: Vec<Event> =
        events.into_iter().filter(|event| !is_recorded(&timeline, event)).collect();
    // What a CSM returns or accepts is the brief as they see it; what is resubmitted, and what is
    // accepted again, is compared with it.
    let verdicts = [EventKind::Returned, EventKind::Accepted];
    for event in new.iter_mut().filter(|event| verdicts.contains(&event.event)) {
        event.brief.clone_from(&seen);
    }
    if new.is_empty() {
        return Ok(Some(timeline));
    }
    let mut names: Vec<&str> = new.iter().map(|event| event.event.as_str()).collect();
    names.dedup();
    timeline.events.extend(new);
    // A folder without a brief has the customer in its name.
    let named = path.rsplit('/').next().and_then(|name| name.rsplit_once("--"));
    let named = named.map_or("customer", |(customer, _)| customer).to_owned();
    let at = context.moment();
    let change = Change::of_handoff(path, customer.as_deref().unwrap_or(&named), key, at)
        .trailer("Handoff-Event", names.join(" "))
        .put("timeline.yaml", timeline.to_yaml());
    commit(&mut writer, branch.as_deref(), &change, remarks)?;
    Ok(Some(timeline))
}

/// The layout's part of a folder, where the search begins.
fn month_in(folder: &str) -> Option<&str> {
    let inner = folder.strip_prefix(BRIEFS)?.strip_prefix('/')?;
    inner.rsplit_once('/').map(|(month, _)| month)
}

/// Whether a timeline has this event: a delivery is made once by each sink,
/// whoever made it; anything else may happen again at another time.
fn is_recorded(timeline: &Timeline, event: &Event) -> bool {
    let events = answered_part(event.event, &event.via, &timeline.events);
    let events = events.unwrap_or(&timeline.events);
    let is_same = |other: &Event| match event.event {
        EventKind::TaskOpened
        | EventKind::Notified
        | EventKind::Emailed
        | EventKind::ProjectStarted
        | EventKind::Welcomed
        | EventKind::CrmUpdated
        | EventKind::RepTold => true,
        // What follows the brief is made again when the brief is another.
        EventKind::CsmTold => other.brief == event.brief,
        EventKind::Reminded | EventKind::Escalated => other.reference == event.reference,
        _ => false,
    };
    events.iter().any(|other| {
        other == event || (other.event == event.event && other.via == event.via && is_same(other))
    })
}

// What is being sent right now and cannot be looked up at its target: noted
// on this machine's disk before it is sent, so that a process that dies in
// between leaves a trace of it.

/// The notes of one handoff. They lie beside the ledger's objects and not in
/// the ledger: another machine has nothing to do with them.
pub(super) struct Intents {
    folder: PathBuf,
    key: Key,
}

impl Intents {
    pub(super) fn of(context: &Context, key: &Key) -> Self {
        let folder = context.ledger.git_dir().join("handoff").join("sending");
        Self { folder, key: key.clone() }
    }

    /// Notes that a delivery is about to be sent; on the disk when it returns.
    pub(super) fn write(&self, sink: &dyn Sink, now: DateTime<Utc>) -> Result<(), WorkflowError> {
        let path = self.path(sink);
        let line = format!("{}\n", now.to_rfc3339_opts(SecondsFormat::Secs, true));
        let write = || {
            disk::make_folder(&self.folder, Access::Private)?;
            disk::append(&path, &line, Access::Private)
        };
        write().map_err(|error| WorkflowError::file(&path, &error))
    }

    /// How many runs began to send a delivery and died before they recorded
    /// what became of it.
    pub(super) fn left(&self, sink: &dyn Sink) -> Result<usize, WorkflowError> {
        let path = self.path(sink);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().count()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(WorkflowError::file(&path, &error)),
        }
    }

    /// Forgets a delivery of which the timeline now tells what became.
    pub(super) fn clear(&self, sink: &dyn Sink) -> Result<(), WorkflowError> {
        let path = self.path(sink);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(WorkflowError::file(&path, &error))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, sink: &dyn Sink) -> PathBuf {
        let name = format!("{}--{}--{}", self.key, sink.event(), sink.via());
        let name = match sink.subject() {
            "" => name,
            // Only what every file system takes.
            subject => {
                let plain =
                    |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
                format!("{name}--{}", subject.chars().map(plain).collect::<String>())
            }
        };
        Path::new(&self.folder).join(name)
    }
}

// One deliverer at a time for a handoff in this clone: between looking and
// recording nobody else may make the same delivery.

/// So many handoffs can be delivered at once; a fixed number, so that the
/// files do not grow with the ledger.
const TURNS: usize = 64;
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than every sink's own timeouts and retries together.
const PATIENCE: u32 = 20 * 60 * 10;

/// The right to deliver a handoff; the system takes it back when the process ends.
pub(super) struct DeliveryLock {
    _lock: FileLock,
}

impl DeliveryLock {
    /// Waits until nobody else in this clone delivers this handoff.
    pub(super) async fn take(context: &Context, key: &Key) -> Result<Self, WorkflowError> {
        let folder = context.ledger.git_dir().join("handoff");
        let turn = key
            .as_str()
            .bytes()
            .fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
            % TURNS;
        let path = folder.join(format!("deliver-{turn:02}.lock"));
        let failed = |error: &std::io::Error| WorkflowError::file(&path, error);
        disk::make_folder(&folder, Access::Shared).map_err(|error| failed(&error))?;
        for _ in 0..PATIENCE {
            match FileLock::try_take(&path).map_err(|error| failed(&error))? {
                Some(lock) => return Ok(Self { _lock: lock }),
                None => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(WorkflowError::DoesNotFit {
            key: key.clone(),
            message: "another process has been delivering it for ten minutes; run `handoff deliver` later".to_owned(),
        })
    }
}
