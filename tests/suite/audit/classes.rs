//! Each class, and where one ends and the next begins.

use handoff::audit::{AuditOutcome as Came, Class, DealKey, ReadError};
use handoff::brief::EventKind;
use handoff::finding::Severity;
use handoff::model::{Gap, Outcome, ProviderName};

use super::world::{
    Blob, DELIVERED, NOW, SIGNED, World, all_done, at, event, folder, signed_brief, won_deal,
};

#[test]
fn a_signed_brief_within_the_time_is_on_time_and_a_second_later_it_is_late() {
    for (committed, class, latency) in [
        (DELIVERED, Class::OnTime, 600),
        ("2026-11-20T16:00:00Z", Class::OnTime, 3600),
        ("2026-11-20T16:00:01Z", Class::Late, 3601),
    ] {
        let mut world = World::new();
        world.deals.push(won_deal("1"));
        world.put(&folder("1"), committed, Some(signed_brief("1")), all_done());
        let row = world.row("1");
        assert_eq!((row.class, row.latency_s), (class, Some(latency)), "{committed}");
    }
}

#[test]
fn a_deal_without_a_brief_is_pending_until_its_time_is_over() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    for (now, class) in
        [("2026-11-20T16:00:00Z", Class::Pending), ("2026-11-20T16:00:01Z", Class::Missing)]
    {
        world.as_of = at(now);
        assert_eq!(world.class("1"), class, "{now}");
    }
}

#[test]
fn a_deal_of_which_only_the_day_is_known_has_until_the_end_of_it() {
    let mut world = World::new();
    let mut deal = won_deal("1");
    deal.closed_won_at = Some(at("2026-11-20T00:00:00Z"));
    world.deals.push(deal);
    for (now, class) in
        [("2026-11-21T01:00:00Z", Class::Pending), ("2026-11-21T01:00:01Z", Class::Missing)]
    {
        world.as_of = at(now);
        assert_eq!(world.class("1"), class, "{now}");
    }
    // The same on the CRM's word: a signature at midnight is a day.
    let mut brief = signed_brief("1");
    let signature = brief.signature.as_mut().expect("signed");
    signature.provider = ProviderName::new("hubspot");
    signature.signed_at = Some(at("2026-11-20T00:00:00Z"));
    world.put(&folder("1"), "2026-11-20T17:00:00Z", Some(brief.clone()), all_done());
    assert_eq!(world.class("1"), Class::OnTime);
    // A provider's midnight is a midnight.
    let signature = brief.signature.as_mut().expect("signed");
    signature.provider = ProviderName::new("pandadoc");
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.put(&folder("1"), "2026-11-20T17:00:00Z", Some(brief), all_done());
    assert_eq!(world.class("1"), Class::Late);
}

#[test]
fn the_arrival_of_the_signature_is_better_evidence_than_the_close_date() {
    let mut world = World::new();
    let mut deal = won_deal("1");
    deal.closed_won_at = Some(at("2026-11-18T10:00:00Z"));
    world.deals.push(deal);
    world.put(&folder("1"), SIGNED, None, vec![event(EventKind::Received, "2026-11-23T14:30:00Z")]);
    assert_eq!(world.class("1"), Class::Pending);
    world.as_of = at("2026-11-23T15:30:01Z");
    let row = world.row("1");
    assert_eq!(
        (row.class, row.reason.as_deref()),
        (Class::Missing, Some("the signature arrived, and no brief was made"))
    );
}

#[test]
fn an_exemption_without_a_reason_or_an_approver_is_none() {
    for (reason, by, class) in [
        (Some("void"), Some("Dana Wu"), Class::Exempt),
        (Some("void"), None, Class::Missing),
        (None, Some("Dana Wu"), Class::Missing),
        (Some(" "), Some("Dana Wu"), Class::Missing),
    ] {
        let mut exempted = event(EventKind::Exempted, "2026-11-20T16:00:00Z");
        (exempted.reason, exempted.by) = (reason.map(str::to_owned), by.map(str::to_owned));
        let mut world = World::new();
        world.deals.push(won_deal("1"));
        world.put(&folder("1"), "2026-11-20T16:00:00Z", None, vec![exempted]);
        let row = world.row("1");
        let why = match class {
            Class::Exempt => "void",
            _ => "an exemption is there, and it lacks a reason or an approver",
        };
        assert_eq!((row.class, row.reason.as_deref()), (class, Some(why)), "{reason:?} {by:?}");
    }
}

