//! Merges the wrong way round: the branch merged into somebody's own line, which
//! a remote takes as a fast-forward. What a second clock or a checkpoint saw stays
//! the line that is audited; without them the page of what is not found names it.

use serde_json::Value;

use super::{Ledger, signing_key};

const OWN: &str = "2026-11-02T10:05:00Z";
const MERGED: &str = "2026-11-05T10:00:00Z";

fn turned(report: &Value) -> bool {
    let mut findings = report["findings"].as_array().unwrap().iter();
    findings.any(|finding| {
        let message = finding["message"].as_str().unwrap();
        finding["rule"] == "history-rewritten" && message.contains("has another first parent")
    })
}

fn first<'a>(report: &'a Value, field: &str) -> &'a str {
    report["deals"][0][field].as_str().unwrap_or_default()
}

/// Merges the branch into a line that begins before the late brief and has it in time.
fn turn(ledger: &Ledger) -> [String; 2] {
    let honest = ledger.git_at(OWN, &["rev-parse", "HEAD"]).trim().to_owned();
    ledger.git_at(OWN, &["checkout", "-q", "-b", "side", "HEAD~1"]);
    ledger.git_at(OWN, &["checkout", "-q", &honest, "--", "briefs"]);
    ledger.git_at(OWN, &["commit", "-qm", "handoff: Acme (hubspot-1)"]);
    ledger.git_at(MERGED, &["merge", "-q", "-s", "ours", "-m", "Merge", &honest]);
    ledger.git_at(MERGED, &["branch", "-qf", "main"]);
    ledger.git_at(MERGED, &["checkout", "-q", "main"]);
    let merge = ledger.git_at(OWN, &["rev-parse", "HEAD"]).trim().to_owned();
    [honest, merge]
}

/// A log of pushes that begins with a tip, and has a second one.
fn log(ledger: &Ledger, [first, second]: &[String; 2], at: [&str; 2]) {
    let zeros = "0".repeat(40);
    let log = format!(
        "{}\t{zeros}\t{first}\trefs/heads/main\tbranch_creation\thandoff\n{}\t{first}\t{second}\trefs/heads/main\tpush\triley\n",
        at[0], at[1]
    );
    ledger.sandbox.write("pushes.log", log);
}

#[test]
fn a_late_brief_stays_late_behind_a_merge_that_was_turned() {
    // By a log of pushes.
    let ledger = Ledger::late();
    let pushed = turn(&ledger);
    log(&ledger, &pushed, ["2026-11-02T13:00:05Z", "2026-11-05T10:00:05Z"]);
    let report = ledger.audit(&["--clock", "../pushes.log"]).json();
    assert_eq!(first(&report, "class"), "late");
    assert_eq!(first(&report, "delivered_commit"), pushed[0]);
    assert!(turned(&report), "{}", report["findings"]);
    // The cache of the plain line is not that of the other one, nor the other way round.
    assert_eq!(first(&ledger.audit(&[]).json(), "class"), "on_time", "see docs/threat-model.md");
    assert_eq!(first(&ledger.audit(&["--clock", "../pushes.log"]).json(), "class"), "late");
    // By a checkpoint.
    let ledger = Ledger::late();
    if !signing_key(&ledger) {
        return;
    }
    let audit = ["--now", "2026-11-03T00:00:00Z", "audit", "--deals", "../deals.csv"];
    ledger.sandbox.handoff("l", &[&audit[..], &["--checkpoint"]].concat()).exits(0);
    turn(&ledger);
    let report = ledger.audit(&["--require-checkpoint", "--trust", "../trust"]).json();
    assert_eq!(first(&report, "class"), "late");
    assert!(turned(&report), "{}", report["findings"]);
    let told = ledger.sandbox.handoff("l", &["verify", "--trust", "../trust"]).exits(1).stdout;
    assert!(told.contains("only behind merge"), "{told}");
}

#[test]
fn an_event_that_a_turned_merge_drops_is_missed() {
    let ledger = Ledger::late();
    if !signing_key(&ledger) {
        return;
    }
    let now = ["--now", "2026-11-03T09:00:00Z"];
    let back = ["return", "hubspot-1", "--by", "samlee", "--reason", "wrong"];
    ledger.sandbox.handoff("l", &[&now[..], &back].concat()).exits(0);
    let audit = ["--now", "2026-11-03T12:00:00Z", "audit", "--deals", "../deals.csv"];
    ledger.sandbox.handoff("l", &[&audit[..], &["--checkpoint"]].concat()).exits(1);
    let returned = ledger.git_at(MERGED, &["rev-parse", "HEAD"]);
    ledger.git_at(MERGED, &["checkout", "-q", "-b", "side", "HEAD~1"]);
    ledger.git_at(MERGED, &["commit", "-q", "--allow-empty", "-m", "mine"]);
    ledger.git_at(MERGED, &["merge", "-q", "-s", "ours", "-m", "Merge", returned.trim()]);
    ledger.git_at(MERGED, &["branch", "-qf", "main"]);
    ledger.git_at(MERGED, &["checkout", "-q", "main"]);
    let report = ledger.audit(&["--require-checkpoint", "--trust", "../trust"]).json();
    assert!(turned(&report), "{}", report["findings"]);
    let findings = report["findings"].to_string();
    assert!(findings.contains("took `returned` out of the timeline"), "{findings}");
    ledger.sandbox.handoff("l", &["verify", "--trust", "../trust"]).exits(1);
}

