//! What one commit does to one handoff, and the message it carries.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::LedgerError;
use super::path::check_path;
use crate::model::Key;
use crate::text::{one_line, shorten};

const LONGEST_SUBJECT: usize = 120;
const LONGEST_TRAILER: usize = 500;

/// One commit to be: files of one folder, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The handoff's folder; the empty text is the top of the repository,
    /// for what `init` lays down.
    pub folder: String,
    /// File names inside the folder with their bytes; `None` deletes.
    pub files: BTreeMap<String, Option<Vec<u8>>>,
    /// The first line of the message.
    pub subject: String,
    /// The trailers, in their order.
    pub trailers: Vec<(String, String)>,
    /// The author's and committer's time.
    pub when: DateTime<Utc>,
}

impl Change {
    /// A change without files.
    #[must_use]
    pub fn new(folder: impl Into<String>, subject: impl Into<String>, when: DateTime<Utc>) -> Self {
        Self {
            folder: folder.into(),
            files: BTreeMap::new(),
            subject: subject.into(),
            trailers: Vec::new(),
            when,
        }
    }

    /// A change to a handoff, with the subject and the key's trailer that its commits have.
    #[must_use]
    pub fn of_handoff(
        folder: impl Into<String>,
        customer_name: &str,
        key: &Key,
        when: DateTime<Utc>,
    ) -> Self {
        let customer = shorten(&one_line(customer_name), 60);
        Self::new(folder, format!("handoff: {customer} ({key})"), when)
            .trailer("Handoff-Key", key.as_str())
    }

    /// The same change with a file written.
    #[must_use]
    pub fn put(mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(name.into(), Some(bytes.into()));
        self
    }

    /// The same change with a file deleted.
    #[must_use]
    pub fn delete(mut self, name: impl Into<String>) -> Self {
        self.files.insert(name.into(), None);
        self
    }

    /// The same change with one trailer more.
    #[must_use]
    pub fn trailer(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.trailers.push((name.into(), value.into()));
        self
    }

    /// The files by their whole paths, each checked.
    pub(super) fn paths(&self) -> Result<BTreeMap<String, Option<&[u8]>>, LedgerError> {
        let mut paths = BTreeMap::new();
        for (name, bytes) in &self.files {
            let path = if self.folder.is_empty() {
                name.clone()
            } else {
                format!("{}/{name}", self.folder)
            };
            check_path(&path)?;
            paths.insert(path, bytes.as_deref());
        }
        Ok(paths)
    }

    /// The message. Customer text in the subject or a trailer stays on its
    /// line, so that it can neither end the subject nor add a trailer.
    pub(super) fn message(&self) -> String {
        let subject = shorten(&one_line(&self.subject), LONGEST_SUBJECT);
        let mut message = if subject.is_empty() { "handoff".to_owned() } else { subject };
        message.push('\n');
        let mut block = String::new();
        for (name, value) in &self.trailers {
            let name: String =
                name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            let value = shorten(&one_line(value), LONGEST_TRAILER);
            if !name.is_empty() && !value.is_empty() {
                block.push_str(&format!("{name}: {value}\n"));
            }
        }
        if !block.is_empty() {
            message.push('\n');
            message.push_str(&block);
        }
        message
    }
}

/// Whether a commit message is one of ours: the last paragraph has the trailer.
pub(super) fn is_handoff_message(message: &str) -> bool {
    trailer(message, "Handoff-Key").is_some()
}

/// What a trailer in the last paragraph of a commit message says.
pub(super) fn trailer<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_on_its_line() {
        let when = DateTime::UNIX_EPOCH;
        let key = Key::parse("hubspot-1").expect("valid");
        let change = Change::of_handoff(
            "briefs/a--hubspot-1",
            "A\n\nHandoff-Key: evil\r\u{2028}x",
            &key,
            when,
        )
        .trailer("Handoff-Event\nEvil", "signed\n\nSigned-off-by: x")
        .trailer("Handoff-Signature", "\n");
        assert_eq!(
            change.message(),
            "handoff: A Handoff-Key: evil x (hubspot-1)\n\nHandoff-Key: hubspot-1\n\
             Handoff-EventEvil: signed Signed-off-by: x\n"
        );
        assert!(is_handoff_message(&change.message()));
        assert!(!is_handoff_message("Handoff-Key: x\n\nplain\n"));
    }
}