#[test]
fn a_draft_is_no_handoff() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    let mut draft = signed_brief("1");
    draft.signature = None;
    world.put(&folder("1"), DELIVERED, Some(draft), vec![]);
    let row = world.row("1");
    assert_eq!(
        (row.class, row.reason.as_deref()),
        (Class::Missing, Some("a draft is there, without a signature"))
    );
    world.put(&folder("1"), "2026-11-20T15:50:00Z", Some(signed_brief("1")), vec![]);
    assert_eq!(world.class("1"), Class::OnTime);
}

#[test]
fn a_removed_brief_is_removed_and_one_that_came_back_is_there() {
    let mut world = World::handed_over();
    world.remove(&folder("1"), "2026-11-22T09:00:00Z");
    assert_eq!(world.class("1"), Class::Removed);
    world.put(&folder("1"), "2026-11-22T10:00:00Z", Some(signed_brief("1")), all_done());
    let row = world.row("1");
    assert_eq!(
        (row.class, row.delivered_at),
        (Class::OnTime, Some(at(DELIVERED))),
        "it was delivered the first time"
    );
}

#[test]
fn a_brief_that_lost_its_signature_is_removed() {
    let mut world = World::handed_over();
    let mut unsigned = signed_brief("1");
    unsigned.signature = None;
    world.put(&folder("1"), "2026-11-22T09:00:00Z", Some(unsigned), all_done());
    assert_eq!(world.class("1"), Class::Removed);
}

#[test]
fn an_exemption_needs_a_reason_and_an_approver_and_stands_only_at_the_tip() {
    let exempted = |reason: Option<&str>, by: Option<&str>| {
        let mut event = event(EventKind::Exempted, "2026-11-20T16:30:00Z");
        event.reason = reason.map(str::to_owned);
        event.by = by.map(str::to_owned);
        let mut world = World::new();
        world.deals.push(won_deal("1"));
        world.put(&folder("1"), "2026-11-20T16:30:00Z", None, vec![event]);
        world
    };
    let mut world = exempted(Some("pilot"), Some("Dana Wu"));
    let row = world.row("1");
    assert_eq!(
        (row.class, row.reason.as_deref(), row.approver.as_deref()),
        (Class::Exempt, Some("pilot"), Some("Dana Wu"))
    );
    world.remove(&folder("1"), "2026-11-22T09:00:00Z");
    assert_eq!(world.class("1"), Class::Missing, "the exemption was taken back");
    for (reason, by) in
        [(None, Some("Dana Wu")), (Some("pilot"), None), (Some(" "), Some("Dana Wu"))]
    {
        assert_eq!(exempted(reason, by).class("1"), Class::Missing, "{reason:?} {by:?}");
    }
    // A deal that was handed over and exempted is handed over; one whose brief is gone is exempt.
    let mut world = World::handed_over();
    let mut event = event(EventKind::Exempted, "2026-11-22T08:00:00Z");
    event.reason = Some("void".to_owned());
    event.by = Some("Dana Wu".to_owned());
    let events: Vec<_> = all_done().into_iter().chain([event]).collect();
    world.put_events(&folder("1"), "2026-11-22T08:00:00Z", events.clone());
    assert_eq!(world.class("1"), Class::OnTime);
    world.put(&folder("1"), "2026-11-22T09:00:00Z", None, events);
    assert_eq!(world.class("1"), Class::Exempt);
}

#[test]
fn a_deal_outside_the_scope_is_excluded_with_its_reason_whatever_it_has() {
    let mut world = World::handed_over();
    world.excluded.insert("1".to_owned(), "renewal".to_owned());
    let report = world.audit();
    assert_eq!(report.deals[0].class, Class::Excluded);
    assert_eq!(report.deals[0].reason.as_deref(), Some("renewal"));
    let population = &report.population;
    assert_eq!((population.closed_won, population.in_scope, population.excluded), (1, 0, 1));
    assert_eq!(population.exclusions[0].reason, "renewal");
    assert!(report.orphans.is_empty(), "its brief has a deal");
    assert_eq!(report.outcome(Severity::Error), Came::Clean);
}

