//! PandaDoc. Facts: `developers.pandadoc.com/docs/webhooks`,
//! `…/docs/webhook-verification.md`, `…/reference/document-details`.

mod api;
mod webhook;

use schemars::JsonSchema;
use serde::Deserialize;

use super::deal_refs::{DealFinder, DealSettings};
use super::provider::{Provider, ProviderRow, ProviderSettings};
use crate::http::BaseUrl;
use crate::model::ReferenceRule;
use crate::settings::{DocumentRule, SettingsReader};

const TITLE: &str = "PandaDoc";
const WEBHOOK_KEY: &str = "PANDADOC_WEBHOOK_KEY";
const API_KEY: &str = "PANDADOC_API_KEY";

/// PandaDoc's row.
pub const ROW: ProviderRow = ProviderRow {
    name: "pandadoc",
    title: TITLE,
    secrets: &[WEBHOOK_KEY, API_KEY],
    settings: SettingsReader::<dyn ProviderSettings>::of::<PandaDocSettings>(),
    events: &["Document state changed", "Document deleted"],
};

/// PandaDoc.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PandaDocSettings {
    /// The API's root; absent means `https://api.pandadoc.com`.
    #[schemars(with = "Option<String>")]
    pub base_url: Option<BaseUrl>,
    /// The statuses that mean "signed", with or without `document.`; where
    /// payments are on, `paid` may be wanted instead of `completed`.
    pub trigger: Vec<String>,
    /// Whether a document that goes out makes a draft.
    pub drafts: bool,
    /// Where the deal's id is, besides linked objects and well-known names.
    pub deal: DealSettings,
    /// Which documents are contracts, for this provider; these rules come before
    /// those under `documents`.
    pub documents: Vec<DocumentRule>,
}

impl Default for PandaDocSettings {
    fn default() -> Self {
        Self {
            base_url: None,
            trigger: vec!["completed".to_owned()],
            drafts: false,
            deal: DealSettings::default(),
            documents: Vec::new(),
        }
    }
}

impl PandaDocSettings {
    /// The codes that the API's list knows the triggers by.
    fn status_codes(&self) -> Vec<u8> {
        let known = [("document.completed", 2), ("document.waiting_pay", 9), ("document.paid", 10)];
        let mut codes: Vec<u8> =
            known.iter().filter(|(status, _)| self.is_trigger(status)).map(|(_, c)| *c).collect();
        if codes.is_empty() {
            codes.push(2);
        }
        codes
    }

    /// Whether this status, such as `document.completed`, means "signed".
    fn is_trigger(&self, status: &str) -> bool {
        let bare = |status: &str| {
            let status = status.trim().to_ascii_lowercase();
            status.strip_prefix("document.").map(str::to_owned).unwrap_or(status)
        };
        self.trigger.iter().any(|trigger| bare(trigger) == bare(status))
    }
}

impl ProviderSettings for PandaDocSettings {
    fn documents(&self) -> &[DocumentRule] {
        &self.documents
    }

    fn provider(&self, rules: &[ReferenceRule]) -> Box<dyn Provider> {
        let deals = DealFinder::new(self.deal.clone(), rules);
        Box::new(PandaDoc { settings: self.clone(), deals })
    }
}

/// PandaDoc with its settings.
#[derive(Debug, Clone)]
struct PandaDoc {
    settings: PandaDocSettings,
    deals: DealFinder,
}
