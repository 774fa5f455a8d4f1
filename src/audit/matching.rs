//! Which brief is which deal's: by key first, then by the ids of merged
//! deals, then by the signed document.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::selection::Selected;
use super::{HandoffFacts, Matched};
use crate::model::{DealId, DocumentId, Key, normalise_deal_id};

/// The handoffs of one deal, the one that counts first.
#[derive(Default)]
pub(super) struct Match {
    pub(super) handoffs: Vec<usize>,
    pub(super) by: Option<Matched>,
}

/// The handoffs of each deal, and which handoffs are no deal's.
pub(super) struct Matches {
    /// In the order of the deals.
    pub(super) of_deals: Vec<Match>,
    /// Which handoffs belong to a deal of the selection.
    pub(super) taken: Vec<bool>,
}

/// Where to find a handoff by what a deal knows of itself.
struct HandoffIndex<'a> {
    handoffs: &'a [&'a HandoffFacts],
    by_key: HashMap<&'a str, Vec<usize>>,
    /// By CRM and normalised id.
    by_deal: HashMap<(&'a str, DealId), Vec<usize>>,
}

impl<'a> HandoffIndex<'a> {
    fn new(handoffs: &'a [&'a HandoffFacts]) -> Self {
        let mut by_key: HashMap<&str, Vec<usize>> = HashMap::with_capacity(handoffs.len());
        let mut by_deal: HashMap<_, Vec<usize>> = HashMap::with_capacity(handoffs.len());
        for (at, handoff) in handoffs.iter().enumerate() {
            by_key.entry(handoff.key.as_str()).or_default().push(at);
            if let Some(deal) = handoff.deal() {
                let id = normalise_deal_id(&deal.crm, &deal.id);
                by_deal.entry((deal.crm.as_str(), id)).or_default().push(at);
            }
        }
        Self { handoffs, by_key, by_deal }
    }

    /// The handoffs that name this deal, and those with its key that name none.
    fn of(&self, crm: &'a str, id: &DealId, key: &str) -> Vec<usize> {
        let mut found = self.by_deal.get(&(crm, id.clone())).cloned().unwrap_or_default();
        let by_key = self.by_key.get(key).map_or(&[][..], Vec::as_slice);
        found.extend(by_key.iter().filter(|at| self.handoffs[**at].deal().is_none()));
        found
    }
}

/// Finds the handoffs of each deal.
pub(super) fn match_deals(deals: &[Selected<'_>], handoffs: &[&HandoffFacts]) -> Matches {
    let index = HandoffIndex::new(handoffs);
    let mut of_deals: Vec<Match> = deals
        .par_iter()
        .map(|deal| {
            let found = index.of(deal.deal.crm.as_str(), &deal.id, deal.key.as_str());
            let by = (!found.is_empty()).then_some(Matched::Key);
            Match { handoffs: found, by }
        })
        .collect();
    let mut taken = vec![false; handoffs.len()];
    for found in &of_deals {
        for at in &found.handoffs {
            taken[*at] = true;
        }
    }

    by_merged_ids(deals, &index, &mut of_deals, &mut taken);
    by_documents(deals, handoffs, &mut of_deals, &mut taken);
    same_documents(handoffs, &mut of_deals, &mut taken);
    for found in &mut of_deals {
        found.handoffs.sort_by_cached_key(|at| precedence(handoffs[*at]));
    }
    Matches { of_deals, taken }
}

/// Deals that others were merged into, for the deals that have no brief of
/// their own. With one of its own, the other brief is an orphan that says why.
fn by_merged_ids(
    deals: &[Selected<'_>],
    index: &HandoffIndex<'_>,
    of_deals: &mut [Match],
    taken: &mut [bool],
) {
    for (deal, found) in deals.iter().zip(of_deals) {
        if found.by.is_some() {
            continue;
        }
        for merged in &deal.deal.merged_ids {
            let crm = &deal.deal.crm;
            let Ok(key) = Key::for_deal(crm, merged) else { continue };
            for at in index.of(crm.as_str(), &normalise_deal_id(crm, merged), key.as_str()) {
                if !std::mem::replace(&mut taken[at], true) {
                    found.handoffs.push(at);
                    found.by = Some(Matched::MergedId);
                }
            }
        }
    }
}

/// Deals that carry the id of a signed document in one of their properties.
/// A document that several deals carry proves nothing.
fn by_documents(
    deals: &[Selected<'_>],
    handoffs: &[&HandoffFacts],
    of_deals: &mut [Match],
    taken: &mut [bool],
) {
    let mut waiting: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, handoff) in handoffs.iter().enumerate() {
        if !taken[at]
            && let Some(document) = document_of(handoff)
            && document.tells_deal()
        {
            waiting.entry(document.as_str()).or_default().push(at);
        }
    }
    if waiting.is_empty() {
        return;
    }
    let carried: Vec<(usize, &str)> = deals
        .par_iter()
        .enumerate()
        .filter(|(at, _)| of_deals[*at].by.is_none())
        .flat_map_iter(|(at, deal)| {
            let texts = deal.deal.properties.values().filter_map(serde_json::Value::as_str);
            let documents: HashSet<&str> = texts
                .filter_map(|text| waiting.get_key_value(text.trim()))
                .map(|(id, _)| *id)
                .collect();
            documents.into_iter().map(move |document| (at, document))
        })
        .collect();
    let mut carriers: HashMap<&str, usize> = HashMap::new();
    for (_, document) in &carried {
        *carriers.entry(document).or_default() += 1;
    }
    for (at, document) in carried {
        if carriers[document] == 1 {
            let found = &mut of_deals[at];
            found.by = Some(Matched::Document);
            for handoff in &waiting[document] {
                taken[*handoff] = true;
                found.handoffs.push(*handoff);
            }
        }
    }
}

/// A handoff without a deal that has the document of a deal's handoff is that
/// deal's too, and one too many.
fn same_documents(handoffs: &[&HandoffFacts], of_deals: &mut [Match], taken: &mut [bool]) {
    let loose: Vec<usize> =
        (0..handoffs.len()).filter(|at| !taken[*at] && handoffs[*at].deal().is_none()).collect();
    if loose.is_empty() {
        return;
    }
    let mut owners: HashMap<(&str, &str), usize> = HashMap::new();
    for (deal, found) in of_deals.iter().enumerate() {
        for at in &found.handoffs {
            if let Some(signature) = handoffs[*at].signature()
                && let Some(document) = &signature.document_id
            {
                owners.entry((signature.provider.as_str(), document.as_str())).or_insert(deal);
            }
        }
    }
    for at in loose {
        if let Some(signature) = handoffs[at].signature()
            && let Some(document) = &signature.document_id
            && let Some(deal) = owners.get(&(signature.provider.as_str(), document.as_str()))
        {
            taken[at] = true;
            of_deals[*deal].handoffs.push(at);
        }
    }
}

fn document_of(handoff: &HandoffFacts) -> Option<&DocumentId> {
    handoff.signature()?.document_id.as_ref()
}

/// Which of a deal's handoffs counts: a signed one at the tip, then an
/// exemption, then one that was delivered once; among equals the first delivered.
fn precedence(handoff: &HandoffFacts) -> impl Ord + use<> {
    let delivered = handoff.delivered.as_ref().map(super::Delivery::at);
    (
        !handoff.signed_at_tip,
        !handoff.signed_at_tip && handoff.exemption().is_none(),
        delivered.is_none(),
        delivered,
        handoff.key.clone(),
        handoff.location(),
    )
}
