//! This process's segments, and the events in them that have no file yet.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::known::{KnownNames, SeenJournal};
use super::segment::{self, Segment};
use crate::intake::inbox::envelope::{EventName, EventState};
use crate::intake::inbox::error::InboxError;

/// A segment of this size is removed when its events have files.
const LARGE: u64 = 4 * 1024 * 1024;
/// When so many events, or so many bytes, have no file, what comes has to wait
/// until they have.
const BEHIND: usize = 16 * 1024;
const BYTES_BEHIND: u64 = 64 * 1024 * 1024;

/// This process's segments, and the events in them that have no file yet.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) segments: Vec<Segment>,
    pub(super) unmade: HashMap<EventName, (EventState, SystemTime)>,
    pub(super) most_bytes: u64,
    /// The names that the folders may hold; nothing where that is not known.
    pub(super) known: Option<KnownNames>,
    /// How `journal/` was when nobody else had a segment; there where `known` is.
    seen: Option<SeenJournal>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            segments: Vec::new(),
            unmade: HashMap::new(),
            most_bytes: BYTES_BEHIND,
            known: None,
            seen: None,
        }
    }
}

impl Own {
    /// The segments in `journal/` that are not this process's.
    pub(super) fn others(&self, journal: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = segment::segments(journal)?;
        paths.retain(|path| self.segments.iter().all(|segment| segment.path != *path));
        Ok(paths)
    }

    /// Whether other processes have segments. Lists `journal/` only where it may
    /// have changed; what others may have put in ends what is known.
    pub(super) fn has_others(&mut self, journal: &Path) -> io::Result<bool> {
        let look = SeenJournal::now(journal)?;
        let as_seen = self.seen.filter(|seen| seen.is_as(&look));
        if as_seen.is_some_and(|seen| seen.is_certain()) {
            return Ok(false);
        }
        let has_others = !self.others(journal)?.is_empty();
        if has_others || as_seen.is_none() {
            self.known = None;
        }
        let seen = as_seen.map_or(look, |seen| seen.confirmed(&look));
        self.seen = (!has_others).then_some(seen);
        Ok(has_others)
    }

    /// Changes `journal/`. What is known stays so, unless somebody else changed
    /// it before.
    fn change<T>(&mut self, journal: &Path, act: impl FnOnce(&mut Self) -> T) -> T {
        let look = || SeenJournal::now(journal).ok();
        let is_as_seen = self.seen.zip(look()).is_some_and(|(seen, now)| seen.is_as(&now));
        let done = act(self);
        self.seen = look().filter(|_| is_as_seen);
        if self.seen.is_none() {
            self.known = None;
        }
        done
    }

    /// The segment that is appended to.
    pub(super) fn active(&mut self, journal: &Path) -> io::Result<&mut Segment> {
        if let Some(segment) = self.segments.last_mut() {
            // What is written to a file that was moved away or removed is lost.
            segment.is_closed |= !segment.path.exists();
        }
        if self.segments.last().is_none_or(|segment| segment.is_closed) {
            let segment = self.change(journal, |_| Segment::create(journal))?;
            self.segments.push(segment);
        }
        Ok(self.segments.last_mut().expect("there is one now"))
    }

    pub(super) fn is_behind(&self) -> bool {
        let bytes = self.segments.iter().map(|it| it.written.saturating_sub(it.made)).sum::<u64>();
        self.unmade.len() >= BEHIND || bytes >= self.most_bytes
    }

    /// Removes segments that are not needed any more; at the end all whose
    /// events have files.
    pub(super) fn clear(&mut self, journal: &Path, at_the_end: bool) -> Result<(), InboxError> {
        let is_over = |segment: &Segment| {
            segment.is_made() && (at_the_end || segment.is_closed || segment.written >= LARGE)
        };
        let over: Vec<Segment> = self.segments.extract_if(.., |it| is_over(it)).collect();
        if over.is_empty() {
            return Ok(());
        }
        self.change(journal, |_| {
            let remove = |segment: &Segment| {
                segment::remove(&segment.path, false)
                    .map_err(InboxError::io("removing", &segment.path))
            };
            over.iter().map(remove).fold(Ok(()), Result::and)
        })
    }
}
