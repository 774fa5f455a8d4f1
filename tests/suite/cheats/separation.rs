//! Separation of duties: who decides is not whom it is about. The commands
//! refuse what the audit finds where somebody goes round them.

use std::fs;

use super::{HEADER, Ledger};
use crate::sandbox::Ran;

/// A ledger with a team, in which git does not know who works.
fn team() -> Ledger {
    let ledger = Ledger::new();
    let settings = fs::read_to_string(ledger.sandbox.join("l/handoff.yaml")).unwrap();
    let team = "team:\n  csms: [{name: Sam Lee, email: sam@example.com, github: samlee}, {name: Noor Haddad, github: noorh}]\n  fallback: samlee\n  approvers: [alex@example.com, noorh]\n";
    let kept: Vec<&str> = settings.split("\nteam:").collect();
    let (_, rest) = kept[1].split_once("\n\n").unwrap();
    ledger.sandbox.write("l/handoff.yaml", format!("{}\n{team}\n{rest}", kept[0]));
    ledger.commit("2026-11-01T01:00:00Z", "a team");
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    ledger
}

fn person(ledger: &Ledger, command: &str, key: &str, by: &str, more: &[&str]) -> Ran {
    let arguments = ["--now", "2026-11-03T09:00:00Z", command, key, "--by", by];
    ledger.sandbox.handoff("l", &[&arguments[..], more].concat())
}

fn exempt(ledger: &Ledger, key: &str, by: &str) -> Ran {
    person(ledger, "exempt", key, by, &["--reason", "pilot", "--customer", "Acme"])
}

fn i_am(ledger: &Ledger, name: &str, email: &str) {
    ledger.sandbox.git("l", &["config", "user.name", name]);
    ledger.sandbox.git("l", &["config", "user.email", email]);
}

#[track_caller]
fn refused(ran: Ran, words: &str, remedy: &str) {
    let ran = ran.exits(2);
    assert!(ran.stderr.contains(words), "{words:?} is not in {}", ran.stderr);
    assert!(ran.stderr.contains(remedy), "{remedy:?} is not in {}", ran.stderr);
}

#[test]
fn an_exemption_needs_an_approver_a_deal_and_somebody_else_than_the_rep() {
    let ledger = team();
    refused(
        exempt(&ledger, "hubspot-1", "Riley Ross"),
        "is the rep of this deal",
        "alex@example.com",
    );
    refused(
        exempt(&ledger, "hubspot-1", "samlee"),
        "is not one of the approvers",
        "alex@example.com, noorh",
    );
    refused(exempt(&ledger, "hubspot-99", "alex@example.com"), "has no deal 99", "check the key");
    refused(exempt(&ledger, "pandadoc-x1", "noorh"), "no handoff has this key", "check the key");
    refused(exempt(&ledger, "hubspot-1", " "), "--by is empty", "name who did it");
    assert_eq!(ledger.sandbox.git("l", &["ls-files", "briefs"]), "");
    // What the help says: an approver does it, under whichever of their words.
    exempt(&ledger, "hubspot-1", "Noor Haddad").exits(0);
    let (class, findings) = ledger.audited();
    assert_eq!(class, "exempt");
    assert!(!findings.iter().any(|(rule, _)| rule == "self-approved"), "{findings:?}");
    // A deal that the CRM could not be asked for is remarked, and left to the audit.
    fs::remove_file(ledger.sandbox.join("l/deals.csv")).unwrap();
    let ran = exempt(&ledger, "hubspot-2", "noorh").exits(0);
    assert!(ran.stderr.contains("the CRM cannot be asked"), "{}", ran.stderr);
    ledger.is_found("self-approved", "no deal that was read has this key");
}

