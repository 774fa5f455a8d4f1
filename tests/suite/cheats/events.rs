//! Timelines and folders past handoff: events that it did not record, briefs
//! that moved, vanished or were given to another deal. And what people may do.

use std::fs;

use serde_json::Value;

use super::{HEADER, Ledger};

const TEAM: &str = "csms:\n    - {name: Sam Lee, email: sam@example.com, github: samlee}\n    - {name: Noor Haddad, github: noorh}";

/// A ledger with a team and the folder of its one handoff.
fn ledger(settings: &[(&str, &str)]) -> (Ledger, String) {
    let ledger = Ledger::new();
    ledger.change("handoff.yaml", "csms:\n    []", TEAM);
    for (from, to) in settings {
        ledger.change("handoff.yaml", from, to);
    }
    ledger.git_at("2026-11-01T00:00:00Z", &["commit", "-qa", "--amend", "--no-edit"]);
    let folder = ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T13:00:00Z");
    (ledger, folder)
}

/// Adds an event to a timeline, `event: touched; via: cli`, and leaves it to be committed.
pub(super) fn write_event(ledger: &Ledger, folder: &str, at: &str, fields: &str) {
    let file = ledger.sandbox.join("l").join(folder).join("timeline.yaml");
    let mut text = fs::read_to_string(&file).unwrap();
    let indent = if text.contains("\n  - at") { "  " } else { "" };
    text.push_str(&format!("{indent}- at: {at}\n"));
    for field in fields.split("; ") {
        text.push_str(&format!("{indent}  {field}\n"));
    }
    fs::write(file, text).unwrap();
}

fn findings(ledger: &Ledger, rule: &str) -> Vec<(String, String)> {
    let report = ledger.audit(&["--as-of", "2026-11-20T00:00:00Z"]).json();
    let all = report["findings"].as_array().unwrap();
    let of_rule = all.iter().filter(|finding| finding["rule"] == rule);
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    of_rule.map(|it| (text(it, "severity"), text(it, "message"))).collect()
}

fn run(ledger: &Ledger, now: &str, arguments: &[&str]) -> String {
    ledger.sandbox.handoff("l", &[&["--now", now], arguments].concat()).exits(0).stdout
}

#[test]
fn an_event_that_handoff_did_not_commit_is_named() {
    let late = "2026-11-19T09:00:00Z";
    for (at, fields, committed, severity) in [
        (
            "2026-11-03T08:59:00Z",
            "event: accepted; via: cli; by: Sam Lee",
            "2026-11-03T09:00:00Z",
            "warning",
        ),
        (
            "2026-11-02T14:00:00Z",
            "event: touched; via: cli; by: Sam Lee; evidence: claimed",
            late,
            "error",
        ),
        (
            "2026-11-02T14:00:00Z",
            "event: touched; via: hubspot; ref: emails/1; evidence: crm",
            late,
            "error",
        ),
        (
            "2026-11-02T14:00:00Z",
            "event: deadline_moved; via: cli; due: 2027-01-01T00:00:00Z",
            late,
            "error",
        ),
        ("2026-11-03T08:30:00Z", "event: resubmitted; via: cli; by: Riley Ross", late, "warning"),
        (
            "2026-11-02T10:00:05Z",
            "event: received; via: standard-webhooks; ref: doc-1",
            late,
            "warning",
        ),
        (
            "2026-11-02T13:01:00Z",
            "event: voided; via: standard-webhooks; ref: doc-1",
            late,
            "warning",
        ),
    ] {
        let (ledger, folder) = ledger(&[]);
        write_event(&ledger, &folder, at, fields);
        ledger.commit(committed, "x");
        for read in ["read", "kept"] {
            let told = findings(&ledger, "hand-written-event");
            let [(of, message)] = &told[..] else { panic!("{fields} ({read}): {told:?}") };
            assert_eq!(of, severity, "{fields} ({read}): {message}");
            let word = fields.split(['`', ':', ';']).nth(1).unwrap().trim();
            assert!(message.contains(&format!("wrote `{word}`")), "{read}: {message}");
            assert!(message.contains("by Test <test@example.com>"), "{read}: {message}");
        }
    }
}

