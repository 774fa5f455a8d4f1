//! Signatures and won deals come in here: the inbox, the webhook server, the watched folder,
//! catch-up, and the worker that takes events from the inbox. What they
//! set off comes in as a [`Handler`]; no room above their senders is known.

mod catch_up;
mod http;
mod inbox;
mod metrics;
mod watch;
mod worker;

pub use catch_up::{Completed, UnaskedProvider, completed, completed_with_deals};
pub use http::{LinkHandler, LinkRoute, PostedFields, Senders, Service, router, serve};
#[cfg(feature = "jetstream")]
pub use inbox::JetStreamInbox;
pub use inbox::{
    Backoff, Claimed, Envelope, EventBody, EventContent, EventDocument, EventName, EventState,
    FolderInbox, Hold, Inbox, InboxCounts, InboxError, InboxLocation, ListedEvent, NatsAccess,
    NatsAddress, Put, Spool, Trouble, open_inbox,
};
pub use metrics::{Counter, Degraded, ServiceMetrics};
pub use watch::{FolderWatch, WatchSettings};
pub use worker::{
    Connections, DealsTold, EventTally, Handler, News, Reread, Task, WorkVerdict, Worker,
};
