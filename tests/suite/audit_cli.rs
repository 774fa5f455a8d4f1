//! `handoff audit` on a real ledger, and an independent check of its classes
//! from `git log` and the CSV alone.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// One deal of the export: id, name, won at, type, and what is done about it.
const DEALS: &[(&str, &str, &str, &str)] = &[
    ("1", "On Time", "2026-11-02 10:00", "New"),
    ("2", "Late", "2026-11-03 10:00", "New"),
    ("3", "Missing", "2026-11-04 10:00", "New"),
    ("4", "Removed", "2026-11-05 10:00", "New"),
    ("5", "Removed And Back", "2026-11-06 10:00", "New"),
    ("6", "Renamed Folder", "2026-11-09 10:00", "New"),
    ("7", "Merged Late", "2026-11-10 10:00", "New"),
    ("8", "Exempt", "2026-11-11 10:00", "New"),
    ("9", "Excluded", "2026-11-12 10:00", "Renewal"),
    ("10", "Pending", "2026-11-20 16:30", "New"),
    ("11", "Not Won", "", "New"),
];

fn export() -> String {
    let mut text = String::from(
        "Record ID,Deal Name,Deal Stage,Close Date,Amount,Currency,Is Closed Won,Deal Type\n",
    );
    for (id, name, won, kind) in DEALS {
        let (stage, is_won) =
            if won.is_empty() { ("Contract sent", "false") } else { ("Closed Won", "true") };
        text.push_str(&format!("{id},{name},{stage},{won},100.00,USD,{is_won},{kind}\n"));
    }
    text
}

