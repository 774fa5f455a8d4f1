//! What a person should know of a run besides its result.

use std::ops::Deref;

/// Sentences for a person, in the order they came up.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Remarks(Vec<String>);

impl Remarks {
    /// Adds one.
    pub fn push(&mut self, remark: impl Into<String>) {
        self.0.push(remark.into());
    }
}

impl Deref for Remarks {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl From<Vec<String>> for Remarks {
    fn from(remarks: Vec<String>) -> Self {
        Self(remarks)
    }
}

impl<T: Into<String>> Extend<T> for Remarks {
    fn extend<I: IntoIterator<Item = T>>(&mut self, remarks: I) {
        self.0.extend(remarks.into_iter().map(Into::into));
    }
}

impl IntoIterator for Remarks {
    type Item = String;
    type IntoIter = std::vec::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Remarks {
    type Item = &'a String;
    type IntoIter = std::slice::Iter<'a, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
