//! The webhook server: who may speak, what is stored, how it is answered.

mod entry;
mod health;
mod router;
mod webhook;

pub use router::{Service, router};
