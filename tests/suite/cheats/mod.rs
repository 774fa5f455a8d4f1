//! Each way to bend the number with real git commands, and the finding that
//! names it. What cannot be found this way stands in docs/threat-model.md.

mod checkpoints;
mod clocks;
mod events;
mod faults;
mod links;
mod remotes;
mod separation;
mod signing;
mod sources;
mod timestamps;
mod turned;
pub(crate) mod worlds;

use std::fs;

use serde_json::json;

use crate::sandbox::{Ran, Sandbox};

const HEADER: &str = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Deal Type\n";

/// A ledger with one deal, which is signed on 2 November at 10:00 and whose
/// webhook arrives three hours later: late by the rules, which allow one hour.
struct Ledger {
    sandbox: Sandbox,
}

impl Ledger {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let init = ["--now", "2026-11-01T00:00:00Z", "init", "l", "--crm", "file"];
        sandbox.handoff(".", &init).exits(0);
        let settings = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
        sandbox.write("l/handoff.yaml", settings.replace("outbox: {dir: outbox}", "{}"));
        let ledger = Self { sandbox };
        ledger.deals(&["1,Acme,Closed Won,2026-11-02 10:00,Riley Ross,100.00,USD,true,New"]);
        // As if it had been laid down so: a task that is no longer opened is a finding.
        ledger.git_at("2026-11-01T00:00:00Z", &["commit", "-qa", "--amend", "--no-edit"]);
        ledger
    }

    fn deals(&self, rows: &[&str]) {
        self.sandbox.write("deals.csv", format!("{HEADER}{}\n", rows.join("\n")));
    }

    fn late() -> Self {
        let ledger = Self::new();
        ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T13:00:00Z");
        ledger
    }

    fn event(&self, id: &str, signed_at: &str) -> String {
        let event = json!({"type": "contract.signed", "timestamp": signed_at, "data": {
            "id": format!("doc-{id}"), "name": format!("Contract {id}"), "signed_at": signed_at,
            "signers": [], "crm": {"provider": "hubspot", "entity_type": "deal", "entity_id": id}}});
        self.sandbox.write("event.json", event.to_string()).display().to_string()
    }

    /// The folder of the brief.
    fn sign(&self, id: &str, signed_at: &str, now: &str) -> String {
        let path = self.event(id, signed_at);
        let deals = self.sandbox.join("deals.csv");
        fs::copy(&deals, self.sandbox.join("l/deals.csv")).unwrap();
        let sign = ["--now", now, "sign", &path, "--format", "json"];
        let ran = self.sandbox.handoff("l", &sign).exits(0);
        fs::remove_file(self.sandbox.join("l/deals.csv")).unwrap();
        ran.json()["path"].as_str().unwrap().to_owned()
    }

    /// Runs git at a moment that the user claims.
    fn git_at(&self, when: &str, arguments: &[&str]) -> String {
        let mut command = self.sandbox.command("git", self.sandbox.join("l"));
        command.args(arguments);
        command.env("GIT_COMMITTER_DATE", when).env("GIT_AUTHOR_DATE", when);
        let output = command.output().unwrap();
        crate::sandbox::ran(&output, format!("git {arguments:?}")).exits(0).stdout
    }

    fn commit(&self, when: &str, message: &str) {
        self.git_at(when, &["add", "-A", "."]);
        self.git_at(when, &["commit", "-qm", message]);
    }

    fn change(&self, path: &str, from: &str, to: &str) {
        let file = self.sandbox.join("l").join(path);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{path} holds {from}:\n{text}");
        fs::write(file, text.replace(from, to)).unwrap();
    }

    fn audit(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["audit", "--deals", "../deals.csv", "--format", "json"];
        arguments.extend(more);
        self.sandbox.handoff("l", &arguments)
    }

    /// The class of the first deal and the rules that fired, with their messages.
    fn audited(&self) -> (String, Vec<(String, String)>) {
        let report = self.audit(&[]).json();
        let class = report["deals"][0]["class"].as_str().unwrap().to_owned();
        let findings = report["findings"].as_array().unwrap().iter().map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            (text("rule"), text("message"))
        });
        (class, findings.collect())
    }

    #[track_caller]
    fn is_found(&self, rule: &str, words: &str) -> String {
        let (class, findings) = self.audited();
        let found = findings.iter().any(|(id, message)| id == rule && message.contains(words));
        assert!(found, "{rule} with {words:?} is not among {findings:#?}");
        class
    }
}

