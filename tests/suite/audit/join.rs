//! Which brief is which deal's.

use handoff::audit::{Class, Matched, OrphanWhy};
use handoff::brief::EventKind;
use handoff::model::{CrmName, DealId, DocumentId, Key, Outcome};
use serde_json::json;

use super::world::{
    DELIVERED, SIGNED, World, all_done, at, event, folder, signed_brief, usd, won_deal,
};

/// A brief that is keyed by its document and names no deal.
fn by_document(world: &mut World, document: &str) -> String {
    let mut brief = signed_brief("1");
    brief.key = Some(Key::parse(&format!("pandadoc-{document}")).expect("a key"));
    brief.deal = None;
    brief.signature.as_mut().expect("signed").document_id = Some(DocumentId::new(document));
    let path = format!("briefs/2026/11/acme--pandadoc-{document}");
    world.put(&path, DELIVERED, Some(brief), all_done());
    path
}

#[test]
fn salesforce_ids_of_15_and_18_characters_are_one_deal() {
    let mut world = World::new();
    let mut deal = won_deal("1");
    deal.crm = CrmName::new("salesforce");
    deal.id = DealId::new("006Hs00000aB1cD");
    world.deals.push(deal);
    let mut brief = signed_brief("1");
    brief.key = Some(Key::parse("salesforce-006hs00000ab1cdias").expect("a key"));
    let written = brief.deal.as_mut().expect("a deal");
    (written.crm, written.id) = (CrmName::new("salesforce"), DealId::new("006Hs00000aB1cDIAS"));
    world.put(
        "briefs/2026/11/acme--salesforce-006hs00000ab1cdias",
        DELIVERED,
        Some(brief),
        all_done(),
    );
    let report = world.audit();
    assert_eq!(report.deals[0].class, Class::OnTime);
    assert_eq!(report.deals[0].matched, Some(Matched::Key));
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn a_brief_keyed_by_its_document_is_found_by_the_deal_it_names() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    let mut brief = signed_brief("1");
    brief.key = Some(Key::parse("pandadoc-x").expect("a key"));
    world.put("briefs/2026/11/acme--pandadoc-x", DELIVERED, Some(brief), all_done());
    assert_eq!(world.row("1").matched, Some(Matched::Key));
}

#[test]
fn a_document_that_one_deal_carries_is_its_brief_and_one_that_two_carry_is_nobodys() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.deals[0].properties.insert("contract".to_owned(), json!("BhVzRxxmrqo"));
    by_document(&mut world, "bhvzrxxmrqo");
    assert_eq!(world.class("1"), Class::Missing, "ids are case-sensitive");
    world.deals[0].properties.insert("contract".to_owned(), json!("bhvzrxxmrqo"));
    let row = world.row("1");
    assert_eq!((row.class, row.matched), (Class::OnTime, Some(Matched::Document)));

    world.deals.push(won_deal("2"));
    world.deals[1].properties.insert("contract".to_owned(), json!("bhvzrxxmrqo"));
    let report = world.audit();
    assert_eq!((report.summary.missing, report.orphans.len()), (2, 1));
}

#[test]
fn a_short_document_id_proves_nothing() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.deals[0].properties.insert("seats".to_owned(), json!("50"));
    by_document(&mut world, "50");
    assert_eq!(world.class("1"), Class::Missing);
}

#[test]
fn the_brief_of_a_merged_deal_is_the_survivors_unless_it_has_its_own() {
    let mut world = World::new();
    let mut survivor = won_deal("2");
    survivor.merged_ids = vec![DealId::new("1")];
    world.deals.push(survivor);
    world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), all_done());
    let report = world.audit();
    assert_eq!(
        (report.deals[0].class, report.deals[0].matched),
        (Class::OnTime, Some(Matched::MergedId))
    );
    assert!(report.orphans.is_empty());
    assert!(report.findings.is_empty(), "another deal's name is no drift: {:?}", report.findings);

    world.put(&folder("2"), "2026-11-20T15:20:00Z", Some(signed_brief("2")), all_done());
    let report = world.audit();
    assert_eq!(report.deals[0].matched, Some(Matched::Key));
    assert_eq!(report.orphans[0].why, OrphanWhy::Merged);
}

