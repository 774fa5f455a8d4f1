//! DocuSign Connect, JSON SIM. Facts:
//! `developers.docusign.com/platform/webhooks/connect/json-sim-event-model`.

mod api;
mod webhook;

use schemars::JsonSchema;
use serde::Deserialize;

use super::deal_refs::{DealFinder, DealSettings};
use super::provider::{Provider, ProviderRow, ProviderSettings};
use crate::http::BaseUrl;
use crate::model::ReferenceRule;
use crate::settings::{DocumentRule, SettingsReader};

const TITLE: &str = "DocuSign";
const HMAC_KEY: &str = "DOCUSIGN_HMAC_KEY";
const TOKEN: &str = "DOCUSIGN_ACCESS_TOKEN";

/// DocuSign's row.
pub const ROW: ProviderRow = ProviderRow {
    name: "docusign",
    title: TITLE,
    secrets: &[HMAC_KEY, TOKEN],
    settings: SettingsReader::<dyn ProviderSettings>::of::<DocuSignSettings>(),
    events: &[
        "Envelope Sent",
        "Envelope Completed",
        "Envelope Declined",
        "Envelope Voided",
        "Envelope Deleted",
    ],
};

/// DocuSign Connect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DocuSignSettings {
    /// The account's own host, such as `https://na3.docusign.net`; needed for
    /// the API only, and never taken from a message.
    #[schemars(with = "Option<String>")]
    pub base_url: Option<BaseUrl>,
    /// The API account id; needed for the API only.
    pub account_id: Option<String>,
    /// Whether what signers filled in (tabs) is read, where Connect sends it.
    pub tabs: bool,
    /// Whether an envelope that goes out makes a draft.
    pub drafts: bool,
    /// Where the deal's id is, besides well-known custom fields.
    pub deal: DealSettings,
    /// Which documents are contracts, for this provider; these rules come before
    /// those under `documents`.
    pub documents: Vec<DocumentRule>,
}

impl Default for DocuSignSettings {
    fn default() -> Self {
        Self {
            base_url: None,
            account_id: None,
            tabs: true,
            drafts: false,
            deal: DealSettings::default(),
            documents: Vec::new(),
        }
    }
}

impl ProviderSettings for DocuSignSettings {
    fn documents(&self) -> &[DocumentRule] {
        &self.documents
    }

    fn provider(&self, rules: &[ReferenceRule]) -> Box<dyn Provider> {
        let deals = DealFinder::new(self.deal.clone(), rules);
        Box::new(DocuSign { settings: self.clone(), deals })
    }
}

/// DocuSign Connect with its settings.
#[derive(Debug, Clone)]
struct DocuSign {
    settings: DocuSignSettings,
    deals: DealFinder,
}
