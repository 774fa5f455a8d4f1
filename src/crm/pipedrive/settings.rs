//! The `crm.pipedrive` section of the configuration.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::BaseUrl;

/// Where every company's API is.
pub(super) const HOST: &str = "https://api.pipedrive.com";

/// Pipedrive: `crm.pipedrive` in `handoff.yaml`; the token is `PIPEDRIVE_TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipedriveSettings {
    /// Where the API is: this, or the company's own domain.
    pub base_url: BaseUrl,
    /// The company that the token must belong to.
    pub company_id: Option<u64>,
    /// Whether a signature marks an open deal as won.
    pub update_closed_won: bool,
    /// The stages from which a deal is moved, by label or id; any open stage without it.
    pub closed_won_from: Vec<String>,
    /// Whether an audit reads each won deal's changelog for the real time of
    /// winning: 20 tokens of the daily budget a deal.
    pub changelog: bool,
}

impl Default for PipedriveSettings {
    fn default() -> Self {
        Self {
            base_url: BaseUrl::parse(HOST).expect("a fixed URL is valid"),
            company_id: None,
            update_closed_won: false,
            closed_won_from: Vec::new(),
            changelog: false,
        }
    }
}
