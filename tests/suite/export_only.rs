//! An export is enough: audit and coverage in a folder that is no ledger.

use std::fs;

use serde_json::json;

use crate::sandbox::{Sandbox, ran};

const NOON: &str = "2026-11-28T12:00:00Z";

const EXPORT: &str = "\
Deal ID,Name,Stage,Closed won at,Owner,Amount,Currency,Customer,What they want,Deal promises made,Complexity of rollout,Lead source\n\
1,Acme platform,Closed Won,2026-10-05,Riley Ross,48000,USD,Acme Corp,Close the books in three days,SSO before go-live,Medium,Web\n\
2,Birch pilot,Closed Won,2026-11-12,Riley Ross,12000,USD,Birch Ltd,Fewer picking errors,none,Low,Event\n\
3,Cedar renewal,Closed Won,2026-11-20,Noor Haddad,7000,EUR,Cedar GmbH,,,high,\n\
4,Dune,Closed Lost,2026-11-25,Noor Haddad,9000,EUR,Dune SA,x,,,\n";

fn names(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(sandbox.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_stage_that_only_a_probability_calls_won_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "e/export.csv",
        "Record ID,Deal Name,Deal Stage,Amount,Close Date,Deal probability\n\
         1,Acme,Signed & live,48000,2026-11-05,1\n2,Birch,Closed Won,12000,2026-11-12,1\n\
         3,Cedar,Proposal,12000,2026-11-12,0.4\n4,Dune,Closed Lost,12000,2026-11-12,0\n",
    );
    let audit = ["--now", NOON, "audit", "--deals", "export.csv"];
    let ran = sandbox.handoff("e", &audit).exits(1);
    let told =
        "These stages were taken as won because of a probability of 100: \"Signed & live\" (1).";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
}

fn folder_with_export() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("e/export.csv", EXPORT);
    sandbox
}

