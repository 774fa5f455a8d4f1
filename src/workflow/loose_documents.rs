//! A document which names no deal, and a deal that the CRM says is won, may be
//! of one contract. Whichever comes second joins the handoff that the first
//! began, and the customer is handed over once.

use std::cell::RefCell;
use std::collections::BTreeSet;

use chrono::{DateTime, Days, Utc};
use serde_json::Value;

use super::deal::{Found, differ, of_reference};
use super::{Context, Horizon, WorkflowError, keys_within};
use crate::model::{CrmName, Deal, DealId, DealRef, DocumentId, Key, Money, ProviderName};

/// So long before the second of them the first may have come.
const BEFORE: Days = Days::new(60);

/// The handoffs that began with one of the two, read once for a run.
#[derive(Debug, Default)]
pub(super) struct LooseDocuments {
    documents: RefCell<Option<Vec<Loose>>>,
    deals: RefCell<Option<Vec<Loose>>>,
}

#[derive(Debug)]
struct Loose {
    key: Key,
    /// Who had it signed; for one on the CRM's word, the CRM.
    provider: Option<ProviderName>,
    /// The document that it began with; none where it began on the CRM's word.
    document_id: Option<DocumentId>,
    /// The deal that it is of, or was joined with before.
    deal: Option<(CrmName, DealId)>,
    emails: BTreeSet<String>,
    total: Option<Money>,
}

/// Whose handoffs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Those of documents, by their keys.
    Documents,
    /// Those of the CRM's deals, by their keys.
    Deals,
}

impl LooseDocuments {
    /// Gives a deal on the CRM's word the key of the handoff that its document
    /// began, and a document without a deal the deal of the handoff that the CRM's
    /// word began; where that is certain: they were joined before, one of the deal's
    /// properties holds the document's id, or signer and total are the deal's and
    /// nobody else's. What is only likely is a remark.
    ///
    /// # Errors
    /// When the ledger cannot be read, or the CRM not be asked for the deal.
    pub(super) async fn join(
        &self,
        context: &Context,
        found: &mut Found,
    ) -> Result<(), WorkflowError> {
        if context.stored(&found.key, None)?.is_some() {
            return Ok(());
        }
        match &found.deal {
            Some(_) if found.is_on_the_crms_word() => self.join_document(context, found),
            Some(_) => Ok(()),
            None => self.join_deal(context, found).await,
        }
    }

    fn join_document(&self, context: &Context, found: &mut Found) -> Result<(), WorkflowError> {
        let Some(deal) = &found.deal else { return Ok(()) };
        let mut held = self.documents.borrow_mut();
        let loose = match held.take() {
            Some(loose) => loose,
            None => read(context, Of::Documents, &deal.crm, found.signature.signed_at)?,
        };
        let loose = held.insert(loose);
        let id = (deal.crm.clone(), deal.id.clone());
        let is_of = |loose: &&Loose| {
            loose.deal.as_ref().map_or_else(|| is_named_by(loose, deal), |joined| *joined == id)
        };
        let by_id: Vec<&Loose> = loose.iter().filter(is_of).collect();
        let contacts = lowercase(deal.contacts.iter().filter_map(|it| it.email.as_deref()));
        let free = loose.iter().filter(|it| it.document_id.is_some() && it.deal.is_none());
        let by_signer: Vec<&Loose> =
            free.filter(|loose| !loose.emails.is_disjoint(&contacts)).collect();
        let by_total: Vec<&Loose> =
            by_signer.iter().copied().filter(|it| is_same(&it.total, &deal.amount)).collect();
        let joined = certain(&by_id, &by_total);
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
            found.remarks.push(format!(
                "a signer of {} is a contact of this deal; whether they are one contract is not certain, and the audit names a handoff without a deal",
                keys(&by_signer)
            ));
        }
        Ok(())
    }

    async fn join_deal(&self, context: &Context, found: &mut Found) -> Result<(), WorkflowError> {
        let Some(crm) = context.crm.as_deref() else { return Ok(()) };
        let signers =
            lowercase(found.signature.signers.iter().filter_map(|it| it.email.as_deref()));
        let deal = {
            let mut held = self.deals.borrow_mut();
            let loose = match held.take() {
                Some(loose) => loose,
                None => read(context, Of::Deals, crm.name(), found.signature.signed_at)?,
            };
            let loose = held.insert(loose);
            let signature = &found.signature;
            let (provider, document) = (&signature.provider, &signature.document_id);
            // Two providers may count their documents alike.
            let is_it = |it: &&Loose| {
                it.document_id.as_ref() == Some(document) && it.provider.as_ref() == Some(provider)
            };
            let by_id: Vec<&Loose> = loose.iter().filter(is_it).collect();
            let free = loose.iter().filter(|it| it.document_id.is_none());
            let by_signer: Vec<&Loose> =
                free.filter(|it| !it.emails.is_disjoint(&signers)).collect();
            let total = &found.signature.total;
            let by_total: Vec<&Loose> =
                by_signer.iter().copied().filter(|it| is_same(&it.total, total)).collect();
            let joined = certain(&by_id, &by_total);
            let Some(key) = joined else {
                if !by_signer.is_empty() {
                    found.remarks.push(format!(
                        "a signer of this document is a contact of {}; whether they are one contract is not certain, and the audit names a handoff without a deal",
                        keys(&by_signer)
                    ));
                }
                return Ok(());
            };
            let (provider, document) = (provider.clone(), document.clone());
            let Some(taken) = loose.iter_mut().find(|loose| loose.key == key) else {
                return Ok(());
            };
            // The next document of the same run is of another deal.
            (taken.provider, taken.document_id) = (Some(provider), Some(document));
            let Some((crm, id)) = taken.deal.clone() else { return Ok(()) };
            found
                .remarks
                .push(format!("the document joins the handoff {key}, which the CRM's word began"));
            DealRef { crm: Some(crm), id }
        };
        let remarks = std::mem::take(&mut found.remarks);
        let joined = of_reference(&found.signature, &deal, Some(crm), remarks).await?;
        *found = Found { kind: found.kind, decided_by: found.decided_by.take(), ..joined };
        Ok(())
    }
}

