//! This process's segments, and the events in them that have no file yet.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

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
}

impl Default for Own {
    fn default() -> Self {
        Self { segments: Vec::new(), unmade: HashMap::new(), most_bytes: BYTES_BEHIND }
    }
}

impl Own {
    /// The segment that is appended to.
    pub(super) fn active(&mut self, folder: &Path) -> io::Result<&mut Segment> {
        if let Some(segment) = self.segments.last_mut() {
            // What is written to a file that was moved away or removed is lost.
            segment.is_closed |= !segment.path.exists();
        }
        if self.segments.last().is_none_or(|segment| segment.is_closed) {
            self.segments.push(Segment::create(folder)?);
        }
        Ok(self.segments.last_mut().expect("there is one now"))
    }

    pub(super) fn is_behind(&self) -> bool {
        let bytes = self.segments.iter().map(|it| it.written.saturating_sub(it.made)).sum::<u64>();
        self.unmade.len() >= BEHIND || bytes >= self.most_bytes
    }

    /// Removes segments that are not needed any more; at the end all whose
    /// events have files.
    pub(super) fn clear(&mut self, at_the_end: bool) -> Result<(), InboxError> {
        let mut kept = Vec::new();
        let mut result = Ok(());
        for segment in self.segments.drain(..) {
            let is_over = at_the_end || segment.is_closed || segment.written >= LARGE;
            if segment.is_made() && is_over {
                let removed = segment::remove(&segment.path, false);
                result = result.and(removed.map_err(InboxError::io("removing", &segment.path)));
            } else {
                kept.push(segment);
            }
        }
        self.segments = kept;
        result
    }
}
