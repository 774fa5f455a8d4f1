//! Rules that say what a completed document is, as they are written: under
//! `documents:` for every provider, and under `esign.<provider>.documents` for
//! one of them.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::Located;

/// One rule for completed documents; the first that applies decides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "when": "'NDA' in signature.document_name", "is": "ignored", "reason": "NDA"
}))]
pub struct DocumentRule {
    /// When the rule applies: an expression over `signature`, `deal`,
    /// `company`, `contacts` and `line_items`.
    pub when: Located<String>,
    /// What the document is.
    pub is: DocumentKind,
    /// Why, for reports and for whoever looks for the document.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What a completed document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// A contract: it begins the deal's handoff, or amends the one there is.
    Contract,
    /// A change to a contract: it is added to the deal's handoff and never begins one.
    Amendment,
    /// Nothing for handoff, such as an NDA. It is recorded with the reason.
    Ignored,
    /// A contract that begins a handoff of its own although its deal has one, such as a renewal.
    New,
}

impl DocumentKind {
    /// The word in `handoff.yaml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Amendment => "amendment",
            Self::Ignored => "ignored",
            Self::New => "new",
        }
    }
}
