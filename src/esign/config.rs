//! The `esign:` section of `handoff.yaml`: one line for each provider.

use serde::Deserialize;

use super::{adobe_sign, docusign, dropbox_sign, pandadoc, standard_webhooks};

/// Settings for each provider that is in use. A provider that is not named
/// here still reads payloads with its defaults; secrets decide what is
/// accepted from outside.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EsignConfig {
    /// PandaDoc.
    #[serde(default)]
    pub pandadoc: Option<pandadoc::Settings>,
    /// DocuSign Connect.
    #[serde(default)]
    pub docusign: Option<docusign::Settings>,
    /// Dropbox Sign.
    #[serde(default, alias = "dropbox-sign")]
    pub dropbox_sign: Option<dropbox_sign::Settings>,
    /// Adobe Acrobat Sign.
    #[serde(default, alias = "adobe-sign")]
    pub adobe_sign: Option<adobe_sign::Settings>,
    /// Any sender that follows Standard Webhooks.
    #[serde(default, alias = "standard-webhooks")]
    pub standard_webhooks: Option<standard_webhooks::Settings>,
}