struct World {
    sandbox: Sandbox,
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox
            .handoff(".", &["--now", "2026-11-01T00:00:00Z", "init", "l", "--crm", "file"])
            .exits(0);
        let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
        let rule =
            "exclude:\n    - {when: \"deal.properties.deal_type == 'Renewal'\", reason: renewal}";
        sandbox.write(
            "l/handoff.yaml",
            config.replace("exclude: []", rule).replace("outbox: {dir: outbox}", "{}"),
        );
        sandbox.write("l/deals.csv", export());
        let world = Self { sandbox };
        world.git_at("2026-11-01T00:00:00Z", &["commit", "-qam", "the settings"]);
        world
    }

    /// Signs a deal at its time of winning; the webhook arrives at `now`.
    fn sign(&self, id: &str, signed_at: &str, now: &str) -> String {
        let event = json!({"type": "contract.signed", "timestamp": signed_at, "data": {
            "id": format!("doc-{id}"), "name": format!("Contract {id}"), "signed_at": signed_at,
            "signers": [], "crm": {"provider": "hubspot", "entity_type": "deal", "entity_id": id}}});
        let path = self.sandbox.write("event.json", event.to_string()).display().to_string();
        let ran =
            self.sandbox.handoff("l", &["--now", now, "sign", &path, "--format", "json"]).exits(0);
        ran.json()["path"].as_str().unwrap().to_owned()
    }

    fn git_at(&self, when: &str, arguments: &[&str]) {
        let mut command = self.sandbox.command("git", self.sandbox.join("l"));
        let output = command
            .args(arguments)
            .env("GIT_COMMITTER_DATE", when)
            .env("GIT_AUTHOR_DATE", when)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn build(&self) {
        self.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
        self.sign("2", "2026-11-03T10:00:00Z", "2026-11-03T13:00:00Z");
        let removed = self.sign("4", "2026-11-05T10:00:00Z", "2026-11-05T10:01:00Z");
        self.git_at("2026-11-05T12:00:00Z", &["rm", "-rq", &removed]);
        self.git_at("2026-11-05T12:00:00Z", &["commit", "-qm", "tidy up"]);
        let back = self.sign("5", "2026-11-06T10:00:00Z", "2026-11-06T10:01:00Z");
        self.git_at("2026-11-06T12:00:00Z", &["rm", "-rq", &back]);
        self.git_at("2026-11-06T12:00:00Z", &["commit", "-qm", "oops"]);
        self.git_at("2026-11-06T13:00:00Z", &["revert", "--no-edit", "HEAD"]);
        let renamed = self.sign("6", "2026-11-09T10:00:00Z", "2026-11-09T10:01:00Z");
        self.git_at(
            "2026-11-09T12:00:00Z",
            &["mv", &renamed, "briefs/2026/11/another-name--hubspot-6"],
        );
        self.git_at("2026-11-09T12:00:00Z", &["commit", "-qm", "rename"]);
        // On a branch in time, merged too late: it counts where it was merged.
        self.git_at("2026-11-10T09:00:00Z", &["checkout", "-qb", "side"]);
        let settings = fs::read_to_string(self.sandbox.join("l/handoff.yaml")).unwrap();
        let on_side = settings.replace("branch: \"main\"", "branch: side");
        assert_ne!(settings, on_side);
        self.sandbox.write("l/handoff.yaml", on_side);
        self.sign("7", "2026-11-10T10:00:00Z", "2026-11-10T10:05:00Z");
        self.sandbox.write("l/handoff.yaml", settings);
        self.git_at("2026-11-10T10:06:00Z", &["checkout", "-q", "main"]);
        self.git_at(
            "2026-11-10T15:00:00Z",
            &["merge", "-q", "--no-ff", "-m", "merge the handoff", "side"],
        );
        let arguments = [
            "--now",
            "2026-11-11T11:00:00Z",
            "exempt",
            "hubspot-8",
            "--by",
            "Alex",
            "--reason",
            "pilot",
            "--customer",
            "Exempt",
        ];
        self.sandbox.handoff("l", &arguments).exits(0);
    }

    fn audit(&self, more: &[&str]) -> crate::sandbox::Ran {
        let mut arguments = vec!["audit", "--deals", "deals.csv"];
        arguments.extend(more);
        self.sandbox.handoff("l", &arguments)
    }

    /// The class of each closed-won deal from `git log` and the CSV alone.
    fn independently(&self) -> BTreeMap<String, &'static str> {
        let minutes = |text: &str| {
            let (day, time) = text.split_once([' ', 'T']).unwrap();
            let day: i64 = day[8..10].parse().unwrap();
            let (hour, minute): (i64, i64) =
                (time[0..2].parse().unwrap(), time[3..5].parse().unwrap());
            (day * 24 + hour) * 60 + minute
        };
        let log = self.sandbox.git(
            "l",
            &[
                "log",
                "--first-parent",
                "-m",
                "--reverse",
                "--no-renames",
                "--date=format-local:%Y-%m-%d %H:%M",
                "--format=@%cd",
                "--name-status",
            ],
        );
        let mut first: BTreeMap<String, i64> = BTreeMap::new();
        let mut there: BTreeMap<String, i32> = BTreeMap::new();
        let mut when = 0;
        for line in log.lines() {
            if let Some(date) = line.strip_prefix('@') {
                when = minutes(date);
            } else if let Some((status, path)) = line.split_once('\t')
                && let Some(folder) = path.strip_suffix("/brief.yaml")
                && let Some((_, key)) = folder.rsplit_once("--")
            {
                match status {
                    "A" => {
                        first.entry(key.to_owned()).or_insert(when);
                        *there.entry(key.to_owned()).or_default() += 1;
                    }
                    "D" => *there.entry(key.to_owned()).or_default() -= 1,
                    _ => {}
                }
            }
        }
        let now = minutes("2026-11-20 17:00");
        DEALS
            .iter()
            .filter(|(_, _, won, _)| !won.is_empty())
            .map(|(id, _, won, kind)| {
                let key = format!("hubspot-{id}");
                let exempt =
                    fs::read_dir(self.sandbox.join("l/briefs/2026/11")).unwrap().any(|entry| {
                        let folder = entry.unwrap().path();
                        folder.to_string_lossy().ends_with(&format!("--{key}"))
                            && fs::read_to_string(folder.join("timeline.yaml"))
                                .is_ok_and(|text| text.contains("exempted"))
                    });
                let class = match (*kind, exempt, first.get(&key)) {
                    ("Renewal", ..) => "excluded",
                    (_, true, _) => "exempt",
                    (_, _, Some(_)) if there[&key] == 0 => "removed",
                    (_, _, Some(at)) if at - minutes(won) <= 60 => "on_time",
                    (_, _, Some(_)) => "late",
                    (_, _, None) if now - minutes(won) <= 60 => "pending",
                    (_, _, None) => "missing",
                };
                (key, class)
            })
            .collect()
    }
}

#[test]
fn every_closed_won_deal_is_in_the_class_that_git_log_gives_it() {
    let world = World::new();
    world.build();
    let report = world.audit(&["--format", "json"]).exits(1).json();
    let classes: BTreeMap<String, String> = report["deals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deal| {
            (deal["key"].as_str().unwrap().to_owned(), deal["class"].as_str().unwrap().to_owned())
        })
        .collect();
    let expected: BTreeMap<String, String> =
        world.independently().into_iter().map(|(key, class)| (key, class.to_owned())).collect();
    assert_eq!(classes, expected);
    for class in ["on_time", "late", "pending", "missing", "removed", "exempt", "excluded"] {
        assert!(
            expected.values().any(|other| other == class),
            "the ledger has a deal that is {class}"
        );
    }
    let sum: u64 = report["summary"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(sum, report["population"]["closed_won"], "the classes foot: {}", report["summary"]);
}

