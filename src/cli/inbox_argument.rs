//! `--inbox`: which inbox a command means, and what its errors say at the
//! command line.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::TypedValueParser as _;

use super::error::CliError;
use super::invocation::Invocation;
use crate::intake::{
    EventState, Inbox, InboxCounts, InboxError, InboxLocation, NatsAccess, Spool, open_inbox,
};
use crate::ledger::Ledger;
use crate::model::HeldDocument;

/// `--inbox`, for every command that has one.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct InboxArgument {
    /// The folder that holds what was received, or nats://HOST:PORT/NAME for
    /// NATS JetStream [default: handoff/inbox in the git folder]
    #[arg(
        long,
        value_name = "PLACE",
        global = true,
        value_parser = clap::builder::OsStringValueParser::new().try_map(InboxLocation::parse)
    )]
    inbox: Option<InboxLocation>,
}

impl InboxArgument {
    /// Opens the inbox of the command line, else the one within the ledger's git
    /// folder. With `make`, what is missing of it is made.
    pub(super) async fn open(
        &self,
        make: bool,
        ledger: impl FnOnce() -> Result<Ledger, CliError>,
        invocation: &Invocation,
    ) -> Result<Arc<dyn Inbox>, CliError> {
        let context = match &self.inbox {
            Some(InboxLocation::Folder(path)) => InboxLocation::Folder(invocation.path(path)),
            Some(nats) => nats.clone(),
            None => InboxLocation::Folder(folder_of(&ledger()?)),
        };
        Ok(open_inbox(&context, &access(invocation)?, make).await?)
    }

    /// Whether the one within the ledger's git folder is meant and nothing was ever
    /// received into it.
    pub(super) fn is_none_yet(
        &self,
        ledger: impl FnOnce() -> Result<Ledger, CliError>,
    ) -> Result<bool, CliError> {
        Ok(self.inbox.is_none() && !folder_of(&ledger()?).is_dir())
    }
}

/// The inbox within a ledger's git folder.
fn folder_of(ledger: &Ledger) -> PathBuf {
    ledger.git_dir().join("handoff").join("inbox")
}

/// The counts of the inbox within the ledger's git folder; nothing where there
/// is none.
pub(super) fn inbox_counts(
    ledger: &Ledger,
    invocation: &Invocation,
) -> Option<Result<InboxCounts, InboxError>> {
    let root = folder_of(ledger);
    root.is_dir().then(|| Spool::open(&root).and_then(|spool| spool.counts(invocation.now)))
}

/// The documents that are held in that inbox, the longest held first.
pub(super) fn held_documents(ledger: &Ledger) -> Result<Vec<HeldDocument>, InboxError> {
    let spool = Spool::open(&folder_of(ledger))?;
    let mut held = BTreeMap::new();
    // One that is being looked at again is held until that has an outcome, and
    // may move on while the folders are read.
    for states in [&[EventState::Held, EventState::Work, EventState::New][..], &[EventState::Held]]
    {
        for event in spool.list(states)? {
            let Ok(envelope) = event.envelope else { continue };
            let is_held = event.state == EventState::Held || envelope.decided.is_none();
            if let Some(document) = envelope.held_document().filter(|_| is_held) {
                held.insert(event.name, document);
            }
        }
    }
    let mut held: Vec<HeldDocument> = held.into_values().collect();
    held.sort_by(|a, b| (a.since, &a.event).cmp(&(b.since, &b.event)));
    Ok(held)
}

/// What a NATS server is signed in to with.
fn access(invocation: &Invocation) -> Result<NatsAccess, CliError> {
    let file = |name| invocation.environment.get(name).map(|path| invocation.path(path.as_ref()));
    let certificate = match (file("NATS_CERT_FILE"), file("NATS_KEY_FILE")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            return Err(CliError::usage("of NATS_CERT_FILE and NATS_KEY_FILE only one is set")
                .help("a client certificate needs both"));
        }
    };
    Ok(NatsAccess { secrets: invocation.secrets()?, authority: file("NATS_CA_FILE"), certificate })
}

impl From<InboxError> for CliError {
    fn from(error: InboxError) -> Self {
        let message = error.to_string();
        match error {
            InboxError::Io { .. } => Self::could_not(message).help("check that the disk has room and the folder may be written, or name another one with --inbox"),
            InboxError::Damaged { .. } => Self::could_not(message).help("fix the file by hand, or delete it if the provider has sent the event again"),
            InboxError::Unknown(_) => Self::nothing(message),
            InboxError::Missing(_) => Self::nothing(message)
                .help("`handoff serve` and `handoff watch` make one; --inbox names another"),
            InboxError::Ambiguous { .. } | InboxError::NotHere { .. } | InboxError::Address { .. } => Self::usage(message),
            InboxError::NotBuiltIn(_) => Self::usage(message)
                .help("build it with `cargo install --features jetstream`, or name a folder with --inbox"),
            InboxError::Server { .. } => Self::could_not(message)
                .help("check that the server runs with JetStream, that this machine reaches it, and what it is signed in to with"),
            InboxError::Access { .. } => Self::usage(message)
                .help("NATS_CREDS_FILE, NATS_USER and NATS_PASSWORD, or NATS_TOKEN; for TLS NATS_CA_FILE, NATS_CERT_FILE, NATS_KEY_FILE"),
            InboxError::Unsuitable { .. } => Self::could_not(message)
                .help("give another name after the host, or remove the stream so that handoff makes it"),
            InboxError::TooLarge { .. } | InboxError::Closed => Self::could_not(message),
        }
    }
}
