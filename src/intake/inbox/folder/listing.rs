//! What stands in the spool, for people and for figures.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::spool::Spool;
use super::worker_claims;
use crate::intake::inbox::envelope::{Envelope, EventName, EventState};
use crate::intake::inbox::error::InboxError;
use crate::intake::inbox::port::{InboxCounts, ListedEvent, choose};

impl Spool {
    /// Counts the events.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn counts(&self, now: DateTime<Utc>) -> Result<InboxCounts, InboxError> {
        let unmade = self.unmade_names()?;
        let mut counts = InboxCounts::default();
        let mut oldest = self.due(now)?.into_iter().next().map(|(at, _)| at);
        let mut with_file = BTreeSet::new();
        for state in EventState::ALL {
            let names = self.names(state)?;
            *counts.of_mut(state) = names.len();
            with_file.extend(names.into_iter().map(|(name, _)| name));
        }
        for (name, state, due) in unmade {
            if with_file.contains(&name) {
                continue;
            }
            // Its file may have been made, and have moved on, while the folders were read.
            let moved_to = self.state_of(&name)?;
            *counts.of_mut(moved_to.unwrap_or(state)) += 1;
            if moved_to.is_none() && state == EventState::New && due <= SystemTime::from(now) {
                oldest = Some(oldest.map_or(due, |oldest| oldest.min(due)));
            }
        }
        let age = |at: SystemTime| SystemTime::from(now).duration_since(at).ok();
        counts.oldest_due = oldest.and_then(age);
        Ok(counts)
    }

    /// The events of these states, by state and then by the time they came.
    ///
    /// # Errors
    /// When a folder cannot be read. A file that cannot be read is in the list.
    pub fn list(&self, states: &[EventState]) -> Result<Vec<ListedEvent>, InboxError> {
        let unmade = self.unmade(states)?;
        let mut listed = Vec::new();
        for state in states {
            for folder in self.folders(*state)? {
                for (name, _) in names_in(&folder)? {
                    match Self::read(&folder.join(name.file())) {
                        // It moved on while it was being listed.
                        Err(InboxError::Io { path, .. }) if !path.exists() => {}
                        envelope => listed.push(ListedEvent { name, state: *state, envelope }),
                    }
                }
            }
        }
        let with_file: BTreeSet<EventName> = listed.iter().map(|it| it.name.clone()).collect();
        for envelope in unmade {
            let name = envelope.name();
            if with_file.contains(&name) {
                continue;
            }
            // Its file may have been made, and have moved on, while the folders were read.
            let state = self.state_of(&name)?.unwrap_or(envelope.first_state());
            if states.contains(&state) {
                listed.push(ListedEvent { name, state, envelope: Ok(envelope) });
            }
        }
        ListedEvent::sort(&mut listed);
        Ok(listed)
    }

    /// The one event with this name or delivery id, or whose begins with it.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, id: &str) -> Result<ListedEvent, InboxError> {
        let unmade = self.unmade(&EventState::ALL)?;
        let (mut events, mut folders) = (Vec::new(), Vec::new());
        for state in EventState::ALL {
            for folder in self.folders(state)? {
                events.extend(names_in(&folder)?.into_iter().map(|(name, _)| (name, state)));
                folders.push((state, folder));
            }
        }
        let with_file: BTreeSet<EventName> = events.iter().map(|(name, _)| name.clone()).collect();
        let unmade: Vec<Envelope> =
            unmade.into_iter().filter(|it| !with_file.contains(&it.name())).collect();
        events.extend(unmade.iter().map(|it| (it.name(), it.first_state())));
        let (name, state) = choose(id, events)?;
        if let Some(envelope) = unmade.into_iter().find(|it| it.name() == name) {
            return Ok(ListedEvent { envelope: Ok(envelope), name, state });
        }
        let file = name.file();
        let path = folders
            .into_iter()
            .filter(|(of, _)| *of == state)
            .map(|(_, folder)| folder.join(&file))
            .find(|path| path.exists())
            .unwrap_or_else(|| self.file(state, &name));
        Ok(ListedEvent { envelope: Self::read(&path), name, state })
    }

    /// The names in a state, with the times of their files.
    pub(super) fn names(
        &self,
        state: EventState,
    ) -> Result<Vec<(EventName, SystemTime)>, InboxError> {
        let mut names = Vec::new();
        for folder in self.folders(state)? {
            names.extend(names_in(&folder)?);
        }
        Ok(names)
    }

    pub(super) fn folders(&self, state: EventState) -> Result<Vec<PathBuf>, InboxError> {
        let folder = self.folder(state);
        if state == EventState::Work {
            worker_claims::folders(&folder).map_err(InboxError::io("listing", &folder))
        } else {
            Ok(vec![folder])
        }
    }
}

pub(super) fn names_in(folder: &Path) -> Result<Vec<(EventName, SystemTime)>, InboxError> {
    let failed = InboxError::io;
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // The claims of a process that has ended meanwhile; the five folders themselves must be there.
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_claims(folder) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed("listing", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("listing", folder))?;
        let Some(name) = entry.file_name().to_str().and_then(EventName::of_file) else { continue };
        match entry.metadata().and_then(|data| data.modified()) {
            Ok(modified) => names.push((name, modified)),
            // It moved on.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("looking at", &entry.path())(error)),
        }
    }
    Ok(names)
}

fn is_claims(folder: &Path) -> bool {
    folder.parent().and_then(Path::file_name).is_some_and(|name| name == EventState::Work.word())
}
