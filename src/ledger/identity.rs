//! Who commits.

use git2::{Config, Repository, Signature, Time};

use super::LedgerError;
use crate::text::one_line;

/// The name and address in commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self { name: "handoff".into(), email: "handoff@localhost".into() }
    }
}

impl Identity {
    /// What git's configuration says, each part for itself, else the default.
    pub(super) fn from_config(config: &Config) -> Self {
        let default = Self::default();
        let get = |key: &str, default: String| {
            config.get_string(key).ok().filter(|text| !clean(text).is_empty()).unwrap_or(default)
        };
        Self { name: get("user.name", default.name), email: get("user.email", default.email) }
    }

    /// The line for a commit object at a time in UTC.
    pub(super) fn signature(
        &self,
        repo: &Repository,
        seconds: i64,
    ) -> Result<Signature<'static>, LedgerError> {
        let default = Self::default();
        let part = |text: &str, default: &str| {
            let text = clean(text);
            if text.is_empty() { default.to_owned() } else { text }
        };
        let name = part(&self.name, &default.name);
        let email = part(&self.email, &default.email);
        Signature::new(&name, &email, &Time::new(seconds, 0))
            .map_err(LedgerError::git("making a commit's signature", repo.path()))
    }
}

/// The characters that end a field in a commit object are dropped, as git does.
fn clean(text: &str) -> String {
    let text: String = one_line(text).chars().filter(|c| !matches!(c, '<' | '>')).collect();
    text.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '.' | ',' | ':' | ';' | '"' | '\'' | '\\')
    })
    .to_owned()
}