/// Gives git a key to sign with, whom `trust` in the sandbox trusts; whether
/// the machine can make one.
fn signing_key(ledger: &Ledger) -> bool {
    let key = ledger.sandbox.join("signer");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "auditor", "-f"])
        .arg(&key)
        .status();
    // Git signs with ssh-keygen; without it there is nothing to test.
    if !made.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("CI").is_none(), "a run that counts needs ssh-keygen");
        eprintln!("skipped: there is no ssh-keygen, so nothing was tested of signed checkpoints");
        return false;
    }
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    ledger.sandbox.write("trust", format!("auditor@example.com {public}"));
    ledger.sandbox.git("l", &["config", "gpg.format", "ssh"]);
    ledger.sandbox.git("l", &["config", "user.signingkey", &key.display().to_string()]);
    true
}

#[test]
fn the_honest_ledger_says_late_and_accuses_nobody() {
    let (class, findings) = Ledger::late().audited();
    assert_eq!(class, "late");
    let rules: Vec<&str> = findings.iter().map(|(rule, _)| rule.as_str()).collect();
    for rule in ["hand-written-event", "timeline-rewritten", "policy-loosened", "signed-after-won"]
    {
        assert!(!rules.contains(&rule), "{findings:?}");
    }
}

#[test]
fn a_limit_that_is_raised_afterwards_helps_no_earlier_deal_and_is_named() {
    let ledger = Ledger::late();
    ledger.change("handoff.yaml", "handoff_within: 1h", "handoff_within: 48h");
    let (class, _) = ledger.audited();
    assert_eq!(class, "late", "what is not committed does not count");
    let ran = ledger.audit(&["-q"]);
    assert!(ran.stderr.contains("handoff.yaml differs from the committed one"), "{}", ran.stderr);
    ledger.commit("2026-11-10T09:00:00Z", "more time");
    let class = ledger.is_found("policy-loosened", "handoff_within went from 1h to 48h");
    assert_eq!(class, "late");
    // A date that is claimed does not reach further back than the history before it.
    let ledger = Ledger::late();
    ledger.change("handoff.yaml", "handoff_within: 1h", "handoff_within: 48h");
    ledger.commit("2026-11-01T00:00:00Z", "always so");
    assert_eq!(ledger.is_found("policy-loosened", "by Test <test@example.com>"), "late");
}

#[test]
fn a_scope_that_leaves_deals_out_afterwards_leaves_them_in() {
    let ledger = Ledger::late();
    let rule = "exclude:\n    - {when: \"deal.properties.deal_type == 'New'\", reason: new}";
    ledger.change("handoff.yaml", "exclude: []", rule);
    ledger.commit("2026-11-10T09:00:00Z", "only renewals");
    assert_eq!(ledger.is_found("policy-loosened", "scope now leaves out deals"), "late");
}

