//! A folder's digest as bytes, so that the next audit need not read briefs
//! that have not changed. What follows from the history itself (commits, their
//! times, their order) is not kept: it is looked up again.

use serde::{Deserialize, Serialize};

use super::brief_facts::{BriefFacts, DealAsWritten, SignatureAsWritten, UnansweredField};
use super::events::{EventTime, Events, kept_moment, moment_of};
use super::folder_digest::Forgery;
use crate::brief::EventKind;
use crate::model::{CrmName, DealId, DocumentId, Key, Money, Person, ProviderName};

/// The form of [`KeptDigest`]; it grows when the form changes, or the way in which
/// a brief is judged.
pub const KEPT_FORMAT: u32 = 13;

/// The part of a digest that comes from the files.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptDigest<'a> {
    /// The key in the files.
    pub(super) key: Option<&'a str>,
    /// The version, counted from the folder's first, that was delivered.
    pub(super) delivered: Option<(u32, KeptBrief<'a>)>,
    #[serde(borrow)]
    pub(super) tip: KeptTip<'a>,
    pub(super) events: &'a [u8],
    /// The version since when an event is gone, and which; the whole file where none is named.
    #[serde(borrow)]
    pub(super) rewritten: Option<(u32, Option<&'a str>)>,
    /// The version that holds an event of a later time.
    pub(super) ahead: Option<(u32, (i64, u32))>,
    /// The first version with sources that handoff did not write, and what was done to them.
    pub(super) forged: Option<(u32, Forgery)>,
    /// The version that brought the last exemption.
    pub(super) exempted: Option<u32>,
    /// The version that brought the last acceptance, and when that was.
    pub(super) accepted: Option<(u32, (i64, u32))>,
    /// What commits brought that handoff did not make: version, kind and time.
    pub(super) foreign: Vec<(u32, EventKind, (i64, u32))>,
    /// The versions of the brief, counted without repetitions, that no event records.
    pub(super) unrecorded: Vec<u32>,
}

/// The brief at the tip.
#[derive(Serialize, Deserialize)]
pub(super) enum KeptTip<'a> {
    Gone,
    AsDelivered,
    #[serde(borrow)]
    Changed(Box<KeptBrief<'a>>),
}

/// [`BriefFacts`] with borrowed texts.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptBrief<'a> {
    key: Option<&'a str>,
    deal: Option<KeptDeal<'a>>,
    signature: Option<(&'a str, Option<&'a str>, EventTime)>,
    customer: Option<&'a str>,
    tier: Option<&'a str>,
    csm: Option<&'a str>,
    value: Option<([u8; 16], Option<&'a str>)>,
    total: Option<([u8; 16], Option<&'a str>)>,
    due: EventTime,
    complete: bool,
    #[serde(borrow)]
    unanswered: Vec<(Option<u8>, &'a str)>,
}

#[derive(Serialize, Deserialize)]
struct KeptDeal<'a> {
    crm: &'a str,
    id: &'a str,
    name: Option<&'a str>,
    owner: Option<(Option<&'a str>, Option<&'a str>)>,
    closed_won_at: EventTime,
}

impl<'a> From<&'a BriefFacts> for KeptBrief<'a> {
    fn from(brief: &'a BriefFacts) -> Self {
        let deal = |deal: &'a DealAsWritten| KeptDeal {
            crm: deal.crm.as_str(),
            id: deal.id.as_str(),
            name: deal.name.as_deref(),
            owner: deal.owner.as_ref().map(|owner| (owner.name.as_deref(), owner.email.as_deref())),
            closed_won_at: kept_moment(deal.closed_won_at),
        };
        Self {
            key: brief.key.as_ref().map(Key::as_str),
            deal: brief.deal.as_ref().map(deal),
            signature: brief.signature.as_ref().map(|signature| {
                let document = signature.document_id.as_ref().map(DocumentId::as_str);
                (signature.provider.as_str(), document, kept_moment(signature.signed_at))
            }),
            customer: brief.customer.as_deref(),
            tier: brief.tier.as_deref(),
            csm: brief.csm.as_deref(),
            value: brief.value.as_ref().map(kept_money),
            total: brief.total.as_ref().map(kept_money),
            due: kept_moment(brief.due),
            complete: brief.complete,
            unanswered: brief
                .unanswered
                .iter()
                .map(|field| (field.question, field.field.as_str()))
                .collect(),
        }
    }
}

impl KeptBrief<'_> {
    /// The facts; `None` when a text is no key.
    pub(super) fn facts(&self) -> Option<BriefFacts> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let deal = |deal: &KeptDeal<'_>| DealAsWritten {
            crm: CrmName::new(deal.crm),
            id: DealId::new(deal.id),
            name: owned(deal.name),
            owner: deal
                .owner
                .map(|(name, email)| Person { name: owned(name), email: owned(email) }),
            closed_won_at: moment_of(deal.closed_won_at),
        };
        Some(BriefFacts {
            key: self.key.map(Key::parse).transpose().ok()?,
            deal: self.deal.as_ref().map(deal),
            signature: self.signature.map(|(provider, document, at)| SignatureAsWritten {
                provider: ProviderName::new(provider),
                document_id: document.map(DocumentId::new),
                signed_at: moment_of(at),
            }),
            customer: owned(self.customer),
            tier: owned(self.tier),
            csm: owned(self.csm),
            value: self.value.map(money_of),
            total: self.total.map(money_of),
            due: moment_of(self.due),
            complete: self.complete,
            unanswered: self
                .unanswered
                .iter()
                .map(|(question, field)| UnansweredField {
                    question: *question,
                    field: (*field).to_owned(),
                })
                .collect(),
        })
    }
}

fn kept_money(money: &Money) -> ([u8; 16], Option<&str>) {
    (money.amount.serialize(), money.currency.as_deref())
}

fn money_of((amount, currency): ([u8; 16], Option<&str>)) -> Money {
    let amount = rust_decimal::Decimal::deserialize(amount);
    Money { amount, currency: currency.map(str::to_owned) }
}

impl KeptDigest<'_> {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("texts and numbers always fit a vector")
    }

    pub(super) fn events(&self) -> Option<Events> {
        Events::from_bytes(self.events)
    }
}
