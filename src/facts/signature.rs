//! One e-signature, told without any vendor's words.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::deal::text_id;
use super::{DealRef, Money};

text_id! {
    /// A provider's name as it appears in keys, URLs and briefs: `pandadoc`,
    /// `docusign`, `dropbox-sign`, `adobe-sign`, `standard-webhooks`, or a
    /// CRM's name for a deal won without an e-signature.
    ProviderName
}
text_id! {
    /// A document's id at its provider, as the provider writes it.
    DocumentId
}

/// One person who was asked to sign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// The full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The role in the document, in the sender's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// When this person signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<DateTime<Utc>>,
    /// Whether this person has signed; `None` when the provider does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<bool>,
}

/// One e-signature, provider-neutral.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// Who says so.
    pub provider: ProviderName,
    /// The document.
    pub document_id: DocumentId,
    /// The document's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_name: Option<String>,
    /// When the last signature was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<DateTime<Utc>>,
    /// A link for people, never one that signs or downloads by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who was asked to sign.
    pub signers: Vec<Signer>,
    /// Deals the document names, best evidence first.
    pub deal_refs: Vec<DealRef>,
    /// The document's total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// Metadata, tokens, fields: whatever the sender put on the document,
    /// flattened to name and value.
    pub metadata: Map<String, Value>,
    /// What is odd about it, for people: `marked completed by hand`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// What one notification says. One request may hold several.
#[derive(Debug, Clone, PartialEq)]
pub enum SignatureEvent {
    /// Every signer has signed.
    Completed(Signature),
    /// The document went out and waits for signatures.
    Sent(Signature),
    /// The document was voided, declined, expired or deleted.
    Voided {
        /// The document as far as it is known.
        signature: Signature,
        /// What happened, such as `declined`.
        what: String,
    },
    /// Recognised and not of interest.
    Ignored {
        /// What it was, such as `recipient_completed`.
        what: String,
    },
}
