//! A list from outside, together with what of it could not be read.

use serde::Serialize;

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
