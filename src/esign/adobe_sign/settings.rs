//! `esign.adobe_sign` in `handoff.yaml`.

use serde::Deserialize;

use crate::esign::deal_refs::DealSettings;
use crate::http::BaseUrl;

/// How Adobe Acrobat Sign is used.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The account's `apiAccessPoint`, such as `https://api.na1.adobesign.com`.
    pub base_url: Option<BaseUrl>,
    /// Whether an agreement that goes out makes a draft.
    pub drafts: bool,
    /// Where the deal's id is, besides the agreement's external id.
    pub deal: DealSettings,
}
