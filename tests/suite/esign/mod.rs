//! Signatures in: every provider's requests, real and broken.

mod receive;
mod samples;
