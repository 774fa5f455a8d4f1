//! What was noticed on the way, for whoever reads what a command did.

use std::ops::Deref;

use serde::{Serialize, Serializer};

/// Sentences for a person, in the order they came up, and whether the remote
/// has what was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    notes: Vec<String>,
    not_pushed: Option<NotPushed>,
}

/// What is committed here and is not on the remote: not done yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotPushed {
    /// The remote.
    pub remote: String,
    /// Why it does not have it.
    pub reason: String,
    /// What to do.
    pub help: String,
}

impl std::fmt::Display for NotPushed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { remote, reason, help } = self;
        write!(
            f,
            "the commit is safe here and is not on {remote}: {reason}; {help}; `handoff deliver`, `handoff serve` and every later command that writes try it again"
        )
    }
}

impl Remarks {
    /// Adds one.
    pub fn push(&mut self, remark: impl Into<String>) {
        self.notes.push(remark.into());
    }

    /// Notes that the remote does not have what was written.
    pub(crate) fn not_pushed_yet(&mut self, why: NotPushed) {
        self.not_pushed.get_or_insert(why);
    }

    /// Notes that the remote has it after all.
    pub(crate) fn pushed(&mut self) {
        self.not_pushed = None;
    }

    /// Why the remote does not have what was written; `None` where it has, or
    /// where no push was wanted.
    #[must_use]
    pub fn not_pushed(&self) -> Option<&NotPushed> {
        self.not_pushed.as_ref()
    }

    /// Takes over what was remarked elsewhere.
    pub fn take_over(&mut self, other: Self) {
        self.notes.extend(other.notes);
        if let Some(why) = other.not_pushed {
            self.not_pushed_yet(why);
        }
    }
}

impl Serialize for Remarks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.notes.serialize(serializer)
    }
}

impl Deref for Remarks {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.notes
    }
}

impl From<Vec<String>> for Remarks {
    fn from(notes: Vec<String>) -> Self {
        Self { notes, not_pushed: None }
    }
}

impl FromIterator<String> for Remarks {
    fn from_iter<I: IntoIterator<Item = String>>(remarks: I) -> Self {
        Self::from(remarks.into_iter().collect::<Vec<_>>())
    }
}

impl Extend<String> for Remarks {
    fn extend<I: IntoIterator<Item = String>>(&mut self, remarks: I) {
        self.notes.extend(remarks);
    }
}

impl<'a> Extend<&'a String> for Remarks {
    fn extend<I: IntoIterator<Item = &'a String>>(&mut self, remarks: I) {
        self.notes.extend(remarks.into_iter().cloned());
    }
}

impl<'a> IntoIterator for &'a Remarks {
    type Item = &'a String;
    type IntoIter = std::slice::Iter<'a, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.notes.iter()
    }
}
