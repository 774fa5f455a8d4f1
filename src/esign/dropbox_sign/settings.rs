//! `esign.dropbox_sign` in `handoff.yaml`.

use serde::Deserialize;

use crate::esign::deal_refs::DealSettings;
use crate::http::BaseUrl;

/// How Dropbox Sign is used.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The API's root; absent means `https://api.hellosign.com/v3`.
    pub base_url: Option<BaseUrl>,
    /// Whether test signature requests, which have no legal value, are handed
    /// off too: for trying the way from end to end.
    pub accept_test_mode: bool,
    /// Whether a request that goes out makes a draft.
    pub drafts: bool,
    /// Where the deal's id is, besides well-known names in `metadata`.
    pub deal: DealSettings,
}
