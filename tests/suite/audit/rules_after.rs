//! The rules about what follows a handoff, and about the evidence itself:
//! where each fires, where it is silent, and the boundary between.

use handoff::audit::{Arrival, CheckpointReport, Policies, PolicyVersion, Proof, SettingsRemoval};
use handoff::brief::{EventKind, Timeline};
use handoff::finding::Severity;
use handoff::model::{CheckpointDeal, CrmName, DealId, Key, ObjectId};
use handoff::time::CalendarConfig;
use serde_json::{Value, json};

use super::rules::{count, fired, told};
use super::world::{
    Blob, DELIVERED, SIGNED, World, all_done, at, event, folder, signed_brief, won_deal,
};

#[test]
fn task_not_opened() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), vec![]);
    world.as_of = at("2026-11-20T16:10:01Z");
    insta::assert_snapshot!(told(&world, "task-not-opened"), @r#"
    error: "Acme 1" (USD 48,000.00, Riley Ross) was handed over 1 h ago, and no first-touch task was opened.
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
    error: A delivery of "Acme 1" (USD 48,000.00, Riley Ross) failed: slack on 2026-11-20 15:12 UTC: "channel_not_found".
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Fix the cause (`handoff doctor` helps), then run `handoff deliver hubspot-1`.
    "#);
    let mut made = event(EventKind::Notified, "2026-11-20T16:00:00Z");
    made.via = "slack".to_owned();
    events.push(made);
    world.put_events(&folder("1"), "2026-11-20T16:00:00Z", events);
    assert_eq!(count(&world, "delivery-failed"), 0, "it was made since");
}

#[test]
fn document_voided() {
    let mut world = World::handed_over();
    let mut voided = event(EventKind::Voided, "2026-11-20T16:00:00Z");
    voided.via = "pandadoc".to_owned();
    voided.reason = Some("declined".to_owned());
    let mut events = all_done();
    voided.reference = Some("another".to_owned());
    events.push(voided.clone());
    world.put_events(&folder("1"), "2026-11-20T16:00:00Z", events.clone());
    assert_eq!(count(&world, "document-voided"), 0, "a later document was voided alone");
    voided.reference = None;
    events.push(voided);
    world.put_events(&folder("1"), "2026-11-20T16:00:00Z", events);
    insta::assert_snapshot!(told(&world, "document-voided"), @r#"
    warning: The document of "Acme 1" (USD 48,000.00, Riley Ross) was voided on 2026-11-20 16:00 UTC: "declined", and its handoff stands.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Have it signed again, which goes on with the handoff, or take the deal out of Closed Won.
    "#);
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
    warning: The first touch of "Acme 1" (USD 48,000.00, Riley Ross) by Sam Lee (claimed) came 5 h 10 min after its deadline of 2026-11-21 15:00 UTC.
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
    error: "Acme 1" (USD 48,000.00, Riley Ross) has had no first touch; it was due on 2026-11-21 15:00 UTC, 2 d ago.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Sam Lee contacts the customer now and records it with `handoff touch hubspot-1 --by WHO`, or by closing the task.
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
    warning: "Acme 1" (USD 48,000.00, Riley Ross) was returned by Sam Lee 6 h ago: "unanswered: who is the economic buyer?".
      briefs/2026/11/acme--hubspot-1/brief.yaml
      Riley Ross corrects the deal or the brief; then `handoff resubmit hubspot-1 --by WHO` sends it to the CSM again.
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
    warning: The brief of "Acme 1" (USD 48,000.00, Riley Ross) was accepted on 2026-11-21 09:05 UTC and changed once since, last on 2026-11-22 16:20 UTC in commit 0000000107.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      See the change with `git log -p -- briefs/2026/11/acme--hubspot-1`; the CSM accepts it again with `handoff accept hubspot-1 --by WHO`.
    "#);
    assert_eq!(
        count(&edit("2026-11-21T09:04:00Z"), "edited-after-acceptance"),
        1,
        "the order counts, whatever the commit's date says"
    );
    let mut world = World::handed_over();
    let mut brief = signed_brief("1");
    brief.customer = Some("Acme Inc".to_owned());
    let mut events = all_done();
    events.push(event(EventKind::Accepted, "2026-11-22T16:20:00Z"));
    world.put(&folder("1"), "2026-11-22T16:20:00Z", Some(brief), events);
    assert_eq!(count(&world, "edited-after-acceptance"), 0, "in one commit with the acceptance");
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
    error: The brief of "Acme 1" (USD 48,000.00, Riley Ross) is on time by commit 0000000107 alone, which is dated 2026-11-20 15:10 UTC and follows a commit of 2026-11-22 12:00 UTC.
      briefs/2026/11/acme--hubspot-1/brief.yaml
      See who made it with `git show --format=fuller 0000000107`, and compare with the `received` time in the timeline.
    warning: Commit 0000000107 is dated 2026-11-20 15:10 UTC, 1 d 20 h before its parent.
      -
      See who made it with `git show --format=fuller 0000000107`.
    "#);
    // Two commits of one second are nothing, whatever rests on them.
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.commit(DELIVERED);
    world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), all_done());
    assert_eq!(count(&world, "backdated-commit"), 0);
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

