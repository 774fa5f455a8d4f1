//! Every command that a finding's help or a rule's page names is run on the
//! situation that produced it, and the finding is gone afterwards. One that is
//! named and not listed here fails.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::refresh::{KEY, METRIC, deals, file, signed};
use crate::sandbox::{Sandbox, fixture};
use crate::touches;

/// A command by its shape, and what shows that it helps.
type Remedy = (&'static str, Proof);

enum Proof {
    /// It takes the finding away: run here.
    Here(fn()),
    /// It only shows something: it is run here and is a command of the program.
    Shows(&'static [&'static str], &'static [i32]),
    /// It needs a provider's API: another test runs it.
    There(&'static str, &'static str),
}

use Proof::{Here, Shows, There};

const REMEDIES: [Remedy; 27] = [
    ("accept KEY --by WHO", Here(accept)),
    ("return KEY --by WHO --reason WHY", Here(give_back)),
    ("resubmit KEY --by WHO", Here(resubmit)),
    ("touch KEY --by WHO", Here(touch)),
    ("sync KEY", Here(sync)),
    ("sync", Here(sync)),
    ("backfill", Here(backfill)),
    ("exempt KEY --reason WHY --by WHO", Here(exempt)),
    ("sign --deal ID", Here(sign_deal)),
    ("deliver KEY", Here(deliver)),
    ("validate --fix", Here(fix)),
    ("status KEY", Shows(&["status", KEY], &[0])),
    ("why KEY", Shows(&["why", KEY], &[0])),
    ("why KEY FIELD", Shows(&["why", KEY, "customer.name"], &[0])),
    ("doctor", Shows(&["doctor", "--offline"], &[0, 1, 3])),
    ("inbox list", Shows(&["inbox", "list"], &[0])),
    ("coverage", Shows(&["coverage"], &[0])),
    ("verify", Shows(&["verify"], &[0, 1, 3, 4])),
    ("validate", Shows(&["validate"], &[0, 1])),
    ("audit --checkpoint", Shows(&["audit", "--checkpoint"], &[0, 1, 3])),
    ("sign EVENT", Here(sign_event)),
    (
        "propose",
        There("propose.rs", "a_proposal_is_a_branch_and_an_answer_only_when_somebody_merges_it"),
    ),
    ("refresh KEY", There("why.rs", "check_asks_again_and_names_what_the_source_says_now")),
    ("why KEY --check", There("why.rs", "check_asks_again_and_names_what_the_source_says_now")),
    (
        "audit --signatures",
        There("intake/audited.rs", "signed_and_not_won_is_found_although_no_won_deal_shows_it"),
    ),
    (
        "catch-up",
        There(
            "intake/catch_up.rs",
            "what_the_provider_completed_and_the_ledger_lacks_is_handed_over_once",
        ),
    ),
    (
        "catch-up --since TIME",
        There(
            "intake/catch_up.rs",
            "what_the_provider_completed_and_the_ledger_lacks_is_handed_over_once",
        ),
    ),
];

/// The command without what differs from handoff to handoff.
fn shape(command: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in command.split_whitespace() {
        let of_option = match words.last() {
            Some(&"--by") => Some("WHO"),
            Some(&"--reason") => Some("WHY"),
            Some(&"--deal") => Some("ID"),
            Some(&"--since") => Some("TIME"),
            _ => None,
        };
        let is_key = word == "KEY"
            || (word.starts_with('{') && word.ends_with('}'))
            || word
                .strip_prefix("hubspot-")
                .is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit()));
        words.push(match of_option {
            Some(value) => value,
            None if is_key => "KEY",
            None => word,
        });
    }
    words.join(" ")
}

/// The shapes of all commands in backticks below a folder, with their files.
fn named(folder: &str, ending: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != ending) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for part in text.split("`handoff ").skip(1) {
            let command = part.split('`').next().unwrap_or_default();
            found
                .insert((shape(command), path.file_name().unwrap().to_string_lossy().into_owned()));
        }
    }
    found
}

#[test]
fn every_command_that_a_rule_names_is_run() {
    let mut named_by_rules = named("docs/rules", "md");
    named_by_rules.extend(named("src/audit/rules", "rs"));
    named_by_rules.extend(named("src/brief/rules", "rs"));
    assert!(named_by_rules.len() > 20, "{named_by_rules:?}");
    for (shape, file) in &named_by_rules {
        assert!(
            REMEDIES.iter().any(|(known, _)| known == shape),
            "{file} names `handoff {shape}`, and no test here runs it"
        );
    }
    let ledger = signed();
    let mut run = BTreeSet::new();
    for (shape, proof) in &REMEDIES {
        match proof {
            Here(prove) if run.insert(*prove as usize) => prove(),
            Here(_) => {}
            Shows(arguments, codes) => {
                let ran = ledger.handoff("ledger", arguments);
                assert!(codes.contains(&ran.code), "{shape}: {} {}", ran.code, ran.stderr);
            }
            There(path, name) => {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite").join(path);
                assert!(
                    fs::read_to_string(path).unwrap().contains(&format!("fn {name}()")),
                    "{shape}"
                );
            }
        }
    }
}

/// The rules that an audit at this moment finds broken for a deal.
fn broken(sandbox: &Sandbox, key: &str, now: &str) -> Vec<String> {
    let ran = sandbox.handoff("ledger", &["audit", "--format", "json", "--now", now]);
    let report: Value = ran.json();
    let deals = report["deals"].as_array().unwrap();
    let deal = deals.iter().find(|deal| deal["key"] == key).unwrap_or_else(|| panic!("{report}"));
    let rules = deal["findings"].as_array().unwrap();
    rules.iter().map(|rule| rule.as_str().unwrap().to_owned()).collect()
}