#[test]
fn the_same_question_gives_the_same_bytes_cold_warm_and_on_another_day() {
    let world = World::new();
    world.build();
    let cold = world
        .audit(&["--as-of", "2026-11-20T17:00:00Z", "--format", "json", "--no-cache"])
        .exits(1)
        .stdout;
    let warm =
        world.audit(&["--as-of", "2026-11-20T17:00:00Z", "--format", "json"]).exits(1).stdout;
    let warmer =
        world.audit(&["--as-of", "2026-11-20T17:00:00Z", "--format", "json"]).exits(1).stdout;
    assert_eq!(cold, warm);
    assert_eq!(warm, warmer);
    let later = world
        .audit(&[
            "--now",
            "2026-12-24T00:00:00Z",
            "--as-of",
            "2026-11-20T17:00:00Z",
            "--format",
            "json",
        ])
        .exits(1)
        .stdout;
    assert_eq!(later, warm, "the past does not change");
    let report: Value = serde_json::from_str(&warm).unwrap();
    let again = report["command"].as_str().unwrap();
    assert!(again.contains("--as-of 2026-11-20T17:00:00Z"), "{again}");
    let early =
        world.audit(&["--as-of", "2026-11-03T12:00:00Z", "--format", "json"]).exits(1).json();
    let late =
        early["deals"].as_array().unwrap().iter().find(|deal| deal["key"] == "hubspot-2").unwrap();
    assert_eq!(late["class"], "missing", "at that moment it was not there yet");
    assert_eq!(early["population"]["closed_won"], 2, "deals won later are not there: {early}");
}

#[test]
fn exit_codes_tell_what_became_of_it_and_formats_do_not_change_them() {
    let world = World::new();
    world.build();
    for format in ["text", "json", "markdown", "html", "csv", "github", "sarif", "junit"] {
        world.audit(&["--format", format]).exits(1);
    }
    let touch = ["touch", "hubspot-1", "--by", "sam", "--at", "2026-11-02T15:00:00Z"];
    world.sandbox.handoff("l", &touch).exits(0);
    world.audit(&["--from", "2026-11-02", "--to", "2026-11-02"]).exits(0);
    world.audit(&["--from", "2026-12-01"]).exits(4);
    world.audit(&["--from", "2026-11-30", "--to", "2026-11-01"]).exits(2);
    world.audit(&["--from", "tomorrow"]).exits(2);
    world.audit(&["--format", "pdf"]).exits(2);
    let ran = world.sandbox.handoff("l", &["audit", "--deals", "nothing.csv"]).exits(2);
    assert!(ran.stderr.contains("nothing.csv"), "{}", ran.stderr);
    world.sandbox.write("l/bad.csv", export().replace("2,Late", "1,Late"));
    let ran = world.sandbox.handoff("l", &["audit", "--deals", "bad.csv"]).exits(3);
    assert!(ran.stderr.contains("bad.csv") && ran.stderr.contains("Record ID"), "{}", ran.stderr);
    world.sandbox.git(
        ".",
        &[
            "clone",
            "-q",
            "--depth",
            "2",
            &format!("file://{}", world.sandbox.join("l").display()),
            "shallow",
        ],
    );
    fs::copy(world.sandbox.join("l/handoff.yaml"), world.sandbox.join("shallow/handoff.yaml"))
        .unwrap();
    let deals = world.sandbox.join("l/deals.csv").display().to_string();
    let ran = world.sandbox.handoff("shallow", &["audit", "--deals", &deals]).exits(3);
    assert!(ran.stdout.contains("unshallow"), "the remedy is named:\n{}", ran.stdout);
    let both = world
        .audit(&["--format", "csv", "--output", "a.csv", "--format", "json", "--output", "a.json"])
        .exits(1);
    assert_eq!(both.stdout, "");
    assert!(world.sandbox.join("l/a.csv").is_file() && world.sandbox.join("l/a.json").is_file());
}

#[test]
fn a_history_that_was_rewritten_after_a_checkpoint_is_told() {
    let world = World::new();
    world.build();
    world.audit(&["--checkpoint"]).exits(1);
    let calm = world.audit(&["--format", "json"]).json();
    assert!(!calm["findings"].to_string().contains("history-rewritten"), "{}", calm["findings"]);
    world.git_at("2026-11-20T12:00:00Z", &["reset", "-q", "--hard", "HEAD~2"]);
    world.git_at(
        "2026-11-20T12:00:00Z",
        &["commit", "-q", "--allow-empty", "-m", "nothing happened"],
    );
    let told = world.audit(&["--format", "json"]).json();
    assert!(told["findings"].to_string().contains("history-rewritten"), "{}", told["findings"]);
}

#[test]
fn backfill_makes_what_is_missing_and_the_audit_says_late() {
    let world = World::new();
    world.build();
    let planned =
        world.sandbox.handoff("l", &["backfill", "--deals", "deals.csv", "--dry-run"]).exits(0);
    assert!(
        planned.stdout.contains("deal 3") && !planned.stdout.contains("deal 9"),
        "{}",
        planned.stdout
    );
    world.sandbox.handoff("l", &["backfill", "--deals", "deals.csv"]).exits(0);
    let report = world.audit(&["--format", "json"]).json();
    let missing =
        report["deals"].as_array().unwrap().iter().find(|deal| deal["key"] == "hubspot-3").unwrap();
    assert_eq!(missing["class"], "late", "{missing}");
    world.sandbox.handoff("l", &["backfill", "--deals", "deals.csv"]).exits(0);
    let coverage = world
        .sandbox
        .handoff("l", &["coverage", "--deals", "deals.csv", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(coverage["deals"], 9, "{coverage}");
}
