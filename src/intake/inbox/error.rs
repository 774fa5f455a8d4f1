//! What can go wrong with the inbox.

use std::path::{Path, PathBuf};

/// What went wrong with the inbox. It can be copied, because everybody who
/// waited for the same disk hears the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// The disk.
    #[error("{doing} {} failed: {why}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// A file that is no event.
    #[error("{} is not an event of the inbox: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No event has this id.
    #[error("the inbox has no event {0}; `handoff inbox list` shows them")]
    Unknown(String),
    /// Several events begin like this.
    #[error("{id} is the beginning of {count} events; give more of it")]
    Ambiguous {
        /// As it was given.
        id: String,
        /// How many.
        count: usize,
    },
    /// The event is not where this can be done.
    #[error("{id} is {state}, and only what is new or failed can be changed")]
    NotHere {
        /// The event.
        id: String,
        /// Where it is.
        state: &'static str,
    },
    /// The thread that writes has ended.
    #[error("the inbox is being closed")]
    Closed,
}

impl InboxError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Io { doing, path: path.to_path_buf(), why: error.to_string() }
    }
}
