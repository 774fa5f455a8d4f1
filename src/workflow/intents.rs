//! What is being sent right now and cannot be looked up at its target: noted
//! on this machine's disk before it is sent, so that a process that dies in
//! between leaves a trace of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Context, WorkflowError};
use crate::deliver::Sink;
use crate::disk::{self, Access};
use crate::model::Key;

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
