//! One line of the report: a deal with its class, or a brief without a deal.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::Class;
use crate::brief::TouchEvidence;
use crate::model::{CrmName, DealId, DocumentId, Money, ObjectId, ProviderName};
use crate::text::natural_order;

/// A deal's name in the report: the key its handoff has or would have. Cheap
/// to copy, because every number of the report keeps the deals behind it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DealKey(Arc<str>);

impl DealKey {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// As people expect it: `csv-2` before `csv-10`.
impl Ord for DealKey {
    fn cmp(&self, other: &Self) -> Ordering {
        natural_order(&self.0, &other.0)
    }
}

impl PartialOrd for DealKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for DealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for DealKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// By what a brief was found to be a deal's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// The key, or the deal id in the brief.
    Key,
    /// The key of a deal that was merged into this one.
    MergedId,
    /// The signed document's id, which the deal carries in a property.
    Document,
}

/// Something that looks like the other half and is not proved to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The brief's folder, or the deal's key.
    pub what: String,
    /// Why it looks like it.
    pub because: String,
}

/// One closed-won deal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DealRow {
    /// The key its handoff has or would have.
    pub key: DealKey,
    /// The CRM.
    pub crm: CrmName,
    /// The id as the CRM writes it.
    pub deal_id: DealId,
    /// The deal's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A link to the deal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The rep: name, else e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The CSM the brief names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csm: Option<String>,
    /// The customer's tier as the brief says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What the CRM says it is worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// When it was won.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_won_at: Option<DateTime<Utc>>,
    /// What that was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_won_evidence: Option<String>,
    /// Where it stands.
    pub class: Class,
    /// Why: the exclusion's or exemption's reason, what removed it, until when it may wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who decided on an exemption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// The brief's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brief: Option<String>,
    /// By what the brief was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<Matched>,
    /// The signature's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<DateTime<Utc>>,
    /// When the signature's event arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<DateTime<Utc>>,
    /// When the signed brief first was on the default branch: by a second clock
    /// where one tells, else by the committer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<DateTime<Utc>>,
    /// The committer's time of that commit, where another clock decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<DateTime<Utc>>,
    /// The clock that decides instead of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// The commit that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_commit: Option<ObjectId>,
    /// Seconds from signature to delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_s: Option<i64>,
    /// The same in business time, where a calendar is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_latency_s: Option<i64>,
    /// The first-touch task: URL or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// When the task was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_at: Option<DateTime<Utc>>,
    /// When the first touch is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_touch_due: Option<DateTime<Utc>>,
    /// When the CSM first touched the customer, as far as it counts: where
    /// evidence is needed, a claim alone does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_touch_at: Option<DateTime<Utc>>,
    /// Whether the CRM shows a first touch, or somebody only says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_touch_evidence: Option<TouchEvidence>,
    /// When the CSM accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<DateTime<Utc>>,
    /// Whether the brief was complete when it was delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
    /// What was unanswered when it was delivered: dotted field paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unanswered: Vec<String>,
    /// Whether the brief was made afterwards by `handoff backfill`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backfilled: bool,
    /// A brief that looks like this deal's, for a deal that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Box<Suggestion>>,
    /// The rules that fired, sorted.
    pub findings: Vec<&'static str>,
}

/// Why a brief has no closed-won deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OrphanWhy {
    /// The deal is open again.
    Reopened,
    /// The deal is lost now.
    Lost,
    /// The deal was deleted or archived.
    Deleted,
    /// The deal was merged into another, which has its own brief.
    Merged,
    /// No deal with this id was read.
    Unknown,
}

impl OrphanWhy {
    /// The word used in JSON and CSV.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reopened => "reopened",
            Self::Lost => "lost",
            Self::Deleted => "deleted",
            Self::Merged => "merged",
            Self::Unknown => "unknown",
        }
    }
}

/// A signed brief without a closed-won deal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Orphan {
    /// The handoff's key.
    pub key: DealKey,
    /// Its folder.
    pub brief: String,
    /// Why there is no deal.
    pub why: OrphanWhy,
    /// The deal the brief names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deal_id: Option<DealId>,
    /// The customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The contract's value as the brief says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Money>,
    /// The signature's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<DateTime<Utc>>,
    /// When it was delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<DateTime<Utc>>,
    /// A deal that looks like this brief's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
}

/// Where a completed document stands; exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureClass {
    /// Its deal, or it alone, has a signed brief.
    HandedOver,
    /// Not yet, and still within the time allowed.
    Pending,
    /// Its deal is out of scope or exempt.
    NotNeeded,
    /// Its deal is won and has no handoff.
    WithoutHandoff,
    /// Its deal is not Closed Won.
    NotWon,
    /// Its deal cannot be told, and it has no handoff.
    NoDeal,
}

/// One completed document, for one of the deals that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignatureRow {
    /// The provider.
    pub provider: ProviderName,
    /// The document.
    pub document_id: DocumentId,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_name: Option<String>,
    /// When it was completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<DateTime<Utc>>,
    /// A link for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where it stands.
    pub class: SignatureClass,
    /// The key its handoff has or would have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<DealKey>,
    /// The deal it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deal_id: Option<DealId>,
    /// The deal's stage, where it is not won.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Whether it has a signed brief.
    pub has_handoff: bool,
}