/// What an audit of that moment left behind, of commit `0303…`.
fn checkpoint(moment: &str, deals: Vec<CheckpointDeal>) -> CheckpointReport {
    CheckpointReport {
        name: format!("refs/handoff/audit/{}", moment.replace(['-', ':'], "")),
        at: at(moment),
        tip: ObjectId([3; 20]),
        contained: true,
        displaced_by: None,
        is_signed: false,
        signer: None,
        is_current: false,
        faults: Vec::new(),
        deals,
    }
}

#[test]
fn history_rewritten() {
    let mut world = World::handed_over();
    world.checkpoints.push(checkpoint("2026-11-01T06:00:00Z", Vec::new()));
    assert_eq!(count(&world, "history-rewritten"), 0);
    world.checkpoints[0].contained = false;
    insta::assert_snapshot!(told(&world, "history-rewritten"), @r#"
    error: The audit of 2026-11-01 06:00 UTC saw the history up to commit 0303030303, and branch "main" no longer contains it.
      -
      Somebody has rewritten the branch. See what is gone with `git log 0909090909..0303030303`, and restore it; the checkpoint refs/handoff/audit/20261101T060000Z keeps it.
    "#);
}

fn missing() -> World {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world
}

fn pending() -> World {
    let mut world = missing();
    world.as_of = at("2026-11-20T15:30:00Z");
    world
}

fn excluded() -> World {
    let mut world = missing();
    world.excluded.insert("1".to_owned(), "an NDA".to_owned());
    world
}

fn exempt() -> World {
    let mut world = missing();
    let mut exempted = event(EventKind::Exempted, SIGNED);
    (exempted.reason, exempted.by) = (Some("a pilot".to_owned()), Some("Dana Wu".to_owned()));
    world.put(&folder("1"), SIGNED, None, vec![exempted]);
    world
}

#[test]
fn checkpoint_contradicted() {
    let seen = |class: &str, value: Option<&str>, owner: Option<&str>| CheckpointDeal {
        key: "hubspot-1".to_owned(),
        class: class.to_owned(),
        value: value.map(str::to_owned),
        won_at: Some(at(SIGNED)),
        owner: owner.map(str::to_owned),
    };
    let told = |mut world: World, deal: CheckpointDeal| {
        world.checkpoints.push(checkpoint("2026-11-22T06:00:00Z", vec![deal]));
        let report = world.audit();
        let found = fired(&report, "checkpoint-contradicted");
        let told = found.iter().map(|it| format!("{}: {}", it.severity.as_str(), it.message));
        told.collect::<Vec<_>>().join("\n")
    };
    let early = || {
        let mut world = World::new();
        world.as_of = at("2026-11-20T14:00:00Z");
        world
    };
    // Time that has passed does not come back: which class can have become which.
    for (before, world, now) in [
        ("missing", World::handed_over as fn() -> World, Some("on_time")),
        ("removed", World::handed_over, Some("on_time")),
        ("late", World::handed_over, Some("on_time")),
        ("on_time", World::handed_over, None),
        ("pending", World::handed_over, None),
        ("missing", missing, None),
        ("pending", missing, None),
        ("on_time", missing, None),
        ("missing", pending, Some("pending")),
        ("late", pending, Some("pending")),
        ("missing", excluded, Some("excluded")),
        ("late", excluded, Some("excluded")),
        ("on_time", excluded, None),
        // What was missed may be exempt since; what was handed over needs no exemption.
        ("missing", exempt, None),
        ("late", exempt, Some("exempt")),
    ] {
        let told = told(world(), seen(before, None, None));
        match now {
            None => assert_eq!(told, "", "{before}"),
            Some(now) => assert_eq!(
                told,
                format!(
                    "error: The audit of 2026-11-22 06:00 UTC saw deal hubspot-1 as {before} and is {now} now."
                )
            ),
        }
    }
    // What was missed was worth what it was worth then, and was whose it was.
    for (class, value, owner, words) in [
        ("on_time", Some("48000.00 USD"), Some("Riley Ross"), ""),
        ("on_time", Some("48000 USD"), None, ""),
        ("on_time", Some("50000.00 USD"), None, "warning: "),
        ("missing", Some("50000.00 USD"), None, "error: "),
        ("missing", Some("40000.00 USD"), None, "warning: "),
        ("missing", Some("40000.00 EUR"), None, "error: "),
        ("missing", Some("a lot"), None, ""),
        ("missing", None, Some("Riley Ross"), ""),
        ("missing", None, Some("Kim Doe"), "warning: "),
        ("on_time", None, Some("Kim Doe"), ""),
    ] {
        let world = if class == "missing" { missing() } else { World::handed_over() };
        let told = told(world, seen(class, value, owner));
        assert_eq!(told.is_empty(), words.is_empty(), "{class} {value:?} {owner:?}: {told}");
        assert!(told.starts_with(words), "{class} {value:?} {owner:?}: {told}");
    }
    // Gone from the deals, though it was won in the window.
    let gone = told(World::new(), seen("missing", Some("48000.00 USD"), None));
    assert!(gone.contains("is no longer in the population (missing)"), "{gone}");
    let mut later = World::new();
    later.window.from = Some(at("2026-11-21T00:00:00Z"));
    assert_eq!(told(later, seen("missing", None, None)), "", "it was won before the window");
    assert_eq!(told(early(), seen("missing", None, None)), "", "it is won after the audit");
    // Of two checkpoints the later one tells, and a deal is told once.
    let mut world = World::handed_over();
    for (time, class) in [("2026-11-21T06:00:00Z", "missing"), ("2026-11-22T06:00:00Z", "late")] {
        let deals = vec![seen(class, None, None)];
        world
            .checkpoints
            .push(CheckpointReport { at: at(time), ..checkpoint("2026-11-22T06:00:00Z", deals) });
    }
    let report = world.audit();
    let [finding] = fired(&report, "checkpoint-contradicted")[..] else { panic!("one finding") };
    assert!(finding.message.contains("2026-11-22 06:00 UTC saw deal hubspot-1 as late"));
    // And where some are signed by those who are trusted, the others tell nothing.
    world.checkpoints[0].signer = Some("audit@example.com".to_owned());
    let report = world.audit();
    let [finding] = fired(&report, "checkpoint-contradicted")[..] else { panic!("one finding") };
    assert!(finding.message.contains("2026-11-21 06:00 UTC saw deal hubspot-1 as missing"));
}

#[test]
fn a_timeline_that_is_another_one_after_a_move_is_rewritten() {
    let (from, to) = (folder("1"), "briefs/2026/12/acme--hubspot-1");
    let world = |comes_later: bool| {
        let mut world = World::handed_over();
        let brief = world.last(&from).brief;
        let mut other = Timeline::new(Key::parse("hubspot-1").expect("a key"));
        other.events = vec![event(EventKind::Reminded, "2026-11-22T08:00:00Z")];
        let other = world.blob(Blob::Timeline(other));
        let mut commit = world.remove(&from, "2026-11-22T09:00:00Z");
        if comes_later {
            commit = world.commit("2026-11-22T10:00:00Z");
        }
        world.version(to, commit, brief, Some(other));
        world
    };
    assert_eq!(count(&world(false), "timeline-rewritten"), 1);
    assert_eq!(
        count(&world(true), "timeline-rewritten"),
        0,
        "it was taken away, and is told as such"
    );
    let mut moved = World::handed_over();
    moved.rename(&from, to, "2026-11-22T09:00:00Z");
    assert_eq!(count(&moved, "timeline-rewritten"), 0);
}

/// What a change of the settings makes laxer, by the rule's own words.
fn loosened(then: impl Fn(&mut PolicyVersion), now: impl Fn(&mut PolicyVersion)) -> Option<String> {
    let report = with_rules(then, now).audit();
    assert_eq!(report.settings.earlier, [ObjectId([6; 20])]);
    let found = fired(&report, "policy-loosened");
    assert!(found.len() < 2, "{found:?}");
    found.first().map(|it| it.message.clone())
}

/// A world whose settings are changed on 2026-11-12.
fn with_rules(then: impl Fn(&mut PolicyVersion), now: impl Fn(&mut PolicyVersion)) -> World {
    let mut world = World::handed_over();
    let unchanged = Policies::unchanged(world.policy.clone()).versions()[0].clone();
    let mut versions = [unchanged.clone(), unchanged];
    for (version, (from, id)) in
        versions.iter_mut().zip([("2026-11-02T09:00:00Z", 2), ("2026-11-12T09:00:00Z", 3)])
    {
        version.from = at(from);
        version.commit = Some(ObjectId([id; 20]));
        version.settings = Some(ObjectId([id + 4; 20]));
        version.by = "Riley Ross <riley@example.com>".to_owned();
    }
    then(&mut versions[0]);
    now(&mut versions[1]);
    world.rules = versions.to_vec();
    world
}

#[test]
fn policy_loosened() {
    let told = loosened(|_| (), |now| now.policy.handoff_within = "2h".parse().unwrap());
    assert_eq!(
        told.as_deref(),
        Some(
            "Commit 0303030303 by Riley Ross <riley@example.com> made the rules laxer on 2026-11-12 09:00 UTC: handoff_within went from 1h to 2h."
        )
    );
    type Change = fn(&mut PolicyVersion);
    let same: Change = |_| ();
    let calendar = |hours: &str| CalendarConfig {
        timezone: "UTC".into(),
        days: vec!["mon".into(), "fri".into()],
        hours: hours.into(),
        holidays: vec![],
    };
    let calendar = move |hours: &str| Some(calendar(hours).check().expect("a calendar"));
    let table: [(Change, Change, Option<&str>); 24] = [
        (same, same, None),
        (same, |it| it.policy.handoff_within = "30m".parse().unwrap(), None),
        (
            same,
            |it| it.policy.first_touch_within = "25h".parse().unwrap(),
            Some("first_touch.within went from 24h to 25h"),
        ),
        (same, |it| it.policy.first_touch_within = "23h".parse().unwrap(), None),
        (
            same,
            |it| it.scope.push("deal.amount < 5".into()),
            Some("scope now leaves out deals where \"deal.amount < 5\""),
        ),
        (|it| it.scope.push("deal.amount < 5".into()), same, None),
        (
            |it| it.required = ["a".into(), "b".into()].into(),
            |it| it.required = ["b".into()].into(),
            Some("a no longer has to be answered"),
        ),
        (same, |it| it.required = ["a".into()].into(), None),
        (same, |it| it.policy.waits_in_pull_request = true, Some("briefs wait in a pull request")),
        (|it| it.policy.waits_in_pull_request = true, same, None),
        (|it| it.policy.asks_clock = true, same, Some("no second clock is asked any more")),
        (same, |it| it.policy.asks_clock = true, None),
        (|it| it.policy.first_touch_needs_evidence = true, same, Some("no longer needs evidence")),
        (same, |it| it.policy.first_touch_needs_evidence = true, None),
        (same, |it| it.policy.expects_task = false, Some("no first-touch task is opened any more")),
        (|it| it.policy.expects_task = false, same, None),
        (same, |it| it.policy.approvers = vec!["A".into()], None),
        (
            |it| it.policy.approvers = vec!["A".into()],
            |it| it.policy.approvers = vec!["A".into(), "B".into()],
            Some("more people may approve exemptions"),
        ),
        (
            |it| it.policy.approvers = vec!["A".into()],
            |it| it.policy.approvers = vec!["B".into()],
            Some("more people may approve exemptions"),
        ),
        (
            |it| it.policy.approvers = vec!["A".into()],
            same,
            Some("more people may approve exemptions"),
        ),
        (
            |it| it.policy.approvers = vec!["A".into(), "B".into()],
            |it| it.policy.approvers = vec!["B".into()],
            None,
        ),
        (
            same,
            |it| drop(it.reading.insert("crm.kind".into(), "file".into())),
            Some(
                "<riley@example.com> changed how deals are read on 2026-11-12 09:00 UTC: crm.kind went from its default to \"file\"",
            ),
        ),
        (
            |it| drop(it.reading.insert("crm.kind".into(), "file".into())),
            same,
            Some("crm.kind went from \"file\" to its default"),
        ),
        (
            |it| drop(it.reading.insert("crm.kind".into(), "file".into())),
            |it| drop(it.reading.insert("crm.kind".into(), "file".into())),
            None,
        ),
    ];
    for (row, (then, now, words)) in table.into_iter().enumerate() {
        let told = loosened(then, now);
        assert_eq!(told.is_some(), words.is_some(), "row {row}: {told:?}");
        assert!(told.unwrap_or_default().contains(words.unwrap_or_default()), "row {row}");
    }
    for (then, now, words) in [
        (None, Some("09:00-17:00"), Some("a calendar now stops the clock")),
        (Some("09:00-17:00"), Some("09:00-16:00"), Some("the calendar has fewer hours")),
        (Some("09:00-17:00"), Some("08:00-16:00"), None),
        (Some("09:00-17:00"), Some("08:00-17:00"), None),
        (Some("09:00-17:00"), None, None),
    ] {
        let of = |hours: Option<&'static str>| {
            move |it: &mut PolicyVersion| it.policy.calendar = hours.and_then(calendar)
        };
        let told = loosened(of(then), of(now));
        assert_eq!(told.is_some(), words.is_some(), "{then:?} {now:?}: {told:?}");
        assert!(told.unwrap_or_default().contains(words.unwrap_or_default()));
    }
    // In the audited time alone.
    let in_time = |from: Option<&str>, as_of: &str| {
        let mut world = with_rules(|_| (), |now| now.policy.handoff_within = "2h".parse().unwrap());
        (world.window.from, world.as_of) = (from.map(at), at(as_of));
        count(&world, "policy-loosened")
    };
    for (from, as_of, times) in [
        (None, "2026-11-23T15:00:00Z", 1),
        (Some("2026-11-12T09:00:00Z"), "2026-11-23T15:00:00Z", 1),
        (Some("2026-11-12T09:00:01Z"), "2026-11-23T15:00:00Z", 0),
        (None, "2026-11-12T09:00:00Z", 1),
        (None, "2026-11-12T08:59:59Z", 0),
    ] {
        assert_eq!(in_time(from, as_of), times, "{from:?} {as_of}");
        let mut world = World::handed_over();
        world.removals.push(SettingsRemoval {
            at: at("2026-11-12T09:00:00Z"),
            commit: ObjectId([3; 20]),
            by: "Riley Ross <riley@example.com>".to_owned(),
        });
        (world.window.from, world.as_of) = (from.map(at), at(as_of));
        assert_eq!(count(&world, "policy-loosened"), times, "removed: {from:?} {as_of}");
    }
    // What the schema asks of answers.
    for (keyword, then, now, is_laxer) in [
        ("minLength", json!(2), json!(1), true),
        ("minItems", json!(2), json!(1), true),
        ("minProperties", json!(2), json!(1), true),
        ("minimum", json!(2.5), json!(2), true),
        ("minLength", json!(2), json!(2), false),
        ("minLength", json!(2), json!(3), false),
        ("minLength", json!(2), json!(null), true),
        ("maxLength", json!(5), json!(6), true),
        ("maxItems", json!(5), json!(6), true),
        ("maximum", json!(5), json!(5.5), true),
        ("maxLength", json!(5), json!(5), false),
        ("maxLength", json!(5), json!(4), false),
        ("enum", json!(["a"]), json!(["a", "b"]), true),
        ("enum", json!(["a", "b"]), json!(["b"]), false),
        ("enum", json!(["a"]), json!("b"), true),
        ("pattern", json!("^a"), json!("^b"), true),
        ("pattern", json!("^a"), json!("^a"), false),
    ] {
        let at = format!("/properties/x/{keyword}");
        let of = |value: &Value| {
            let (at, value) = (at.clone(), value.clone());
            move |it: &mut PolicyVersion| drop(it.constraints.insert(at.clone(), value.clone()))
        };
        let told = loosened(of(&then), of(&now));
        assert_eq!(told.is_some(), is_laxer, "{keyword} {then} {now}: {told:?}");
        let words = format!("the schema asks less of answers: {at}");
        assert!(!is_laxer || told.unwrap_or_default().contains(&words));
        let gone = loosened(of(&then), |_| ());
        assert!(gone.unwrap_or_default().contains(&words), "{keyword} is gone");
        assert_eq!(loosened(|_| (), of(&now)), None, "one more");
    }
}

