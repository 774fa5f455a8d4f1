//! Signatures and won deals come in here: the inbox, the webhook server, the watched folder,
//! catch-up, and the worker that takes events from the inbox. What they
//! set off comes in as a [`Handler`]; no room above their senders is known.

mod catch_up;
mod http;
mod inbox;
mod metrics;
mod watch;
mod worker;

pub use catch_up::{Completed, Unasked, completed, completed_with_deals};
pub use http::{Fields, LinkHandler, LinkRoute, Senders, Service, router, serve};
#[cfg(feature = "jetstream")]
pub use inbox::JetStreamInbox;
pub use inbox::{
    Backoff, Body, Claimed, Content, Envelope, EventDocument, EventName, EventState, FolderInbox,
    Hold, Inbox, InboxCounts, InboxError, InboxLocation, Listed, NatsAccess, NatsAddress, Put,
    Spool, Trouble, open_inbox,
};
pub use metrics::{Counter, Degraded, ServiceMetrics};
pub use watch::{FolderWatch, WatchSettings};
pub use worker::{Connections, DealsTold, Handler, News, Reread, Tally, Task, WorkVerdict, Worker};
