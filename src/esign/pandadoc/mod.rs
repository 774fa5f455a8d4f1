//! PandaDoc. Facts: `developers.pandadoc.com/docs/webhooks`,
//! `…/docs/webhook-verification.md`, `…/reference/document-details`.

mod api;
mod webhook;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
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
    /// The statuses that mean "signed": `completed`, `waiting_pay` or `paid`, with or
    /// without `document.`; where payments are on, `paid` may be wanted instead of
    /// `completed`.
    #[schemars(length(min = 1))]
    pub trigger: Vec<Trigger>,
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
            trigger: vec![Trigger::Completed],
            drafts: false,
            deal: DealSettings::default(),
            documents: Vec::new(),
        }
    }
}

/// A status of a document that everybody has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// `document.completed`
    #[serde(alias = "document.completed")]
    Completed,
    /// `document.waiting_pay`: signed, and not paid yet.
    #[serde(alias = "document.waiting_pay")]
    WaitingPay,
    /// `document.paid`
    #[serde(alias = "document.paid")]
    Paid,
}

impl Trigger {
    const ALL: [Self; 3] = [Self::Completed, Self::WaitingPay, Self::Paid];

    fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::WaitingPay => "waiting_pay",
            Self::Paid => "paid",
        }
    }

    /// The code that the API's list knows it by.
    fn code(self) -> u8 {
        match self {
            Self::Completed => 2,
            Self::WaitingPay => 9,
            Self::Paid => 10,
        }
    }

    /// What a status such as `document.completed` is; nothing for one that does not
    /// mean "signed".
    fn of(status: &str) -> Option<Self> {
        let status = status.trim().to_ascii_lowercase();
        let bare = status.strip_prefix("document.").unwrap_or(&status);
        Self::ALL.into_iter().find(|trigger| trigger.word() == bare)
    }
}

impl JsonSchema for Trigger {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Trigger".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = Self::ALL.map(Self::word);
        let long = words.map(|word| format!("document.{word}"));
        let words: Vec<&str> = words.into_iter().chain(long.iter().map(String::as_str)).collect();
        json_schema!({"type": "string", "enum": words})
    }
}

impl PandaDocSettings {
    /// The codes that the API's list knows the triggers by.
    fn status_codes(&self) -> Vec<u8> {
        self.trigger.iter().map(|trigger| trigger.code()).collect()
    }

    /// Whether this status, such as `document.completed`, means "signed".
    fn is_trigger(&self, status: &str) -> bool {
        Trigger::of(status).is_some_and(|trigger| self.trigger.contains(&trigger))
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
