//! The real binary, killed with SIGKILL after each step of its plan and run
//! again: what can be looked up is there exactly once.

pub(crate) mod killer;
pub(crate) mod mail;
mod many;
mod notices;
pub(crate) mod testkit;
pub(crate) mod vendors;
pub(crate) mod world;
