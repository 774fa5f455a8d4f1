//! Findings and audits for people, on a terminal or in a log.

mod audit;
mod findings;
mod snippet;

pub(super) use audit::{audit, in_short};
pub(super) use findings::findings;