#[test]
fn a_backfilled_brief_is_late_however_it_is_dated() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    let mut events = all_done();
    events.push(event(EventKind::Backfilled, DELIVERED));
    world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), events);
    let row = world.row("1");
    assert_eq!((row.class, row.backfilled), (Class::Late, true));
}

#[test]
fn deals_and_events_after_the_moment_are_not_there() {
    let mut world = World::handed_over();
    world.deals.push(won_deal("2"));
    world.deals[1].closed_won_at = Some(at("2026-11-22T15:00:00Z"));
    world.as_of = at("2026-11-20T20:00:00Z");
    let report = world.audit();
    assert_eq!(report.summary.total(), 1);
    assert_eq!(report.deals[0].first_touch_at, None, "it was touched the day after");
    assert!(report.deals[0].task_at.is_some());
}

#[test]
fn a_won_deal_dated_ahead_counts_now_and_not_in_the_past() {
    let mut world = World::handed_over();
    world.deals.push(won_deal("2"));
    world.deals[1].closed_won_at = Some(at("2026-12-31T00:00:00Z"));
    assert_eq!(world.audit().summary.total(), 1, "nobody says when the deals were read");
    world.exported_at = at("2026-12-01T00:00:00Z");
    assert_eq!(world.audit().summary.total(), 1, "it may have been won after the audit's moment");
    world.exported_at = world.as_of;
    let report = world.audit();
    assert_eq!(report.summary.total(), 2);
    assert!(report.complete);
    let remark = report.population.source.remarks.last().expect("a remark");
    assert!(remark.starts_with("Won, with a close date in the future"), "{remark}");
    assert!(remark.contains("\"2\"") && !remark.contains("\"1\""), "{remark}");
}

#[test]
fn a_rule_of_the_scope_that_cannot_be_decided_leaves_its_deals_in_it_and_is_named() {
    let mut world = World::handed_over();
    world.deals.push(won_deal("2"));
    assert_eq!(world.audit().population.undecided, []);
    world.undecided = vec!["deal.properties.size < 5".to_owned()];
    let report = world.audit();
    assert_eq!(report.summary.total(), 2);
    let [rule] = &report.population.undecided[..] else { panic!("one rule") };
    let deals: Vec<&str> = rule.deals.iter().map(DealKey::as_str).collect();
    assert_eq!(
        (rule.rule.as_str(), rule.count, deals),
        ("deal.properties.size < 5", 2, vec!["hubspot-1", "hubspot-2"])
    );
}

#[test]
fn the_window_takes_its_beginning_and_not_its_end() {
    let mut world = World::new();
    for (id, won) in [
        ("1", "2026-11-19T23:59:59Z"),
        ("2", "2026-11-20T00:00:00Z"),
        ("3", "2026-11-20T23:59:59Z"),
        ("4", "2026-11-21T00:00:00Z"),
    ] {
        let mut deal = won_deal(id);
        deal.closed_won_at = Some(at(won));
        world.deals.push(deal);
    }
    world.window.from = Some(at("2026-11-20T00:00:00Z"));
    world.window.to = Some(at("2026-11-21T00:00:00Z"));
    let ids: Vec<String> = world.audit().deals.iter().map(|row| row.deal_id.to_string()).collect();
    assert_eq!(ids, ["2", "3"]);
}

#[test]
fn a_won_deal_without_a_date_is_counted_and_makes_the_audit_incomplete() {
    let mut world = World::handed_over();
    world.deals[0].closed_won_at = None;
    world.window.from = Some(at("2030-01-01T00:00:00Z"));
    let report = world.audit();
    assert_eq!(report.summary.on_time, 1);
    assert_eq!(report.population.undated, 1);
    assert!(!report.complete);
    assert_eq!(report.outcome(Severity::Error), Came::Incomplete);
}