/// The finding is there, the command takes it away.
fn cured(sandbox: &Sandbox, key: &str, rule: &str, command: &[&str]) {
    let (before, at, after) =
        ("2026-11-20T19:00:00Z", "2026-11-20T20:00:00Z", "2026-11-20T21:00:00Z");
    let there = broken(sandbox, key, before);
    assert!(there.iter().any(|it| it == rule), "{rule} is not among {there:?}");
    sandbox.handoff("ledger", &[&["--now", at], command].concat()).exits(0);
    let left = broken(sandbox, key, after);
    assert!(!left.iter().any(|it| it == rule), "{command:?} leaves {rule}: {left:?}");
}

/// Commits what changed in the ledger at half past six.
fn commit(sandbox: &Sandbox) {
    let mut git = sandbox.command("git", sandbox.join("ledger"));
    let date = "2026-11-20T18:30:00Z";
    git.args(["commit", "-qam", "by hand"]).env("GIT_COMMITTER_DATE", date);
    assert!(git.env("GIT_AUTHOR_DATE", date).status().unwrap().success());
}

fn path_of(sandbox: &Sandbox, name: &str) -> String {
    sandbox.git("ledger", &["ls-files", &format!("briefs/*{KEY}/{name}")]).trim().to_owned()
}

const ACCEPT: [&str; 4] = ["accept", KEY, "--by", "samlee"];

fn accept() {
    let sandbox = signed();
    cured(&sandbox, KEY, "never-accepted", &ACCEPT);
    // A brief that was changed after that.
    let sandbox = signed();
    sandbox.handoff("ledger", &ACCEPT).exits(0);
    let brief = path_of(&sandbox, "brief.yaml");
    let text = file(&sandbox, "brief.yaml").replace(METRIC, "Two days to the first order");
    sandbox.write(&format!("ledger/{brief}"), text);
    commit(&sandbox);
    cured(&sandbox, KEY, "edited-after-acceptance", &ACCEPT);
    // One that was returned.
    let sandbox = signed();
    let reason = ["return", KEY, "--by", "samlee", "--reason", "wrong"];
    sandbox.handoff("ledger", &reason).exits(0);
    cured(&sandbox, KEY, "handoff-returned", &ACCEPT);
}

fn give_back() {
    let reason = ["return", KEY, "--by", "samlee", "--reason", "wrong"];
    cured(&signed(), KEY, "never-accepted", &reason);
}

fn resubmit() {
    let sandbox = signed();
    let reason = ["return", KEY, "--by", "samlee", "--reason", "wrong"];
    sandbox.handoff("ledger", &reason).exits(0);
    cured(&sandbox, KEY, "handoff-returned", &["resubmit", KEY, "--by", "Riley Ross"]);
}

fn touch() {
    cured(&signed(), KEY, "first-touch-overdue", &["touch", KEY, "--by", "samlee"]);
}

fn sync() {
    touches::sync_takes_the_finding_away();
}

fn backfill() {
    cured(&signed(), "hubspot-77", "missing-handoff", &["backfill"]);
}

fn exempt() {
    let because = |key| ["exempt", key, "--reason", "void", "--by", "boss@example.com"];
    cured(&signed(), "hubspot-77", "missing-handoff", &because("hubspot-77"));
    let sandbox = signed();
    let folder = path_of(&sandbox, "brief.yaml");
    sandbox.git("ledger", &["rm", "-rq", Path::new(&folder).parent().unwrap().to_str().unwrap()]);
    commit(&sandbox);
    cured(&sandbox, KEY, "removed-handoff", &because(KEY));
}

fn sign_deal() {
    let sandbox = signed();
    sandbox.write("ledger/deals.csv", deals("60000.00", METRIC, "Closed Won"));
    let found = broken(&sandbox, KEY, "2026-11-20T19:00:00Z");
    assert!(found.iter().any(|rule| rule == "signed-total-differs"), "{found:?}");
    cured(&sandbox, KEY, "deal-drift", &["sign", "--deal", "18640329741"]);
    // The deal follows the document, and the brief the deal.
    sandbox.write("ledger/deals.csv", deals("48000.00", METRIC, "Closed Won"));
    let sign = ["--now", "2026-11-20T22:00:00Z", "sign", "--deal", "18640329741"];
    sandbox.handoff("ledger", &sign).exits(0);
    let left = broken(&sandbox, KEY, "2026-11-20T23:00:00Z");
    for rule in ["signed-total-differs", "deal-drift"] {
        assert!(!left.iter().any(|it| it == rule), "{left:?}");
    }
}

fn deliver() {
    let sandbox = crate::refresh::ledger();
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event, "--no-deliver"]).exits(0);
    cured(&sandbox, KEY, "task-not-opened", &["deliver", KEY]);
}

fn sign_event() {
    let sandbox = signed();
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event]).exits(0);
}

fn fix() {
    let sandbox = signed();
    let page = path_of(&sandbox, "README.md");
    let text = format!("{}\nby hand\n", file(&sandbox, "README.md"));
    sandbox.write(&format!("ledger/{page}"), text);
    let stale = || sandbox.handoff("ledger", &["validate"]).stdout.contains("stale-rendering");
    assert!(stale());
    sandbox.handoff("ledger", &["validate", "--fix"]);
    assert!(!stale(), "it is rendered again");
}