#[test]
fn an_export_is_audited_where_there_is_no_ledger() {
    let sandbox = folder_with_export();
    let ran = sandbox.handoff("e", &["--now", NOON, "audit", "--deals", "export.csv"]).exits(1);
    let text = &ran.stdout;
    assert!(text.contains("No deal can have a handoff: there is no ledger yet."), "{text}");
    for line in
        ["2026-10", "2026-11", "Riley Ross", "Noor Haddad", "Acme platform", "USD 48,000.00"]
    {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    assert!(text.contains("0.0 % handed over: 0 of 3 deals due"), "{text}");
    assert!(text.contains("ledger      none: there is no ledger yet"), "{text}");
    for next in ["handoff coverage --deals export.csv", "-o audit.html", "handoff init"] {
        assert!(ran.stderr.contains(next), "{next} is missing in:\n{}", ran.stderr);
    }
    assert_eq!(names(&sandbox, "e"), ["export.csv"], "nothing is written");

    // The same in a repository of something else, and as data.
    assert!(
        sandbox.command("git", sandbox.join("e")).args(["init", "-q"]).status().unwrap().success()
    );
    let arguments =
        ["--now", NOON, "audit", "--deals", "export.csv", "--format", "json", "--to", "2026-10"];
    let report = sandbox.handoff("e", &arguments).exits(1).json();
    assert_eq!(report["ledger"]["absent"], json!("there is no ledger yet"));
    assert_eq!(report["summary"]["missing"], json!(1));
    assert_eq!(report["complete"], json!(true));
    sandbox.assert_schema("audit", &report);
}

#[test]
fn the_commands_that_an_audit_without_a_ledger_names_work() {
    let sandbox = folder_with_export();
    let ran = sandbox.handoff("e", &["--now", NOON, "audit", "--deals", "export.csv"]).exits(1);
    let next: Vec<&str> =
        ran.stderr.lines().filter_map(|line| line.trim().strip_prefix("handoff ")).collect();
    assert_eq!(next.len(), 4, "{}", ran.stderr);
    for line in next {
        let command = line.split("  ").next().unwrap();
        let words: Vec<&str> =
            ["--now", NOON].into_iter().chain(command.split_whitespace()).collect();
        let ran = sandbox.handoff("e", &words);
        let expected = i32::from(command.starts_with("audit"));
        ran.exits(expected);
    }
    assert!(sandbox.join("e/audit.html").exists());
    assert!(sandbox.join("e/handoff.yaml").exists());
}

#[test]
fn what_needs_a_ledger_says_so() {
    let sandbox = folder_with_export();
    for option in [
        &["--signatures"][..],
        &["--checkpoint"],
        &["--require-checkpoint", "--trust", "export.csv"],
    ] {
        let mut arguments = vec!["--now", NOON, "audit", "--deals", "export.csv"];
        arguments.extend(option);
        let ran = sandbox.handoff("e", &arguments).exits(2);
        assert!(ran.stderr.contains(&format!("{} needs a ledger", option[0])), "{}", ran.stderr);
    }
    let ran = sandbox.handoff("e", &["--now", NOON, "audit"]).exits(2);
    assert!(ran.stderr.contains("audit --deals"), "{}", ran.stderr);
}

#[test]
fn before_the_first_commit_of_a_ledger_every_deal_is_missing() {
    let sandbox = folder_with_export();
    sandbox.handoff(".", &["--now", "2026-11-25T09:00:00Z", "init", "l", "--yes"]).exits(0);
    sandbox.write("l/export.csv", EXPORT);
    let arguments = [
        "--now",
        NOON,
        "audit",
        "--deals",
        "export.csv",
        "--as-of",
        "2026-11-15",
        "--format",
        "json",
    ];
    let report = sandbox.handoff("l", &arguments).exits(1).json();
    assert_eq!(report["summary"]["missing"], json!(2), "what was won by then");
    let why = report["ledger"]["absent"].as_str().unwrap();
    assert!(why.contains("had no commit yet; its first one is dated 2026-11-25"), "{why}");
}

#[test]
fn coverage_of_an_export_proposes_what_its_columns_answer() {
    let sandbox = folder_with_export();
    let ran = sandbox.handoff("e", &["--now", NOON, "coverage", "--deals", "export.csv"]).exits(0);
    for line in [
        "1. Who is this customer?",
        "Question 7, What should CS do first, and by when?, is answered by handoff itself",
        "\"Lead source\"",
        "  commitments: 'deal | property(\"Deal promises made\") | promises(made_by=deal.owner.name)'   # 2 of 3",
        "  implementation.complexity: 'deal | property(\"Complexity of rollout\") | choice(\"low\", \"medium\", \"high\")'   # 3 of 3",
        "  success.primary_goal: 'deal | property(\"What they want\") | plain'   # 2 of 3",
    ] {
        assert!(ran.stdout.contains(line), "{line} is missing in:\n{}", ran.stdout);
    }
    assert_eq!(names(&sandbox, "e"), ["export.csv"], "nothing is written");

    // What is pasted, or written, gives what was said.
    let arguments = ["--now", NOON, "coverage", "--deals", "export.csv", "--write"];
    let ran = sandbox.handoff("e", &arguments).exits(0);
    assert!(ran.stderr.contains("wrote 3 lines into"), "{}", ran.stderr);
    let json = ["--now", NOON, "coverage", "--deals", "export.csv", "--format", "json"];
    let report = sandbox.handoff("e", &json).exits(0).json();
    assert_eq!(report["proposals"], json!([]));
    assert_eq!(report["unused_columns"], json!(["Lead source"]));
    let answered = |field: &str| {
        let questions = report["questions"].as_array().unwrap().iter();
        let mut fields = questions.flat_map(|question| question["fields"].as_array().unwrap());
        fields.find(|it| it["field"] == field).unwrap()["answered"]["count"].clone()
    };
    assert_eq!(answered("commitments"), json!(2));
    assert_eq!(answered("implementation.complexity"), json!(3));
}

#[test]
fn the_lines_go_into_settings_that_are_there_and_nothing_else_changes() {
    for (before, after) in [
        ("version: 1\nmap: csv # ours\nbrief: {} # none yet\nscope: {exclude: []}\n", Some(5)),
        ("version: 1\nbrief:\n  customer.tier: deal.stage\n", Some(4)),
        ("version: 1\n# the end\n", Some(3)),
        ("version: 1\nbrief: {customer.tier: deal.stage}\n", None),
    ] {
        let sandbox = folder_with_export();
        sandbox.write("e/handoff.yaml", before);
        let ran =
            sandbox.handoff("e", &["--now", NOON, "coverage", "--deals", "export.csv", "--write"]);
        let text = fs::read_to_string(sandbox.join("e/handoff.yaml")).unwrap();
        let Some(_) = after else {
            ran.exits(3);
            assert_eq!(text, before);
            continue;
        };
        ran.exits(0);
        let added: Vec<&str> =
            text.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
        let kept = before.lines().filter(|line| !line.starts_with("brief:"));
        for line in kept {
            assert!(text.lines().any(|it| it == line), "{line} is gone from:\n{text}");
        }
        assert!(added.iter().filter(|line| line.contains("property(")).count() == 3, "{text}");
    }
}

#[test]
fn a_folder_without_a_name_gets_the_one_its_brief_has() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["--now", NOON, "init", "l", "--yes"]).exits(0);
    let folder = "l/briefs/2026/11/customer--csv-1";
    sandbox.write(
        &format!("{folder}/brief.yaml"),
        "schema: handoff/brief/v1\nkey: csv-1\ndeal: {crm: csv, id: '1', name: Acme platform}\n",
    );
    let ran = sandbox.handoff("l", &["--now", NOON, "validate"]);
    assert!(ran.stderr.contains("`handoff validate --fix` renames it"), "{}", ran.stderr);
    let ran = sandbox.handoff("l", &["--now", NOON, "validate", "--fix"]);
    assert!(
        ran.stderr.contains(
            "renamed briefs/2026/11/customer--csv-1 to briefs/2026/11/acme-platform--csv-1"
        ),
        "{}",
        ran.stderr
    );
    assert!(!sandbox.join(folder).exists());
    assert!(sandbox.join("l/briefs/2026/11/acme-platform--csv-1/README.md").exists());
}

