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
    let text = "version: 0\nesing: {pandadoc: {}}\nlayout: ../%Y\nteam:\n  csms: [{name: Sam Lee, github: samlee}]\n  assign:\n    - {to: samle}\n  fallback: nobody\n\
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
    let ran = sandbox.handoff(".", &["validate"]).exits(2);
    assert!(ran.stderr.contains("help:"), "what to do outside a ledger is said: {}", ran.stderr);
}

/// Wrong settings: what is wrong, the lines below `version: 1`, the line that
/// is told, and what is said there.
const WRONG: [(&str, &str, usize, &str); 46] = [
    ("a text for a mapping", "first_touch: 48h", 2, "write `first_touch: {within: 24h}`"),
    (
        "a list for a mapping",
        "scope: [renewal]",
        2,
        "`scope` is a mapping with `exclude`; this is a list",
    ),
    (
        "a mapping for a list",
        "scope:\n  exclude: {when: deal.name, reason: x}",
        3,
        "`scope.exclude` is a list of mappings; this is a mapping",
    ),
    ("a word for a mapping", "brief: yes", 2, "`brief` is a mapping; this is the text \"yes\""),
    ("a number for a word", "map: 5", 2, "`map` is one of `hubspot`"),
    ("a number for a text", "layout: 5", 2, "write it in quotes: `layout: \"5\"`"),
    (
        "one CSM for a list",
        "team:\n  csms: {name: Sam Lee}",
        3,
        "`team.csms` is a list of mappings",
    ),
    ("a misspelt section", "esing: {pandadoc: {}}", 2, "did you mean `esign`?"),
    (
        "a misspelt key in a list",
        "team:\n  csms:\n    - name: Sam Lee\n      gihub: samlee",
        5,
        "did you mean `github`?",
    ),
    (
        "somebody who is not listed",
        "team:\n  csms: [{name: Sam Lee, github: samlee}]\n  fallback: samle",
        4,
        "did you mean `samlee`?",
    ),
    ("a rule for nobody", "team: {assign: [{to: least_opne}]}", 2, "did you mean `least_open`?"),
    ("a number for a duration", "handoff_within: 1", 2, "a duration such as 24h"),
    ("a duration without a unit", "handoff_within: \"90\"", 2, "write 90h for hours"),
    ("a duration of zero", "wait_for_deal: 0h", 2, "the default, 2d"),
    (
        "a field that no brief has",
        "brief:\n  customer.teir: deal.name",
        3,
        "did you mean `customer.tier`?",
    ),
    (
        "a field inside of one value",
        "brief:\n  customer.tier.x: deal.name",
        3,
        "map `customer.tier` as a whole",
    ),
    ("a second CRM", "crm:\n  hubspot: {}\n  pipedrive: {}", 4, "keep one of them"),
    (
        "an unknown time zone",
        "first_touch:\n  calendar: {timezone: Amercia/New_York}",
        3,
        "did you mean `America/New_York`?",
    ),
    ("an unknown time zone", "timezone: Europe/Berln", 2, "did you mean `Europe/Berlin`?"),
    (
        "an unknown kind of document",
        "documents:\n  - {when: \"signature.total\", is: contrat}",
        3,
        "did you mean `contract`?",
    ),
    (
        "a rule without its kind",
        "documents:\n  - {when: \"signature.total\"}",
        3,
        "entry 1 of `documents` needs `is`",
    ),
    ("a word that is not off", "reminders: on", 2, "`reminders` is `off`"),
    (
        "an unknown reminder",
        "reminders:\n  - {for: fist_touch, at: -4h, to: csm}",
        3,
        "did you mean `first_touch`?",
    ),
    ("a misspelt limit", "limits: {requst: 30s}", 2, "did you mean `request`?"),
    (
        "an unknown name in an expression",
        "scope:\n  exclude:\n    - {when: \"dael.name\", reason: x}",
        4,
        "did you mean `deal`?",
    ),
    (
        "an attribute that no deal has",
        "scope:\n  exclude:\n    - {when: \"deal.nmae == 'x'\", reason: x}",
        4,
        "did you mean `deal.name`?",
    ),
    (
        "an attribute that money has not",
        "brief:\n  customer.tier: deal.amount.value",
        3,
        "did you mean `deal.amount.amount`?",
    ),
    (
        "a rule over a field that no brief has",
        "team:\n  csms: [{name: Sam Lee}]\n  assign:\n    - {when: \"customer.teir == 'x'\", to: Sam Lee}",
        5,
        "did you mean `customer.tier`?",
    ),
    (
        "an attribute of a signature that is not there",
        "documents:\n  - {when: \"signature.templat == 'x'\", is: contract}",
        3,
        "did you mean `signature.template`?",
    ),
    (
        "an attribute of a signature that is not there, for the deal's id",
        "esign:\n  pandadoc: {deal: {id: \"signature.documnet_name | last\"}}",
        3,
        "did you mean `signature.document_name`?",
    ),
    (
        "a filter that is not there, for the deal's id",
        "esign:\n  docusign: {deal: {id: \"signature.document_name | lsat\"}}",
        3,
        "did you mean `last`?",
    ),
    (
        "a status that nobody signs in",
        "esign:\n  pandadoc: {trigger: [complete]}",
        3,
        "did you mean `completed`?",
    ),
    (
        "a document that went out, for a signed one",
        "esign:\n  pandadoc:\n    trigger: [completed, sent]",
        4,
        "`completed`, `waiting_pay`",
    ),
    (
        "a number in a list",
        "esign:\n  senders: {docuseal: {sent: [5]}}",
        3,
        "write it in quotes: `\"5\"`",
    ),
    ("no status at all", "esign:\n  pandadoc: {trigger: []}", 3, "has at least one entry"),
    (
        "a misspelt CRM of the deal's id",
        "esign:\n  docusign: {deal: {crm: hubspto}}",
        3,
        "did you mean `hubspot`?",
    ),
    (
        "an event with two meanings",
        "esign:\n  senders:\n    docuseal: {voided: [Submission.Completed]}",
        4,
        "`completed` and `voided` both have \"submission.completed\"",
    ),
    (
        "a header that no request has",
        "esign:\n  senders:\n    docuseal: {verify: {secret: {header: \"X Acme\"}}}",
        4,
        "no request has a header \"X Acme\"",
    ),
    (
        "a header that no request has, for an HMAC",
        "esign:\n  senders:\n    docuseal: {verify: {hmac: {in: {header: \"X-Acme:\"}}}}",
        4,
        "no request has a header \"X-Acme:\"",
    ),
    ("a misspelt target", "deliver: {slakc: {}}", 2, "did you mean `slack`?"),
    ("a word for true or false", "esign:\n  pandadoc: {drafts: ja}", 3, "write `drafts: true`"),
    ("a misspelt mapping", "map: hubspt", 2, "did you mean `hubspot`?"),
    ("a ref for a branch", "branch: refs/heads/main", 2, "write main"),
    (
        "a filter that is not there",
        "brief:\n  customer.tier: deal.name | uper",
        3,
        "did you mean `upper`?",
    ),
    (
        "a column that the export does not have",
        "crm: {file: {deals: deals.csv}}\nmap: csv\nbrief:\n  customer.tier: deal.properties.deal_tpye",
        5,
        "did you mean `deal_type`?",
    ),
    (
        "a column that the export does not have, in a rule",
        "crm: {file: {deals: deals.csv}}\nscope:\n  exclude:\n    - {when: \"deal.properties.deal_tpye == 'renewal'\", reason: x}",
        5,
        "did you mean `deal_type`?",
    ),
];