#[test]
fn of_several_events_the_one_that_counts_is_named_and_how_many_there_are_beside() {
    let (ledger, folder) = ledger(&[]);
    for (at, fields, words) in [
        (
            "2026-11-03T09:00:00Z",
            "event: accepted; via: cli; by: Sam Lee",
            "`accepted` of 2026-11-03 09:00 UTC into the timeline of \"Acme\" (USD 100.00, Riley Ross); handoff did not make it.",
        ),
        (
            "2026-11-04T09:00:00Z",
            "event: touched; via: cli; by: Sam Lee; evidence: claimed",
            "`touched` of 2026-11-04 09:00 UTC into the timeline of \"Acme\" (USD 100.00, Riley Ross), and one event more; handoff did not make it.",
        ),
        (
            "2026-11-05T09:00:00Z",
            "event: resubmitted; via: cli; by: Riley Ross",
            "`touched` of 2026-11-04 09:00 UTC into the timeline of \"Acme\" (USD 100.00, Riley Ross), and 2 events more; handoff did not make it.",
        ),
    ] {
        write_event(&ledger, &folder, at, fields);
        ledger.commit(at, "x");
        let told = findings(&ledger, "hand-written-event");
        let [(_, message)] = &told[..] else { panic!("{fields}: {told:?}") };
        assert!(message.ends_with(words), "{message}");
    }
}

#[test]
fn a_deal_that_waits_by_a_hand_written_event_alone_is_an_error() {
    let ledger = Ledger::new();
    let waiting = "schema: handoff/timeline/v1\nkey: hubspot-1\nevents:\n  - at: 2026-11-02T10:30:00Z\n    event: received\n    via: standard-webhooks\n    ref: doc-1\n";
    ledger.sandbox.write("l/briefs/2026/11/acme--hubspot-1/timeline.yaml", waiting);
    ledger.commit("2026-11-02T10:31:00Z", "on its way");
    for (as_of, class, severity) in [
        ("2026-11-02T11:15:00Z", "pending", "error"),
        ("2026-11-02T12:00:00Z", "missing", "warning"),
    ] {
        let report = ledger.audit(&["--as-of", as_of]).json();
        assert_eq!(report["deals"][0]["class"], class, "{report}");
        let all = report["findings"].as_array().unwrap();
        let told: Vec<_> = all.iter().filter(|it| it["rule"] == "hand-written-event").collect();
        assert_eq!(told.len(), 1, "{all:?}");
        assert_eq!(told[0]["severity"], severity, "{class}");
    }
}

