//! The list of providers. A new one is one line here.

use serde_json::Value;

use super::adobe_sign::AdobeSign;
use super::config::EsignConfig;
use super::docusign::DocuSign;
use super::dropbox_sign::DropboxSign;
use super::error::ParseError;
use super::pandadoc::PandaDoc;
use super::port::Provider;
use super::standard_webhooks::StandardWebhooks;
use crate::model::SignatureEvent;
use crate::text;
use crate::webhook::{Route, json};

/// Every provider there is, with its settings.
pub struct Providers(Vec<Listed>);

struct Listed {
    provider: Box<dyn Provider>,
    configured: bool,
}

impl Default for Providers {
    fn default() -> Self {
        Self::new(&EsignConfig::default())
    }
}

impl Providers {
    /// All providers with these settings, defaults where there are none.
    #[must_use]
    pub fn new(config: &EsignConfig) -> Self {
        Self(vec![
            listed(config.pandadoc.as_ref(), PandaDoc::new),
            listed(config.docusign.as_ref(), DocuSign::new),
            listed(config.dropbox_sign.as_ref(), DropboxSign::new),
            listed(config.adobe_sign.as_ref(), AdobeSign::new),
            // Last: its shape is the most general.
            listed(config.standard_webhooks.as_ref(), StandardWebhooks::new),
        ])
    }

    /// All of them, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Provider> {
        self.0.iter().map(|listed| listed.provider.as_ref())
    }

    /// Those the configuration names, in the same order.
    pub fn configured(&self) -> impl Iterator<Item = &dyn Provider> {
        self.0.iter().filter(|listed| listed.configured).map(|listed| listed.provider.as_ref())
    }

    /// The provider with this name or alias.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&dyn Provider> {
        self.iter().find(|provider| provider.name() == name || provider.aliases().contains(&name))
    }

    /// The names, for messages: `pandadoc, docusign, …`.
    #[must_use]
    pub fn names(&self) -> String {
        self.iter().map(Route::name).collect::<Vec<_>>().join(", ")
    }

    /// The provider whose notification a body looks like.
    #[must_use]
    pub fn recognise(&self, body: &[u8]) -> Option<&dyn Provider> {
        self.iter().find(|provider| provider.recognises(body))
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

fn listed<S: Clone + Default, P: Provider + 'static>(
    settings: Option<&S>,
    make: fn(S) -> P,
) -> Listed {
    Listed {
        provider: Box::new(make(settings.cloned().unwrap_or_default())),
        configured: settings.is_some(),
    }
}