#[test]
fn wrong_settings_are_refused_by_every_command_with_line_and_suggestion() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--yes"]).exits(0);
    for export in ["deals.csv", "l/deals.csv"] {
        sandbox.write(export, "Record ID,Deal Name,Amount,Deal Type\n1,Acme,5,new\n");
    }
    sandbox.write("event.json", "{}");
    let commands: [&[&str]; 4] = [
        &["audit", "--deals", "../deals.csv"],
        &["sign", "../event.json"],
        &["doctor", "--offline"],
        &["validate"],
    ];
    let mut wrong = Vec::new();
    for (what, settings, line, said) in WRONG {
        sandbox.write("l/handoff.yaml", format!("version: 1\n{settings}\n"));
        for command in commands {
            let ran = sandbox.handoff("l", command);
            let place = format!("handoff.yaml:{line}:");
            let told = ran.stderr.contains(&place) && ran.stderr.contains(said);
            if ran.code != 2 || !told {
                wrong.push(format!(
                    "{what}: `{}` ends with {} and says\n{}",
                    command.join(" "),
                    ran.code,
                    ran.stderr
                ));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_wrong_settings_are_told_at_once() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--yes"]).exits(0);
    let mut text = "version: 1\n".to_owned();
    let mut places = Vec::new();
    let mut sections = std::collections::BTreeSet::new();
    for (_, settings, line, _) in WRONG {
        let section = settings.split(':').next().unwrap();
        // A field that the schema does not have, and a column that the export does not
        // have, are looked for in settings that are right.
        if (settings.contains("customer.t") && !settings.contains("uper"))
            || settings.contains("tpye")
            || !sections.insert(section)
        {
            continue;
        }
        places.push(format!("handoff.yaml:{}:", text.lines().count() + line - 1));
        text.push_str(settings);
        text.push('\n');
    }
    sandbox.write("l/handoff.yaml", &text);
    let ran = sandbox.handoff("l", &["validate"]).exits(2);
    for place in &places {
        assert!(ran.stderr.contains(place), "{place} is missing:\n{text}\n{}", ran.stderr);
    }
    assert!(places.len() >= 12, "{places:?}");
}

#[test]
fn a_command_waits_two_hours_for_a_crm_unless_it_is_told_otherwise() {
    let run = |text: &str| Config::parse(text.as_bytes()).expect("settings").limits.run;
    let hours = |hours: u64| Some(std::time::Duration::from_secs(hours * 3600));
    assert_eq!(run("version: 1\n"), hours(2));
    assert_eq!(run("version: 1\nlimits: {run: 5h}\n"), hours(5));
}
