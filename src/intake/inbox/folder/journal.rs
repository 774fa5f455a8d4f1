//! How an event gets in, durable and once: appended to this process's segment,
//! which is synced once for all that wait, and made a file of a moment later.
//! Whoever needs the files makes them: this process behind what it answers, a
//! worker before it looks for events, and after a crash the next process.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::known::KnownNames;
use super::own::Own;
use super::segment::{self, EventGroup, Segment, SegmentEvents};
use super::spool::{JOURNAL, Spool};
use crate::disk::FileLock;
use crate::intake::inbox::envelope::{Envelope, EventName, EventState};
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::Put;

/// One process at a time makes files.
const LOCK: &str = ".lock";
/// How long another process may take to make files.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many files are made at a time.
const GROUP: usize = 256;
/// So much of a segment is read at a time, unless one event is longer.
const READ_AT_ONCE: u64 = 2 * 1024 * 1024;

/// An event as it is appended.
#[derive(Debug)]
pub(super) struct JournalRecord {
    name: EventName,
    state: EventState,
    due: SystemTime,
    content: Vec<u8>,
}

impl JournalRecord {
    pub(super) fn of(envelope: &Envelope) -> Self {
        Self {
            name: envelope.name(),
            state: envelope.first_state(),
            due: envelope.due().into(),
            content: envelope.to_line(),
        }
    }
}

impl Spool {
    /// Puts one event in; see [`Spool::put_all`].
    ///
    /// # Errors
    /// When it is not on the disk.
    pub fn put(&self, envelope: &Envelope) -> Result<Put, InboxError> {
        self.put_all(std::slice::from_ref(envelope)).pop().expect("one result for one event")
    }

    /// Puts events in. They are on the disk together when this returns, or none
    /// of those that were not there before. Two processes that put the same
    /// event at the same moment may both store it; it gets one file.
    pub fn put_all(&self, envelopes: &[Envelope]) -> Vec<Result<Put, InboxError>> {
        self.put_records(&envelopes.iter().map(JournalRecord::of).collect::<Vec<_>>())
    }