#[test]
fn settings_that_say_how_deals_are_read_do_not_change_in_silence() {
    for (from, to, words) in [
        (
            "deals: \"deals.csv\"",
            "won: \"deal.name != 'Acme'\"\n    deals: \"deals.csv\"",
            "crm.file.won went from its default to \"deal.name != 'Acme'\"",
        ),
        (
            "deals: \"deals.csv\"",
            "columns: {closed_won_at: Deal Type}\n    deals: \"deals.csv\"",
            "crm.file.columns.closed_won_at went from its default",
        ),
        ("deals: \"deals.csv\"", "name: othercrm\n    deals: \"deals.csv\"", "crm.file.name went"),
        (
            "deals: \"deals.csv\"",
            "dates: {timezone: America/Los_Angeles}\n    deals: \"deals.csv\"",
            "crm.file.dates.timezone went",
        ),
        (
            "# timezone: Europe/Berlin",
            "timezone: America/Los_Angeles",
            "timezone went from its default to \"America/Los_Angeles\"",
        ),
        (
            "deliver:\n  {}",
            "deliver:\n  github: {repository: acme/x, as: pull_request}\n  #",
            "briefs wait in a pull request",
        ),
    ] {
        let ledger = Ledger::late();
        let row = "1,Acme,Closed Won,2026-11-02 10:00,Riley Ross,100.00,USD,true,2026-12-02 10:00";
        ledger.deals(&[row]);
        ledger.change("handoff.yaml", from, to);
        ledger.commit("2026-11-03T09:00:00Z", "settings");
        let ran = ledger.audit(&[]);
        if words.starts_with("crm.file.name") {
            // Under another name all of them would be missing: no number at all.
            assert!(ran.code == 3, "{}", ran.stdout);
            assert!(ran.stderr.contains("have briefs as deals of hubspot"), "{}", ran.stderr);
            continue;
        }
        let report = ran.json();
        let findings = report["findings"].as_array().unwrap();
        let told = findings.iter().filter(|finding| finding["rule"] == "policy-loosened");
        let told: Vec<&str> = told.map(|it| it["message"].as_str().unwrap()).collect();
        assert!(told.iter().any(|it| it.contains(words)), "{words}: {findings:#?}");
        assert!(told[0].contains("by Test <test@example.com>"), "{told:?}");
    }
    // On the first day, before a deal was won, they are set up.
    let ledger = Ledger::new();
    ledger.deals(&["1,Acme,Closed Won,2026-11-06 10:00,Riley Ross,100.00,USD,true,New"]);
    ledger.change("handoff.yaml", "# timezone: Europe/Berlin", "timezone: America/Los_Angeles");
    ledger.commit("2026-11-01T09:00:00Z", "settings");
    let (_, findings) = ledger.audited();
    assert!(!findings.iter().any(|(rule, _)| rule == "policy-loosened"), "{findings:#?}");
}

#[test]
fn a_branch_that_only_the_checkout_names_does_not_count() {
    let ledger = Ledger::late();
    let late = ledger.sandbox.git("l", &["ls-files", "briefs/*timeline.yaml"]);
    let late = late.trim();
    ledger.git_at("2026-11-02T10:05:00Z", &["checkout", "-qb", "nice"]);
    ledger.change(late, "2026-11-02T13:00:00Z", "2026-11-02T10:05:00Z");
    let amend = ["commit", "-qa", "--amend", "--no-edit", "--date=2026-11-02T10:05:00Z"];
    ledger.git_at("2026-11-02T10:05:00Z", &amend);
    ledger.git_at("2026-11-02T10:05:00Z", &["checkout", "-q", "main"]);
    ledger.change("handoff.yaml", "branch: \"main\"", "branch: \"nice\"");
    let report = ledger.audit(&[]).json();
    assert_eq!(report["ledger"]["branch"], "main");
    assert_eq!(report["deals"][0]["class"], "late");
}

