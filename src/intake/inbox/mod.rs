//! The inbox: what stands between the outside and the ledger, for `serve`,
//! `watch`, `catch-up` and people. A folder of plain files, or streams of NATS
//! JetStream that several machines share; both are an [`Inbox`].

mod address;
mod backoff;
mod envelope;
mod error;
mod folder;
#[cfg(feature = "jetstream")]
mod jetstream;
mod location;
mod port;

pub use address::{NatsAccess, NatsAddress};
pub use backoff::Backoff;
pub use envelope::{
    Envelope, EventBody, EventContent, EventDocument, EventName, EventState, Hold, Trouble,
};
pub use error::InboxError;
pub use folder::{FolderInbox, Spool};
#[cfg(feature = "jetstream")]
pub use jetstream::JetStreamInbox;
pub use location::{InboxLocation, open_inbox};
pub use port::{Claimed, Inbox, InboxCounts, ListedEvent, Put};
