//! `handoff.yaml`: every problem at once, and a schema that tells the same.

use std::fs;
use std::path::Path;

use handoff::config::Config;
use serde_json::Value;

use crate::sandbox::Sandbox;

fn schema() -> jsonschema::Validator {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/config.schema.json"))
            .unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
fn agrees(text: &str, what: &str) {
    if let Err(problems) = Config::parse(text.as_bytes()) {
        panic!("{what}: {problems:?}\n{text}");
    }
    let json = handoff::yaml::read(text.as_bytes()).unwrap().to_json();
    let wrong: Vec<String> = schema()
        .iter_errors(&json)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{what}: the schema refuses what handoff reads: {wrong:?}\n{text}");
}

#[test]
fn what_init_lays_down_is_valid_for_every_choice() {
    for crm in ["hubspot", "salesforce", "pipedrive", "file", "none"] {
        let sandbox = Sandbox::new();
        let arguments = [
            "init",
            "l",
            "--crm",
            crm,
            "--esign",
            "pandadoc,docusign,dropbox-sign,adobe-sign,standard-webhooks",
            "--github",
            "acme/handoffs",
            "--csm",
            "Sam \"the\" Lee <sam@example.com> @samlee",
            "--csm",
            "Noor",
        ];
        sandbox.handoff(".", &arguments).exits(0);
        agrees(&fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap(), crm);
    }
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--yes"]).exits(0);
    agrees(&fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap(), "--yes");
    agrees(include_str!("../../templates/demo/handoff.yaml"), "the demo");
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let text = "version: 2\nesing: {pandadoc: {}}\nlayout: ../%Y\nteam:\n  csms: [{name: Sam Lee, github: samlee}]\n  assign:\n    - {to: samle}\n  fallback: nobody\n\
                first_touch: {within: soon, calendar: {timezone: Amercia/New_York}}\nbrief: {customer.tier: deal.properties., key: deal.id}\nscope: {exclude: [{when: deal.name, reason: x, why: y}]}\n\
                deliver: {github: {repository: acme}, slakc: {}}\n";
    let problems = Config::parse(text.as_bytes()).unwrap_err();
    let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    for line in [1, 2, 3, 7, 8, 9, 10, 11, 12] {
        assert!(lines.contains(&line), "line {line} has a problem: {problems:#?}");
    }
    let help: String = problems.iter().filter_map(|problem| problem.help.clone()).collect();
    assert!(help.contains("did you mean `esign`"), "{help}");
    assert!(
        problems.iter().any(|problem| problem.message.contains("America/New_York")),
        "{problems:#?}"
    );
}

#[test]
fn a_broken_configuration_stops_a_command_with_every_line() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--yes"]).exits(0);
    sandbox.write("l/handoff.yaml", "version: 1\nhandoff_within: soon\nlayout: x\n");
    let ran = sandbox.handoff("l", &["validate"]).exits(2);
    assert!(
        ran.stderr.contains("handoff.yaml:2:") && ran.stderr.contains("handoff.yaml:3:"),
        "{}",
        ran.stderr
    );
    let ran = sandbox.handoff(".", &["validate"]).exits(3);
    assert!(ran.stderr.contains("help:"), "what to do outside a ledger is said: {}", ran.stderr);
}
