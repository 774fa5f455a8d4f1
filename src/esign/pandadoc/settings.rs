//! `esign.pandadoc` in `handoff.yaml`.

use serde::Deserialize;

use crate::esign::deal_refs::DealSettings;
use crate::http::BaseUrl;

/// How PandaDoc is used.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The API's root; absent means `https://api.pandadoc.com`.
    pub base_url: Option<BaseUrl>,
    /// The statuses that mean "signed", with or without `document.`; where
    /// payments are on, `paid` may be wanted instead of `completed`.
    pub trigger: Vec<String>,
    /// Whether a document that goes out makes a draft.
    pub drafts: bool,
    /// Where the deal's id is, besides linked objects and well-known names.
    pub deal: DealSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: None,
            trigger: vec!["completed".to_owned()],
            drafts: false,
            deal: DealSettings::default(),
        }
    }
}

impl Settings {
    /// The codes that the API's list knows the triggers by.
    pub(in crate::esign) fn status_codes(&self) -> Vec<u8> {
        let known = [("document.completed", 2), ("document.waiting_pay", 9), ("document.paid", 10)];
        let mut codes: Vec<u8> =
            known.iter().filter(|(status, _)| self.is_trigger(status)).map(|(_, c)| *c).collect();
        if codes.is_empty() {
            codes.push(2);
        }
        codes
    }

    /// Whether this status, such as `document.completed`, means "signed".
    pub(super) fn is_trigger(&self, status: &str) -> bool {
        let bare = |status: &str| {
            let status = status.trim().to_ascii_lowercase();
            status.strip_prefix("document.").map(str::to_owned).unwrap_or(status)
        };
        self.trigger.iter().any(|trigger| bare(trigger) == bare(status))
    }
}