#[test]
fn an_exemption_of_nobody_counts_for_nothing_and_is_named() {
    for (by, words) in [("reason: gift", "without an approver"), ("by: noorh", "without a reason")]
    {
        let ledger = team();
        let timeline = format!(
            "schema: handoff/timeline/v1\nkey: hubspot-1\nevents:\n  - at: 2026-11-03T09:00:00Z\n    event: exempted\n    via: cli\n    {by}\n"
        );
        ledger.sandbox.write("l/briefs/2026/11/b--hubspot-1/timeline.yaml", timeline);
        ledger.sandbox.git("l", &["add", "-A"]);
        ledger.sandbox.git("l", &["commit", "-qm", "exempted by hand"]);
        assert_ne!(ledger.is_found("self-approved", words), "exempt");
    }
}

#[test]
fn nobody_acts_in_somebody_elses_name() {
    let ledger = team();
    ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    refused(
        person(&ledger, "accept", "hubspot-1", "riley ross", &[]),
        "is the rep of this deal",
        "the CSM does it",
    );
    i_am(&ledger, "Riley Ross", "riley@example.com");
    for command in ["accept", "touch"] {
        refused(
            person(&ledger, command, "hubspot-1", "samlee", &[]),
            "\"Riley Ross\" runs this, and it says that \"samlee\" did it",
            "samlee does it",
        );
    }
    i_am(&ledger, "Noor Haddad", "noor@example.com");
    refused(
        person(&ledger, "accept", "hubspot-1", "samlee", &[]),
        "\"Noor Haddad\" runs this",
        "--by Noor Haddad",
    );
    // Her own word counts, by whichever of her words.
    person(&ledger, "touch", "hubspot-1", "noorh", &[]).exits(0);
    // GitHub says who started its workflow, whatever git is called there.
    i_am(&ledger, "ci", "ci@example.com");
    let actor = [("GITHUB_ACTIONS", "true"), ("GITHUB_ACTOR", "samlee")];
    let accept = ["--now", "2026-11-03T09:00:00Z", "accept", "hubspot-1", "--by", "noorh"];
    refused(
        ledger.sandbox.handoff_with("l", &accept, &actor),
        "\"samlee\" runs this",
        "noorh does it",
    );
    // A machine's own name says nothing of who told it.
    ledger.sandbox.handoff("l", &accept).exits(0);
}

#[test]
fn a_part_of_the_reps_name_is_not_somebody_else() {
    let ledger = team();
    let settings = fs::read_to_string(ledger.sandbox.join("l/handoff.yaml")).unwrap();
    let (settings, _) = settings.split_once("  approvers:").unwrap();
    ledger.sandbox.write("l/handoff.yaml", settings);
    ledger.commit("2026-11-01T02:00:00Z", "no approvers");
    for word in ["Riley", "riley", "@riley", "ROSS", "R. Ross", "Ross, Riley", "riley.ross"] {
        refused(
            exempt(&ledger, "hubspot-1", word),
            "may be the rep of this deal, Riley Ross",
            "write who it is in full",
        );
    }
    for word in ["Riley J. Ross", "R\u{456}ley Ross", "Ríley Ross", "Ross Riley (sales)"] {
        refused(exempt(&ledger, "hubspot-1", word), "may be the rep", "in full");
    }
    for word in ["Riley  Ross", "Riley\u{a0}Ross", "\u{ff32}iley Ross", "Riley\u{200b} Ross"] {
        refused(exempt(&ledger, "hubspot-1", word), "is the rep of this deal", "decide");
    }
    for word in ["riley@other.example", "riley.ross@other.example"] {
        refused(exempt(&ledger, "hubspot-1", word), "may be the rep", "in full");
    }
    refused(exempt(&ledger, "hubspot-1", "RILEY ross"), "is the rep of this deal", "decide");
    // Who is known otherwise, or is somebody else, decides.
    let settings = settings.replace("github: noorh", "github: riley");
    ledger.sandbox.write("l/handoff.yaml", settings);
    ledger.commit("2026-11-01T03:00:00Z", "a CSM of that login");
    exempt(&ledger, "hubspot-1", "riley").exits(0);
    let (_, findings) = ledger.audited();
    assert!(!findings.iter().any(|(rule, _)| rule == "self-approved"), "{findings:?}");
    for other in ["Riley Stone", "Rossi", "boss@example.com"] {
        let again = exempt(&ledger, "hubspot-1", other).exits(0);
        assert!(!again.stdout.contains("nothing new"), "{}", again.stdout);
    }
}

