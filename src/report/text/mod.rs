//! Findings and audits for people, on a terminal or in a log.

mod findings;
mod snippet;

pub(super) use findings::findings;
