//! `esign.docusign` in `handoff.yaml`.

use serde::Deserialize;

use crate::esign::deal_refs::DealSettings;
use crate::http::BaseUrl;

/// How DocuSign is used.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The account's own host, such as `https://na3.docusign.net`; needed for
    /// the API only, and never taken from a message.
    pub base_url: Option<BaseUrl>,
    /// The API account id; needed for the API only.
    pub account_id: Option<String>,
    /// Whether what signers filled in (tabs) is read, where Connect sends it.
    pub tabs: bool,
    /// Whether an envelope that goes out makes a draft.
    pub drafts: bool,
    /// Where the deal's id is, besides well-known custom fields.
    pub deal: DealSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: None,
            account_id: None,
            tabs: true,
            drafts: false,
            deal: DealSettings::default(),
        }
    }
}