#[test]
fn an_exemption_by_somebody_else_replaces_the_one_of_the_rep() {
    let ledger = Ledger::new();
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    hand_exempt(&ledger, "hubspot-1", "Riley");
    ledger.commit("2026-11-03T09:00:00Z", "exempt");
    assert_eq!(
        ledger.is_found("self-approved", "who may be the deal's own rep, Riley Ross"),
        "exempt"
    );
    let told = exempt(&ledger, "hubspot-1", "the boss").exits(0).stdout;
    assert!(told.contains("by the boss"), "{told}");
    let (class, findings) = ledger.audited();
    assert_eq!(class, "exempt");
    assert!(!findings.iter().any(|(rule, _)| rule == "self-approved"), "{findings:?}");
    // The same person again says nothing new.
    let told = exempt(&ledger, "hubspot-1", "The Boss").exits(0).stdout;
    assert!(told.contains("nothing new"), "{told}");
}

#[test]
fn a_name_alone_in_the_team_tells_nobody_apart() {
    let ledger = Ledger::new();
    ledger.change("handoff.yaml", "csms:\n    []", "csms: [{name: Riley}]");
    ledger.commit("2026-11-01T01:00:00Z", "a CSM");
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    refused(exempt(&ledger, "hubspot-1", "Riley"), "may be the rep", "in full");
    fs::remove_file(ledger.sandbox.join("l/deals.csv")).unwrap();
    for by in ["Riley", "R\u{456}ley Ross", "Riley J. Ross"] {
        hand_exempt(&ledger, "hubspot-1", by);
        ledger.commit("2026-11-03T09:00:00Z", "exempt");
        ledger.is_found("self-approved", "who may be the deal's own rep");
    }
}

#[test]
fn what_is_signed_is_not_exempt() {
    let ledger = team();
    let folder = ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    refused(
        exempt(&ledger, "hubspot-1", "alex@example.com"),
        "it is signed and was handed over",
        "handoff return",
    );
    // One that is there all the same counts for nothing.
    ledger.change("handoff.yaml", "deliver:\n  {}", "deliver:\n  outbox: {dir: outbox}");
    let timeline = format!("{folder}/timeline.yaml");
    let text = fs::read_to_string(ledger.sandbox.join("l").join(&timeline)).unwrap();
    let indent = if text.contains("\n  - at") { "  " } else { "" };
    let event = [
        "- at: 2026-11-03T08:00:00Z",
        "  event: exempted",
        "  via: cli",
        "  by: noorh",
        "  reason: pilot",
    ];
    let event: String = event.iter().map(|line| format!("{indent}{line}\n")).collect();
    ledger.sandbox.write(&format!("l/{timeline}"), format!("{text}{event}"));
    ledger.commit("2026-11-03T08:00:00Z", "exempt");
    let status = ledger.sandbox.handoff("l", &["--now", "2026-11-03T08:30:00Z", "status"]).exits(0);
    assert!(status.stdout.contains("hubspot-1"), "{}", status.stdout);
    let planned = ledger.sandbox.handoff("l", &["deliver", "--dry-run", "hubspot-1"]).exits(0);
    assert!(!planned.stdout.contains("exempted"), "{}", planned.stdout);
    person(&ledger, "touch", "hubspot-1", "samlee", &[]).exits(0);
    person(&ledger, "accept", "hubspot-1", "samlee", &[]).exits(0);
    let done = ledger.sandbox.handoff("l", &["status", "hubspot-1"]).exits(0).stdout;
    assert!(done.contains("done"), "{done}");
}

