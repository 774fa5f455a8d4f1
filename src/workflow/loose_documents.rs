//! Handoffs that began with a document which names no deal. When the CRM says
//! later that a deal is won, the deal may be theirs: it joins that handoff, and
//! the customer is handed over once.

use std::cell::RefCell;
use std::collections::BTreeSet;

use chrono::{DateTime, Days, Utc};
use serde_json::Value;

use super::deal::Found;
use super::{Context, Horizon, WorkflowError, keys_within};
use crate::brief::View;
use crate::model::{CrmName, Deal, DealId, DocumentId, Key, Money};

/// So long before the deal was won its document may have been signed.
const BEFORE: Days = Days::new(60);

/// The handoffs that began without a deal, read once for a run.
#[derive(Debug, Default)]
pub(super) struct LooseDocuments(RefCell<Option<Vec<Loose>>>);

#[derive(Debug)]
struct Loose {
    key: Key,
    document_id: DocumentId,
    /// The deal that it was joined with before.
    deal: Option<(CrmName, DealId)>,
    emails: BTreeSet<String>,
    total: Option<Money>,
}

impl LooseDocuments {
    /// Gives a deal on the CRM's word the key of the handoff that its document
    /// began, where that is certain: it was joined before, one of the deal's
    /// properties holds the document's id, or signer and total are the deal's and
    /// no other document's. What is only likely is a remark.
    pub(super) fn join(&self, context: &Context, found: &mut Found) -> Result<(), WorkflowError> {
        let Some(deal) = found.deal.as_ref().filter(|_| found.is_on_the_crms_word()) else {
            return Ok(());
        };
        if context.stored(&found.key, None)?.is_some() {
            return Ok(());
        }
        let mut held = self.0.borrow_mut();
        let loose = match held.take() {
            Some(loose) => loose,
            None => read(context, &deal.crm, found.signature.signed_at)?,
        };
        let loose = held.insert(loose);
        let id = (deal.crm.clone(), deal.id.clone());
        let is_of = |loose: &&Loose| {
            loose.deal.as_ref().map_or_else(|| is_named_by(loose, deal), |joined| *joined == id)
        };
        let by_id: Vec<&Loose> = loose.iter().filter(is_of).collect();
        let free = loose.iter().filter(|loose| loose.deal.is_none());
        let by_signer: Vec<&Loose> = free.filter(|loose| has_signer_of(loose, deal)).collect();
        let by_total: Vec<&Loose> =
            by_signer.iter().copied().filter(|loose| has_total_of(loose, deal)).collect();
        let joined = match (by_id.as_slice(), by_total.as_slice()) {
            ([one], _) | ([], [one]) => Some(one.key.clone()),
            _ => None,
        };
        if let Some(key) = joined {
            found
                .remarks
                .push(format!("the deal joins the handoff {key}, which its document began"));
            // The next deal of the same run is another one.
            if let Some(taken) = loose.iter_mut().find(|loose| loose.key == key) {
                taken.deal = Some(id);
            }
            found.key = key;
        } else if !by_signer.is_empty() {
            let keys: Vec<&str> = by_signer.iter().map(|loose| loose.key.as_str()).collect();
            found.remarks.push(format!(
                "a signer of {} is a contact of this deal; whether they are one contract is not certain, and the audit names a handoff without a deal",
                keys.join(", ")
            ));
        }
        Ok(())
    }
}

/// The recent handoffs that a document without a deal began. Those that cannot
/// be read are nobody's match; `handoff validate` and the audit name them.
fn read(
    context: &Context,
    crm: &CrmName,
    won_at: Option<DateTime<Utc>>,
) -> Result<Vec<Loose>, WorkflowError> {
    let won_at = won_at.unwrap_or(context.now).min(context.now);
    let since = won_at.checked_sub_days(BEFORE).unwrap_or(won_at);
    let (keys, _) = keys_within(context, Horizon { since })?;
    let of_deals = format!("{}-", crm.as_str());
    let mut loose = Vec::new();
    for key in keys.into_iter().filter(|key| !key.as_str().starts_with(&of_deals)) {
        let Ok(Some(stored)) = context.stored(&key, None) else { continue };
        let Some(brief) = stored.brief.as_ref().filter(|_| !stored.timeline.is_voided()) else {
            continue;
        };
        let view = brief.view();
        if let Some(document_id) = view.document_id() {
            loose.push(Loose {
                key,
                document_id,
                deal: view.deal(),
                emails: emails(view),
                total: total(brief.json()).or_else(|| view.contract_value()),
            });
        }
    }
    Ok(loose)
}

fn emails(view: View<'_>) -> BTreeSet<String> {
    view.contact_emails().iter().map(|email| email.to_lowercase()).collect()
}

fn total(brief: &Value) -> Option<Money> {
    let text = |name| brief.pointer(&format!("/signature/total/{name}")).and_then(Value::as_str);
    Money::parse(text("amount")?, text("currency")).ok()
}

/// Whether a property of the deal is the document's id, as the audit reads it.
fn is_named_by(loose: &Loose, deal: &Deal) -> bool {
    let mut texts = deal.properties.values().filter_map(Value::as_str);
    loose.document_id.tells_deal() && texts.any(|text| text.trim() == loose.document_id.as_str())
}

fn has_signer_of(loose: &Loose, deal: &Deal) -> bool {
    let contacts = deal.contacts.iter().filter_map(|contact| contact.email.as_ref());
    contacts.map(|email| email.to_lowercase()).any(|email| loose.emails.contains(&email))
}

fn has_total_of(loose: &Loose, deal: &Deal) -> bool {
    loose.total.as_ref().zip(deal.amount.as_ref()).is_some_and(|(total, amount)| {
        let currencies = total.currency.as_ref().zip(amount.currency.as_ref());
        total.amount == amount.amount && currencies.is_none_or(|(one, other)| one == other)
    })
}
