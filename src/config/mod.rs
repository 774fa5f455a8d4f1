//! `handoff.yaml`: read as it is written, then checked; every problem is
//! reported at once with its line. Knows the settings of the rooms below and
//! no vendor by name.

mod documents;
mod parse;
mod team;

pub use crate::settings::Problem;
pub use documents::{DocumentRule, Documents};
pub use parse::{Config, FILE_NAME, FirstTouch, ScopeRule};
pub use team::{Assign, Csm, Routing, Team};