#[test]
fn settings_that_are_taken_off_the_branch_stay_in_force() {
    let ledger = Ledger::late();
    let second = "2,B,Closed Won,2026-11-12 10:00,Riley Ross,900.00,USD,true,New";
    ledger.deals(&["1,Acme,Closed Won,2026-11-02 10:00,Riley Ross,100.00,USD,true,New", second]);
    let branch = "branch: \"main\"";
    let honest = ledger.audit(&[]).json();
    let last = ledger.git_at("2026-11-03T09:00:00Z", &["rev-parse", "HEAD:handoff.yaml"]);
    ledger.git_at("2026-11-03T09:00:00Z", &["rm", "-q", "--cached", "handoff.yaml"]);
    ledger.git_at("2026-11-03T09:00:00Z", &["commit", "-qm", "tidy"]);
    ledger.git_at("2026-11-03T09:00:00Z", &["branch", "-q", "nice", "HEAD~2"]);
    for (from, to) in [
        ("", ""),
        ("deals: \"deals.csv\"", "won: \"deal.name == 'Acme'\"\n    deals: \"deals.csv\""),
        ("handoff_within: 1h", "handoff_within: 4800h"),
        ("exclude: []", "exclude:\n    - {when: \"deal.name == 'B'\", reason: x}"),
        ("# timezone: Europe/Berlin", "timezone: Pacific/Kiritimati"),
        (branch, "branch: \"nice\""),
    ] {
        let kept = fs::read_to_string(ledger.sandbox.join("l/handoff.yaml")).unwrap();
        if !from.is_empty() {
            ledger.change("handoff.yaml", from, to);
        }
        let ran = ledger.audit(&["--as-of", "2026-11-20"]);
        let mut report = ran.json();
        for field in ["deals", "summary", "population", "metrics"] {
            let mut expected = honest[field].clone();
            for value in [&mut expected, &mut report[field]] {
                if let Some(fields) = value.as_object_mut() {
                    fields.remove("query");
                }
            }
            assert_eq!(report[field], expected, "{to}: {field}");
        }
        assert_eq!(report["settings"]["blob"], last.trim(), "{to}");
        let ran = ledger.audit(&[]);
        let told = "not on the branch any more: the audit uses the last one that was committed";
        assert!(ran.stderr.contains(told), "{to}: {}", ran.stderr);
        ledger.is_found("policy-loosened", "took handoff.yaml off the branch on 2026-11-03");
        fs::write(ledger.sandbox.join("l/handoff.yaml"), kept).unwrap();
    }
    // A schema that asks less is named all the same, and so are settings beside a broken one.
    let schema = ledger.sandbox.join("l/schema/brief.schema.json");
    let mut text: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&schema).unwrap()).unwrap();
    text["required"].as_array_mut().unwrap().retain(|field| field != "success");
    fs::write(&schema, text.to_string()).unwrap();
    ledger.git_at("2026-11-04T09:00:00Z", &["commit", "-qam", "fewer questions"]);
    ledger.is_found("policy-loosened", "no longer has to be answered");
    fs::write(&schema, "{").unwrap();
    ledger.change("handoff.yaml", "handoff_within: 1h", "handoff_within: 48h");
    ledger.commit("2026-11-05T09:00:00Z", "back again");
    fs::write(&schema, text.to_string()).unwrap();
    ledger.commit("2026-11-06T09:00:00Z", "a schema again");
    assert_eq!(ledger.is_found("policy-loosened", "handoff_within went from 1h to 48h"), "late");
}

#[test]
fn an_answer_that_need_not_be_given_any_more_is_named() {
    let ledger = Ledger::late();
    let schema = ledger.sandbox.join("l/schema/brief.schema.json");
    let mut text: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&schema).unwrap()).unwrap();
    text["required"].as_array_mut().unwrap().retain(|field| field != "success");
    fs::write(&schema, text.to_string()).unwrap();
    ledger.commit("2026-11-10T09:00:00Z", "fewer questions");
    ledger.is_found("policy-loosened", "no longer has to be answered");
}