#[test]
fn of_a_deals_handoffs_a_signed_one_counts_then_an_exempt_one_then_the_first_delivered() {
    let first = folder("1");
    let (first, second) = (first.as_str(), "briefs/2026/11/acme--pandadoc-x");
    let exempted = |time: &str| {
        let mut exempted = event(EventKind::Exempted, time);
        (exempted.reason, exempted.by) = (Some("void".to_owned()), Some("Dana Wu".to_owned()));
        exempted
    };
    let counts = |first_is_there: bool, second_is_signed: bool, second_is_exempt: bool| {
        let mut world = World::handed_over();
        if !first_is_there {
            world.remove(first, "2026-11-22T09:00:00Z");
        }
        let mut brief = signed_brief("1");
        brief.key = Some(Key::parse("pandadoc-x").expect("a key"));
        let mut events = all_done();
        if second_is_exempt {
            events.push(exempted("2026-11-22T10:00:00Z"));
        }
        if !second_is_signed {
            brief.signature = None;
        }
        world.put(second, "2026-11-22T10:00:00Z", Some(brief), events);
        world.row("1").brief.expect("a brief")
    };
    for (first_is_there, second_is_signed, second_is_exempt, counted) in [
        (true, true, false, first),
        (true, true, true, first),
        (true, false, true, first),
        (false, true, false, second),
        (false, false, true, second),
        (false, false, false, first),
    ] {
        assert_eq!(
            counts(first_is_there, second_is_signed, second_is_exempt),
            counted,
            "{first_is_there} {second_is_signed} {second_is_exempt}"
        );
    }
}

#[test]
fn a_handoff_is_about_the_deal_that_handoff_wrote_last() {
    for (is_recorded, deal) in [(true, "2"), (false, "1")] {
        let mut world = World::handed_over();
        let mut brief = signed_brief("2");
        brief.key = Some(Key::parse("hubspot-1").expect("a key"));
        world.put(&folder("1"), "2026-11-22T09:00:00Z", Some(brief), all_done());
        let written = world.last(&folder("1")).brief.expect("a brief");
        let mut events = all_done();
        if is_recorded {
            let mut corrected = event(EventKind::Corrected, "2026-11-22T09:00:00Z");
            corrected.brief = Some(written.to_string());
            events.push(corrected);
        }
        world.put_events(&folder("1"), "2026-11-22T09:00:00Z", events);
        let handoffs = world.handoffs();
        let found = handoffs[0].deal().map(|deal| deal.id.as_str());
        assert_eq!(found, Some(deal), "recorded: {is_recorded}");
    }
}

#[test]
fn keys_that_fall_together_do_not_lend_each_other_a_brief() {
    let mut world = World::new();
    for id in ["A1", "a1"] {
        world.deals.push(won_deal(id));
    }
    let mut brief = signed_brief("A1".to_lowercase().as_str());
    brief.deal.as_mut().expect("a deal").id = DealId::new("A1");
    world.put(&folder("a1"), DELIVERED, Some(brief), all_done());
    let report = world.audit();
    let class =
        |id: &str| report.deals.iter().find(|row| row.deal_id.as_str() == id).map(|row| row.class);
    assert_eq!((class("A1"), class("a1")), (Some(Class::OnTime), Some(Class::Missing)));
    assert!(!report.complete, "and it is told");
}

#[test]
fn a_doubled_row_counts_once_and_a_contradiction_is_told() {
    let mut world = World::handed_over();
    world.deals.push(world.deals[0].clone());
    let report = world.audit();
    assert!(report.complete && report.summary.total() == 1);
    world.deals[1].amount = Some(usd("1.00"));
    let report = world.audit();
    assert!(!report.complete && report.summary.total() == 1);
}