    pub(super) fn put_records(&self, records: &[JournalRecord]) -> Vec<Result<Put, InboxError>> {
        match self.make_room() {
            Ok(()) => self.store(records),
            Err(error) => records.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Puts events in where nothing has to be made, or listed, before; else
    /// nothing is done.
    pub(super) fn put_at_once(
        &self,
        records: &[JournalRecord],
    ) -> Option<Vec<Result<Put, InboxError>>> {
        fs::metadata(self.folder(EventState::New)).ok()?;
        let mut own = self.own();
        let is_free = !own.has_others(&self.journal()).ok()?
            && own.known.as_ref().is_some_and(|known| !known.is_full())
            && !own.is_behind();
        drop(own);
        is_free.then(|| self.store(records))
    }

    fn store(&self, records: &[JournalRecord]) -> Vec<Result<Put, InboxError>> {
        let refused = |error: InboxError| records.iter().map(|_| Err(error.clone())).collect();
        // Held while it is looked: what has its file is forgotten here afterwards.
        let mut own = self.own();
        let may_be_there =
            |name: &&EventName| own.known.as_ref().is_none_or(|known| known.may_hold(name));
        let sought: Vec<&EventName> =
            records.iter().map(|record| &record.name).filter(may_be_there).collect();
        let states = match self.states_of(sought.iter().copied()) {
            Ok(states) => sought.into_iter().zip(states),
            Err(error) => return refused(error),
        };
        let states: BTreeMap<&EventName, EventState> =
            states.filter_map(|(name, state)| Some((name, state?))).collect();
        let mut first: BTreeMap<&EventName, usize> = BTreeMap::new();
        let room = records.iter().map(|record| record.content.len()).sum();
        let (mut group, mut fresh) = (EventGroup::with_room(records.len(), room), Vec::new());
        let mut results: Vec<Result<Put, InboxError>> = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            if first.contains_key(&record.name) {
                results.push(Ok(Put::Known(EventState::New)));
                continue;
            }
            first.insert(&record.name, index);
            let unmade = || own.unmade.get(&record.name).map(|(state, _)| *state);
            let state = states.get(&record.name).copied().or_else(unmade);
            results.push(Ok(state.map_or(Put::Stored, Put::Known)));
            if state.is_none() {
                group.add(&record.content);
                fresh.push(index);
            }
        }
        if !fresh.is_empty() {
            if let Some(known) = &mut own.known {
                fresh.iter().for_each(|index| known.add(&records[*index].name));
            }
            match self.append(&mut own, group) {
                Ok(()) => own.unmade.extend(fresh.iter().map(|index| {
                    let record = &records[*index];
                    (record.name.clone(), (record.state, record.due))
                })),
                Err(error) => fresh.iter().for_each(|index| results[*index] = Err(error.clone())),
            }
        }
        drop(own);
        // A file may have been made by a process that has not got this far yet.
        if !states.is_empty()
            && let Err(error) = self.sync_first([EventState::New, EventState::Held])
        {
            results.fill(Err(error));
        }
        for (index, record) in records.iter().enumerate() {
            let original = first[&record.name];
            if original < index
                && let Err(error) = &results[original]
            {
                results[index] = Err(error.clone());
            }
        }
        results
    }

    fn append(&self, own: &mut Own, group: EventGroup) -> Result<(), InboxError> {
        let folder = self.journal();
        let active = own.active(&folder).map_err(InboxError::io("making a segment in", &folder))?;
        let path = active.path.clone();
        active.append(group).map_err(InboxError::io("writing", &path))
    }

    /// Lists the names there are, where that spares looking for each event;
    /// tells whether other processes have segments.
    fn learn_names(&self) -> Result<bool, InboxError> {
        let (journal, mut own) = (self.journal(), self.own());
        let others = own.has_others(&journal).map_err(InboxError::io("listing", &journal))?;
        if !others && own.known.as_ref().is_none_or(KnownNames::is_full) {
            // Where they cannot be listed each event is looked for.
            let mut known = KnownNames::of(own.unmade.keys());
            own.known = self.list_names(&mut known).is_ok().then_some(known);
        }
        Ok(others)
    }

    /// Before more is put in: what other processes have in their segments may
    /// be the same, and what has no file must not grow without end.
    fn make_room(&self) -> Result<(), InboxError> {
        let new = self.folder(EventState::New);
        fs::metadata(&new).map_err(InboxError::io("looking at", &new))?;
        if self.learn_names()?
            && let Err(error) = self.make_files(GROUP)
        {
            // Then it may be stored twice, and gets one file.
            tracing::warn!(%error, "what another process received cannot be looked through");
        }
        while self.own().is_behind() {
            self.make_files(GROUP)?;
        }
        Ok(())
    }

    pub(super) fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> PathBuf {
        self.root().join(JOURNAL)
    }

    /// The segments of other processes, also of those that are gone.
    fn others(&self) -> Result<Vec<PathBuf>, InboxError> {
        let folder = self.journal();
        self.own().others(&folder).map_err(InboxError::io("listing", &folder))
    }

    /// Lists all folders that an event's file may be in, in the order in which
    /// events go through them, and the first ones again for what was returned
    /// meanwhile. A worker may have made its folder only now.
    fn list_names(&self, known: &mut KnownNames) -> Result<(), InboxError> {
        let again = [EventState::New, EventState::Work];
        for state in EventState::ALL.into_iter().chain(again) {
            for folder in self.folders(state)? {
                known.list(&folder).map_err(InboxError::io("listing", &folder))?;
            }
        }
        Ok(())
    }

    /// Makes files for at most about so many events of this process that have
    /// none, oldest first, and for all of other processes; tells whether there
    /// are more.
    ///
    /// # Errors
    /// When a segment cannot be read or a file not be written; it is tried again.
    pub(super) fn make_files(&self, most: usize) -> Result<bool, InboxError> {
        let others = self.others()?;
        if others.is_empty() && self.own().segments.iter().all(Segment::is_made) {
            return Ok(false);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.journal().join(LOCK);
        let _lock = FileLock::take(&path, PATIENCE)
            .and_then(|lock| lock.ok_or_else(|| io::ErrorKind::TimedOut.into()))
            .map_err(InboxError::io("waiting for", &path))?;
        for path in others {
            self.make_files_of(&path)?;
        }
        let mut made = 0;
        while made < most {
            match self.make_own()? {
                0 => break,
                count => made += count,
            }
        }
        let mut own = self.own();
        own.clear(&self.journal(), false)?;
        Ok(!own.segments.iter().all(Segment::is_made))
    }

    /// Makes the files of all events.
    pub(super) fn make_all_files(&self) -> Result<(), InboxError> {
        while self.make_files(GROUP)? {}
        Ok(())
    }

    /// Makes the files of another process's segment, which goes when its owner
    /// is gone.
    fn make_files_of(&self, path: &Path) -> Result<(), InboxError> {
        let failed = InboxError::io;
        let abandoned = match segment::take_abandoned(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            taken => taken.map_err(failed("opening", path))?,
        };
        let mut events =
            SegmentEvents::unmade(path, abandoned.is_none()).map_err(failed("reading", path))?;
        let (mut group, mut unreadable, mut count) = (Vec::new(), None, 0_usize);
        loop {
            let next = events.next().map(|(content, _)| Envelope::parse(content));
            let is_last = next.is_none();
            match next {
                Some(Ok(envelope)) => group.push(envelope),
                Some(Err(why)) => unreadable = Some(why),
                None => {}
            }
            if group.len() >= GROUP || is_last {
                count += self.make(std::mem::take(&mut group))?;
            }
            if is_last {
                break;
            }
        }
        if abandoned.is_some() {
            if count > 0 {
                tracing::warn!(
                    events = count,
                    "a process ended before its events had files; they have them now"
                );
            }
            let is_damaged = events.is_damaged || unreadable.is_some();
            if is_damaged {
                let why = unreadable.unwrap_or_else(|| "checksums do not fit".to_owned());
                let path = path.display().to_string();
                tracing::error!(
                    path,
                    why,
                    "a segment of the inbox is damaged: what can be read of it was taken, the rest is kept as .damaged"
                );
            }
            segment::remove(path, is_damaged).map_err(failed("removing", path))?;
        }
        Ok(())
    }

    /// Makes the next files of this process's own segments; gives for how many
    /// events.
    fn make_own(&self) -> Result<usize, InboxError> {
        let part = |segment: &Segment| (segment.path.clone(), segment.made, segment.written);
        let next = self.own().segments.iter().find(|it| !it.is_made()).map(part);
        let Some((path, from, to)) = next else { return Ok(0) };
        let damaged = |why: String| InboxError::Damaged { place: path.display().to_string(), why };
        let (mut envelopes, mut end, mut is_whole) = (Vec::new(), from, false);
        for to in [to.min(from + READ_AT_ONCE), to] {
            let events = SegmentEvents::between(&path, from, to);
            if events.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                // Somebody removed it: the others go on, and what comes again is taken.
                let mut own = self.own();
                own.segments.retain(|segment| segment.path != path);
                own.unmade.clear();
            }
            let mut events = events.map_err(InboxError::io("reading", &path))?;
            while envelopes.len() < GROUP
                && let Some((content, at)) = events.next()
            {
                end = at;
                envelopes.push(Envelope::parse(content).map_err(damaged)?);
            }
            if !envelopes.is_empty() {
                break;
            }
            is_whole = events.is_at_end();
        }
        let count = envelopes.len();
        if count == 0 && is_whole {
            // Only notes stand there: events came between a group and its note.
            let mut own = self.own();
            if let Some(segment) = own.segments.iter_mut().find(|segment| segment.path == path) {
                segment.made = segment.made.max(to);
            }
            return Ok(0);
        }
        if count == 0 {
            return Err(damaged(format!("nothing can be read of it from byte {from} on")));
        }
        let names: Vec<EventName> = envelopes.iter().map(Envelope::name).collect();
        self.make(envelopes)?;
        let mut own = self.own();
        if let Some(segment) = own.segments.iter_mut().find(|segment| segment.path == path) {
            segment.note_made(end);
        }
        for name in names {
            own.unmade.remove(&name);
        }
        Ok(count)
    }

    /// Makes the files that are missing of these events; gives how many.
    fn make(&self, mut envelopes: Vec<Envelope>) -> Result<usize, InboxError> {
        let names: Vec<EventName> = envelopes.iter().map(Envelope::name).collect();
        let mut states = self.states_of(&names)?.into_iter();
        envelopes.retain(|_| states.next().is_some_and(|state| state.is_none()));
        if !envelopes.is_empty() {
            self.write_new(&envelopes)?;
        }
        Ok(envelopes.len())
    }

    /// The events of segments that may have no file yet and are put in one of
    /// these states first.
    pub(super) fn unmade(&self, states: &[EventState]) -> Result<Vec<Envelope>, InboxError> {
        let mut parts = Vec::new();
        let own = self.own();
        if own.unmade.values().any(|(state, _)| states.contains(state)) {
            for segment in own.segments.iter().filter(|segment| !segment.is_made()) {
                let (from, to) = (segment.made, segment.written);
                parts.push((segment.path.clone(), SegmentEvents::between(&segment.path, from, to)));
            }
        }
        drop(own);
        for path in self.others()? {
            let events = SegmentEvents::unmade(&path, false);
            parts.push((path, events));
        }
        let mut found = Vec::new();
        for (path, events) in parts {
            let mut events = match events {
                // Its events have files, and it is gone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                events => events.map_err(InboxError::io("reading", &path))?,
            };
            while let Some((content, _)) = events.next() {
                // What cannot be read is reported where files are made.
                found.extend(
                    Envelope::parse(content).ok().filter(|it| states.contains(&it.first_state())),
                );
            }
        }
        Ok(found)
    }

    /// As [`Spool::unmade`]: names, states, and when they are due.
    pub(super) fn unmade_names(
        &self,
    ) -> Result<Vec<(EventName, EventState, SystemTime)>, InboxError> {
        let own = self.own();
        let names = own.unmade.iter().map(|(name, (state, due))| (name.clone(), *state, *due));
        let mut names: Vec<_> = names.collect();
        drop(own);
        if !self.others()?.is_empty() {
            let all = self.unmade(&EventState::ALL)?;
            names.extend(all.iter().map(|it| (it.name(), it.first_state(), it.due().into())));
            names.sort();
            names.dedup_by(|one, other| one.0 == other.0);
        }
        Ok(names)
    }
}

impl Drop for Spool {
    /// What is left is files; what cannot be made is made by the next process.
    fn drop(&mut self) {
        if self.own().segments.is_empty() {
            return;
        }
        let done = self.make_all_files().and_then(|()| self.own().clear(&self.journal(), true));
        if let Err(error) = done {
            tracing::warn!(%error, "files of events are missing; the next start makes them");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProviderName;
    use crate::webhook::DeliveryId;
    use chrono::DateTime;

    fn event(id: &str) -> Envelope {
        let provider = ProviderName::new("pandadoc");
        let id = DeliveryId::of(&[id.as_bytes()]);
        Envelope::new(provider, &id, None, DateTime::UNIX_EPOCH, vec![b'x'; 100])
    }

    #[cfg(unix)]
    #[test]
    fn after_a_write_or_a_sync_that_fails_a_new_segment_is_begun() {
        // The one takes what is written and cannot sync it, the other takes nothing.
        for device in ["/dev/null", "/dev/full"] {
            let folder = tempfile::tempdir().unwrap();
            let spool = Spool::open(folder.path()).unwrap();
            assert_eq!(spool.put(&event("a")).unwrap(), Put::Stored);
            let file = std::fs::File::options().append(true).open(device).unwrap();
            let file = spool.own().segments[0].replace_file(file);
            let failed = spool.put_all(&[event("b"), event("a"), event("c"), event("b")]);
            assert_eq!(failed[1], Ok(Put::Known(EventState::New)), "{device}");
            for index in [0, 2, 3] {
                assert!(
                    matches!(failed[index], Err(InboxError::Io { .. })),
                    "{device}: {failed:?}"
                );
            }
            assert_eq!(spool.counts(DateTime::UNIX_EPOCH).unwrap().new, 1, "{device}");
            assert_eq!(spool.put(&event("b")).unwrap(), Put::Stored, "{device}");
            assert_eq!(spool.own().segments.len(), 2, "{device}: nothing is appended to the first");
            drop(file);
            let claimed = spool.claim(DateTime::UNIX_EPOCH, 10).unwrap();
            assert_eq!(claimed.len(), 2, "{device}");
            assert_eq!(spool.own().segments.len(), 1, "{device}: the first is not needed");
        }
    }

    #[test]
    fn a_segment_that_somebody_removed_is_said_once_and_takes_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        spool.put(&event("a")).unwrap();
        let path = spool.own().segments[0].path.clone();
        fs::remove_file(&path).unwrap();
        assert_eq!(spool.put(&event("b")).unwrap(), Put::Stored);
        assert!(matches!(spool.make_all_files(), Err(InboxError::Io { .. })));
        spool.make_all_files().unwrap();
        assert_eq!(spool.put(&event("a")).unwrap(), Put::Stored, "its provider sends it again");
        assert_eq!(spool.claim(DateTime::UNIX_EPOCH, 10).unwrap().len(), 2);
        // As when the file system is not there any more.
        fs::rename(folder.path().join("new"), folder.path().join("away")).unwrap();
        assert!(spool.put(&event("c")).is_err());
    }

    #[test]
    fn what_needs_something_made_before_is_not_put_in_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        let at_once = |id: &str| spool.put_at_once(&[JournalRecord::of(&event(id))])?.pop();
        assert_eq!(at_once("z"), None, "what is there has to be listed");
        assert_eq!(spool.put(&event("z")).unwrap(), Put::Stored);
        assert_eq!(at_once("a"), Some(Ok(Put::Stored)));
        assert_eq!(at_once("a"), Some(Ok(Put::Known(EventState::New))));
        spool.own().most_bytes = 1;
        assert_eq!(at_once("b"), None, "too much has no file");
        spool.own().most_bytes = u64::MAX;
        let other = Spool::open(folder.path()).unwrap();
        other.put(&event("c")).unwrap();
        assert_eq!(at_once("c"), None, "another process may have the same");
        drop(other);
        assert_eq!(at_once("c"), None, "it has put something in");
        assert_eq!(spool.put(&event("c")).unwrap(), Put::Known(EventState::New));
        assert_eq!(at_once("c"), Some(Ok(Put::Known(EventState::New))));
        fs::rename(folder.path().join("new"), folder.path().join("away")).unwrap();
        assert_eq!(at_once("d"), None, "whoever waits is told what is wrong");
    }

    #[test]
    fn a_note_behind_the_last_event_is_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        spool.put(&event("a")).unwrap();
        // As when one comes in while the files of those before it are made.
        let end = spool.own().segments[0].written;
        spool.put(&event("b")).unwrap();
        spool.own().segments[0].note_made(end);
        spool.make_all_files().unwrap();
        assert!(spool.own().segments.iter().all(Segment::is_made));
    }

    #[test]
    fn what_has_no_file_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        spool.own().most_bytes = 1_000;
        for number in 0..7 {
            spool.put(&event(&number.to_string())).unwrap();
            let unmade = spool.own().unmade.len();
            assert!(unmade < 7, "{unmade} have no file");
        }
        drop(spool);
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(spool.counts(DateTime::UNIX_EPOCH).unwrap().new, 7);
        assert_eq!(segment::segments(&spool.journal()).unwrap(), Vec::<PathBuf>::new());
    }
}