#[test]
fn a_calendar_that_stops_the_clock_is_named_and_so_is_one_with_fewer_hours() {
    let ledger = Ledger::late();
    let path = ledger.sandbox.join("l/handoff.yaml");
    let calendar = |days: &str, hours: &str, when: &str| {
        let text = fs::read_to_string(&path).unwrap();
        let text: Vec<&str> =
            text.lines().filter(|line| !line.starts_with("  calendar: ")).collect();
        let first_touch = text.iter().position(|line| *line == "first_touch:").expect("settings");
        let line =
            format!("  calendar: {{timezone: Europe/Berlin, days: [{days}], hours: \"{hours}\"}}");
        let mut text: Vec<String> = text.into_iter().map(str::to_owned).collect();
        text.insert(first_touch + 1, line);
        fs::write(&path, text.join("\n") + "\n").unwrap();
        ledger.commit(when, "hours");
    };
    let week = "mon, tue, wed, thu, fri";
    calendar(week, "08:00-20:00", "2026-11-10T09:00:00Z");
    ledger.is_found("policy-loosened", "a calendar now stops the clock");
    let fewer = "the calendar has fewer hours";
    let is_found = || ledger.audited().1.iter().any(|(_, message)| message.contains(fewer));
    assert!(!is_found());
    // As many hours at another time of day, and more of them.
    calendar(week, "09:00-21:00", "2026-11-11T09:00:00Z");
    assert!(!is_found());
    calendar(&format!("{week}, sat"), "09:00-21:00", "2026-11-12T09:00:00Z");
    assert!(!is_found());
    calendar(week, "09:00-20:00", "2026-11-13T09:00:00Z");
    ledger.is_found("policy-loosened", fewer);
}

#[test]
fn a_schema_that_asks_less_of_answers_is_named() {
    fn drop(value: &mut serde_json::Value, keyword: &str) {
        match value {
            serde_json::Value::Object(fields) => {
                fields.retain(|name, value| name != keyword || value.is_object());
                fields.values_mut().for_each(|value| drop(value, keyword));
            }
            serde_json::Value::Array(items) => {
                items.iter_mut().for_each(|value| drop(value, keyword));
            }
            _ => {}
        }
    }
    for keyword in ["minLength", "pattern", "enum", "minItems"] {
        let ledger = Ledger::late();
        let schema = ledger.sandbox.join("l/schema/brief.schema.json");
        let text = fs::read_to_string(&schema).unwrap();
        if !text.contains(&format!("\"{keyword}\"")) {
            continue;
        }
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        drop(&mut value, keyword);
        fs::write(&schema, value.to_string()).unwrap();
        ledger.commit("2026-11-10T09:00:00Z", "simpler");
        ledger.is_found("policy-loosened", "the schema asks less of answers: ");
    }
}

#[test]
fn a_later_signature_in_the_brief_does_not_make_a_late_handoff_punctual() {
    let ledger = Ledger::new();
    // The brief is written with a signature three hours later than the contract's.
    ledger.sign("1", "2026-11-02T12:55:00Z", "2026-11-02T13:00:00Z");
    assert_eq!(ledger.is_found("signed-after-won", "signed 2 h 55 min later"), "late");
}

#[test]
fn a_brief_that_was_written_by_hand_is_told_apart() {
    let ledger = Ledger::new();
    let folder = ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
    ledger.git_at("2026-11-02T10:06:00Z", &["reset", "-q", "--hard", "HEAD~1"]);
    ledger.git_at("2026-11-02T10:06:00Z", &["checkout", "-q", "ORIG_HEAD", "--", &folder]);
    ledger.change(&format!("{folder}/brief.yaml"), "100.00", "100.01");
    ledger.commit("2026-11-02T10:06:00Z", "mine is better");
    ledger.is_found("hand-written-event", "records another brief than the one that arrived");
    fs::remove_file(ledger.sandbox.join("l").join(&folder).join("timeline.yaml")).unwrap();
    ledger.git_at("2026-11-02T10:06:00Z", &["reset", "-q", "--soft", "HEAD~1"]);
    ledger.commit("2026-11-02T10:06:00Z", "no timeline at all");
    ledger.is_found("hand-written-event", "no event of its timeline records that signature");
}

#[test]
fn an_event_that_is_taken_out_again_is_missed() {
    let ledger = Ledger::late();
    let key = "hubspot-1";
    let back =
        ["--now", "2026-11-03T09:00:00Z", "return", key, "--by", "samlee", "--reason", "wrong"];
    ledger.sandbox.handoff("l", &back).exits(0);
    ledger.git_at("2026-11-04T09:00:00Z", &["checkout", "-q", "HEAD~1", "--", "briefs"]);
    ledger.commit("2026-11-04T09:00:00Z", "tidy");
    ledger.is_found("timeline-rewritten", "took `returned` out of the timeline");
}