#[test]
fn name_and_amount_only_suggest() {
    let mut world = World::new();
    world.deals.push(won_deal("2"));
    world.deals[0].name = Some("ACME, 1".to_owned());
    let path = by_document(&mut world, "bhvzrxxmrqo");
    let report = world.audit();
    let row = &report.deals[0];
    assert_eq!(row.class, Class::Missing);
    let suggestion = row.suggestion.as_ref().expect("same name and amount");
    assert_eq!(suggestion.what, path);
    assert_eq!(suggestion.because, "same name \"acme 1\" and same amount 48000");
    assert_eq!(report.orphans[0].suggestion.as_ref().map(|s| s.what.as_str()), Some("hubspot-2"));

    world.deals[0].amount = Some(usd("47999.00"));
    assert_eq!(world.row("2").suggestion, None, "the amount differs");
}

#[test]
fn orphans_say_why() {
    for (outcome, why) in [
        (Some(Outcome::Open), Some(OrphanWhy::Reopened)),
        (Some(Outcome::Lost), Some(OrphanWhy::Lost)),
        (Some(Outcome::Gone), Some(OrphanWhy::Deleted)),
        (None, Some(OrphanWhy::Unknown)),
        (Some(Outcome::Won), None),
        (Some(Outcome::Unknown), None),
    ] {
        let mut world = World::handed_over();
        world.deals.clear();
        if let Some(outcome) = outcome {
            let mut deal = won_deal("1");
            deal.outcome = outcome;
            world.deals.push(deal);
        }
        let orphans = world.audit().orphans;
        assert_eq!(orphans.first().map(|orphan| orphan.why), why, "{outcome:?}");
    }
}

#[test]
fn a_brief_without_a_deal_is_an_orphan_where_its_signature_lies_a_day_inside_the_window() {
    let mut world = World::handed_over();
    world.deals.clear();
    let mut orphans = |from: Option<&str>, to: Option<&str>| {
        (world.window.from, world.window.to) = (from.map(at), to.map(at));
        world.audit().orphans.len()
    };
    for (from, to, times) in [
        (None, None, 1),
        (Some("2026-11-19T15:00:00Z"), None, 1),
        (Some("2026-11-19T15:00:01Z"), None, 0),
        (None, Some("2026-11-21T15:00:00Z"), 1),
        (None, Some("2026-11-21T14:59:59Z"), 0),
        (Some("2026-11-01T00:00:00Z"), Some("2026-11-30T00:00:00Z"), 1),
    ] {
        assert_eq!(orphans(from, to), times, "{from:?} {to:?}");
    }
}

#[test]
fn a_won_deal_outside_the_window_is_no_orphan_and_of_others_the_window_says_nothing() {
    let mut world = World::handed_over();
    world.window.from = Some(at("2026-11-21T00:00:00Z"));
    assert!(world.audit().orphans.is_empty(), "the deal was won before the window");
    world.deals.clear();
    assert!(world.audit().orphans.is_empty(), "the source was not asked for it");
    let mut lost = won_deal("1");
    lost.outcome = Outcome::Lost;
    world.deals.push(lost);
    for (from, orphans) in [("2026-11-20T15:00:00Z", 1), ("2026-11-20T15:00:01Z", 0)] {
        world.window.from = Some(at(from));
        assert_eq!(
            world.audit().orphans.len(),
            orphans,
            "a lost deal is told where it was signed: {from}"
        );
    }
    world.deals.clear();
    for (from, orphans) in [("2026-11-19T15:00:00Z", 1), ("2026-11-19T15:00:01Z", 0)] {
        world.window.from = Some(at(from));
        assert_eq!(world.audit().orphans.len(), orphans, "{from}");
    }
}

#[test]
fn an_open_deal_has_a_day_to_be_closed() {
    let mut world = World::handed_over();
    world.deals[0].outcome = Outcome::Open;
    for (now, orphans) in [("2026-11-21T14:59:59Z", 0), ("2026-11-21T15:00:00Z", 1)] {
        world.as_of = at(now);
        assert_eq!(world.audit().orphans.len(), orphans, "{now}");
    }
}

#[test]
fn drafts_and_removed_briefs_are_no_orphans() {
    let mut world = World::handed_over();
    world.deals.clear();
    world.remove(&folder("1"), "2026-11-22T09:00:00Z");
    let mut draft = signed_brief("2");
    draft.signature = None;
    world.put(&folder("2"), SIGNED, Some(draft), vec![]);
    assert!(world.audit().orphans.is_empty());
}