#[test]
fn audit_incomplete() {
    let mut world = World::handed_over();
    assert_eq!(count(&world, "audit-incomplete"), 0);
    world.deals[0].closed_won_at = None;
    insta::assert_snapshot!(told(&world, "audit-incomplete"), @r#"
    error: Could not read the time at which deal "1" was won: the source gives no date; counted in every window.
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
        backdated("2026-11-22T12:00:00Z", &[DELIVERED]),
        Some(Severity::Warning),
        "its own parent is of the same second"
    );
    assert_eq!(
        backdated("2030-01-01T00:00:00Z", &["2026-11-20T15:05:00Z"]),
        None,
        "nobody lives in 2030 yet"
    );
    assert_eq!(backdated("2026-11-20T15:30:00Z", &[]), None, "it is on time by the later date too");
}

#[test]
fn a_commit_may_be_dated_a_minute_after_its_push() {
    let world = World::handed_over();
    for (pushed, proof, times) in [
        ("2026-11-20T15:09:00Z", Proof::Recorded, 0),
        ("2026-11-20T15:08:59Z", Proof::Recorded, 1),
        ("2026-11-20T15:08:59Z", Proof::BehindGap, 0),
    ] {
        let mut handoffs = world.handoffs();
        let delivery = handoffs[0].delivered.as_mut().expect("delivered");
        let source = "the push log".into();
        delivery.arrival = Some(Box::new(Arrival { at: at(pushed), source, by: None, proof }));
        let report = world.audit_with(handoffs);
        assert_eq!(fired(&report, "backdated-commit").len(), times, "{pushed} {proof:?}");
    }
}