#[test]
fn what_handoff_recorded_may_be_moved_merged_and_restored_by_people() {
    let (ledger, folder) = ledger(&[]);
    let accept = ["accept", "hubspot-1", "--by", "samlee"];
    run(&ledger, "2026-11-03T08:00:00Z", &accept);
    // Recorded on a branch, and merged by hand.
    ledger.git_at("2026-11-03T09:00:00Z", &["checkout", "-qb", "side"]);
    ledger.git_at("2026-11-03T09:00:00Z", &["branch", "-qf", "main", "HEAD~1"]);
    ledger.git_at("2026-11-03T09:00:00Z", &["checkout", "-q", "main"]);
    ledger.git_at("2026-11-03T09:00:00Z", &["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    // Taken out, and restored as the rule's page says.
    let timeline = format!("{folder}/timeline.yaml");
    ledger.git_at("2026-11-04T09:00:00Z", &["checkout", "-q", "HEAD~1", "--", &timeline]);
    ledger.commit("2026-11-04T09:00:00Z", "tidy");
    ledger.git_at("2026-11-05T09:00:00Z", &["checkout", "-q", "HEAD~1", "--", &timeline]);
    ledger.commit("2026-11-05T09:00:00Z", "restored");
    // Moved.
    fs::create_dir_all(ledger.sandbox.join("l/briefs/2026/12")).unwrap();
    let moved = "briefs/2026/12/acme--hubspot-1";
    ledger.git_at("2026-11-06T09:00:00Z", &["mv", &folder, moved]);
    ledger.commit("2026-11-06T09:00:00Z", "moved");
    assert_eq!(findings(&ledger, "hand-written-event"), []);
    assert_eq!(findings(&ledger, "removed-handoff"), []);
    assert_eq!(findings(&ledger, "edited-after-acceptance"), []);
    assert_eq!(findings(&ledger, "timeline-rewritten").len(), 1, "the one that was restored");
}

#[test]
fn events_in_another_folder_of_the_key_are_named() {
    for path in ["briefs/2025/01/x--hubspot-1", "briefs/2026/11/zed--hubspot-77"] {
        let (ledger, _) = ledger(&[]);
        let stub = "schema: handoff/timeline/v1\nkey: hubspot-1\nevents:\n  - at: 2026-11-02T12:00:00Z\n    event: touched\n    via: cli\n    by: Sam Lee\n    evidence: claimed\n";
        ledger.sandbox.write(&format!("l/{path}/timeline.yaml"), stub);
        ledger.commit("2026-11-15T00:00:00Z", "notes");
        let told = findings(&ledger, "hand-written-event");
        assert!(told[0].1.contains("wrote `touched`"), "{path}: {told:?}");
        assert_eq!(told[0].0, "error");
    }
}

#[test]
fn a_folder_that_moves_leaves_nothing_behind_unnoticed() {
    fn return_and_move(ledger: &Ledger, folder: &str, keep_returned: bool) {
        let back = ["return", "hubspot-1", "--by", "samlee", "--reason", "wrong"];
        run(ledger, "2026-11-03T08:00:00Z", &back);
        let file = ledger.sandbox.join("l").join(folder).join("timeline.yaml");
        let before = ledger.sandbox.git("l", &["show", &format!("HEAD~1:{folder}/timeline.yaml")]);
        if !keep_returned {
            fs::write(file, before).unwrap();
        }
        fs::create_dir_all(ledger.sandbox.join("l/briefs/2026/12")).unwrap();
        ledger.git_at("2026-11-04T09:00:00Z", &["mv", folder, "briefs/2026/12/acme--hubspot-1"]);
        ledger.commit("2026-11-04T09:00:00Z", "moved");
    }
    // An event is dropped on the way.
    let (one, folder) = ledger(&[]);
    return_and_move(&one, &folder, true);
    assert_eq!(findings(&one, "timeline-rewritten"), []);
    let (one, folder) = ledger(&[]);
    return_and_move(&one, &folder, false);
    one.is_found("timeline-rewritten", "took `returned` out of the timeline");
    // Gone for ten days, and back elsewhere.
    let (one, folder) = ledger(&[]);
    one.git_at("2026-11-04T09:00:00Z", &["rm", "-rq", "briefs"]);
    one.git_at("2026-11-04T09:00:00Z", &["commit", "-qm", "gone"]);
    one.git_at("2026-11-14T09:00:00Z", &["checkout", "-q", "HEAD~1", "--", &folder]);
    fs::create_dir_all(one.sandbox.join("l/briefs/2026/12")).unwrap();
    one.git_at("2026-11-14T09:00:00Z", &["mv", &folder, "briefs/2026/12/acme--hubspot-1"]);
    one.commit("2026-11-14T09:00:00Z", "back");
    assert_eq!(one.is_found("removed-handoff", "was gone for 10 d"), "late");
}

#[test]
fn an_event_is_held_in_all_that_it_says_and_a_timeline_as_a_file() {
    for (from, to) in [
        ("ref: mail-1", "ref: mail-2"),
        ("decided_by: won", "decided_by: rule"),
        ("ref: doc-1", "ref: doc-9"),
    ] {
        let (ledger, folder) = ledger(&[]);
        write_event(
            &ledger,
            &folder,
            "2026-11-02T14:00:00Z",
            "event: touched; via: cli; by: samlee; ref: mail-1; evidence: claimed",
        );
        ledger.commit("2026-11-02T14:00:30Z", "as before");
        ledger.change(&format!("{folder}/timeline.yaml"), from, to);
        ledger.commit("2026-11-05T00:00:00Z", "other words");
        ledger.is_found("timeline-rewritten", "out of the timeline of");
    }
    let (ledger, folder) = ledger(&[]);
    let timeline = format!("{folder}/timeline.yaml");
    ledger.git_at("2026-11-05T00:00:00Z", &["rm", "-q", &timeline]);
    ledger.git_at("2026-11-05T00:00:00Z", &["commit", "-qm", "gone"]);
    ledger.is_found("timeline-rewritten", "removed the timeline of");
    assert_eq!(findings(&ledger, "sources-rewritten"), [], "nobody touched the sources");
}

#[test]
fn a_late_handoff_does_not_become_exempt_in_silence() {
    let (ledger, folder) = ledger(&[]);
    write_event(
        &ledger,
        &folder,
        "2026-11-04T08:59:00Z",
        "event: exempted; via: cli; by: Boss; reason: void",
    );
    for name in ["brief.yaml", "sources.yaml"] {
        fs::remove_file(ledger.sandbox.join("l").join(&folder).join(name)).unwrap();
    }
    ledger.git_at("2026-11-04T09:00:00Z", &["add", "-A", "."]);
    let mut commit = ledger.sandbox.command("git", ledger.sandbox.join("l"));
    commit.args(["commit", "-qm", "void", "--author=Boss <boss@example.com>"]);
    commit.env("GIT_COMMITTER_NAME", "Riley Ross");
    commit.env("GIT_COMMITTER_EMAIL", "riley@example.com");
    for time in ["GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE"] {
        commit.env(time, "2026-11-04T09:00:00Z");
    }
    assert!(commit.status().unwrap().success());
    assert_eq!(ledger.is_found("self-approved", "\"Riley Ross\", committed it"), "exempt");
    ledger.is_found(
        "removed-handoff",
        "was handed over on 2026-11-02 13:00 UTC; its brief was removed",
    );
    let told = findings(&ledger, "hand-written-event");
    assert!(told[0].0 == "error" && told[0].1.contains("wrote `exempted`"), "{told:?}");
}

#[test]
fn a_brief_covers_the_deal_that_it_was_handed_over_for() {
    let rows = |one: &str, two: &str| {
        [("1", one), ("2", two)].map(|(id, stage)| {
            let is_won = stage == "Closed Won";
            format!("{id},Acme {id},{stage},2026-11-02 10:00,Riley Ross,100.00,USD,{is_won},New")
        })
    };
    let ledger = Ledger::new();
    let won = rows("Qualified", "Closed Won");
    ledger.deals(&[&won[0], &won[1]]);
    let folder = ledger.sign("2", "2026-11-02T10:00:00Z", "2026-11-02T10:10:00Z");
    let lost = rows("Closed Won", "Closed Lost");
    ledger.deals(&[&lost[0], &lost[1]]);
    let brief = format!("{folder}/brief.yaml");
    for (from, to, when) in [
        ("id: \"2\"", "id: \"1\"", "2026-11-05T09:00:00Z"),
        ("hubspot-2", "hubspot-1", "2026-11-06T09:00:00Z"),
    ] {
        ledger.change(&brief, from, to);
        ledger.commit(when, "the right deal");
        let words = "its deal was \"2\" and is \"1\"";
        assert_eq!(ledger.is_found("hand-written-event", words), "missing");
        ledger.is_found("orphan-brief", "its deal \"2\" is lost");
    }
    assert!(HEADER.starts_with("Record ID"));
}

#[test]
fn what_a_brief_says_was_signed_is_what_it_was_handed_over_with() {
    let rule = "hand-written-event";
    for (changes, words) in [
        (
            &[("doc-1", "doc-7")][..],
            "its document was standard-webhooks \"doc-1\" and is standard-webhooks \"doc-7\"",
        ),
        (&[("provider: standard-webhooks", "provider: docusign")], "and is docusign \"doc-1\""),
        (
            &[("signed_at: \"2026-11-02T10:00:00Z\"", "signed_at: \"2026-11-02T12:50:00Z\"")],
            "its time of the signature was 2026-11-02T10:00:00Z and is 2026-11-02T12:50:00Z",
        ),
        (
            &[("signed_at: \"2026-11-02T10:00:00Z\"", "signed_at: \"2026-02-30T10:00:00Z\"")],
            "and is no time",
        ),
        (&[("key: hubspot-1", "key: hubspot-2")], "its key was hubspot-1 and is hubspot-2"),
        (
            &[("doc-1", "doc-7"), ("key: hubspot-1", "key: hubspot-2")],
            "its key was hubspot-1 and is hubspot-2, its document was",
        ),
    ] {
        let ledger = Ledger::late();
        let row = |id: &str| {
            format!("{id},Acme,Closed Won,2026-11-02 10:00,Riley Ross,100.00,USD,true,New")
        };
        ledger.deals(&[&row("1"), &row("2")]);
        let brief = ledger.sandbox.git("l", &["ls-files", "briefs/*brief.yaml"]);
        for (from, to) in changes {
            ledger.change(brief.trim(), from, to);
        }
        ledger.commit("2026-11-03T09:00:00Z", "mine");
        assert_eq!(ledger.is_found(rule, words), "late", "{changes:?}");
        assert!(findings(&ledger, rule)[0].1.contains("which handoff did not record"));
        // A correction that handoff records on top of it does not cover the document.
        if changes[0].1 == "doc-7" && changes.len() == 1 {
            ledger.deals(&["1,Acme,Closed Won,2026-11-02 10:00,Riley Ross,150.00,USD,true,New"]);
            fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
            run(&ledger, "2026-11-04T10:00:00Z", &["refresh", "hubspot-1"]);
            ledger.is_found(rule, words);
        }
    }
    // What handoff writes and what people write beside it are no finding: a correction, an
    // amendment, another document after the first one was voided, an answer by hand.
    let ledger = Ledger::late();
    let brief = ledger.sandbox.git("l", &["ls-files", "briefs/*brief.yaml"]);
    ledger.change(brief.trim(), "customer:\n", "customer:\n  industry: Mining\n");
    ledger.commit("2026-11-03T09:00:00Z", "an answer");
    assert_eq!(findings(&ledger, rule), []);
    ledger.deals(&["1,Acme,Closed Won,2026-11-02 10:00,Riley Ross,150.00,USD,true,New"]);
    ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-04T13:00:00Z");
    assert_eq!(findings(&ledger, rule), []);
    let later = ledger.event("1", "2026-11-05T10:00:00Z");
    let text = fs::read_to_string(&later).unwrap().replace("doc-1", "doc-2");
    fs::write(&later, text).unwrap();
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    run(&ledger, "2026-11-05T10:05:00Z", &["sign", &later]);
    fs::remove_file(ledger.sandbox.join("l/deals.csv")).unwrap();
    ledger.change(brief.trim(), "industry: Mining", "industry: Steel");
    ledger.commit("2026-11-06T09:00:00Z", "another answer");
    assert_eq!(findings(&ledger, rule), []);
}

#[test]
fn what_is_recorded_as_handoffs_own_is_never_edited_after_acceptance() {
    let edited = "edited-after-acceptance";
    let (ledger, folder) = ledger(&[]);
    run(&ledger, "2026-11-03T08:00:00Z", &["touch", "hubspot-1", "--by", "samlee"]);
    run(&ledger, "2026-11-03T08:00:00Z", &["accept", "hubspot-1", "--by", "samlee"]);
    assert!(run(&ledger, "2026-11-03T09:00:00Z", &["status", "hubspot-1"]).contains("done"));
    // A push that was made again dates all of it later than the acceptance.
    let again = ["rebase", "-q", "--force-rebase", "HEAD~3"];
    ledger.git_at("2026-11-03T12:00:00Z", &again);
    assert_eq!(findings(&ledger, edited), []);
    assert_eq!(findings(&ledger, "hand-written-event"), []);
    // Another CSM, and a correction of the deal.
    run(&ledger, "2026-11-04T09:00:00Z", &["assign", "hubspot-1", "noorh", "--by", "samlee"]);
    ledger.deals(&["1,Acme,Closed Won,2026-11-02 10:00,Riley Ross,150.00,USD,true,New"]);
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    run(&ledger, "2026-11-04T10:00:00Z", &["sign", "--deal", "1"]);
    assert_eq!(findings(&ledger, edited), []);
    let status = run(&ledger, "2026-11-04T11:00:00Z", &["status", "hubspot-1"]);
    assert!(status.contains("corrected since it was accepted"), "{status}");
    run(&ledger, "2026-11-05T08:00:00Z", &["accept", "hubspot-1", "--by", "noorh"]);
    assert!(run(&ledger, "2026-11-05T09:00:00Z", &["status", "hubspot-1"]).contains("done"));
    // What somebody else writes is.
    ledger.change(&format!("{folder}/brief.yaml"), "150.00", "15.00");
    ledger.commit("2026-11-06T09:00:00Z", "cheaper");
    assert_eq!(findings(&ledger, edited).len(), 1);
}

#[test]
fn a_handoff_on_the_crms_word_is_no_forgery() {
    for command in [&["backfill", "--deals", "deals.csv"][..], &["sign", "--deal", "1"]] {
        let ledger = Ledger::new();
        fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
        run(&ledger, "2026-11-03T08:00:00Z", command);
        assert_eq!(findings(&ledger, "hand-written-event"), [], "{command:?}");
        assert_eq!(ledger.audited().0, "late");
        // Written by hand it is one, and the remedy is one that can be followed.
        let timeline = ledger.sandbox.git("l", &["ls-files", "briefs/*timeline.yaml"]);
        ledger.change(timeline.trim(), "ref: \"1\"", "ref: \"9\"");
        ledger.git_at("2026-11-03T08:00:00Z", &["commit", "-qa", "--amend", "--no-edit"]);
        ledger.is_found("hand-written-event", "no event of its timeline records that signature");
    }
}
