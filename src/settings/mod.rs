//! Reading settings: one strict reader for every section of `handoff.yaml`,
//! which reports all problems at once with their lines, and the row by which
//! a connector brings its own section. Knows no section and no vendor. May use
//! floors below (`yaml`, `text`).

mod read;
mod shape;
mod word_or_list;

pub use read::{
    DocumentKind, DocumentRule, SettingsReader, name_path, read, read_checked, schema_generator,
};
pub use shape::{ConfigProblem, check_shape};
pub(crate) use word_or_list::{WordOrList, word_or_list};

/// What a switch is where nothing is said.
pub(crate) fn yes() -> bool {
    true
}
