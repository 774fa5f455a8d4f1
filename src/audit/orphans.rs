//! Signed briefs without a closed-won deal, and why.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::suggest::Suggestions;
use super::{AuditInput, DealKey, Delivery, HandoffFacts, Orphan, OrphanWhy};
use crate::model::{Deal, DealId, Outcome, normalise_deal_id};

/// An orphan with the handoff it came from.
pub(super) struct FoundOrphan<'a> {
    pub(super) orphan: Orphan,
    pub(super) handoff: &'a HandoffFacts,
    /// The deal, where there is one that is not won.
    pub(super) deal: Option<&'a Deal>,
    /// The deal it was merged into.
    pub(super) merged_into: Option<&'a Deal>,
}

/// What the population says about the deal of a loose handoff.
struct Elsewhere<'a> {
    by_id: HashMap<(&'a str, DealId), &'a Deal>,
    /// By the id of the deal that was merged away.
    survivors: HashMap<(&'a str, DealId), &'a Deal>,
}

impl<'a> Elsewhere<'a> {
    /// Looks through the whole population, won or not, once.
    fn new(deals: &'a [Deal], wanted: &HashSet<(&str, DealId)>) -> Self {
        let mut by_id: HashMap<_, &Deal> = HashMap::new();
        let mut survivors: HashMap<_, &Deal> = HashMap::new();
        for deal in deals {
            let crm = deal.crm.as_str();
            let id = (crm, normalise_deal_id(&deal.crm, &deal.id));
            if wanted.contains(&id) {
                by_id.entry(id).and_modify(|kept| *kept = better(kept, deal)).or_insert(deal);
            }
            for merged in &deal.merged_ids {
                let id = (crm, normalise_deal_id(&deal.crm, merged));
                if wanted.contains(&id) {
                    survivors
                        .entry(id)
                        .and_modify(|kept| *kept = better(kept, deal))
                        .or_insert(deal);
                }
            }
        }
        Self { by_id, survivors }
    }
}

/// Of two records with one id, the won one; else the same one whatever the
/// order of the source is.
fn better<'a>(a: &'a Deal, b: &'a Deal) -> &'a Deal {
    let rank = |deal: &Deal| {
        (!is_won(deal), deal.id.clone(), serde_json::to_string(deal).expect("a deal is plain data"))
    };
    if rank(b) < rank(a) { b } else { a }
}

fn is_won(deal: &Deal) -> bool {
    matches!(deal.outcome, Outcome::Won | Outcome::Unknown)
}

/// The signed briefs at the tip that belong to no won deal, in the order of
/// their keys. A won deal outside the window is a deal all the same.
pub(super) fn find_orphans<'a>(
    input: &AuditInput<'a>,
    handoffs: &[&'a HandoffFacts],
    taken: &[bool],
    suggestions: &Suggestions<'_>,
) -> Vec<FoundOrphan<'a>> {
    let loose: Vec<&HandoffFacts> = handoffs
        .iter()
        .zip(taken)
        .filter(|(handoff, taken)| !**taken && handoff.signed_at_tip)
        .map(|(handoff, _)| *handoff)
        .collect();
    if loose.is_empty() {
        return Vec::new();
    }
    let wanted: HashSet<(&str, DealId)> = loose
        .iter()
        .filter_map(|handoff| handoff.deal())
        .map(|deal| (deal.crm.as_str(), normalise_deal_id(&deal.crm, &deal.id)))
        .collect();
    let elsewhere = Elsewhere::new(input.population.deals.parts().0, &wanted);
    let mut orphans: Vec<FoundOrphan<'a>> = loose
        .into_iter()
        .filter_map(|handoff| judge(input, handoff, &elsewhere, suggestions))
        .collect();
    orphans.sort_by(|a, b| a.orphan.key.cmp(&b.orphan.key));
    orphans
}

fn judge<'a>(
    input: &AuditInput<'_>,
    handoff: &'a HandoffFacts,
    elsewhere: &Elsewhere<'a>,
    suggestions: &Suggestions<'_>,
) -> Option<FoundOrphan<'a>> {
    let named = handoff.deal();
    let id = named.map(|deal| (deal.crm.as_str(), normalise_deal_id(&deal.crm, &deal.id)));
    let deal = id.as_ref().and_then(|id| elsewhere.by_id.get(id)).copied();
    let survivor = id.as_ref().and_then(|id| elsewhere.survivors.get(id)).copied();
    let moment = signed_or_delivered(handoff);

    // The audit of a month tells the orphans of that month.
    if moment.is_some_and(|at| !input.window.contains(at) || at > input.as_of) {
        return None;
    }
    let why = match (deal, survivor) {
        (Some(deal), _) if is_won(deal) => return None,
        // CRM and signature can be a while apart; a day is not yet a problem.
        (Some(deal), _) if deal.outcome == Outcome::Open => {
            if moment.is_some_and(|at| input.as_of - at < TimeDelta::days(1)) {
                return None;
            }
            OrphanWhy::Reopened
        }
        (_, Some(_)) => OrphanWhy::Merged,
        (Some(deal), None) if deal.outcome == Outcome::Lost => OrphanWhy::Lost,
        (Some(_), None) => OrphanWhy::Deleted,
        (None, None) => {
            // The source was asked for the window alone; about other deals it says nothing.
            if !well_inside(input, moment) {
                return None;
            }
            OrphanWhy::Unknown
        }
    };
    let brief = handoff.brief();
    let orphan = Orphan {
        key: DealKey::new(handoff.key.as_str()),
        brief: handoff.location(),
        why,
        deal_id: named.map(|deal| deal.id.clone()),
        customer: brief.and_then(|brief| brief.customer.clone()),
        value: brief.and_then(|brief| brief.value.clone()),
        signed_at: handoff.signature().and_then(|signature| signature.signed_at),
        delivered_at: handoff.delivered.as_ref().map(Delivery::at),
        suggestion: (why == OrphanWhy::Unknown).then(|| suggestions.for_brief(handoff)).flatten(),
    };
    Some(FoundOrphan { orphan, handoff, deal, merged_into: survivor })
}

fn signed_or_delivered(handoff: &HandoffFacts) -> Option<DateTime<Utc>> {
    let signed = handoff.signature().and_then(|signature| signature.signed_at);
    signed.or(handoff.delivered.as_ref().map(Delivery::at))
}

/// Whether a moment lies in the window and no closer than a day to its ends:
/// CRMs write days in their own zone.
pub(super) fn well_inside(input: &AuditInput<'_>, moment: Option<DateTime<Utc>>) -> bool {
    let day = TimeDelta::days(1);
    let window = input.window;
    moment.is_none_or(|at| {
        window.from.is_none_or(|from| at - from >= day) && window.to.is_none_or(|to| to - at >= day)
    })
}
