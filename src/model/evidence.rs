//! A list from outside, together with what of it could not be read; the deals an
//! audit counts.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Deal, Remarks};

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
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub remarks: Remarks,
    /// What to do about won deals of which the source gives no date.
    #[serde(skip)]
    pub undated_help: Option<String>,
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

impl Population {
    /// No deals, of no source.
    #[must_use]
    pub fn none() -> Self {
        let source = Source {
            kind: "none".to_owned(),
            location: "the ledger's own briefs".to_owned(),
            query: None,
            rows: 0,
            sha256: String::new(),
            remarks: Remarks::default(),
            undated_help: None,
        };
        Self { source, deals: Evidence::complete(Vec::new()) }
    }
}

// A list from outside, together with what of it could not be read.

/// One thing that could not be read: a page, an object, a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// What is missing, such as `page 7 of the deals search`.
    pub what: String,
    /// Why, in the source's own words, without secrets.
    pub why: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Gap {
    /// One of which nobody knows what to do.
    #[must_use]
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), help: None }
    }
}

/// The items of a list and what could not be read. The items can only be
/// taken together with the gaps, so an incomplete population is never
/// reported as clean.
#[derive(Debug, Clone)]
#[must_use = "a list from outside must be looked at with its gaps"]
pub struct Evidence<T> {
    items: Vec<T>,
    gaps: Vec<Gap>,
}

impl<T> Evidence<T> {
    /// A list that was read whole.
    pub fn complete(items: Vec<T>) -> Self {
        Self { items, gaps: Vec::new() }
    }

    /// A list with what could not be read.
    pub fn new(items: Vec<T>, gaps: Vec<Gap>) -> Self {
        Self { items, gaps }
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }

    /// The items and the gaps; the one way to the items.
    #[must_use]
    pub fn into_parts(self) -> (Vec<T>, Vec<Gap>) {
        (self.items, self.gaps)
    }

    /// The items and the gaps, borrowed.
    #[must_use]
    pub fn parts(&self) -> (&[T], &[Gap]) {
        (&self.items, &self.gaps)
    }

    /// Changes each item and keeps the gaps.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Evidence<U> {
        Evidence { items: self.items.into_iter().map(change).collect(), gaps: self.gaps }
    }
}
