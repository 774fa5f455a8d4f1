//! The `crm.hubspot` section of the configuration.

use schemars::JsonSchema;
use serde::Deserialize;

use super::webhook::WebhookSettings;
use crate::http::BaseUrl;

/// HubSpot: `crm.hubspot` in `handoff.yaml`; the token is `HUBSPOT_TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HubSpotSettings {
    /// Where the API is; another one for sandboxes behind a proxy and tests.
    pub base_url: BaseUrl,
    /// The dated version of the API.
    pub api_version: ApiVersion,
    /// Whether a signature moves an open deal to its pipeline's won stage.
    pub update_closed_won: bool,
    /// The stages from which a deal is moved, by label or id; any open stage without it.
    pub closed_won_from: Vec<String>,
    /// The account that the token must belong to.
    pub portal_id: Option<u64>,
    /// Which pipelines count; all of them without it.
    pub pipelines: PipelineSettings,
    /// The won stages to set, by label or id, where a pipeline has several.
    pub won_stages: Vec<String>,
    /// The webhook that tells of won deals, where one is set up.
    pub webhook: Option<WebhookSettings>,
}

impl Default for HubSpotSettings {
    fn default() -> Self {
        Self {
            base_url: BaseUrl::parse("https://api.hubapi.com").expect("a fixed URL is valid"),
            api_version: ApiVersion("2026-09".to_owned()),
            update_closed_won: false,
            closed_won_from: Vec::new(),
            portal_id: None,
            pipelines: PipelineSettings::default(),
            won_stages: Vec::new(),
            webhook: None,
        }
    }
}

/// Which pipelines count, by label or id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineSettings {
    /// Only these; all of them when it is empty.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

impl PipelineSettings {
    /// Whether the pipeline with this id and label counts.
    pub(super) fn counts(&self, names: &[Option<&str>]) -> bool {
        let is_in = |list: &[String]| list.iter().any(|name| names.contains(&Some(name)));
        (self.include.is_empty() || is_in(&self.include)) && !is_in(&self.exclude)
    }
}

/// A version such as `2026-09`: HubSpot dates its API's paths.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct ApiVersion(String);

impl ApiVersion {
    /// The version as it stands in paths.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ApiVersion {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let bytes = text.as_bytes();
        let dated = bytes.len() == 7
            && bytes[4] == b'-'
            && bytes.iter().enumerate().all(|(at, b)| at == 4 || b.is_ascii_digit());
        if dated {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is not a version such as 2026-09"))
        }
    }
}
