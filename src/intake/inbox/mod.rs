//! The inbox: what stands between the outside and the ledger, for `serve`,
//! `watch`, `catch-up` and people. A folder of plain files, or streams of NATS
//! JetStream that several machines share; both are an [`Inbox`].

mod address;
mod envelope;
mod error;
mod folder;
#[cfg(feature = "jetstream")]
mod jetstream;
mod location;
mod port;

pub use address::NatsAddress;
pub use envelope::{Body, Content, Envelope, EventDocument, EventName, Hold, Trouble};
pub use error::InboxError;
pub use folder::{FolderInbox, Spool};
#[cfg(feature = "jetstream")]
pub use jetstream::JetStreamInbox;
pub use location::{InboxLocation, NatsAccess, open_inbox};
pub use port::{Backoff, Claimed, EventState, Inbox, InboxCounts, Listed, Put};
