//! Rules that say what a completed document is, as they are written: under
//! `documents:` for every provider, and under `esign.<provider>.documents` for
//! one of them.

use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::model::DocumentKind;
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
