//! The `esign:` section of `handoff.yaml`: one line for each provider.

use serde::Deserialize;

use super::{pandadoc, standard_webhooks};

/// Settings for each provider that is in use. A provider that is not named
/// here still reads payloads with its defaults; secrets decide what is
/// accepted from outside.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EsignConfig {
    /// PandaDoc.
    #[serde(default)]
    pub pandadoc: Option<pandadoc::Settings>,
    /// Any sender that follows Standard Webhooks.
    #[serde(default, alias = "standard-webhooks")]
    pub standard_webhooks: Option<standard_webhooks::Settings>,
}
