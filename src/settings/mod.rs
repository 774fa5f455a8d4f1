//! Reading settings: one strict reader for every section of `handoff.yaml`,
//! which reports all problems at once with their lines, and the row by which
//! a connector brings its own section. Knows no section and no vendor. May use
//! floors below (`yaml`, `text`).

mod problem;
mod read;
mod section;

pub use problem::Problem;
pub use read::read;
pub use section::SettingsReader;
