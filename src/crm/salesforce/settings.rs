//! The `crm.salesforce` section of the configuration.

use schemars::JsonSchema;
use serde::Deserialize;

use super::webhook::WebhookSettings;
use crate::http::BaseUrl;

/// Salesforce: `crm.salesforce` in `handoff.yaml`. The secrets are
/// `SALESFORCE_CLIENT_ID` with `SALESFORCE_CLIENT_SECRET`, or with
/// `SALESFORCE_PRIVATE_KEY` and the setting `username`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SalesforceSettings {
    /// Where tokens are asked for: the org's My Domain. All other requests go
    /// to the `instance_url` that the answer names.
    pub login_url: BaseUrl,
    /// The same by the name that every other vendor's section has for it.
    pub base_url: Option<BaseUrl>,
    /// The version of the API.
    pub api_version: ApiVersion,
    /// The user a JWT speaks for.
    pub username: Option<String>,
    /// Whom a JWT addresses; by default the login of production, or that of
    /// sandboxes for a sandbox's URL.
    pub audience: Option<String>,
    /// Whether a signature moves an open opportunity to the won stage.
    pub update_closed_won: bool,
    /// The stages from which a deal is moved, by label or id; any open stage without it.
    pub closed_won_from: Vec<String>,
    /// The won stage to set, where the org has several.
    pub stage: Option<String>,
    /// The currency of an org that has only one: its records do not say.
    pub currency: Option<String>,
    /// From how many opportunities on an audit reads by the Bulk API 2.0. Its
    /// jobs take a while to start and no part of the requests of a day; below
    /// this, pages of 2,000 are there sooner.
    pub bulk_from: usize,
    /// The outbound messages that tell of won opportunities, where they are set up.
    pub webhook: Option<WebhookSettings>,
}

impl Default for SalesforceSettings {
    fn default() -> Self {
        Self {
            login_url: BaseUrl::parse("https://login.salesforce.com").expect("a fixed URL"),
            base_url: None,
            api_version: ApiVersion("v66.0".to_owned()),
            username: None,
            audience: None,
            update_closed_won: false,
            closed_won_from: Vec::new(),
            stage: None,
            currency: None,
            bulk_from: 10_000,
            webhook: None,
        }
    }
}

impl SalesforceSettings {
    /// Whether both names of the login address are used, and differ.
    pub(super) fn has_two_addresses(&self) -> bool {
        let is_set = self.login_url != Self::default().login_url;
        is_set && self.base_url.as_ref().is_some_and(|base| *base != self.login_url)
    }

    /// Where tokens are asked for.
    pub(super) fn login(&self) -> &BaseUrl {
        self.base_url.as_ref().unwrap_or(&self.login_url)
    }

    /// Whether the URL is a login page that serves every org: client
    /// credentials are not valid there.
    pub(super) fn is_shared_login(&self) -> bool {
        ["https://login.salesforce.com", "https://test.salesforce.com"]
            .contains(&self.login().as_str())
    }

    /// Whom a JWT addresses.
    pub(super) fn audience(&self) -> String {
        let url = self.login().as_str();
        let sandbox = url.contains(".sandbox.") || url == "https://test.salesforce.com";
        self.audience.clone().unwrap_or_else(|| {
            let name = if sandbox { "test" } else { "login" };
            format!("https://{name}.salesforce.com")
        })
    }
}

/// A version such as `v66.0`.
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
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let parts = text.strip_prefix('v').and_then(|rest| rest.split_once('.'));
        if parts.is_some_and(|(major, minor)| digits(major) && digits(minor)) {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is not a version such as v66.0"))
        }
    }
}