/// The one that an id names, else the one whose signer and total fit; never one of several.
fn certain(by_id: &[&Loose], by_total: &[&Loose]) -> Option<Key> {
    match (by_id, by_total) {
        ([one], _) | ([], [one]) => Some(one.key.clone()),
        _ => None,
    }
}

fn keys(loose: &[&Loose]) -> String {
    let keys: Vec<&str> = loose.iter().map(|loose| loose.key.as_str()).collect();
    keys.join(", ")
}

/// Their recent handoffs. Those that cannot be read are nobody's
/// match; `handoff validate` and the audit name them.
fn read(
    context: &Context,
    of: Of,
    crm: &CrmName,
    second_at: Option<DateTime<Utc>>,
) -> Result<Vec<Loose>, WorkflowError> {
    let second_at = second_at.unwrap_or(context.now).min(context.now);
    let since = second_at.checked_sub_days(BEFORE).unwrap_or(second_at);
    let (keys, _) = keys_within(context, Horizon { since })?;
    let of_deals = format!("{}-", crm.as_str());
    let is_wanted = |key: &Key| key.as_str().starts_with(&of_deals) == (of == Of::Deals);
    let mut loose = Vec::new();
    for key in keys.into_iter().filter(is_wanted) {
        let Ok(Some(stored)) = context.stored(&key, None) else { continue };
        let Some(brief) = stored.brief.as_ref().filter(|_| !stored.timeline.is_voided()) else {
            continue;
        };
        let view = brief.view();
        loose.push(Loose {
            key,
            provider: view.provider(),
            document_id: view.document_id(),
            deal: view.deal(),
            emails: lowercase(view.contact_emails()),
            total: total(brief.json()).or_else(|| view.contract_value()),
        });
    }
    Ok(loose)
}

fn lowercase(emails: impl IntoIterator<Item = impl AsRef<str>>) -> BTreeSet<String> {
    emails.into_iter().map(|email| email.as_ref().to_lowercase()).collect()
}

fn total(brief: &Value) -> Option<Money> {
    let text = |name| brief.pointer(&format!("/signature/total/{name}")).and_then(Value::as_str);
    Money::parse(text("amount")?, text("currency")).ok()
}

/// Whether a property of the deal is the document's id, as the audit reads it.
fn is_named_by(loose: &Loose, deal: &Deal) -> bool {
    let Some(document_id) = &loose.document_id else { return false };
    let mut texts = deal.properties.values().filter_map(Value::as_str);
    document_id.tells_deal() && texts.any(|text| text.trim() == document_id.as_str())
}

/// Whether both amounts are known and the same; one without a currency is of whichever one.
fn is_same(one: &Option<Money>, other: &Option<Money>) -> bool {
    one.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| !differ(one, other))
}
