//! The inbox on NATS JetStream, for more than one machine: a work queue from
//! which each event is handed to one worker, a stream of dead letters for
//! people, and one that remembers for thirty days what was done.

mod connect;
mod listing;
mod message;
mod queue;
mod shared;
mod streams;

pub use queue::JetStreamInbox;
