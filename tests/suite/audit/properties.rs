//! What holds for any ledger and any population.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use handoff::audit::{Class, Values};
use handoff::brief::{Event, EventKind};
use handoff::model::{CrmName, Deal, DealId, DocumentId, Key, Money, Outcome};
use proptest::prelude::*;
use serde_json::json;

use super::world::{World, signed_brief, won_deal};

const START: i64 = 1_790_000_000;

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    // Within four days, in steps that make equal times likely.
    (0..96i64)
        .prop_map(|hours| DateTime::from_timestamp(START + hours * 3600, 0).expect("in range"))
}

fn deal() -> impl Strategy<Value = Deal> {
    let outcome = prop::sample::select(vec![
        Outcome::Won,
        Outcome::Won,
        Outcome::Won,
        Outcome::Open,
        Outcome::Lost,
        Outcome::Gone,
        Outcome::Unknown,
    ]);
    let money =
        prop::option::of((0..3u32, prop::option::of(prop::sample::select(vec!["USD", "EUR"]))));
    (
        0..8u32,
        prop::sample::select(vec!["hubspot", "Salesforce", "c s v"]),
        outcome,
        prop::option::weighted(0.9, moment()),
        money,
        prop::collection::vec(0..8u32, 0..2),
        prop::option::of(0..8u32),
    )
        .prop_map(|(id, crm, outcome, won, money, merged, document)| {
            let mut deal = won_deal(&id.to_string());
            deal.crm = CrmName::new(crm);
            deal.outcome = outcome;
            deal.closed_won_at = won;
            deal.amount = money.map(|(amount, currency)| {
                Money::parse(&format!("{amount}.10"), currency).expect("money")
            });
            deal.merged_ids = merged.into_iter().map(|id| DealId::new(id.to_string())).collect();
            if let Some(document) = document {
                deal.properties
                    .insert("document".to_owned(), json!(format!("document-{document}")));
            }
            deal
        })
}

/// One commit: a folder's number, whether a brief with or without a signature
/// is put there or removed, the id of its deal, the time, the events.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) folder: u32,
    pub(super) what: u8,
    pub(super) deal: Option<u32>,
    pub(super) time: DateTime<Utc>,
    pub(super) signed: DateTime<Utc>,
    pub(super) events: Vec<(EventKind, DateTime<Utc>, bool)>,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec![
        EventKind::Received,
        EventKind::TaskOpened,
        EventKind::Touched,
        EventKind::Accepted,
        EventKind::Returned,
        EventKind::Exempted,
        EventKind::Backfilled,
        EventKind::DeliveryFailed,
    ]);
    (
        0..10u32,
        0..5u8,
        prop::option::weighted(0.8, 0..8u32),
        moment(),
        moment(),
        prop::collection::vec((kind, moment(), any::<bool>()), 0..4),
    )
        .prop_map(|(folder, what, deal, time, signed, events)| Step {
            folder,
            what,
            deal,
            time,
            signed,
            events,
        })
}

/// Some folders hold the same document, and some deals carry it.
fn shared_document(folder: u32) -> DocumentId {
    DocumentId::new(format!("document-{}", folder % 4))
}

pub(super) fn build(
    deals: Vec<Deal>,
    steps: &[Step],
    as_of: DateTime<Utc>,
    excluded: &BTreeSet<u32>,
    document: impl Fn(u32) -> DocumentId,
) -> World {
    let mut world = World::new();
    world.deals = deals;
    world.as_of = as_of;
    world.excluded =
        excluded.iter().map(|id| (id.to_string(), format!("reason {}", id % 2))).collect();
    let mut present = BTreeSet::new();
    for step in steps {
        let key = format!("hubspot-{}", step.folder);
        let path = format!("briefs/2026/1{}/x--{key}", step.folder % 3);
        let time = step.time.to_rfc3339();
        if step.what == 0 {
            if present.remove(&path) {
                world.remove(&path, &time);
            }
            continue;
        }
        let mut brief = signed_brief(&step.folder.to_string());
        match step.deal {
            Some(id) => brief.deal.as_mut().expect("a deal").id = DealId::new(id.to_string()),
            None => brief.deal = None,
        }
        brief.key = Some(Key::parse(&key).expect("a key"));
        let signature = brief.signature.as_mut().expect("signed");
        signature.signed_at = Some(step.signed);
        signature.document_id = Some(document(step.folder));
        if step.what == 1 {
            brief.signature = None;
        }
        let events = step.events.iter().map(|(kind, at, said)| {
            let mut event = Event::new(*at, *kind, "github");
            if *said {
                event.by = Some("Dana Wu".to_owned());
                event.reason = Some("wrong".to_owned());
            }
            event
        });
        present.insert(path.clone());
        world.put(&path, &time, (step.what != 2).then_some(brief), events.collect());
    }
    world
}

