//! Signatures in: every provider's requests, real and broken.

mod docs;
mod fetch;
mod panics;
mod parse;
mod receive;
mod refuse;
mod samples;
mod senders;
mod specification;
mod vectors;
