//! The providers and senders of one configuration: looked up by name, and by
//! what a payload looks like.

use serde_json::Value;

use super::config::{EsignConfig, dashed};
use super::provider::Provider;
use super::rows::PROVIDERS;
use super::sender::{self, Sender};
use crate::model::{ReferenceRule, SignatureEvent};
use crate::text;
use crate::webhook::{Malformed, Route, json};
use crate::yaml::{Node, Span};

/// Why a payload is no notification of an e-sign provider that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is damaged, or none of the provider it was read as.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is another provider's.
    #[error(
        "this looks like a {actual} payload, not a {expected} one; pass --provider {actual_name}"
    )]
    LooksLike {
        /// The title of the provider it was read as.
        expected: &'static str,
        /// The title of the one it looks like.
        actual: &'static str,
        /// That one's name on the command line.
        actual_name: &'static str,
    },
    /// No provider knows it.
    #[error(
        "no provider sends payloads of this shape; name one with --provider ({names}), or send {{\"type\": \"contract.signed\", \"data\": {{\"id\": …}}}} as docs/esign.md describes"
    )]
    Unrecognised {
        /// The providers' names.
        names: String,
    },
    /// There is no provider with this name.
    #[error("there is no e-sign provider {name}; there are {names}")]
    UnknownProvider {
        /// The name as it was given, quoted.
        name: String,
        /// The providers' names.
        names: String,
    },
}

/// Every provider there is, with its settings, and every sender.
pub struct Providers(Vec<Listed>);

struct Listed {
    provider: Box<dyn Provider>,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In `handoff.yaml`.
    Configured,
    /// A provider that has a row and no settings.
    Default,
    /// A sender that has a shipped description and no settings.
    Known,
}

impl Default for Providers {
    fn default() -> Self {
        Self::new(&EsignConfig::default(), &[])
    }
}

impl Providers {
    /// All providers with these settings, defaults where there are none, and
    /// with the CRMs' rules for how documents name deals.
    #[must_use]
    pub fn new(config: &EsignConfig, rules: &[ReferenceRule]) -> Self {
        let mut all: Vec<Listed> = PROVIDERS
            .iter()
            .map(|row| match config.settings(row.name) {
                Some(settings) => {
                    Listed { provider: settings.provider(rules), place: Place::Configured }
                }
                None => {
                    let nothing =
                        Node { value: crate::yaml::Value::Map(Vec::new()), span: Span::default() };
                    let settings = row
                        .settings
                        .read(&nothing)
                        .unwrap_or_else(|_| unreachable!("every setting has a default"));
                    Listed { provider: settings.provider(rules), place: Place::Default }
                }
            })
            .collect();
        for (name, settings) in config.senders() {
            let provider = Box::new(Sender::new(name, settings.clone(), rules));
            all.push(Listed { provider, place: Place::Configured });
        }
        for name in sender::known_names() {
            if !config.senders().any(|(configured, _)| configured == name) {
                let provider = Box::new(Sender::known(name, rules));
                all.push(Listed { provider, place: Place::Known });
            }
        }
        Self(all)
    }

    /// The providers, then the senders that are configured, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Provider> {
        self.0.iter().filter(|listed| listed.place != Place::Known).map(|l| l.provider.as_ref())
    }

    /// Those the configuration names, in the same order.
    pub fn configured(&self) -> impl Iterator<Item = &dyn Provider> {
        self.0
            .iter()
            .filter(|listed| listed.place == Place::Configured)
            .map(|listed| listed.provider.as_ref())
    }

    /// The provider or sender with this name or alias, a known sender without
    /// settings among them.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&dyn Provider> {
        self.everything().find(|provider| {
            provider.name() == name
                || provider.aliases().contains(&name)
                || dashed(name) == provider.name()
        })
    }

    /// The names, for messages: `pandadoc, docusign, …`.
    #[must_use]
    pub fn names(&self) -> String {
        self.everything().map(Route::name).collect::<Vec<_>>().join(", ")
    }

    fn everything(&self) -> impl Iterator<Item = &dyn Provider> {
        self.0.iter().map(|listed| listed.provider.as_ref())
    }

    /// The provider whose notification a body looks like. The general form is
    /// asked last.
    #[must_use]
    pub fn recognise(&self, body: &[u8]) -> Option<&dyn Provider> {
        let is_general = |provider: &&dyn Provider| provider.name() == sender::GENERAL;
        let special = self.everything().filter(|provider| !is_general(provider));
        special.chain(self.everything().filter(is_general)).find(|p| p.recognises(body))
    }

    /// Reads a payload somebody gave by hand: as the named provider's, or as
    /// that of whichever provider recognises it.
    ///
    /// # Errors
    /// When nobody recognises it, when it is another provider's than the one
    /// that was named, or when it is damaged.
    pub fn parse(
        &self,
        name: Option<&str>,
        body: &[u8],
    ) -> Result<(&dyn Provider, Vec<SignatureEvent>), ParseError> {
        let recognised = self.recognise(body);
        let Some(name) = name else {
            let Some(provider) = recognised else {
                // Damaged JSON is said to be that, with its place.
                json::read(body).map(|_: Value| ())?;
                return Err(ParseError::Unrecognised { names: self.names() });
            };
            return Ok((provider, provider.parse(body, None)?));
        };
        let provider = self.by_name(name).ok_or_else(|| ParseError::UnknownProvider {
            name: text::quoted(name),
            names: self.names(),
        })?;
        match (provider.parse(body, None), recognised) {
            (Ok(events), _) => Ok((provider, events)),
            (Err(_), Some(other)) if other.name() != provider.name() => {
                Err(ParseError::LooksLike {
                    expected: provider.title(),
                    actual: other.title(),
                    actual_name: other.name(),
                })
            }
            (Err(error), _) => Err(error.into()),
        }
    }
}
