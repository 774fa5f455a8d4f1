//! The second population of an audit: what the e-sign providers completed.
//! Every document is in exactly one class, once for each deal that it names, so
//! that one which is signed and not even Closed Won cannot hide behind a list of
//! won deals, nor one deal behind another of the same document.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::{
    AskedProvider, AuditInput, DealKey, HandoffFacts, SignatureClass, SignatureRow,
    SignaturesInput, SignaturesReport,
};
use crate::brief::EventKind;
use crate::model::{
    CrmName, Deal, DealId, DocumentId, Key, Outcome, Population, ProviderName, Signature,
    normalise_deal_id,
};

/// So long after its signature a deal may still be open: the two systems can
/// be a while apart.
const TIME_TO_CLOSE: TimeDelta = TimeDelta::days(1);

impl SignaturesInput {
    /// The deals that these documents name and the population does not hold:
    /// a list of won deals says nothing of the others.
    #[must_use]
    pub fn unread_deals(
        signatures: &[Signature],
        crm: &CrmName,
        population: &Population,
    ) -> BTreeSet<DealId> {
        let (deals, _) = population.deals.parts();
        let known: BTreeSet<DealId> = deals.iter().flat_map(ids).collect();
        let named = signatures.iter().flat_map(|signature| named_deals(signature, crm));
        named.filter(|id| !known.contains(id)).collect()
    }

    /// The deals that a document names, as the population or the CRM has them; one
    /// that nobody has, or that it does not name, is nothing. Never empty.
    #[must_use]
    pub fn deals_of<'a>(
        &'a self,
        signature: &Signature,
        population: &'a Population,
    ) -> Vec<Option<&'a Deal>> {
        let (deals, _) = population.deals.parts();
        let all = || deals.iter().chain(&self.deals).filter(|deal| deal.crm == self.crm);
        let found = |id: DealId| all().find(|deal| ids(deal).any(|other| other == id));
        let named: Vec<_> = named_deals(signature, &self.crm).into_iter().map(found).collect();
        if named.is_empty() { vec![None] } else { named }
    }
}

/// The deals that a document names in this CRM, each once, in their one form.
fn named_deals(signature: &Signature, crm: &CrmName) -> Vec<DealId> {
    let fits = |of: &Option<CrmName>| of.as_ref().is_none_or(|of| of == crm);
    let mut named = Vec::new();
    for reference in signature.deal_refs.iter().filter(|reference| fits(&reference.crm)) {
        let id = normalise_deal_id(crm, &reference.id);
        if !named.contains(&id) {
            named.push(id);
        }
    }
    named
}

/// The ids a deal goes by: its own, and those that were merged into it.
fn ids(deal: &Deal) -> impl Iterator<Item = DealId> + '_ {
    std::iter::once(&deal.id).chain(&deal.merged_ids).map(|id| normalise_deal_id(&deal.crm, id))
}

/// What is known of deals and handoffs, found by what a document says.
struct KnownDeals<'a> {
    deals: BTreeMap<DealId, &'a Deal>,
    by_key: BTreeMap<&'a str, &'a HandoffFacts>,
    by_document: BTreeMap<(&'a str, &'a str), &'a HandoffFacts>,
}

