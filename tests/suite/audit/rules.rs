//! Every rule: where it fires, where it is silent, and the boundary between.

use std::collections::BTreeSet;

use handoff::audit::{AuditReport, Checkpoint, UnansweredField};
use handoff::brief::EventKind;
use handoff::facts::{CrmName, DealId, Key, ObjectId, Outcome, Person};
use handoff::finding::{Finding, RuleKind, Severity};
use handoff::time::CalendarConfig;

use super::world::{
    DELIVERED, SIGNED, World, all_done, at, event, folder, signed_brief, usd, won_deal,
};

fn fired<'a>(report: &'a AuditReport, rule: &str) -> Vec<&'a Finding> {
    report.findings.iter().filter(|finding| finding.rule == rule).collect()
}

/// How often a rule fires; with it, that each finding of a deal stands in its row.
fn count(world: &World, rule: &str) -> usize {
    let report = world.audit();
    for finding in &report.findings {
        if let Some(row) = finding.key.as_ref().and_then(|key| report.deal(key.as_str())) {
            assert!(row.findings.contains(&finding.rule), "{finding:?} is not in its row");
        }
    }
    fired(&report, rule).len()
}

fn told(world: &World, rule: &str) -> String {
    let report = world.audit();
    let found = fired(&report, rule);
    let lines = found.iter().map(|finding| {
        let place = finding.place.file.as_deref().unwrap_or("-");
        let help = finding.help.as_deref().unwrap_or("no help");
        format!("{}: {}\n  {place}\n  {help}", finding.severity.as_str(), finding.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_rule_has_an_id_a_page_and_a_place_in_the_documentation() {
    let rules: Vec<_> = handoff::audit::rules().collect();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), rules.len(), "ids are unique");
    insta::assert_snapshot!(ids.into_iter().collect::<Vec<_>>().join("\n"), @r#"
    audit-incomplete
    backdated-commit
    deal-drift
    delivery-failed
    duplicate-handoff
    edited-after-acceptance
    first-touch-late
    first-touch-overdue
    handoff-returned
    history-rewritten
    incomplete-handoff
    late-handoff
    missing-handoff
    orphan-brief
    removed-handoff
    task-not-opened
    "#);
    let overview = include_str!("../../../docs/audit.md");
    for rule in rules {
        assert_eq!(rule.kind, RuleKind::Audit);
        assert!(
            rule.explain.starts_with(&format!("# {}\n", rule.id)),
            "{} has another page",
            rule.id
        );
        assert!(
            rule.explain.contains("## How to mend it"),
            "{} does not say how to mend it",
            rule.id
        );
        let example = format!("{}[{}]: ", rule.severity.as_str(), rule.id);
        assert!(
            rule.explain.contains(&example)
                || rule.explain.contains(&format!("error[{}]: ", rule.id)),
            "{} has no example",
            rule.id
        );
        assert!(
            overview.contains(&format!("(rules/{}.md)", rule.id)),
            "docs/audit.md does not list {}",
            rule.id
        );
    }
}

#[test]
fn a_handoff_that_went_well_has_no_findings() {
    let report = World::handed_over().audit();
    assert_eq!(report.findings, []);
    assert!(report.complete);
}

#[test]
fn missing_handoff() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    insta::assert_snapshot!(told(&world, "missing-handoff"), @r#"
    error: "Acme 1" (48000.00 USD, Riley Ross) was won on 2026-11-20 15:00 UTC, 3 d ago, and has no handoff.
      -
      Run `handoff backfill` to make the brief now, or `handoff exempt hubspot-1 --reason … --by …` if none is needed.
    "#);
    world.as_of = at("2026-11-20T16:00:00Z");
    assert_eq!(count(&world, "missing-handoff"), 0, "it is pending");
    world.as_of = at("2026-11-20T16:00:01Z");
    assert_eq!(count(&world, "missing-handoff"), 1);
}

#[test]
fn late_handoff() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.put(&folder("1"), "2026-11-22T18:00:00Z", Some(signed_brief("1")), all_done());
    insta::assert_snapshot!(told(&world, "late-handoff"), @r#"
    warning: "Acme 1" (48000.00 USD, Riley Ross) was handed over 2 d 3 h after its signature on 2026-11-20 15:00 UTC; 1h is allowed.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      The signature arrived on 2026-11-20 15:00 UTC and waited 2 d 2 h: see `handoff status hubspot-1` and `handoff inbox list`.
    "#);
    world.policy.handoff_within = "51h".parse().expect("a duration");
    assert_eq!(count(&world, "late-handoff"), 0, "exactly at the limit is in time");
    world.policy.handoff_within = "50h59m59s".parse().expect("a duration");
    assert_eq!(count(&world, "late-handoff"), 1);
}

#[test]
fn removed_handoff() {
    let mut world = World::handed_over();
    assert_eq!(count(&world, "removed-handoff"), 0);
    world.remove(&folder("1"), "2026-11-22T09:00:00Z");
    insta::assert_snapshot!(told(&world, "removed-handoff"), @r#"
    error: "Acme 1" (48000.00 USD, Riley Ross) was handed over, and its brief was removed on 2026-11-22 09:00 UTC in commit 0000000107.
      briefs/2026/11/acme--hubspot-1
      See what happened with `git show 0000000107`; `git revert 0000000107` brings the brief back. If none is needed, `handoff exempt hubspot-1 --reason … --by …`.
    "#);
    let mut world = World::handed_over();
    world.rename(&folder("1"), "briefs/2026/12/acme--hubspot-1", "2026-11-22T09:00:00Z");
    assert_eq!(count(&world, "removed-handoff"), 0, "a move is no removal");
    let mut world = World::handed_over();
    let mut unsigned = signed_brief("1");
    unsigned.signature = None;
    world.put(&folder("1"), "2026-11-22T09:00:00Z", Some(unsigned), all_done());
    insta::assert_snapshot!(told(&world, "removed-handoff"), @r#"
    error: "Acme 1" (48000.00 USD, Riley Ross) was handed over, and its brief lost its signature on 2026-11-22 09:00 UTC in commit 0000000107.
      briefs/2026/11/acme--hubspot-1
      See what happened with `git show 0000000107`, and restore the `signature:` of the brief.
    "#);
}

#[test]
fn incomplete_handoff() {
    let mut brief = signed_brief("1");
    brief.complete = false;
    brief.unanswered = [
        "success.by",
        "success.metric",
        "success.primary_goal",
        "success.target",
        "success.x",
        "success.y",
    ]
    .map(|field| UnansweredField { question: Some(6), field: field.to_owned() })
    .to_vec();
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.put(&folder("1"), DELIVERED, Some(brief.clone()), all_done());
    insta::assert_snapshot!(told(&world, "incomplete-handoff"), @r#"
    warning: The brief of "Acme 1" (48000.00 USD, Riley Ross) was delivered without success.by, success.metric, success.primary_goal, success.target and 2 more.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Ask Riley Ross and answer in the brief; `handoff coverage` shows which fields the CRM cannot answer.
    "#);
    let question = |world: &World| fired(&world.audit(), "incomplete-handoff")[0].question;
    assert_eq!(question(&world), Some(6), "all of it is one question");
    world.put(&folder("1"), "2026-11-20T16:00:00Z", Some(signed_brief("1")), all_done());
    assert_eq!(count(&world, "incomplete-handoff"), 1, "answers that came later do not change it");

    brief.unanswered[0].question = Some(4);
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.put(&folder("1"), DELIVERED, Some(brief), all_done());
    assert_eq!(question(&world), None);
    assert_eq!(count(&World::handed_over(), "incomplete-handoff"), 0);
}

#[test]
fn orphan_brief() {
    let mut world = World::handed_over();
    let mut texts = Vec::new();
    for outcome in [Outcome::Open, Outcome::Lost, Outcome::Gone] {
        world.deals[0].outcome = outcome;
        world.deals[0].stage = Some("Negotiation".to_owned());
        texts.push(told(&world, "orphan-brief"));
    }
    world.deals[0].outcome = Outcome::Open;
    world.deals[0].closed_won_at = None;
    texts.push(told(&world, "orphan-brief"));
    world.deals.clear();
    texts.push(told(&world, "orphan-brief"));
    let mut survivor = won_deal("2");
    survivor.merged_ids = vec![DealId::new("1")];
    world.deals.push(survivor);
    world.put(&folder("2"), DELIVERED, Some(signed_brief("2")), all_done());
    texts.push(told(&world, "orphan-brief"));
    insta::assert_snapshot!(texts.join("\n"), @r#"
    warning: The brief of "Acme 1" (48000.00 USD) is signed, and its deal "1" was reopened (stage "Negotiation").
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Ask the rep why, and close the deal again or void the document.
    warning: The brief of "Acme 1" (48000.00 USD) is signed, and its deal "1" is lost (stage "Negotiation").
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Ask the rep which of the two is true.
    warning: The brief of "Acme 1" (48000.00 USD) is signed, and its deal "1" was deleted or archived.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Restore the deal in the CRM, or tell the CSM that the contract is void.
    warning: The brief of "Acme 1" (48000.00 USD) is signed, and its deal "1" is open (stage "Negotiation"): it was reopened, or never closed.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Close the deal in the CRM; `update_closed_won` in handoff.yaml does so after each signature.
    warning: The brief of "Acme 1" (48000.00 USD) names deal "1", and no such deal was read.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Create or find the deal in the CRM, and put its id into the brief; check that the token may see all deals.
    warning: The brief of "Acme 1" (48000.00 USD) names deal "1", which was merged into "2".
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Check that the other deal's brief holds what was promised here.
    "#);
    world.deals.push(won_deal("1"));
    assert_eq!(count(&world, "orphan-brief"), 0, "the deal is won");
}

#[test]
fn duplicate_handoff() {
    let mut world = World::handed_over();
    let mut twin = signed_brief("1");
    twin.key = Some(Key::parse("pandadoc-document-1").expect("a key"));
    twin.deal = None;
    let path = "briefs/2026/11/acme--pandadoc-document-1";
    world.put(path, "2026-11-20T15:20:00Z", Some(twin), all_done());
    insta::assert_snapshot!(told(&world, "duplicate-handoff"), @r#"
    error: "Acme 1" (48000.00 USD, Riley Ross) has 2 signed briefs: briefs/2026/11/acme--hubspot-1 and briefs/2026/11/acme--pandadoc-document-1.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Keep one: move what the other knows into briefs/2026/11/acme--hubspot-1, close its task, and remove its folder.
    "#);
    assert!(world.audit().orphans.is_empty(), "it is one too many of a deal's, not nobody's");
    world.remove(path, "2026-11-22T09:00:00Z");
    assert_eq!(count(&world, "duplicate-handoff"), 0);

    let mut world = World::handed_over();
    world.put(
        "briefs/2026/12/acme--hubspot-1",
        "2026-12-01T09:00:00Z",
        Some(signed_brief("1")),
        all_done(),
    );
    assert_eq!(count(&world, "duplicate-handoff"), 1, "two folders with one key");
}

#[test]
fn deal_drift() {
    let mut world = World::handed_over();
    let deal = &mut world.deals[0];
    deal.amount = Some(handoff::facts::Money::parse("52000", Some("EUR")).expect("money"));
    deal.name = Some("Acme renewal".to_owned());
    deal.closed_won_at = Some(at("2026-11-18T23:59:59Z"));
    deal.owner = Some(Person {
        name: Some("Kim Doe".to_owned()),
        email: Some("kim@example.com".to_owned()),
    });
    insta::assert_snapshot!(told(&world, "deal-drift"), @r#"
    warning: "Acme renewal" (52000 EUR, Kim Doe) differs from its brief: the deal is worth 52000 EUR, the brief says 48000.00 USD; the deal is called "Acme renewal", in the brief "Acme 1"; the deal was won on 2026-11-18, by the brief on 2026-11-20, 2 days apart; the deal's owner is "Kim Doe", in the brief "Riley Ross".
      briefs/2026/11/acme--hubspot-1/brief.yaml
      If the deal is right, `handoff sign --deal 1` updates the brief; if the brief is right, correct the CRM.
    "#);

    for (amount, times) in [("48001.00", 0), ("48001.01", 1), ("47999", 0), ("47998.99", 1)] {
        let mut world = World::handed_over();
        world.deals[0].amount = Some(usd(amount));
        assert_eq!(count(&world, "deal-drift"), times, "{amount}");
    }
    for (won, times) in
        [("2026-11-19T00:00:00Z", 0), ("2026-11-18T23:59:59Z", 1), ("2026-11-21T23:59:59Z", 0)]
    {
        let mut world = World::handed_over();
        world.deals[0].closed_won_at = Some(at(won));
        assert_eq!(count(&world, "deal-drift"), times, "{won}");
    }
    let mut world = World::handed_over();
    let deal = &mut world.deals[0];
    deal.name = Some(" ACME  1".to_owned());
    deal.owner = Some(Person {
        name: Some("R. Ross".to_owned()),
        email: Some("Riley@Example.com".to_owned()),
    });
    deal.amount = None;
    assert_eq!(
        count(&world, "deal-drift"),
        0,
        "capitals, white space and what is not there are no drift"
    );
}

#[test]
fn task_not_opened() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), vec![]);
    world.as_of = at("2026-11-20T16:10:01Z");
    insta::assert_snapshot!(told(&world, "task-not-opened"), @r#"
    error: "Acme 1" (48000.00 USD, Riley Ross) was handed over 1 h ago, and no first-touch task was opened.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Run `handoff deliver hubspot-1`.
    "#);
    world.as_of = at("2026-11-20T16:10:00Z");
    assert_eq!(count(&world, "task-not-opened"), 0, "it may still come");
    world.as_of = at("2026-11-20T16:10:01Z");
    world.policy.expects_task = false;
    assert_eq!(count(&world, "task-not-opened"), 0, "no sink opens tasks");
    world.policy.expects_task = true;
    world.put_events(
        &folder("1"),
        "2026-11-20T15:20:00Z",
        vec![event(EventKind::Accepted, "2026-11-20T15:20:00Z")],
    );
    assert_eq!(count(&world, "task-not-opened"), 0, "it was accepted without one");
}

#[test]
fn delivery_failed() {
    let mut world = World::handed_over();
    let mut failed = event(EventKind::DeliveryFailed, "2026-11-20T15:12:00Z");
    failed.via = "slack".to_owned();
    failed.reason = Some("channel_not_found".to_owned());
    let mut events = all_done();
    events.push(failed);
    world.put_events(&folder("1"), "2026-11-20T15:12:00Z", events.clone());
    insta::assert_snapshot!(told(&world, "delivery-failed"), @r#"
    error: A delivery of "Acme 1" (48000.00 USD, Riley Ross) failed: slack on 2026-11-20 15:12 UTC: "channel_not_found".
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Mend the cause (`handoff doctor` helps), then run `handoff deliver hubspot-1`.
    "#);
    let mut made = event(EventKind::Notified, "2026-11-20T16:00:00Z");
    made.via = "slack".to_owned();
    events.push(made);
    world.put_events(&folder("1"), "2026-11-20T16:00:00Z", events);
    assert_eq!(count(&world, "delivery-failed"), 0, "it was made since");
}

/// A handoff whose first touch is due at `due` and came at `touched`.
fn touched(due: Option<&str>, touched: Option<&str>) -> World {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    let mut brief = signed_brief("1");
    brief.due = due.map(at);
    let mut events = all_done();
    events.retain(|event| event.event != EventKind::Touched);
    events.extend(touched.map(|time| event(EventKind::Touched, time)));
    world.put(&folder("1"), DELIVERED, Some(brief), events);
    world
}

#[test]
fn first_touch_late() {
    insta::assert_snapshot!(told(&touched(None, Some("2026-11-21T20:10:00Z")), "first-touch-late"), @r#"
    warning: The first touch of "Acme 1" (48000.00 USD, Riley Ross) by Sam Lee came 5 h 10 min after its deadline of 2026-11-21 15:00 UTC.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      See `handoff status hubspot-1` for what it waited on.
    "#);
    for (due, time, times) in [
        (None, "2026-11-21T15:00:00Z", 0),
        (None, "2026-11-21T15:00:01Z", 1),
        (Some("2026-11-22T12:00:00Z"), "2026-11-22T12:00:00Z", 0),
        (Some("2026-11-22T12:00:00Z"), "2026-11-22T12:00:01Z", 1),
    ] {
        assert_eq!(count(&touched(due, Some(time)), "first-touch-late"), times, "{due:?} {time}");
    }
    let mut world = touched(None, Some("2026-11-23T10:00:00Z"));
    world.policy.calendar = Some(
        CalendarConfig {
            timezone: "UTC".into(),
            days: vec!["mon".into(), "fri".into()],
            hours: "09:00-17:00".into(),
            holidays: vec![],
        }
        .check()
        .expect("a calendar"),
    );
    world.policy.first_touch_within = "3h".parse().expect("a duration");
    assert_eq!(count(&world, "first-touch-late"), 0, "due on Monday at 10:00, in working time");
    world.policy.first_touch_within = "2h59m".parse().expect("a duration");
    assert_eq!(count(&world, "first-touch-late"), 1);
}

#[test]
fn first_touch_overdue() {
    let mut world = touched(None, None);
    insta::assert_snapshot!(told(&world, "first-touch-overdue"), @r#"
    error: "Acme 1" (48000.00 USD, Riley Ross) has had no first touch; it was due on 2026-11-21 15:00 UTC, 2 d ago.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Sam Lee contacts the customer now and records it with `handoff touch hubspot-1`, or by closing the task.
    "#);
    world.as_of = at("2026-11-21T15:00:00Z");
    assert_eq!(count(&world, "first-touch-overdue"), 0);
    world.as_of = at("2026-11-21T15:00:01Z");
    assert_eq!(count(&world, "first-touch-overdue"), 1);
    assert_eq!(
        count(&touched(None, Some("2026-11-22T15:00:00Z")), "first-touch-overdue"),
        0,
        "late is not overdue"
    );
}

#[test]
fn handoff_returned() {
    let mut returned = event(EventKind::Returned, "2026-11-23T09:00:00Z");
    returned.by = Some("Sam Lee".to_owned());
    returned.reason = Some("unanswered: who is the economic buyer?".to_owned());
    let mut events = all_done();
    events.push(returned);
    let mut world = World::handed_over();
    world.put_events(&folder("1"), "2026-11-23T09:00:00Z", events.clone());
    insta::assert_snapshot!(told(&world, "handoff-returned"), @r#"
    warning: "Acme 1" (48000.00 USD, Riley Ross) was returned by Sam Lee 6 h ago: "unanswered: who is the economic buyer?".
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Riley Ross mends the brief; then `handoff accept hubspot-1` closes the matter.
    "#);
    for kind in [EventKind::Resubmitted, EventKind::Accepted] {
        let mut events = events.clone();
        events.push(event(kind, "2026-11-23T10:00:00Z"));
        world.put_events(&folder("1"), "2026-11-23T10:00:00Z", events);
        assert_eq!(count(&world, "handoff-returned"), 0, "{kind:?}");
    }
    assert_eq!(count(&World::handed_over(), "handoff-returned"), 0, "never returned");
}

#[test]
fn edited_after_acceptance() {
    let edit = |time: &str| {
        let mut world = World::handed_over();
        let mut brief = signed_brief("1");
        brief.customer = Some("Acme Inc".to_owned());
        world.put(&folder("1"), time, Some(brief), all_done());
        world
    };
    insta::assert_snapshot!(told(&edit("2026-11-22T16:20:00Z"), "edited-after-acceptance"), @r#"
    warning: The brief of "Acme 1" (48000.00 USD, Riley Ross) was accepted on 2026-11-21 09:05 UTC and changed once since, last on 2026-11-22 16:20 UTC in commit 0000000107.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      See the change with `git log -p -- briefs/2026/11/acme--hubspot-1`; the CSM accepts it again with `handoff accept hubspot-1`.
    "#);
    assert_eq!(
        count(&edit("2026-11-21T09:05:00Z"), "edited-after-acceptance"),
        0,
        "in the same moment"
    );
    assert_eq!(count(&edit("2026-11-21T09:05:01Z"), "edited-after-acceptance"), 1);
    let mut world = World::handed_over();
    world.put_events(&folder("1"), "2026-11-22T16:20:00Z", all_done());
    assert_eq!(count(&world, "edited-after-acceptance"), 0, "only the timeline changed");
    let mut world = edit("2026-11-22T16:20:00Z");
    let mut events = all_done();
    events.push(event(EventKind::Accepted, "2026-11-22T17:00:00Z"));
    world.put_events(&folder("1"), "2026-11-22T17:00:00Z", events);
    assert_eq!(count(&world, "edited-after-acceptance"), 0, "it was accepted again");
}

#[test]
fn backdated_commit() {
    // Dated before the signature.
    for (committed, times) in [("2026-11-20T14:59:59Z", 1), (SIGNED, 0)] {
        let mut world = World::new();
        world.deals.push(won_deal("1"));
        let mut brief = signed_brief("1");
        brief.signature.as_mut().expect("signed").signed_at = Some(at("2026-11-20T15:00:00.900Z"));
        world.put(&folder("1"), committed, Some(brief), all_done());
        assert_eq!(count(&world, "backdated-commit"), times, "{committed}");
    }
    // On time only by a date that cannot be true.
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.commit("2026-11-22T12:00:00Z");
    world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), all_done());
    insta::assert_snapshot!(told(&world, "backdated-commit"), @r#"
    error: The brief of "Acme 1" (48000.00 USD, Riley Ross) is on time by commit 0000000107 alone, which is dated 2026-11-20 15:10 UTC and stands behind a commit of 2026-11-22 12:00 UTC.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      See who made it with `git show --format=fuller 0000000107`, and compare with the `received` time in the timeline.
    warning: Commit 0000000107 is dated 2026-11-20 15:10 UTC, 1 d 20 h before its parent.
      -
      See who made it with `git show --format=fuller 0000000107`.
    "#);
    // Before its parent, and nothing rests on it.
    for (seconds, severity) in [
        (0, None),
        (1, Some(Severity::Info)),
        (60, Some(Severity::Info)),
        (61, Some(Severity::Warning)),
    ] {
        let mut world = World::handed_over();
        let parent = at("2026-11-22T12:00:00Z").timestamp();
        world.commit_at(parent);
        world.commit_at(parent - seconds);
        let report = world.audit();
        assert_eq!(
            fired(&report, "backdated-commit").first().map(|finding| finding.severity),
            severity,
            "{seconds}"
        );
    }
}

#[test]
fn history_rewritten() {
    let mut world = World::handed_over();
    world.checkpoints.push(Checkpoint {
        name: "refs/handoff/audits/2026-11-01".to_owned(),
        at: at("2026-11-01T06:00:00Z"),
        tip: ObjectId([3; 20]),
        contained: true,
    });
    assert_eq!(count(&world, "history-rewritten"), 0);
    world.checkpoints[0].contained = false;
    insta::assert_snapshot!(told(&world, "history-rewritten"), @r#"
    error: The audit of 2026-11-01 06:00 UTC saw the history up to commit 0303030303, and branch "main" no longer contains it.
      -
      Somebody has rewritten the branch. See what is gone with `git log 0909090909..0303030303`, and restore it; the checkpoint refs/handoff/audits/2026-11-01 keeps it.
    "#);
}

#[test]
fn audit_incomplete() {
    let mut world = World::handed_over();
    assert_eq!(count(&world, "audit-incomplete"), 0);
    world.deals[0].closed_won_at = None;
    insta::assert_snapshot!(told(&world, "audit-incomplete"), @r#"
    error: Could not read the time at which deal "1" was won: the source gives no date; counted whatever the window is.
      -
      Fill in the close date of these deals in the CRM.
    "#);
}

#[test]
fn hostile_names_stay_words() {
    let mut world = World::new();
    let mut deal = won_deal("1");
    deal.crm = CrmName::new("csv");
    deal.id = DealId::new("…");
    deal.name = Some(format!("x\n\u{1b}[31m\u{202e}{}", "y".repeat(300)));
    world.deals.push(deal);
    let report = world.audit();
    assert_eq!(report.deals[0].key.as_str(), "csv-…");
    for finding in &report.findings {
        assert!(!finding.message.contains(['\n', '\u{1b}', '\u{202e}']), "{finding:?}");
        assert!(finding.message.chars().count() < 250, "{finding:?}");
        assert_eq!(finding.key, None, "no key can be made of this id");
    }
}

#[test]
fn one_wrong_clock_does_not_put_all_that_comes_after_in_doubt() {
    let backdated = |ahead: &str, behind: &[&str]| {
        let mut world = World::new();
        world.deals.push(won_deal("1"));
        world.commit(ahead);
        for time in behind {
            world.commit(time);
        }
        world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), all_done());
        let report = world.audit();
        let key = report.deals[0].key.as_str().to_owned();
        let of_deal = report.findings.iter().find(|finding| {
            finding.rule == "backdated-commit"
                && finding.key.as_ref().is_some_and(|of| of.as_str() == key)
        });
        of_deal.map(|finding| finding.severity)
    };
    assert_eq!(backdated("2026-11-22T12:00:00Z", &[]), Some(Severity::Error));
    assert_eq!(
        backdated("2026-11-22T12:00:00Z", &["2026-11-20T15:05:00Z"]),
        Some(Severity::Warning)
    );
    assert_eq!(
        backdated("2030-01-01T00:00:00Z", &["2026-11-20T15:05:00Z"]),
        None,
        "nobody lives in 2030 yet"
    );
    assert_eq!(backdated("2026-11-20T15:30:00Z", &[]), None, "it is on time by the later date too");
}