#[test]
fn a_pull_without_rebase_makes_no_punctual_brief_late_where_pushes_are_known() {
    let ledger = Ledger::new();
    ledger.sandbox.git(".", &["clone", "-q", "l", "csm"]);
    ledger.sign("1", "2026-11-02T10:00:00Z", OWN);
    let signed = ledger.git_at(OWN, &["rev-parse", "HEAD"]).trim().to_owned();
    let csm = |arguments: &[&str]| {
        let mut command = ledger.sandbox.command("git", ledger.sandbox.join("csm"));
        command.args(["-c", "user.name=Sam", "-c", "user.email=sam@example.com"]);
        command.args(arguments).env("GIT_COMMITTER_DATE", MERGED).env("GIT_AUTHOR_DATE", MERGED);
        crate::sandbox::ran(&command.output().unwrap(), format!("{arguments:?}")).exits(0)
    };
    csm(&["commit", "-q", "--allow-empty", "-m", "notes"]);
    csm(&["pull", "-q", "--no-rebase", "--no-edit", "origin", "main"]);
    ledger.git_at(MERGED, &["pull", "-q", "--ff-only", "../csm", "HEAD"]);
    let merge = ledger.git_at(OWN, &["rev-parse", "HEAD"]).trim().to_owned();
    log(&ledger, &[signed, merge], ["2026-11-02T10:05:02Z", "2026-11-05T10:00:05Z"]);
    let report = ledger.audit(&["--clock", "../pushes.log"]).json();
    assert_eq!(first(&report, "class"), "on_time", "{}", report["findings"]);
    assert!(turned(&report), "{}", report["findings"]);
}

#[test]
fn a_pull_request_that_is_merged_is_no_other_line() {
    let ledger = Ledger::late();
    if !signing_key(&ledger) {
        return;
    }
    let before = ledger.git_at(OWN, &["rev-parse", "HEAD"]).trim().to_owned();
    ledger.git_at(MERGED, &["checkout", "-q", "-b", "request"]);
    ledger.git_at(MERGED, &["commit", "-q", "--allow-empty", "-m", "asked for"]);
    ledger.git_at(MERGED, &["checkout", "-q", "main"]);
    let audit = ["--now", "2026-11-05T09:00:00Z", "audit", "--deals", "../deals.csv"];
    ledger.sandbox.handoff("l", &[&audit[..], &["--checkpoint"]].concat()).exits(1);
    ledger.git_at(MERGED, &["merge", "-q", "--no-ff", "-m", "Merge pull request", "request"]);
    let merge = ledger.git_at(OWN, &["rev-parse", "HEAD"]).trim().to_owned();
    log(&ledger, &[before, merge], ["2026-11-02T13:00:05Z", "2026-11-05T10:00:05Z"]);
    let report = ledger.audit(&["--trust", "../trust", "--clock", "../pushes.log"]).json();
    assert!(
        !report["findings"].to_string().contains("history-rewritten"),
        "{}",
        report["findings"]
    );
    ledger.sandbox.handoff("l", &["verify", "--trust", "../trust"]).exits(0);
}

#[test]
fn a_checkpoint_that_asked_no_remote_names_the_merge_and_is_not_followed() {
    let ledger = Ledger::late();
    if !signing_key(&ledger) {
        return;
    }
    ledger.sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    ledger.git_at(MERGED, &["remote", "add", "origin", "../remote.git"]);
    ledger.git_at(MERGED, &["push", "-q", "origin", "main"]);
    let audit = ["--now", "2026-11-03T00:00:00Z", "audit", "--deals", "../deals.csv"];
    ledger.sandbox.handoff("l", &[&audit[..], &["--offline", "--checkpoint"]].concat());
    let [honest, merge] = turn(&ledger);
    ledger.git_at(MERGED, &["push", "-q", "origin", "main"]);
    let report = ledger.audit(&["--offline", "--trust", "../trust"]).json();
    let checkpoint = &report["ledger"]["checkpoints"][0];
    assert_eq!(checkpoint["displaced_by"], merge, "{checkpoint}");
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["rule"] == "history-rewritten").unwrap();
    assert!(found["message"].as_str().unwrap().contains("holds it only behind merge"), "{found}");
    assert_eq!(found["severity"], "error");
    // What differs is shown by the command that it names.
    let shows = format!("`git diff {} {}`", &honest[..10], &merge[..10]);
    assert!(found["help"].as_str().unwrap().contains(&shows), "{found}");
    ledger.git_at(MERGED, &["diff", &honest[..10], &merge[..10]]);
    ledger.git_at(MERGED, &["config", "pull.rebase", "true"]);
}
