//! Where a finding is.

use serde::Serialize;

/// Where a finding is: a file in the ledger, and in it a line and column,
/// both counted from 1 (columns in characters).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The file, relative to the ledger's root, `/` between folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column of the first character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// How many characters of the line are meant; for underlining.
    #[serde(skip)]
    pub width: Option<usize>,
    /// The line itself as it stands in the file; for showing.
    #[serde(skip)]
    pub source: Option<String>,
}

impl Location {
    /// A whole file.
    #[must_use]
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: Some(file.into()), ..Self::default() }
    }
}