/// The commands in a text's backticks, as a shell takes them.
fn commands_in(text: &str) -> Vec<String> {
    let parts = text.split('`').skip(1).step_by(2);
    parts.filter(|part| part.starts_with("handoff ")).map(str::to_owned).collect()
}

/// From the audit of an export to briefs that hold what it says: each command
/// that a finding names is run as it stands, in the order it is named.
#[test]
fn the_findings_of_an_export_name_commands_that_work_there() {
    let sandbox = Sandbox::new();
    sandbox.write("my deals/export.csv", EXPORT);
    let folder = "my deals";
    let audit = ["--now", NOON, "audit", "--deals", "export.csv"];
    let shell = |line: &str| {
        let binary = std::path::Path::new(env!("CARGO_BIN_EXE_handoff")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut shell = sandbox.command("sh", sandbox.join(folder));
        let output = shell.env("PATH", path).args(["-c", line]).output().unwrap();
        ran(&output, line.to_owned()).exits(0)
    };
    let wanted = ["handoff init", "handoff backfill --deals export.csv"];
    for format in ["json", "markdown", "github", "junit", "sarif"] {
        let ran = sandbox.handoff(folder, &[&audit[..], &["--format", format]].concat()).exits(1);
        let commands = commands_in(&ran.stdout);
        for command in wanted {
            assert!(commands.iter().any(|it| it == command), "{format}: {command}: {commands:?}");
        }
    }
    shell("handoff init --yes");
    shell(wanted[1]);
    let left = sandbox.handoff(folder, &[&audit[..], &["--format", "json"]].concat()).json();
    assert_eq!(left["summary"]["missing"], 0, "{left}");
    // What `coverage` says of the export is what a brief of it has.
    let covered = ["coverage", "--deals", "export.csv", "--format", "json"];
    let covered = sandbox.handoff(folder, &covered).json().to_string();
    assert!(covered.contains("customer.name"), "{covered}");
    let listed = sandbox.git(folder, &["ls-files", "briefs/*brief.yaml"]);
    for customer in ["acme-corp--", "birch-ltd--", "cedar-gmbh--"] {
        assert!(listed.contains(customer), "{listed}");
    }
}

/// A name in the order in which it stands in a text.
fn keys_in(text: &str) -> Vec<&str> {
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = text.split(|c: char| !is_of_key(c));
    let mut seen = std::collections::BTreeSet::new();
    words.filter(|word| word.starts_with("csv-")).filter(|word| seen.insert(*word)).collect()
}

#[test]
fn numbers_in_keys_are_ordered_by_their_value_in_every_format() {
    let sandbox = Sandbox::new();
    let ids = ["10", "9", "1-b", "100", "2", "1-a", "011", "11", "1", "2-1"];
    let rows: String = ids
        .iter()
        .map(|id| format!("{id},Deal,Closed Won,2026-11-05,Riley Ross,7,USD\n"))
        .collect();
    let header = "Deal ID,Name,Stage,Closed won at,Owner,Amount,Currency\n";
    sandbox.write("e/export.csv", format!("{header}{rows}"));
    let expected = [
        "csv-1", "csv-1-a", "csv-1-b", "csv-2", "csv-2-1", "csv-9", "csv-10", "csv-11", "csv-011",
        "csv-100",
    ]
    .map(str::to_owned);
    let audit = ["--now", NOON, "audit", "--deals", "export.csv", "--format"];
    for format in ["text", "json", "csv", "markdown", "html", "sarif"] {
        let told = sandbox.handoff("e", &[&audit[..], &[format]].concat()).exits(1).stdout;
        assert_eq!(keys_in(&told), expected, "{format}:\n{told}");
    }
    let report = sandbox.handoff("e", &[&audit[..], &["json"]].concat()).json();
    let keys: Vec<&str> =
        report["deals"].as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap()).collect();
    assert_eq!(keys, expected);
}

#[test]
fn what_to_do_about_deals_without_a_date_names_the_column_or_that_there_is_none() {
    let sandbox = Sandbox::new();
    let help = |header: &str, row: &str| {
        sandbox.write("e/export.csv", format!("{header}\n{row}\n"));
        let audit = ["--now", NOON, "audit", "--deals", "export.csv", "--format", "json"];
        let report = sandbox.handoff("e", &audit).json();
        let gaps = report["gaps"].as_array().unwrap();
        let gap = gaps.iter().find(|it| it["what"].as_str().unwrap().starts_with("the time at"));
        gap.unwrap()["help"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        help("Deal ID,Name,Stage,Closed won at", "1,Acme,Closed Won,"),
        "Fill in \"Closed won at\" of these deals in the CRM, and export again."
    );
    let told = help("Deal ID,Name,Stage,Amount", "1,Acme,Closed Won,7");
    assert!(told.contains("No column of export.csv is known to say when deals were won"), "{told}");
    assert!(told.contains("crm.file.columns.closed_won_at"), "{told}");
}
