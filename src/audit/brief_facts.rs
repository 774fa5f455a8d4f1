//! What the audit needs to know of one version of a brief. Whoever reads
//! briefs fills it; the audit knows no other shape of a brief.

use crate::model::{
    CrmName, DealId, DocumentId, Key, Money, Person, ProviderName, normalise_deal_id,
};
use chrono::{DateTime, Utc};

/// One version of a brief.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BriefFacts {
    /// The `key:` in the file, where it is a key.
    pub key: Option<Key>,
    /// The deal it names.
    pub deal: Option<DealAsWritten>,
    /// The signature; absent in a draft.
    pub signature: Option<SignatureAsWritten>,
    /// `customer.name`.
    pub customer: Option<String>,
    /// `customer.tier`.
    pub tier: Option<String>,
    /// The name of `first_action.owner`.
    pub csm: Option<String>,
    /// `purchase.contract_value`.
    pub value: Option<Money>,
    /// `signature.total`: what the signed document adds up to.
    pub total: Option<Money>,
    /// `first_action.due`.
    pub due: Option<DateTime<Utc>>,
    /// Whether every required question is answered, by the schema of its time.
    pub complete: bool,
    /// What is not answered.
    pub unanswered: Vec<UnansweredField>,
}

/// A deal as a brief writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealAsWritten {
    /// The CRM.
    pub crm: CrmName,
    /// The id.
    pub id: DealId,
    /// The name.
    pub name: Option<String>,
    /// The rep.
    pub owner: Option<Person>,
    /// When it was won.
    pub closed_won_at: Option<DateTime<Utc>>,
}

impl DealAsWritten {
    /// CRM and normalised id: what two records of one deal have in common.
    #[must_use]
    pub fn identity(&self) -> (CrmName, DealId) {
        (self.crm.clone(), normalise_deal_id(&self.crm, &self.id))
    }
}

/// A signature as a brief writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureAsWritten {
    /// The provider; a CRM's name where the deal was handed over on the CRM's word.
    pub provider: ProviderName,
    /// The document.
    pub document_id: Option<DocumentId>,
    /// When it was signed.
    pub signed_at: Option<DateTime<Utc>>,
}

/// A field without an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnansweredField {
    /// The question, 1 to 7; `None` for a company's own field outside them.
    pub question: Option<u8>,
    /// The field, dotted: `success.primary_goal`.
    pub field: String,
}