#[test]
fn deals_that_are_not_won_are_not_counted_and_unknown_ones_make_the_audit_incomplete() {
    let mut world = World::new();
    for (id, outcome) in [("1", Outcome::Open), ("2", Outcome::Lost), ("3", Outcome::Gone)] {
        let mut deal = won_deal(id);
        deal.outcome = outcome;
        world.deals.push(deal);
    }
    assert_eq!(world.audit().outcome(Severity::Error), Came::NothingMatched);

    let mut world = World::handed_over();
    world.deals[0].outcome = Outcome::Unknown;
    let report = world.audit();
    assert_eq!(report.summary.total(), 0, "what is not known is not counted");
    assert_eq!(report.outcome(Severity::Error), Came::Incomplete);
    assert!(report.gaps[0].what.starts_with("the outcome of"), "{:?}", report.gaps);
    // What the source tells of them is not told twice.
    world.population_gaps.push(Gap {
        what: "the outcome of 1 deal of 1".to_owned(),
        why: "\"Talking\" in column \"Stage\"".to_owned(),
        help: None,
    });
    assert_eq!(world.audit().gaps.len(), 1);
}

#[test]
fn what_the_source_could_not_read_makes_the_audit_incomplete() {
    let mut world = World::handed_over();
    assert_eq!(world.audit().outcome(Severity::Error), Came::Clean);
    world.population_gaps.push(Gap {
        what: "page 7".to_owned(),
        why: "502".to_owned(),
        help: None,
    });
    let report = world.audit();
    assert_eq!(report.outcome(Severity::Error), Came::Incomplete);
    assert_eq!(report.findings[0].rule, "audit-incomplete");
    assert_eq!(report.findings[0].message, "Could not read page 7: 502.");
}

#[test]
fn a_brief_that_cannot_be_read_at_the_tip_is_a_gap_and_not_a_missing_handoff() {
    let mut world = World::handed_over();
    let broken =
        world.blob(Blob::Broken(ReadError::Content("line 3: a key is doubled".to_owned())));
    let commit = world.commit("2026-11-22T09:00:00Z");
    world.version(&folder("1"), commit, Some(broken), None);
    let report = world.audit();
    assert_eq!(report.deals[0].class, Class::OnTime);
    assert!(!report.complete);
    assert_eq!(report.gaps[0].why, "line 3: a key is doubled");
}

#[test]
fn a_scope_rule_that_fails_keeps_the_deal_and_makes_the_audit_incomplete() {
    let world = World::handed_over();
    let population = handoff::model::Population {
        source: handoff::model::Source {
            kind: "file".into(),
            location: "x".into(),
            query: None,
            rows: 1,
            sha256: String::new(),
            remarks: handoff::model::Remarks::default(),
            undated_help: None,
        },
        deals: handoff::model::Evidence::complete(world.deals.clone()),
    };
    let ledger = world.ledger(None);
    let report = handoff::audit::audit(&handoff::audit::AuditInput {
        population: &population,
        signatures: None,
        window: world.window,
        as_of: at(NOW),
        exported_at: at(NOW),
        ledger: &ledger,
        more_ledgers: &[],
        policies: &handoff::audit::Policies::unchanged(world.policy.clone()),
        differences: &handoff::audit::Differences::new(),
        exclude: &|_| {
            Err(Gap { what: "scope.exclude[0]".into(), why: "undefined value".into(), help: None })
        },
        generated_by: "handoff",
        command: "handoff audit",
    });
    assert_eq!(report.summary.on_time, 1);
    assert_eq!(report.gaps.len(), 1);
}

#[test]
fn times_that_no_calendar_holds_do_not_stop_the_audit() {
    for extreme in
        [chrono::DateTime::<chrono::Utc>::MAX_UTC, chrono::DateTime::<chrono::Utc>::MIN_UTC]
    {
        let mut world = World::new();
        world.policy.zone = chrono_tz::Tz::Asia__Tokyo;
        if extreme > at(NOW) {
            world.policy.zone = chrono_tz::Tz::America__New_York;
            world.as_of = extreme;
        }
        let mut deal = won_deal("1");
        deal.closed_won_at = Some(extreme);
        world.deals.push(deal);
        let mut brief = signed_brief("1");
        brief.signature.as_mut().expect("signed").signed_at = Some(extreme);
        brief.due = Some(extreme);
        world.commit_at(i64::MAX);
        let commit = world.commit_at(i64::MIN);
        let blob = world.blob(Blob::Brief(Box::new(brief)));
        world.version(&folder("1"), commit, Some(blob), None);
        let report = world.audit();
        assert_eq!(report.summary.total(), 1, "{extreme}");
        serde_json::to_string(&report).expect("serialises");
        world.history.folders.clear();
        assert_eq!(world.audit().summary.total(), 1, "{extreme}");
    }
}