impl<'a> KnownDeals<'a> {
    fn new(
        input: &AuditInput<'a>,
        given: &'a SignaturesInput,
        handoffs: &[&'a HandoffFacts],
    ) -> Self {
        let (read, _) = input.population.deals.parts();
        let mut deals: BTreeMap<DealId, &Deal> = BTreeMap::new();
        for deal in read.iter().chain(&given.deals).filter(|deal| deal.crm == given.crm) {
            for id in ids(deal) {
                // Of two records with one id the won one counts.
                let kept = deals.entry(id).or_insert(deal);
                if is_won(deal, input) && !is_won(kept, input) {
                    *kept = deal;
                }
            }
        }
        let mut by_document: BTreeMap<(&str, &str), &HandoffFacts> = BTreeMap::new();
        for handoff in handoffs {
            let signed = handoff.events.of(EventKind::Signed);
            for event in signed.chain(handoff.events.of(EventKind::Backfilled)) {
                if let Some(document) = event.reference {
                    by_document.entry((event.via, document)).or_insert(*handoff);
                }
            }
        }
        let by_key = handoffs.iter().map(|handoff| (handoff.key.as_str(), *handoff)).collect();
        Self { deals, by_key, by_document }
    }
}

fn is_won(deal: &Deal, input: &AuditInput<'_>) -> bool {
    matches!(deal.outcome, Outcome::Won | Outcome::Unknown) && input.is_there(deal.closed_won_at)
}

/// Puts every completed document into its class. The order of documents and
/// handoffs makes no difference.
pub(super) fn judge_signatures(
    input: &AuditInput<'_>,
    handoffs: &[&HandoffFacts],
) -> Option<SignaturesReport> {
    let given = input.signatures?;
    let known = KnownDeals::new(input, given, handoffs);
    let mut told: BTreeMap<(&ProviderName, &DocumentId), &Signature> = BTreeMap::new();
    for signature in &given.signatures {
        if signature.signed_at.is_none_or(|at| at <= input.as_of) {
            told.insert((&signature.provider, &signature.document_id), signature);
        }
    }
    let documents: Vec<SignatureRow> =
        told.values().flat_map(|signature| rows(input, given, &known, signature)).collect();
    let mut summary = BTreeMap::new();
    for document in &documents {
        *summary.entry(document.class).or_insert(0) += 1;
    }
    let of = |provider: &ProviderName| {
        documents.iter().filter(|document| document.provider == *provider).count()
    };
    let providers = given
        .providers
        .iter()
        .map(|provider| AskedProvider { provider: provider.clone(), completed: of(provider) })
        .collect();
    Some(SignaturesReport {
        window: given.window,
        providers,
        completed: documents.len(),
        summary,
        documents,
    })
}

/// A document's rows: one for each deal that it names, else one.
fn rows(
    input: &AuditInput<'_>,
    given: &SignaturesInput,
    known: &KnownDeals<'_>,
    signature: &Signature,
) -> Vec<SignatureRow> {
    let mut named = named_deals(signature, &given.crm);
    // Two ids may be one deal, after a merge.
    let mut seen: Vec<DealId> = Vec::new();
    named.retain(|id| {
        let of = known.deals.get(id).map_or_else(|| id.clone(), |deal| deal.id.clone());
        let is_new = !seen.contains(&of);
        seen.push(of);
        is_new
    });
    if named.is_empty() {
        return vec![row(input, given, known, signature, (None, &[]))];
    }
    let of = |id: &DealId| {
        let others: Vec<Key> = named
            .iter()
            .filter(|other| *other != id)
            .filter_map(|other| Key::for_deal(&given.crm, other).ok())
            .collect();
        row(input, given, known, signature, (Some(id.clone()), &others))
    };
    named.iter().map(of).collect()
}

/// The row of a document and one of its deals; a handoff of one of the `others` is
/// none of this deal's.
fn row(
    input: &AuditInput<'_>,
    given: &SignaturesInput,
    known: &KnownDeals<'_>,
    signature: &Signature,
    (deal_id, others): (Option<DealId>, &[Key]),
) -> SignatureRow {
    let deal = deal_id.as_ref().and_then(|id| known.deals.get(id)).copied();
    // A deal that was merged is handed over under the id that stays, or its own.
    let keys = deal_id
        .iter()
        .cloned()
        .chain(deal.into_iter().flat_map(ids))
        .filter_map(|id| Key::for_deal(&given.crm, &id).ok())
        .chain(Key::for_document(&signature.provider, &signature.document_id).ok());
    let keys: Vec<Key> = keys.collect();
    let of_document = (signature.provider.as_str(), signature.document_id.as_str());
    let handoffs: Vec<&HandoffFacts> = known
        .by_document
        .get(&of_document)
        .into_iter()
        .filter(|handoff| others.iter().all(|other| other.as_str() != handoff.key.as_str()))
        .chain(keys.iter().filter_map(|key| known.by_key.get(key.as_str())))
        .copied()
        .collect();
    let has_handoff = handoffs.iter().any(|handoff| handoff.signed_at_tip);
    let is_exempt = handoffs.iter().any(|handoff| handoff.exemption().is_some());
    // A scope that cannot be decided keeps the deal in scope; the deals' own gaps say so.
    let is_excluded = deal
        .is_some_and(|deal| matches!((input.exclude)(deal), Ok(scope) if scope.excluded.is_some()));
    let within = |time: TimeDelta| signature.signed_at.is_some_and(|at| input.as_of - at < time);
    let in_time = signature
        .signed_at
        .is_some_and(|at| input.as_of <= input.policy().in_time_until(at, false));
    let lost_or_open = deal.filter(|deal| !is_won(deal, input));
    let class = match (lost_or_open, deal, has_handoff) {
        _ if is_excluded || (is_exempt && !has_handoff) => SignatureClass::NotNeeded,
        (Some(_), _, _) if within(TIME_TO_CLOSE) => SignatureClass::Pending,
        (Some(_), _, _) => SignatureClass::NotWon,
        (None, _, true) => SignatureClass::HandedOver,
        (None, _, false) if in_time => SignatureClass::Pending,
        (None, Some(_), false) => SignatureClass::WithoutHandoff,
        (None, None, false) => SignatureClass::NoDeal,
    };
    SignatureRow {
        provider: signature.provider.clone(),
        document_id: signature.document_id.clone(),
        document_name: signature.document_name.clone(),
        signed_at: signature.signed_at,
        url: signature.url.clone(),
        class,
        key: keys.first().map(|key| DealKey::new(key.as_str())),
        deal_id,
        stage: lost_or_open.and_then(|deal| deal.stage.clone()),
        has_handoff,
    }
}
