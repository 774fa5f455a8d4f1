//! The deals an audit counts, and where they came from.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Deal, Evidence};

/// Which closed-won deals are wanted, by the time they were won. Both ends
/// are optional; `from` is included, `to` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Window {
    /// The first moment that counts.
    pub from: Option<DateTime<Utc>>,
    /// The first moment that does not count any more.
    pub to: Option<DateTime<Utc>>,
}

impl Window {
    /// Whether a moment lies within. A deal whose time of winning is unknown
    /// is the caller's to decide.
    #[must_use]
    pub fn contains(&self, moment: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| moment >= from) && self.to.is_none_or(|to| moment < to)
    }
}

/// Where a population came from, for the report's evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// `file`, or the CRM's name.
    pub kind: String,
    /// The path or base URL, without secrets.
    pub location: String,
    /// The query or filter in the source's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Rows or records that were read, won or not.
    pub rows: usize,
    /// SHA-256 (hex) of the bytes read: the file's, or the concatenated pages'.
    pub sha256: String,
    /// What a reader should know: a date without zone taken as UTC, a match without id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// All deals a source holds, won or not, as far as it could be read. Deals
/// that are open, lost or gone are kept too, so that an orphaned brief can be
/// explained.
#[derive(Debug, Clone)]
pub struct Population {
    /// Where it came from.
    pub source: Source,
    /// The deals, in the order of the source.
    pub deals: Evidence<Deal>,
}
