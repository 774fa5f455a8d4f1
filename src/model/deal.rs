//! One CRM record with all that a brief needs, and what is read of it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Locale, Money};

/// A kind of record that a CRM keeps about a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// The deal itself.
    Deal,
    /// Its company or account.
    Company,
    /// The people on it.
    Contact,
    /// What was bought.
    LineItem,
}

impl RecordKind {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Deal, Self::Company, Self::Contact, Self::LineItem];

    /// The word for people: `company`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deal => "deal",
            Self::Company => "company",
            Self::Contact => "contact",
            Self::LineItem => "line item",
        }
    }
}

/// The properties that something reads, by kind of record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// Of the deal.
    pub deal: BTreeSet<String>,
    /// Of its company; `None` where nothing of a company is read at all, an
    /// empty set where what every company has (its name) is enough.
    pub company: Option<BTreeSet<String>>,
    /// Of the contacts, in the same way.
    pub contacts: Option<BTreeSet<String>>,
    /// Of the line items, in the same way.
    pub line_items: Option<BTreeSet<String>>,
}

impl Properties {
    /// Those of one kind of record; `None` where nothing of it is read.
    #[must_use]
    pub fn of(&self, kind: RecordKind) -> Option<&BTreeSet<String>> {
        match kind {
            RecordKind::Deal => Some(&self.deal),
            RecordKind::Company => self.company.as_ref(),
            RecordKind::Contact => self.contacts.as_ref(),
            RecordKind::LineItem => self.line_items.as_ref(),
        }
    }

    /// The set of one kind, to add to; from now on the kind is read.
    pub fn of_mut(&mut self, kind: RecordKind) -> &mut BTreeSet<String> {
        match kind {
            RecordKind::Deal => &mut self.deal,
            RecordKind::Company => self.company.get_or_insert_default(),
            RecordKind::Contact => self.contacts.get_or_insert_default(),
            RecordKind::LineItem => self.line_items.get_or_insert_default(),
        }
    }

    /// Takes one kind out.
    pub fn forget(&mut self, kind: RecordKind) {
        match kind {
            RecordKind::Deal => self.deal.clear(),
            RecordKind::Company => self.company = None,
            RecordKind::Contact => self.contacts = None,
            RecordKind::LineItem => self.line_items = None,
        }
    }

    /// Adds what something else reads.
    pub fn extend(&mut self, other: &Self) {
        for kind in RecordKind::ALL {
            if let Some(names) = other.of(kind) {
                self.of_mut(kind).extend(names.iter().cloned());
            }
        }
    }
}

// One CRM record with all that a brief needs.

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(compact_str::CompactString);

        impl $name {
            /// Wraps the text.
            pub fn new(text: impl Into<compact_str::CompactString>) -> Self {
                Self(text.into())
            }
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_id;

text_id! {
    /// A CRM's name as it appears in keys and briefs: `hubspot`, `salesforce`,
    /// `pipedrive`, or the name a company gives its export file.
    CrmName
}
text_id! {
    /// A deal's id in its CRM, as the CRM writes it.
    DealId
}

/// A reference from a signed document to a deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DealRef {
    /// The CRM, when the document names it.
    pub crm: Option<CrmName>,
    /// The deal's id.
    pub id: DealId,
}

/// Somebody with a name and, if known, ways to reach them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The full name; empty texts are never stored, the field is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// Where a deal stands in its CRM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Closed and won.
    Won,
    /// Closed and lost.
    Lost,
    /// Not closed.
    Open,
    /// Deleted, archived or merged away.
    Gone,
    /// The source does not say (an export without a stage or won column).
    #[default]
    Unknown,
}

/// The company or account a deal belongs to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Company {
    /// The record's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The company's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The website, with scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// The industry in the CRM's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub industry: Option<String>,
    /// The number of employees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employees: Option<u64>,
    /// All properties as the CRM gives them.
    pub properties: Map<String, Value>,
}

/// A person at the customer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Contact {
    /// The record's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The job title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The telephone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The roles in this deal, in one vocabulary: lower-case words joined by
    /// `_` (`economic_buyer`, `decision_maker`, `champion`, `day_to_day`, …).
    pub roles: Vec<String>,
    /// All properties as the CRM gives them.
    pub properties: Map<String, Value>,
}

/// One thing that was bought.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LineItem {
    /// The product's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The product's code or SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// How many; a decimal text, `50` or `0.5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<String>,
    /// The price of one, a decimal text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// All properties as the CRM gives them.
    pub properties: Map<String, Value>,
}

/// One CRM record with company, contacts, line items and owner; the raw
/// properties are kept, and mapping expressions read them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deal {
    /// The CRM that holds it.
    pub crm: CrmName,
    /// The id as the CRM writes it.
    pub id: DealId,
    /// The deal's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A link for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The rep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Person>,
    /// What it is worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// The stage's label, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The pipeline's label, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// Where it stands.
    pub outcome: Outcome,
    /// When it was won, from the best evidence there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_won_at: Option<DateTime<Utc>>,
    /// What `closed_won_at` was read from: `stage history`, `close date`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_won_evidence: Option<String>,
    /// Ids of deals that were merged into this one.
    pub merged_ids: Vec<DealId>,
    /// The company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<Company>,
    /// The people.
    pub contacts: Vec<Contact>,
    /// What was bought.
    pub line_items: Vec<LineItem>,
    /// All properties as the CRM gives them.
    pub properties: Map<String, Value>,
    /// How dates and numbers in the properties are written.
    #[serde(skip)]
    pub locale: Locale,
}

impl Deal {
    /// A deal of which nothing but its identity is known.
    #[must_use]
    pub fn new(crm: CrmName, id: DealId) -> Self {
        Self { crm, id, ..Self::default() }
    }
}

/// How signed documents name one CRM's deals.
#[derive(Debug, Clone, Copy)]
pub struct ReferenceRule {
    /// The CRM, as in keys and briefs: `hubspot`.
    pub crm: &'static str,
    /// Names of metadata and fields that hold a deal's id of this CRM.
    /// Compared without case and punctuation: `hubspot_deal_id` is
    /// `HubSpot.Deal ID` too.
    pub names: &'static [&'static str],
    /// The deal's id in an address of a record that somebody pasted, such as
    /// `https://app.hubspot.com/contacts/1/record/0-3/9876543210`; `None`
    /// when it is not an address of a deal in this CRM.
    pub of_address: fn(&str) -> Option<DealId>,
}
