//! Dropbox Sign (HelloSign). Facts: `developers.hellosign.com/docs/events/overview/`.

mod api;
mod webhook;

use schemars::JsonSchema;
use serde::Deserialize;

use super::deal_refs::{DealFinder, DealSettings};
use super::provider::{Provider, ProviderRow, ProviderSettings};
use crate::http::BaseUrl;
use crate::model::ReferenceRule;
use crate::settings::{DocumentRule, SettingsReader};

const TITLE: &str = "Dropbox Sign";
const KEY: &str = "DROPBOX_SIGN_API_KEY";

/// Dropbox Sign's row.
pub const ROW: ProviderRow = ProviderRow {
    name: "dropbox_sign",
    title: TITLE,
    secrets: &[KEY],
    settings: SettingsReader::<dyn ProviderSettings>::of::<DropboxSignSettings>(),
    events: &["account callback"],
};

/// Dropbox Sign.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DropboxSignSettings {
    /// The API's root; absent means `https://api.hellosign.com/v3`.
    #[schemars(with = "Option<String>")]
    pub base_url: Option<BaseUrl>,
    /// Whether a request that goes out makes a draft.
    pub drafts: bool,
    /// Where the deal's id is, besides well-known names in `metadata`.
    pub deal: DealSettings,
    /// Which documents are contracts, for this provider; these rules come before
    /// those under `documents`.
    pub documents: Vec<DocumentRule>,
}

impl ProviderSettings for DropboxSignSettings {
    fn documents(&self) -> &[DocumentRule] {
        &self.documents
    }

    fn provider(&self, rules: &[ReferenceRule]) -> Box<dyn Provider> {
        let deals = DealFinder::new(self.deal.clone(), rules);
        Box::new(DropboxSign { settings: self.clone(), deals })
    }
}

/// Dropbox Sign with its settings.
#[derive(Debug, Clone)]
struct DropboxSign {
    settings: DropboxSignSettings,
    deals: DealFinder,
}
