//! The rules about deals and their briefs: where each fires, where it is
//! silent, and the boundary between.

use std::collections::BTreeSet;

use handoff::audit::{AuditReport, Class, UnansweredField};
use handoff::brief::EventKind;
use handoff::finding::{Finding, RuleKind};
use handoff::model::{DealId, Key, Outcome, Person};

use super::world::{DELIVERED, World, all_done, at, event, folder, signed_brief, usd, won_deal};

pub(super) fn fired<'a>(report: &'a AuditReport, rule: &str) -> Vec<&'a Finding> {
    report.findings.iter().filter(|finding| finding.rule == rule).collect()
}

/// How often a rule fires; with it, that each finding of a deal stands in its row.
pub(super) fn count(world: &World, rule: &str) -> usize {
    let report = world.audit();
    for finding in &report.findings {
        if let Some(row) = finding.key.as_ref().and_then(|key| report.deal(key.as_str())) {
            assert!(row.findings.contains(&finding.rule), "{finding:?} is not in its row");
        }
    }
    fired(&report, rule).len()
}

pub(super) fn told(world: &World, rule: &str) -> String {
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
    checkpoint-contradicted
    deal-drift
    delivery-failed
    document-voided
    duplicate-handoff
    edited-after-acceptance
    first-touch-late
    first-touch-overdue
    hand-written-event
    handoff-returned
    history-rewritten
    incomplete-handoff
    late-handoff
    missing-handoff
    never-accepted
    onboarding-overdue
    orphan-brief
    policy-loosened
    removed-handoff
    self-approved
    signature-without-deal
    signature-without-handoff
    signed-after-won
    signed-not-won
    signed-total-differs
    sources-rewritten
    task-not-opened
    timeline-rewritten
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
            rule.explain.contains("## How to fix it"),
            "{} does not say how to fix it",
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
    error: "Acme 1" (USD 48,000.00, Riley Ross) was won on 2026-11-20 15:00 UTC, 3 d ago, and has no handoff.
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
    warning: "Acme 1" (USD 48,000.00, Riley Ross) was handed over 2 d 3 h after its signature on 2026-11-20 15:00 UTC; 1h is allowed.
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
    error: "Acme 1" (USD 48,000.00, Riley Ross) was handed over, and its brief was removed on 2026-11-22 09:00 UTC in commit 0000000107.
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
    error: "Acme 1" (USD 48,000.00, Riley Ross) was handed over, and its brief lost its signature on 2026-11-22 09:00 UTC in commit 0000000107.
      briefs/2026/11/acme--hubspot-1
      See what happened with `git show 0000000107`, and restore the `signature:` of the brief.
    "#);
    // An exemption after the removal is the remedy; one from before it does not excuse it.
    let mut exempted = event(EventKind::Exempted, "2026-11-22T08:00:00Z");
    (exempted.reason, exempted.by) = (Some("void".to_owned()), Some("Dana Wu".to_owned()));
    let events = [all_done(), vec![exempted]].concat();
    let (put, remove) = ("2026-11-22T08:00:00Z", "2026-11-22T09:00:00Z");
    let mut world = World::handed_over();
    world.remove(&folder("1"), remove);
    world.put(&folder("1"), "2026-11-22T10:00:00Z", None, events.clone());
    assert_eq!((world.class("1"), count(&world, "removed-handoff")), (Class::Exempt, 0));
    // Whoever takes the brief away does not exempt its deal in the same commit.
    let mut world = World::handed_over();
    world.put(&folder("1"), remove, None, events.clone());
    assert_eq!((world.class("1"), count(&world, "removed-handoff")), (Class::Exempt, 1));
    let mut world = World::handed_over();
    world.put(&folder("1"), put, Some(signed_brief("1")), events);
    let (commit, timeline) = (world.commit(remove), world.last(&folder("1")).timeline);
    world.version(&folder("1"), commit, None, timeline);
    assert_eq!((world.class("1"), count(&world, "removed-handoff")), (Class::Exempt, 1));
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
    warning: The brief of "Acme 1" (USD 48,000.00, Riley Ross) was delivered without success.by, success.metric, success.primary_goal, success.target and 2 more.
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
    warning: The brief of "Acme 1" (USD 48,000.00) is signed, and its deal "1" was reopened (stage "Negotiation").
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Ask the rep why, and close the deal again or void the document.
    warning: The brief of "Acme 1" (USD 48,000.00) is signed, and its deal "1" is lost (stage "Negotiation").
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Ask the rep which of the two is true.
    warning: The brief of "Acme 1" (USD 48,000.00) is signed, and its deal "1" was deleted or archived.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Restore the deal in the CRM, or tell the CSM that the contract is void.
    warning: The brief of "Acme 1" (USD 48,000.00) is signed, and its deal "1" does not count as won (stage "Negotiation"): it was reopened, was never closed, or the settings leave it out.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Close the deal in the CRM; `update_closed_won` in handoff.yaml does so after each signature. Where the CRM says that it is won, see which deals `crm:` in handoff.yaml counts.
    warning: The brief of "Acme 1" (USD 48,000.00) names deal "1", and no such deal was read.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Restore the deal in the CRM, or put the id of the signed document into a property of the deal that is meant; check that the token may see all deals.
    warning: The brief of "Acme 1" (USD 48,000.00) names deal "1", which was merged into "2".
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
    error: "Acme 1" (USD 48,000.00, Riley Ross) has 2 signed briefs: briefs/2026/11/acme--hubspot-1 and briefs/2026/11/acme--pandadoc-document-1.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Keep one: move what only the other one has into briefs/2026/11/acme--hubspot-1, close its task, and remove its folder.
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
    deal.amount = Some(handoff::model::Money::parse("52000", Some("EUR")).expect("money"));
    deal.name = Some("Acme renewal".to_owned());
    deal.closed_won_at = Some(at("2026-11-18T23:59:59Z"));
    deal.owner = Some(Person {
        name: Some("Kim Doe".to_owned()),
        email: Some("kim@example.com".to_owned()),
    });
    insta::assert_snapshot!(told(&world, "deal-drift"), @r#"
    warning: "Acme renewal" (EUR 52,000.00, Kim Doe) differs from its brief: the deal is worth EUR 52,000.00, the brief says USD 48,000.00; the deal is called "Acme renewal", in the brief "Acme 1"; the deal was won on 2026-11-18, by the brief on 2026-11-20, 2 days apart; the deal's owner is "Kim Doe", in the brief "Riley Ross".
      briefs/2026/11/acme--hubspot-1/brief.yaml
      If the deal is right, `handoff sign --deal 1` updates the brief, but for what a person wrote: change that in brief.yaml. If the brief is right, correct the CRM.
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