#[test]
fn never_accepted() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    let mut events = all_done();
    events.retain(|event| event.event != EventKind::Accepted);
    world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), events.clone());
    // Due on 21 November at 15:00.
    world.as_of = at("2026-11-28T15:00:00Z");
    assert_eq!(count(&world, "never-accepted"), 0, "a week is not over");
    world.as_of = at("2026-11-28T15:00:01Z");
    let finding = told(&world, "never-accepted");
    assert!(finding.contains("was neither accepted nor returned by Sam Lee"), "{finding}");
    assert!(finding.contains("`handoff accept hubspot-1 --by WHO`"), "{finding}");
    for kind in [EventKind::Accepted, EventKind::Returned] {
        let mut said = events.clone();
        said.push(event(kind, "2026-11-27T09:00:00Z"));
        world.put_events(&folder("1"), "2026-11-27T09:00:00Z", said);
        assert_eq!(count(&world, "never-accepted"), 0, "{kind}");
    }
}

#[test]
fn onboarding_overdue() {
    let mut world = World::new();
    world.deals.push(won_deal("1"));
    world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), all_done());
    world.as_of = at("2026-12-20T15:00:00Z");
    let seen = |kind, via: &str, time: &str, due: Option<&str>| {
        let mut event = event(kind, time);
        event.via = via.to_owned();
        event.due = due.map(at);
        event.reason = due.map(|_| "1 of 6 tasks open past their day: \"Kickoff\"".to_owned());
        event
    };
    let (read, done) = (EventKind::OnboardingSeen, EventKind::OnboardingDone);
    let late = seen(read, "asana", "2026-12-02T09:00:00Z", Some("2026-12-01T23:59:59Z"));
    let cases = [
        (vec![], 0),
        (vec![late.clone()], 1),
        // Its day was not over when it was read: what became of it is not known.
        (vec![seen(read, "asana", "2026-12-02T09:00:00Z", Some("2026-12-03T23:59:59Z"))], 0),
        (vec![late.clone(), seen(read, "asana", "2026-12-03T09:00:00Z", None)], 0),
        (vec![late.clone(), seen(done, "asana", "2026-12-03T09:00:00Z", None)], 0),
        (vec![late, seen(done, "jira", "2026-12-03T09:00:00Z", None)], 1),
    ];
    for (more, expected) in cases {
        let events = [all_done(), more.clone()].concat();
        world.put_events(&folder("1"), "2026-12-04T09:00:00Z", events);
        assert_eq!(count(&world, "onboarding-overdue"), expected, "{more:?}");
        if expected == 1 {
            let finding = told(&world, "onboarding-overdue");
            assert!(
                finding.contains("\"Kickoff\" (asana, as of 2026-12-02 09:00 UTC)"),
                "{finding}"
            );
            assert!(finding.contains("`handoff sync hubspot-1`"), "{finding}");
        }
    }
}

#[test]
fn signed_total_differs() {
    let of = |total: &str, currency: &str| {
        let mut world = World::new();
        world.deals.push(won_deal("1"));
        let mut brief = signed_brief("1");
        brief.total = Some(handoff::model::Money::parse(total, Some(currency)).expect("money"));
        world.put(&folder("1"), DELIVERED, Some(brief), all_done());
        world
    };
    let finding = told(&of("52000.00", "USD"), "signed-total-differs");
    assert!(
        finding.contains("adds up to USD 52,000.00, and the deal is worth USD 48,000.00"),
        "{finding}"
    );
    for (total, currency, times) in [
        ("48000.00", "USD", 0),
        ("48001.00", "USD", 0),
        ("48001.01", "USD", 1),
        ("48000.00", "EUR", 1),
    ] {
        let count = count(&of(total, currency), "signed-total-differs");
        assert_eq!(count, times, "{total} {currency}");
    }
    let mut amended = of("52000.00", "USD");
    let mut events = all_done();
    events.push(event(EventKind::Amended, "2026-11-22T09:00:00Z"));
    amended.put_events(&folder("1"), "2026-11-22T09:00:00Z", events);
    assert_eq!(count(&amended, "signed-total-differs"), 0, "more than one document was signed");
}
