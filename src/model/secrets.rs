//! Secrets as values: read once at the command line, handed down, never shown.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

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
