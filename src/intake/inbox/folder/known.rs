//! Which events are certainly in none of the folders, without looking: the
//! names that were there when they were listed, and all that this process put
//! in since. What another process puts in comes by way of `journal/`, whose
//! modification time tells; then the folders are listed once more.
//!
//! This spares looks and decides nothing else: when an event's file is made it
//! is looked for in every folder, so an event that is wrongly taken for new
//! still gets one file.

use std::collections::HashSet;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::intake::inbox::envelope::EventName;

/// So many names may be added to twice as many as there were.
const ADDED: usize = 64 * 1024;
/// Longer than two moments that a file system takes for one.
const TICK: Duration = Duration::from_millis(50);

/// The names of events that may be in the folders.
#[derive(Debug)]
pub(super) struct KnownNames {
    state: RandomState,
    hashes: HashSet<u64>,
    most: usize,
}

impl KnownNames {
    /// Those that have no file yet.
    pub(super) fn of<'a>(unmade: impl Iterator<Item = &'a EventName>) -> Self {
        let mut known = Self { state: RandomState::new(), hashes: HashSet::new(), most: ADDED };
        unmade.for_each(|name| known.add(name));
        known
    }

    /// Adds the names of all files in a folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn list(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            if let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".json")) {
                self.hashes.insert(self.state.hash_one(stem));
            }
        }
        self.most = 2 * self.hashes.len() + ADDED;
        Ok(())
    }

    /// Whether an event may be there. Two names may have one hash: then it is
    /// looked for in vain.
    pub(super) fn may_hold(&self, name: &EventName) -> bool {
        self.hashes.contains(&self.state.hash_one(name.as_str()))
    }

    pub(super) fn add(&mut self, name: &EventName) {
        self.hashes.insert(self.state.hash_one(name.as_str()));
    }

    /// Whether it has grown so much that what was forgotten may be most of it.
    pub(super) fn is_full(&self) -> bool {
        self.hashes.len() > self.most
    }
}

/// How `journal/` was when nobody else's segment was in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenJournal {
    modified: SystemTime,
    since: Instant,
    is_certain: bool,
}

impl SeenJournal {
    pub(super) fn now(folder: &Path) -> io::Result<Self> {
        let modified = fs::metadata(folder)?.modified()?;
        Ok(Self { modified, since: Instant::now(), is_certain: false })
    }

    /// Whether nothing has been changed between this look and a later one.
    pub(super) fn is_as(&self, later: &Self) -> bool {
        self.modified == later.modified
    }

    /// Whether it is sure that nothing was changed after this look, as long as
    /// the time stays: a change in the same moment leaves the time as it is.
    pub(super) fn is_certain(&self) -> bool {
        self.is_certain
    }

    /// This look where a later one found nothing changed and nobody there.
    pub(super) fn confirmed(self, later: &Self) -> Self {
        let is_later = later.since.duration_since(self.since) >= TICK;
        // Where only whole seconds are kept the time tells too little.
        let has_parts = self.modified.duration_since(SystemTime::UNIX_EPOCH);
        let has_parts = has_parts.is_ok_and(|since| since.subsec_nanos() > 0);
        Self { is_certain: self.is_certain || (is_later && has_parts), ..self }
    }
}
