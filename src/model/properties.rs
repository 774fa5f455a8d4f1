//! What is read of a deal and of the records beside it, by the names that the
//! CRM has for it.

use std::collections::BTreeSet;

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
