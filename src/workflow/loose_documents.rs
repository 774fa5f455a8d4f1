//! A document which names no deal, and a deal that the CRM says is won, may be
//! of one contract. Whichever comes second joins the handoff that the first
//! began, and the customer is handed over once. The same holds for one document that
//! comes first without its deal and then with it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, Utc};
use serde_json::Value;

use super::deal::{Found, differ, of_reference};
use super::folder_facts::{FactKind, facts};
use super::{Context, Horizon, WorkflowError, keys_within};
use crate::brief::Brief;
use crate::ledger::{Folder, FolderGroup, HandoffFiles, key_of, key_text};
use crate::model::{
    CrmName, Deal, DealId, DealRef, DocumentId, DocumentKey, Key, Money, ProviderName, Signature,
    normalise_deal_id,
};

/// So long before the second of them the first may have come.
const BEFORE: Days = Days::new(60);

/// The handoffs that began with one of the two, read once for a run.
#[derive(Debug, Default)]
pub(super) struct LooseDocuments {
    documents: RefCell<Option<Vec<Loose>>>,
    deals: RefCell<Option<Vec<Loose>>>,
    joined: RefCell<BTreeMap<CrmName, BTreeMap<DealId, Key>>>,
    /// The documents of this run, as each was found first.
    begun: RefCell<BTreeMap<DocumentKey, Found>>,
}

/// A deal in its one form.
type DealOfCrm = (CrmName, DealId);

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
        if found.deal.is_some() {
            if !self.join_known(context, found)? && found.is_on_the_crms_word() {
                self.join_document(context, found)?;
            }
        } else if let Some(begun) = self.begun_with_deal(&found.signature) {
            let (kind, signature) = (found.kind, found.signature.clone());
            *found = Found { kind, signature, decided_by: found.decided_by.take(), ..begun };
        } else {
            self.join_deal(context, found).await?;
        }
        if !found.is_on_the_crms_word() {
            self.begun.borrow_mut().entry(document_key(&found.signature)).or_insert(found.clone());
        }
        Ok(())
    }

    /// What this document was found as in this run, where it named its deal.
    fn begun_with_deal(&self, signature: &Signature) -> Option<Found> {
        let begun = self.begun.borrow();
        begun.get(&document_key(signature)).filter(|found| found.deal.is_some()).cloned()
    }

    /// Gives what was found with a deal the key of the handoff that its deal was joined to,
    /// or that its document began while it named no deal; whether there is one.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) fn join_known(
        &self,
        context: &Context,
        found: &mut Found,
    ) -> Result<bool, WorkflowError> {
        let Some(deal) = &found.deal else { return Ok(false) };
        let Found { signature, .. } = &*found;
        let has_own = context.stored(&found.key, None)?.is_some();
        let begun = match found.is_on_the_crms_word() {
            true => None,
            false => self.begun_by(context, signature, deal)?,
        };
        if has_own {
            if let Some(other) = begun {
                found.remarks.push(format!(
                    "the document began the handoff {other} before its deal was known; keep one of the two"
                ));
            }
            return Ok(false);
        }
        let known = match begun {
            Some(key) => Some(key),
            None => {
                let mut joined = self.joined.borrow_mut();
                let (crm, id) = deal_key(deal);
                let of_crm = joined.entry(crm).or_insert_with_key(|crm| joined_deals(context, crm));
                of_crm.get(&id).cloned()
            }
        };
        let Some(key) = known else { return Ok(false) };
        found.remarks.push(format!("deal {} joins the handoff {key}", deal.id));
        found.key = key;
        Ok(true)
    }

    /// The handoff that a document began while it named no deal.
    fn begun_by(
        &self,
        context: &Context,
        signature: &Signature,
        deal: &Deal,
    ) -> Result<Option<Key>, WorkflowError> {
        let document = document_key(signature);
        if let Some(begun) = self.begun.borrow().get(&document)
            && begun.deal.is_none()
        {
            return Ok(Some(begun.key.clone()));
        }
        let Ok(key) = Key::for_document(&document.0, &document.1) else { return Ok(None) };
        let Some(stored) = context.stored(&key, None)? else { return Ok(None) };
        let Some(brief) = &stored.brief else { return Ok(None) };
        let view = brief.view();
        // Keys may fall together.
        let is_it = view.provider() == Some(document.0) && view.document_id() == Some(document.1);
        let is_free = view.deal().is_none_or(|it| it == deal_key(deal));
        Ok((is_it && is_free && !stored.timeline.is_voided()).then_some(key))
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

fn document_key(signature: &Signature) -> DocumentKey {
    (signature.provider.clone(), signature.document_id.clone())
}

fn deal_key(deal: &Deal) -> DealOfCrm {
    (deal.crm.clone(), normalise_deal_id(&deal.crm, &deal.id))
}

/// A deal and the key of its handoff, where that is not the deal's own.
type JoinedDeal = Option<(CrmName, DealId, Key)>;

/// So many briefs are read again; of more, what they say is kept.
const FEW: usize = 200;

/// The handoffs of a CRM's deals that have another key than the deal's, because a
/// document began them. A handoff that cannot be read is nobody's; `handoff validate`
/// and the audit name it.
pub(super) fn joined_deals(context: &Context, crm: &CrmName) -> BTreeMap<DealId, Key> {
    let Ok(snapshot) = context.ledger.snapshot() else { return BTreeMap::new() };
    // The key of a deal's own handoff begins with its CRM's name.
    let crms = crate::crm::CRMS.iter().map(|row| row.name).chain([crm.as_str()]);
    let of_deals: Vec<String> = crms.map(|name| format!("{name}-")).collect();
    let is_of_deal = |name: &str| {
        key_text(name).is_some_and(|key| of_deals.iter().any(|start| key.starts_with(start)))
    };
    let read = |_: &Folder, files: &HandoffFiles| {
        let Some(brief) = &files.brief else { return Ok(None) };
        let brief = Brief::parse(brief).map_err(|error| error.to_string())?;
        let view = brief.view();
        let (Some((crm, id)), Some(key)) = (view.deal(), view.key()) else { return Ok(None) };
        Ok((!key.as_str().starts_with(&format!("{crm}-"))).then_some((crm, id, key)))
    };
    let names = snapshot.folder_names();
    let groups = names.groups.iter().map(|(_, group)| group);
    let others: Vec<(&FolderGroup, usize)> = groups
        .flat_map(|group| (0..group.len()).map(move |at| (group, at)))
        .filter(|(group, at)| {
            let name = group.name(*at);
            !is_of_deal(name) && key_of(name).is_some()
        })
        .take(FEW + 1)
        .collect();
    let rows: Vec<Result<JoinedDeal, String>> = if others.len() > FEW {
        let kind = FactKind { name: "joined", basis: b"", read: &read };
        facts(context, &snapshot, None, &kind).rows.into_iter().map(|(_, row)| row).collect()
    } else {
        let files = |(group, at): (&FolderGroup, usize)| {
            let folder = group.folder(at);
            let files = snapshot.files_in(group.tree(at), &folder.path);
            files.map_err(|error| error.to_string()).and_then(|files| read(&folder, &files))
        };
        others.into_iter().map(files).collect()
    };
    let mut joined: BTreeMap<DealId, Key> = BTreeMap::new();
    for (_, id, key) in rows.into_iter().flatten().flatten().filter(|(of, ..)| of == crm) {
        // The key of a renewal begins with that of the handoff it renews.
        let first = joined.entry(id).or_insert_with(|| key.clone());
        if key.as_str().len() < first.as_str().len() {
            *first = key;
        }
    }
    joined
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
