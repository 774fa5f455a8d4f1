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
    /// What is kept is no event.
    #[error("{place} is not an event of the inbox: {why}")]
    Damaged {
        /// The file, or the message.
        place: String,
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
    #[error("{id} is {state}, and only what is new, held or failed can be changed")]
    NotHere {
        /// The event.
        id: String,
        /// Where it is.
        state: &'static str,
    },
    /// `--inbox` names no place.
    #[error("{given} is not an inbox: {why}")]
    Address {
        /// As it was given, quoted.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no inbox, and none was to be made.
    #[error("there is no inbox at {0}")]
    Missing(String),
    /// This program was built without what the place needs.
    #[error("{0} is an inbox on NATS JetStream, and this `handoff` was built without it")]
    NotBuiltIn(String),
    /// The server does not answer.
    #[error("{doing} {place} failed: {why}")]
    Server {
        /// What was tried.
        doing: &'static str,
        /// The server, without secrets.
        place: String,
        /// The server's words, or the client's.
        why: String,
    },
    /// What was given to sign in with cannot be used.
    #[error("{place} cannot be signed in to: {why}")]
    Access {
        /// The server, without secrets.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// A stream is there already and would not keep what it takes.
    #[error("the stream {stream} of {place} cannot be an inbox: {why}")]
    Unsuitable {
        /// The server, without secrets.
        place: String,
        /// The stream's name.
        stream: String,
        /// What would go wrong.
        why: String,
    },
    /// The server takes no message of this size.
    #[error(
        "an event of {bytes} bytes does not fit the server's max_payload of {limit} bytes; raise max_payload in the server's configuration to 2MB"
    )]
    TooLarge {
        /// The event with its headers.
        bytes: usize,
        /// What the server takes.
        limit: usize,
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