pub(super) fn worlds() -> impl Strategy<Value = (Vec<Deal>, Vec<Step>, DateTime<Utc>, BTreeSet<u32>)>
{
    (
        prop::collection::vec(deal(), 0..14),
        prop::collection::vec(step(), 0..14),
        moment(),
        prop::collection::btree_set(0..8u32, 0..2),
    )
}

/// The deals that must be counted, each once, by the words of the design alone.
fn expected(world: &World) -> BTreeSet<(String, String)> {
    world
        .deals
        .iter()
        .filter(|deal| deal.outcome == Outcome::Won)
        .filter(|deal| {
            deal.closed_won_at.is_none_or(|won| world.window.contains(won) && won <= world.as_of)
        })
        .map(|deal| (deal.crm.to_string(), deal.id.to_string()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_deal_has_one_class_and_the_totals_foot((deals, steps, as_of, excluded) in worlds(), from in prop::option::of(moment())) {
        let mut world = build(deals, &steps, as_of, &excluded, shared_document);
        world.window.from = from;
        let report = world.audit();

        let counted: BTreeSet<(String, String)> =
            report.deals.iter().map(|row| (row.crm.to_string(), row.deal_id.to_string())).collect();
        prop_assert_eq!(counted.len(), report.deals.len(), "a deal is counted twice");
        prop_assert_eq!(&counted, &expected(&world));

        let mut by_class = BTreeMap::new();
        let mut value = Values::default();
        for row in &report.deals {
            *by_class.entry(row.class).or_insert(0usize) += 1;
            if let Some(money) = &row.value {
                value.add(money);
            }
        }
        for class in Class::ALL {
            prop_assert_eq!(report.summary.of(class), by_class.get(&class).copied().unwrap_or(0));
        }
        let population = &report.population;
        prop_assert_eq!(report.summary.total(), population.closed_won);
        prop_assert_eq!(population.in_scope + population.excluded, population.closed_won);
        prop_assert_eq!(report.summary.excluded, population.excluded);
        prop_assert_eq!(&report.values.total(), &population.value);
        prop_assert_eq!(&value, &population.value);

        for groups in [&report.metrics.by_csm, &report.metrics.by_rep, &report.metrics.by_tier, &report.metrics.by_month] {
            let deals: usize = groups.iter().map(|group| group.figures.summary.total()).sum();
            prop_assert_eq!(deals, population.in_scope, "a breakdown leaves a deal out");
            let mut sum = Values::default();
            groups.iter().for_each(|group| sum.add_all(&group.figures.values.total()));
            sum.add_all(&report.values.excluded);
            prop_assert_eq!(&sum, &population.value);
        }
        let coverage = &report.metrics.coverage.handed_over;
        prop_assert_eq!(coverage.count + coverage.not.len(), coverage.of);
        prop_assert_eq!(coverage.count, report.summary.on_time + report.summary.late);
        prop_assert_eq!(report.complete, report.gaps.is_empty());
        for finding in &report.findings {
            prop_assert!(finding.help.is_some(), "{finding:?} does not say what to do");
        }
    }

    #[test]
    fn the_order_of_deals_and_handoffs_makes_no_difference((deals, steps, as_of, excluded) in worlds(), turn in 0..14usize) {
        let mut world = build(deals, &steps, as_of, &excluded, shared_document);
        let report = serde_json::to_string(&world.audit()).expect("serialises");
        let count = world.deals.len().max(1);
        world.deals.rotate_left(turn % count);
        world.deals.reverse();
        let mut handoffs = world.handoffs();
        handoffs.reverse();
        let again = serde_json::to_string(&world.audit_with(handoffs)).expect("serialises");
        prop_assert_eq!(report, again);
    }

    #[test]
    fn as_time_passes_nothing_is_forgotten((deals, steps, as_of, excluded) in worlds(), hours in 0..200i64) {
        let mut world = build(deals, &steps, as_of, &excluded, shared_document);
        // A deal that is won later may prove that a document or a merged deal was another's.
        world.deals.retain(|deal| deal.closed_won_at.is_none_or(|won| won <= as_of));
        let before = world.audit();
        world.as_of = as_of + TimeDelta::hours(hours);
        let after = world.audit();
        for row in &before.deals {
            let later = after.deals.iter().find(|later| later.key == row.key && later.deal_id == row.deal_id);
            let later = later.expect("a deal that was won stays won");
            let fits = match row.class {
                // What is handed over, removed or excluded stays so while the history stays as it is.
                Class::OnTime => matches!(later.class, Class::OnTime | Class::Late),
                Class::Late => later.class == Class::Late || !row.backfilled,
                Class::Excluded | Class::Exempt => later.class == row.class || row.class == Class::Exempt,
                Class::Removed => matches!(later.class, Class::Removed | Class::Exempt),
                Class::Missing | Class::Pending => !later.class.is_covered(),
            };
            prop_assert!(fits, "{:?} became {:?}", row, later);
        }
    }
}