/// An exemption that was written past the command.
fn hand_exempt(ledger: &Ledger, key: &str, by: &str) {
    let text = format!(
        "schema: handoff/timeline/v1\nkey: {key}\nevents:\n  - at: 2026-11-03T09:00:00Z\n    event: exempted\n    via: cli\n    by: {by}\n    reason: pilot\n"
    );
    ledger.sandbox.write(&format!("l/briefs/2026/11/acme--{key}/timeline.yaml"), text);
}

#[test]
fn the_audit_finds_who_went_round_the_command() {
    // By name.
    let ledger = Ledger::new();
    hand_exempt(&ledger, "hubspot-1", "riley ross");
    ledger.commit("2026-11-03T09:00:00Z", "exempt");
    assert_eq!(ledger.is_found("self-approved", "who is the deal's own rep"), "exempt");
    // In somebody else's name, and committed as oneself.
    let ledger = Ledger::new();
    hand_exempt(&ledger, "hubspot-1", "the boss");
    ledger.git_at("2026-11-03T09:00:00Z", &["add", "-A", "."]);
    let author = "--author=Riley Ross <riley@example.com>";
    ledger.git_at("2026-11-03T09:00:00Z", &["commit", "-qm", "exempt", author]);
    ledger.is_found("self-approved", "the deal's own rep, \"Riley Ross\", committed it");
    // The same from the cache.
    ledger.is_found("self-approved", "the deal's own rep, \"Riley Ross\", committed it");
    // For a deal that is to come.
    let ledger = Ledger::new();
    hand_exempt(&ledger, "hubspot-77", "the boss");
    ledger.commit("2026-11-03T09:00:00Z", "exempt");
    ledger.is_found("self-approved", "no deal that was read has this key");
    // An acceptance by the rep.
    let ledger = Ledger::late();
    let path = ledger.sandbox.git("l", &["ls-files", "briefs/*timeline.yaml"]);
    let file = ledger.sandbox.join("l").join(path.trim());
    let text = fs::read_to_string(&file).unwrap();
    let indent = if text.contains("\n  - at") { "  " } else { "" };
    let accepted =
        ["- at: 2026-11-03T09:00:00Z", "  event: accepted", "  via: github", "  by: Riley Ross"];
    let accepted: String = accepted.iter().map(|line| format!("{indent}{line}\n")).collect();
    fs::write(&file, format!("{text}{accepted}")).unwrap();
    ledger.commit("2026-11-03T09:00:00Z", "accepted");
    ledger.is_found("self-approved", "was accepted by \"Riley Ross\", who is the deal's own rep");
}

#[test]
fn one_document_for_two_deals_and_another_customers_brief_are_found() {
    let ledger = Ledger::new();
    let header = HEADER.trim_end();
    let rows = [
        "1,Acme,Closed Won,2026-11-02 10:00,Riley Ross,100.00,USD,true,New,Acme Corp",
        "2,Beta,Closed Won,2026-11-02 10:00,Riley Ross,100.00,USD,true,New,Beta GmbH",
    ];
    let csv = format!("{header},Associated Company\n{}\n", rows.join("\n"));
    ledger.sandbox.write("deals.csv", csv);
    let folder = ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
    // The brief of one customer, copied for the other one's deal.
    let copy = "briefs/2026/11/beta--hubspot-2";
    for name in ["brief.yaml", "timeline.yaml"] {
        let text = fs::read_to_string(ledger.sandbox.join("l").join(&folder).join(name)).unwrap();
        let text = text.replace("hubspot-1", "hubspot-2").replace("id: \"1\"", "id: \"2\"");
        ledger.sandbox.write(&format!("l/{copy}/{name}"), text);
    }
    ledger.commit("2026-11-02T10:06:00Z", "another one");
    ledger.is_found("duplicate-handoff", "is the signature of 2 deals: hubspot-1, hubspot-2");
    ledger.is_found(
        "deal-drift",
        "the deal's company is \"Beta GmbH\", the brief is of the customer \"Acme Corp\"",
    );
    ledger.is_found("hand-written-event", "records another brief than the one that arrived");
}