#[test]
fn an_event_of_the_future_was_not_written_by_handoff() {
    let ledger = Ledger::late();
    let folder = ledger.sandbox.git("l", &["ls-files", "briefs/*timeline.yaml"]);
    let timeline = folder.trim();
    let file = ledger.sandbox.join("l").join(timeline);
    let text = fs::read_to_string(&file).unwrap();
    let touched = "- at: 2026-11-05T09:00:00Z\n  event: touched\n  via: cli\n  by: samlee\n";
    let indent = if text.contains("\n  - at") { "  " } else { "" };
    let touched: String = touched.lines().map(|line| format!("{indent}{line}\n")).collect();
    fs::write(&file, format!("{text}{touched}")).unwrap();
    ledger.commit("2026-11-02T14:00:00Z", "first touch");
    ledger.is_found("hand-written-event", "which is 2 d 19 h earlier");
}

#[test]
fn a_brief_that_was_gone_says_for_how_long() {
    let ledger = Ledger::late();
    ledger.git_at("2026-11-03T09:00:00Z", &["rm", "-rq", "briefs"]);
    ledger.git_at("2026-11-03T09:00:00Z", &["commit", "-qm", "gone"]);
    ledger.git_at("2026-11-05T09:00:00Z", &["revert", "--no-edit", "HEAD"]);
    assert_eq!(ledger.is_found("removed-handoff", "was gone for 2 d"), "late");
}

#[test]
fn an_audit_of_today_is_the_same_number_tomorrow() {
    let ledger = Ledger::late();
    let today = ledger.audit(&["--as-of", "2026-11-20"]).stdout;
    let command = serde_json::from_str::<serde_json::Value>(&today).unwrap();
    let command = command["command"].as_str().unwrap().to_owned();
    assert!(command.contains("--as-of 2026-11-20T17:00:00Z"), "{command}");
    // Each other way to say when, and what decides about the exit code.
    let forms: [&[&str]; 9] = [
        &["--from", "2026-11", "--to", "2026-Q4"],
        &["--from", "30d"],
        &["--to", "yesterday", "--fail-level", "warning"],
        &["--from", "2026-11-01T00:00", "--to", "now"],
        &["--as-of", "HEAD"],
        &["--as-of", "main~1", "--from", "2026"],
        &["--as-of", "yesterday"],
        &["--as-of", "2026-11-19"],
        &["--fail-level", "info", "--offline"],
    ];
    let runs: Vec<(Ran, Vec<String>)> = forms
        .iter()
        .map(|form| {
            let ran = ledger.audit(form);
            let command = ran.json()["command"].as_str().unwrap().to_owned();
            let told = ["30d", "yesterday", "now", "HEAD", "main", "2026-11 ", "Q4"];
            assert!(told.iter().all(|word| !command.contains(word)), "{form:?}: {command}");
            (ran, command.split(' ').skip(1).map(str::to_owned).collect())
        })
        .collect();
    ledger.change("handoff.yaml", "handoff_within: 1h", "handoff_within: 48h");
    ledger.commit("2026-12-01T09:00:00Z", "more time");
    let again = [
        "--now",
        "2027-11-20T17:00:00Z",
        "audit",
        "--deals",
        "../deals.csv",
        "--as-of",
        "2026-11-20T17:00:00Z",
        "--format",
        "json",
    ];
    let later = ledger.sandbox.handoff("l", &again).stdout;
    assert_eq!(today, later, "a year later, after the settings changed");
    for ((ran, command), form) in runs.iter().zip(forms) {
        let mut again = vec!["--now", "2027-11-20T17:00:00Z"];
        again.extend(command.iter().map(String::as_str));
        again.extend(["--format", "json"]);
        let later = ledger.sandbox.handoff("l", &again).exits(ran.code);
        // What was asked of the present alone says so: a deal dated ahead counts then.
        assert_eq!(ran.stdout, later.stdout, "{form:?}");
    }
}
