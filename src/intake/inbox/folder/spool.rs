//! The spool's folders, and the files of its events.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::own::Own;
use super::worker_claims::{self, WorkerClaims};
use crate::disk::{self, Access, sync_folder, write_synced};
use crate::intake::inbox::envelope::{Envelope, EventName, EventState};
use crate::intake::inbox::error::InboxError;

/// The folder of the segments.
pub(super) const JOURNAL: &str = "journal";
/// So many files of one batch are written at a time: the file system makes
/// those that wait together durable together.
const WRITERS: usize = 16;

/// A folder of events that several processes may share. What it does blocks
/// until the disk has done it.
#[derive(Debug)]
pub struct Spool {
    root: PathBuf,
    claims: Mutex<Option<WorkerClaims>>,
    pub(super) queue: Mutex<VecDeque<EventName>>,
    pub(super) own: Mutex<Own>,
    /// Held while files are made from segments.
    pub(super) making: Mutex<()>,
}

impl Spool {
    /// Opens an inbox and makes its folders where they are missing.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn open(root: &Path) -> Result<Self, InboxError> {
        for folder in EventState::ALL.map(EventState::word).into_iter().chain([JOURNAL]) {
            let path = root.join(folder);
            disk::make_folder(&path, Access::Private)
                .map_err(InboxError::io("making the inbox folder", &path))?;
        }
        // An inbox of an earlier version may be open to others: payloads hold names and addresses.
        disk::make_folder(root, Access::Private).map_err(InboxError::io("closing", root))?;
        sync_folder(root).map_err(InboxError::io("making durable", root))?;
        Ok(Self {
            root: root.to_path_buf(),
            claims: Mutex::new(None),
            queue: Mutex::default(),
            own: Mutex::default(),
            making: Mutex::default(),
        })
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn folder(&self, state: EventState) -> PathBuf {
        self.root.join(state.word())
    }

    pub(super) fn file(&self, state: EventState, name: &EventName) -> PathBuf {
        self.folder(state).join(name.file())
    }

    /// This process's own folder below `work/`, made when it is first needed.
    pub(super) fn with_claims<T>(
        &self,
        act: impl FnOnce(&WorkerClaims) -> Result<T, InboxError>,
    ) -> Result<T, InboxError> {
        let mut claims = self.claims_guard();
        if claims.as_ref().is_none_or(|claims| !claims.path.is_dir()) {
            let work = self.folder(EventState::Work);
            let made = WorkerClaims::set_up(&work, &self.folder(EventState::New));
            *claims = Some(made.map_err(InboxError::io("making a folder in", &work))?);
        }
        act(claims.as_ref().expect("it was just set up"))
    }

    fn claims_guard(&self) -> MutexGuard<'_, Option<WorkerClaims>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an event is, if it is here.
    pub(super) fn state_of(&self, name: &EventName) -> Result<Option<EventState>, InboxError> {
        Ok(self.states_of([name])?.pop().flatten())
    }

    /// Where each of these events is, if it is here.
    pub(super) fn states_of<'a>(
        &self,
        names: impl IntoIterator<Item = &'a EventName> + Clone,
    ) -> Result<Vec<Option<EventState>>, InboxError> {
        // In the order in which events move, and `new/` again for one that was returned meanwhile.
        let is_in = |state, name: &EventName| self.file(state, name).exists().then_some(state);
        let mut states: Vec<_> =
            names.clone().into_iter().map(|name| is_in(EventState::New, name)).collect();
        if states.iter().all(Option::is_some) {
            return Ok(states);
        }
        let work = self.folder(EventState::Work);
        let folders = worker_claims::folders(&work).map_err(InboxError::io("listing", &work))?;
        for (state, name) in states.iter_mut().zip(names).filter(|(state, _)| state.is_none()) {
            let in_hand = folders.iter().any(|claims| claims.join(name.file()).exists());
            let later = [EventState::Held, EventState::Failed, EventState::Done, EventState::New];
            let later = || later.into_iter().find_map(|state| is_in(state, name));
            *state = in_hand.then_some(EventState::Work).or_else(later);
        }
        Ok(states)
    }

    /// Returns to `new/` what processes that are gone had in hand.
    ///
    /// # Errors
    /// When the folders cannot be read or written.
    pub fn recover(&self) -> Result<usize, InboxError> {
        let own = self.claims_guard().as_ref().map(|claims| claims.path.clone());
        let work = self.folder(EventState::Work);
        worker_claims::clear_abandoned(&work, &self.folder(EventState::New), own.as_deref())
            .map_err(InboxError::io("recovering", &work))
    }

    /// Writes and removes a file, to tell whether the inbox takes events.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_writable(&self) -> Result<(), InboxError> {
        let new = self.folder(EventState::New);
        fs::metadata(&new).map_err(InboxError::io("looking at", &new))?;
        let scratch = self.with_claims(|claims| Ok(claims.scratch()))?;
        fs::write(&scratch, b"probe\n").map_err(InboxError::io("writing", &scratch))?;
        fs::remove_file(&scratch).map_err(InboxError::io("removing", &scratch))
    }

    /// Writes the files of new events; they are on the disk when this returns.
    pub(super) fn write_new(&self, envelopes: &[Envelope]) -> Result<(), InboxError> {
        let write = |envelope: &Envelope| {
            let scratch = self.with_claims(|claims| Ok(claims.scratch()))?;
            let path = self.file(envelope.first_state(), &envelope.name());
            self.write_over(&scratch, &path, envelope)
        };
        if let [envelope] = envelopes {
            write(envelope)?;
        } else {
            let share = envelopes.len().div_ceil(WRITERS).max(1);
            std::thread::scope(|scope| {
                let threads: Vec<_> = envelopes
                    .chunks(share)
                    .map(|part| scope.spawn(move || part.iter().try_for_each(write)))
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().expect("writing a file does not panic"))
                    .fold(Ok(()), Result::and)
            })?;
        }
        self.sync_first(envelopes.iter().map(Envelope::first_state))
    }

    /// Makes the names in those folders durable that events are put in first.
    pub(super) fn sync_first(
        &self,
        states: impl IntoIterator<Item = EventState>,
    ) -> Result<(), InboxError> {
        for state in states.into_iter().collect::<BTreeSet<EventState>>() {
            let folder = self.folder(state);
            sync_folder(&folder).map_err(InboxError::io("making durable", &folder))?;
        }
        Ok(())
    }

    /// Writes an event to `scratch`, waits for the disk, and gives it its place.
    pub(super) fn write_over(
        &self,
        scratch: &Path,
        path: &Path,
        envelope: &Envelope,
    ) -> Result<(), InboxError> {
        let written = write_synced(
            scratch,
            &envelope.to_json(),
            Access::Private,
            Some(envelope.due().into()),
        )
        .map_err(InboxError::io("writing", scratch))
        .and_then(|()| fs::rename(scratch, path).map_err(InboxError::io("writing", path)));
        if written.is_err() {
            // It may never have been made; what is left of it goes with the claims.
            let _ = fs::remove_file(scratch);
        }
        written
    }

    /// Reads an event's file.
    pub(super) fn read(path: &Path) -> Result<Envelope, InboxError> {
        let bytes = fs::read(path).map_err(InboxError::io("reading", path))?;
        Envelope::parse(&bytes)
            .map_err(|why| InboxError::Damaged { place: path.display().to_string(), why })
    }
}
