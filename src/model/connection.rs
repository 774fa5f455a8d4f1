//! What a connection to a vendor needs and how it does: secrets as values, and
//! what `doctor` finds.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

/// The secrets a run was given, by name (`HUBSPOT_TOKEN`). Only the command
/// line fills it, from the environment or from the file that `<NAME>_FILE` names.
#[derive(Debug, Clone, Default)]
pub struct Secrets(BTreeMap<String, SecretString>);

impl Secrets {
    /// Secrets by name; blank values count as absent.
    pub fn new(values: impl IntoIterator<Item = (String, SecretString)>) -> Self {
        Self(values.into_iter().filter(|(_, v)| !v.expose_secret().trim().is_empty()).collect())
    }

    /// The secret with this name, trimmed of the line end that files have.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<SecretString> {
        self.0.get(name).map(|secret| secret.expose_secret().trim().to_owned().into())
    }

    /// Several secrets in one value, separated by commas: old and new keys
    /// while they are rotated.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<SecretString> {
        self.0.get(name).map_or_else(Vec::new, |secret| {
            secret
                .expose_secret()
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(SecretString::from)
                .collect()
        })
    }
}

/// How one check of `doctor` came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckLevel {
    /// As it should be.
    Ok,
    /// Works, and may surprise.
    Warning,
    /// Does not work.
    Failed,
}

/// One thing `doctor` looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, such as `hubspot: token`.
    pub what: String,
    /// How it came out.
    pub level: CheckLevel,
    /// What was seen.
    pub detail: String,
    /// The remedy, where there is something to fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    fn new(level: CheckLevel, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { what: what.into(), level, detail: detail.into(), remedy: None }
    }

    /// Something that is as it should be.
    #[must_use]
    pub fn ok(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(CheckLevel::Ok, what, detail)
    }

    /// Something that works and may surprise, with its remedy.
    #[must_use]
    pub fn warning(
        what: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { remedy, ..Self::new(CheckLevel::Warning, what, detail) }
    }

    /// Something that does not work, with its remedy.
    #[must_use]
    pub fn failed(
        what: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { remedy, ..Self::new(CheckLevel::Failed, what, detail) }
    }
}
