//! Signatures in: server, inbox, watched folder, catch-up; the real binary.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

mod answers;
mod audited;
mod bounded;
pub(crate) mod catch_up;
mod contract;
mod crash;
mod decisions;
mod disk;
mod documents;
mod drafted;
mod folder;
mod jetstream;
mod journal;
mod links;
mod links_browser;
mod load;
mod operations;
mod receiver;
mod remotes;
pub(crate) mod server;
mod stored;
mod watched;
mod won;
mod work;
