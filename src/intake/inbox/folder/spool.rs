//! The spool's folders, and how an event gets in: durable, and once.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::worker_claims::{self, WorkerClaims};
use crate::disk::{self, Access, sync_folder, write_synced};
use crate::intake::inbox::envelope::{Envelope, EventName};
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::{Put, State};

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
}

impl Spool {
    /// Opens an inbox and makes its folders where they are missing.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn open(root: &Path) -> Result<Self, InboxError> {
        for state in State::ALL {
            let path = root.join(state.word());
            disk::make_folder(&path, Access::Private)
                .map_err(InboxError::io("making the inbox folder", &path))?;
        }
        // An inbox of an earlier version may be open to others: payloads hold names and addresses.
        disk::make_folder(root, Access::Private).map_err(InboxError::io("closing", root))?;
        sync_folder(root).map_err(InboxError::io("making durable", root))?;
        Ok(Self { root: root.to_path_buf(), claims: Mutex::new(None), queue: Mutex::default() })
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn folder(&self, state: State) -> PathBuf {
        self.root.join(state.word())
    }

    pub(super) fn file(&self, state: State, name: &EventName) -> PathBuf {
        self.folder(state).join(name.file())
    }

    /// This process's own folder below `work/`, made when it is first needed.
    pub(super) fn with_claims<T>(
        &self,
        act: impl FnOnce(&WorkerClaims) -> Result<T, InboxError>,
    ) -> Result<T, InboxError> {
        let mut claims = self.claims_guard();
        if claims.as_ref().is_none_or(|claims| !claims.path.is_dir()) {
            let work = self.folder(State::Work);
            let made = WorkerClaims::set_up(&work, &self.folder(State::New));
            *claims = Some(made.map_err(InboxError::io("making a folder in", &work))?);
        }
        act(claims.as_ref().expect("it was just set up"))
    }

    fn claims_guard(&self) -> MutexGuard<'_, Option<WorkerClaims>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where an event is, if it is here.
    pub(super) fn state_of(&self, name: &EventName) -> Result<Option<State>, InboxError> {
        // In the order in which events move, and `new/` again for one that was returned meanwhile.
        if self.file(State::New, name).exists() {
            return Ok(Some(State::New));
        }
        let work = self.folder(State::Work);
        let folders = worker_claims::folders(&work).map_err(InboxError::io("listing", &work))?;
        if folders.iter().any(|claims| claims.join(name.file()).exists()) {
            return Ok(Some(State::Work));
        }
        for state in [State::Held, State::Failed, State::Done, State::New] {
            if self.file(state, name).exists() {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }

    /// Returns to `new/` what processes that are gone had in hand.
    ///
    /// # Errors
    /// When the folders cannot be read or written.
    pub fn recover(&self) -> Result<usize, InboxError> {
        let own = self.claims_guard().as_ref().map(|claims| claims.path.clone());
        let work = self.folder(State::Work);
        worker_claims::clear_abandoned(&work, &self.folder(State::New), own.as_deref())
            .map_err(InboxError::io("recovering", &work))
    }

    /// Writes and removes a file, to tell whether the inbox takes events.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_writable(&self) -> Result<(), InboxError> {
        let new = self.folder(State::New);
        fs::metadata(&new).map_err(InboxError::io("looking at", &new))?;
        let scratch = self.with_claims(|claims| Ok(claims.scratch()))?;
        fs::write(&scratch, b"probe\n").map_err(InboxError::io("writing", &scratch))?;
        fs::remove_file(&scratch).map_err(InboxError::io("removing", &scratch))
    }

    /// Puts one event in; see [`Spool::put_all`].
    ///
    /// # Errors
    /// When it is not on the disk.
    pub fn put(&self, envelope: &Envelope) -> Result<Put, InboxError> {
        self.put_all(std::slice::from_ref(envelope)).pop().expect("one result for one event")
    }

    /// Puts events in. They are on the disk together when this returns; one
    /// that cannot be written does not keep the others back. Two processes that
    /// put the same event at the same moment may both store it; whoever works
    /// it off finds the handoff made.
    pub fn put_all(&self, envelopes: &[Envelope]) -> Vec<Result<Put, InboxError>> {
        let names: Vec<EventName> = envelopes.iter().map(Envelope::name).collect();
        let mut first: BTreeMap<&EventName, usize> = BTreeMap::new();
        let mut results: Vec<Result<Put, InboxError>> = Vec::with_capacity(envelopes.len());
        let mut fresh: Vec<usize> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            if first.contains_key(name) {
                results.push(Ok(Put::Known(State::New)));
                continue;
            }
            first.insert(name, index);
            let known = self.state_of(name);
            results.push(known.map(|state| state.map_or(Put::Stored, Put::Known)));
            if matches!(results[index], Ok(Put::Stored)) {
                fresh.push(index);
            }
        }
        for (index, written) in fresh.iter().zip(self.write_new(&fresh, envelopes)) {
            if let Err(error) = written {
                results[*index] = Err(error);
            }
        }
        // A known one may have been put by a process that has not got this far yet.
        let new = self.folder(State::New);
        let held = self.folder(State::Held);
        let is_held = |envelope: &Envelope| envelope.first_state() == State::Held;
        let folders = [Some(&new), envelopes.iter().any(is_held).then_some(&held)];
        for folder in folders.into_iter().flatten() {
            if let Err(error) =
                sync_folder(folder).map_err(InboxError::io("making durable", folder))
            {
                results.fill(Err(error));
            }
        }
        for (index, name) in names.iter().enumerate() {
            let original = first[name];
            if original < index
                && let Err(error) = &results[original]
            {
                results[index] = Err(error.clone());
            }
        }
        results
    }

    fn write_new(&self, fresh: &[usize], envelopes: &[Envelope]) -> Vec<Result<(), InboxError>> {
        let write = |index: &usize| {
            let envelope = &envelopes[*index];
            let scratch = self.with_claims(|claims| Ok(claims.scratch()))?;
            self.write_over(
                &scratch,
                &self.file(envelope.first_state(), &envelope.name()),
                envelope,
            )
        };
        if fresh.len() < 2 {
            return fresh.iter().map(write).collect();
        }
        let share = fresh.len().div_ceil(WRITERS);
        std::thread::scope(|scope| {
            let threads: Vec<_> = fresh
                .chunks(share)
                .map(|part| scope.spawn(move || part.iter().map(write).collect::<Vec<_>>()))
                .collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().expect("writing a file does not panic"))
                .collect()
        })
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
