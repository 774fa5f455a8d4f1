//! One e-signature, told without any vendor's words.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::deal::text_id;
use super::{DealId, DealRef, Money, Person};

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

/// A document and its provider.
pub type DocumentKey = (ProviderName, DocumentId);

impl DocumentId {
    /// Whether the id, alone in a property of a deal, tells that the document
    /// is the deal's; a shorter one could be any number.
    #[must_use]
    pub fn tells_deal(&self) -> bool {
        self.as_str().len() >= 8
    }
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    pub total: Option<Money>,
    /// The template it was made from, by name where the provider tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The template's id at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// The folder, workflow or workspace it is in, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Tags and labels; written also where there are none, which rules may ask.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Person>,
    /// The customer's company, from what the provider knows (the signer's
    /// company, client tokens, the account), never from a subject line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// Whether it is a test or sandbox document; written also where it is none.
    #[serde(default)]
    pub test: bool,
    /// Metadata, tokens, fields: whatever the sender put on the document,
    /// flattened to name and value.
    pub metadata: Map<String, Value>,
    /// What is odd about it, for people: `marked completed by hand`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// What the provider may know of it and did not tell: absent here is not
    /// known to be nothing.
    #[serde(skip)]
    pub unread: Vec<UnreadFact>,
}

/// A fact of a document that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadFact {
    /// The field of the [`Signature`].
    pub fact: &'static str,
    /// Why it was not read.
    pub why: String,
    /// Whether it may be told later without anybody fixing anything.
    pub may_pass: bool,
}

impl Signature {
    /// The facts that documents are told apart by.
    const FACTS: [&str; 10] = [
        "document_name",
        "signed_at",
        "signers",
        "total",
        "template",
        "template_id",
        "folder",
        "tags",
        "customer",
        "metadata",
    ];

    /// A document of which nothing but its identity is known.
    #[must_use]
    pub fn new(provider: ProviderName, document_id: DocumentId) -> Self {
        Self { provider, document_id, ..Self::default() }
    }

    /// The facts of which it says nothing.
    pub fn absent_facts(&self) -> impl Iterator<Item = &'static str> {
        Self::FACTS.into_iter().filter(|fact| match *fact {
            "document_name" => self.document_name.is_none(),
            "signed_at" => self.signed_at.is_none(),
            "signers" => self.signers.is_empty(),
            "total" => self.total.is_none(),
            "template" => self.template.is_none(),
            "template_id" => self.template_id.is_none(),
            "folder" => self.folder.is_none(),
            "tags" => self.tags.is_empty(),
            "customer" => self.customer.is_none(),
            _ => self.metadata.is_empty(),
        })
    }
}

/// What a completed document is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Contract, Self::Amendment, Self::New, Self::Ignored];

    /// As settings and `--as` write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Amendment => "amendment",
            Self::New => "new",
            Self::Ignored => "ignored",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
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

/// A completed document of which it is not certain what it is, or of which deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldDocument {
    /// The event of the inbox, by which a person lets it go.
    pub event: String,
    /// Who had it signed.
    pub provider: ProviderName,
    /// The document, where the event was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<DocumentId>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_name: Option<String>,
    /// Since when it is held.
    pub since: DateTime<Utc>,
    /// What is not certain, and what to do.
    pub reason: String,
    /// The deals it names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deals: Vec<DealId>,
}
