//! `handoff why`: where each answer comes from, and what of it is known a year
//! later without the CRM.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::refresh::{KEY, METRIC, deals, ledger, signed};
use crate::sandbox::{Sandbox, fixture};

fn why(sandbox: &Sandbox, field: &str) -> Value {
    let line = ["why", KEY, field, "--format", "json"];
    let told = sandbox.handoff("ledger", &line).exits(0).json();
    sandbox.assert_schema("why", &told);
    told["answers"][0].clone()
}

/// The recorded sources as they stand in the checkout.
fn assert_sources(sandbox: &Sandbox, path: &str) {
    let text = fs::read(sandbox.join("ledger").join(path)).unwrap();
    let sources = handoff::yaml::read(&text).unwrap().to_json();
    sandbox.assert_schema("sources", &sources);
}

/// The path of a handoff's file in the ledger.
fn path(sandbox: &Sandbox, name: &str) -> String {
    let found = sandbox.git("ledger", &["ls-files", &format!("briefs/*{KEY}/{name}")]);
    found.trim().to_owned()
}

/// A person changes the brief by hand and commits it.
fn edit(sandbox: &Sandbox, from: &str, to: &str) -> String {
    let file = sandbox.join("ledger").join(path(sandbox, "brief.yaml"));
    let brief = fs::read_to_string(&file).unwrap();
    assert!(brief.contains(from), "{brief}");
    fs::write(&file, brief.replace(from, to)).unwrap();
    let author = "--author=Dana Wu <dana@example.com>";
    sandbox.git("ledger", &["commit", "-qam", "what they said", author]);
    sandbox.git("ledger", &["rev-parse", "HEAD"]).trim().to_owned()
}

/// The answers of a `brief.yaml` as handoff writes it, by dotted field, told
/// by indentation alone: lists and amounts are one answer.
fn answers_of(brief: &str) -> Vec<String> {
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut found = Vec::new();
    let mut inside_list: Option<usize> = None;
    for line in brief.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let depth = line.len() - line.trim_start().len();
        if inside_list.is_some_and(|list| depth > list) {
            continue;
        }
        inside_list = None;
        above.retain(|(other, _)| *other < depth);
        let (name, value) = line.trim().split_once(':').unwrap();
        above.push((depth, name.to_owned()));
        let dotted = above.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(".");
        match (name, value.trim()) {
            ("schema" | "key", _) if depth == 0 => {}
            (_, "") => {
                // A list, or an amount with its currency.
                let next = brief.split_once(&format!("\n{line}\n")).unwrap().1;
                let next = next.lines().next().unwrap().trim();
                if next.starts_with("- ") || next.starts_with("amount:") {
                    found.push(dotted);
                    inside_list = Some(depth);
                }
            }
            _ => found.push(dotted),
        }
    }
    found
}

/// What the shipped mapping for exports reads for an answer, told from its
/// documentation and not from the program: the name it is shown under, and the
/// column of the export.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("customer.name", "company.name", "Associated Company"),
    ("customer.size", "company.employees", "Number of Employees"),
    ("customer.industry", "company.industry", "Industry"),
    ("customer.website", "company.website", "Website"),
    ("customer.tier", "deal.Account tier", "Account tier"),
    ("purchase.contract_value", "deal.amount", "Amount"),
    ("purchase.term.months", "deal.Term (months)", "Term (months)"),
    ("purchase.term.starts", "deal.Start date", "Start date"),
    ("purchase.special_terms", "deal.Special terms", "Special terms"),
    ("commitments", "deal.Handoff: promises", "Handoff: promises"),
    (
        "implementation.complexity",
        "deal.Handoff: implementation complexity",
        "Handoff: implementation complexity",
    ),
    ("implementation.requirements", "deal.Handoff: requirements", "Handoff: requirements"),
    ("implementation.integrations", "deal.Handoff: integrations", "Handoff: integrations"),
    (
        "implementation.custom_configuration",
        "deal.Handoff: custom configuration",
        "Handoff: custom configuration",
    ),
    ("success.primary_goal", "deal.Handoff: primary goal", "Handoff: primary goal"),
    ("success.metric", "deal.Handoff: success metric", "Handoff: success metric"),
    ("success.target", "deal.Handoff: success target", "Handoff: success target"),
    ("success.by", "deal.Handoff: success by", "Handoff: success by"),
    ("context.why_now", "deal.Handoff: why now", "Handoff: why now"),
    ("context.risks", "deal.Handoff: risks", "Handoff: risks"),
];

/// A value as a cell would have it, whatever its form.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_answer_of_the_demo_is_as_mapping_export_and_git_say() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["demo", "ledger"]).exits(0);
    let mut export = csv::Reader::from_path(sandbox.join("ledger/deals.csv")).unwrap();
    let header = export.headers().unwrap().clone();
    let rows: BTreeMap<String, BTreeMap<String, String>> = export
        .records()
        .map(|row| {
            let row = row.unwrap();
            let named = header.iter().map(str::to_owned);
            (row[0].to_owned(), named.zip(row.iter().map(str::to_owned)).collect())
        })
        .collect();
    let beside = |file: &str| -> Vec<BTreeMap<String, String>> {
        let mut table = csv::Reader::from_path(sandbox.join("ledger").join(file)).unwrap();
        let header = table.headers().unwrap().clone();
        let rows = table.records().map(|row| {
            let row = row.unwrap();
            header.iter().map(str::to_owned).zip(row.iter().map(str::to_owned)).collect()
        });
        rows.collect()
    };
    let (people, items) = (beside("contacts.csv"), beside("line-items.csv"));
    // A year later the CRM is gone.
    for name in ["deals.csv", "contacts.csv", "line-items.csv"] {
        fs::remove_file(sandbox.join("ledger").join(name)).unwrap();
    }
    let briefs = sandbox.git("ledger", &["ls-files", "briefs/*/brief.yaml"]);
    assert_eq!(briefs.lines().count(), 4, "{briefs}");
    let (mut seen, mut read) = (0, 0);
    let (mut contacts, mut products) = (0, 0);
    for path in briefs.lines() {
        let key = path.split("--").nth(1).unwrap().trim_end_matches("/brief.yaml");
        let told = sandbox.handoff("ledger", &["why", key, "--format", "json"]).exits(0).json();
        sandbox.assert_schema("why", &told);
        assert_sources(&sandbox, &path.replace("brief.yaml", "sources.yaml"));
        let brief = fs::read_to_string(sandbox.join("ledger").join(path)).unwrap();
        let fields: Vec<&str> = told["answers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, answers_of(&brief), "every answer once, in the brief's order");
        let made = sandbox.git("ledger", &["log", "--format=%H", "--", path]);
        let signed_with = |name: &str| {
            let line = brief.lines().find(|line| line.trim().starts_with(&format!("{name}:")));
            line.map(|line| line.split_once(": ").unwrap().1.trim_matches('"').to_owned())
        };
        for answer in told["answers"].as_array().unwrap() {
            seen += 1;
            let field = answer["field"].as_str().unwrap();
            let source = &answer["source"];
            let section = field.split('.').next().unwrap();
            // One version of each brief: it came to stand with the one commit.
            assert_eq!(answer["since"]["commit"], made.trim(), "{key} {field}");
            assert_eq!(answer.get("before"), None, "{key} {field}");
            let row = &rows[key.trim_start_matches("hubspot-")];
            match (section, field) {
                ("deal", _) => {
                    assert_eq!(
                        (&source["from"], &source["ref"]),
                        (&json!("crm"), &json!(row["Record ID"]))
                    );
                }
                ("signature", _) => {
                    assert_eq!(source["from"], "document", "{key} {field}");
                    assert_eq!(source["name"].as_str(), signed_with("provider").as_deref());
                    assert_eq!(source["ref"].as_str(), signed_with("document_id").as_deref());
                }
                (_, "first_action.instruction") => {
                    assert_eq!(source["from"], "settings");
                    assert_eq!(
                        source["reads"]["brief.customer.name"],
                        row["Associated Company"].as_str()
                    );
                }
                (_, "first_action.due") => assert_eq!(source["name"], "first_touch:"),
                ("first_action", _) => assert_eq!(source["name"], "team:", "{key} {field}"),
                ("contacts", _)
                | (
                    "context",
                    "context.champion.name" | "context.champion.email" | "context.champion.title",
                ) => {
                    let from = source["from"].as_str().unwrap();
                    let of_deal = || people.iter().filter(|it| it["Deal ID"] == row["Record ID"]);
                    let in_export = match &answer["answer"] {
                        Value::Array(others) => others.iter().all(|other| {
                            let name = other["name"].as_str().unwrap();
                            of_deal().any(|it| it["Name"] == name)
                        }),
                        said => {
                            let column = match field.rsplit('.').next().unwrap() {
                                "name" => "Name",
                                "email" => "Email",
                                "title" => "Title",
                                other => panic!("{key}: {field}: no column for {other}"),
                            };
                            of_deal().any(|it| it[column] == said.as_str().unwrap())
                        }
                    };
                    match from {
                        "crm" => {
                            assert!(in_export, "{key}: {answer:#} is in no contact");
                            assert_eq!(source["line"], "map: csv");
                        }
                        "document" => {
                            assert_eq!(
                                source["ref"].as_str(),
                                signed_with("document_id").as_deref()
                            );
                        }
                        other => panic!("{key} {field} is from {other}"),
                    }
                    contacts += usize::from(in_export);
                }
                (_, "purchase.products") => {
                    assert_eq!(source["from"], "crm", "{key} {answer:#}");
                    let expected: Vec<[String; 3]> = items
                        .iter()
                        .filter(|it| it["Deal ID"] == row["Record ID"])
                        .map(|it| ["Name", "Plan", "Quantity"].map(|name| it[name].clone()))
                        .collect();
                    let said: Vec<[String; 3]> = answer["answer"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|it| {
                            ["name", "plan", "quantity"].map(|name| match &it[name] {
                                Value::Null => String::new(),
                                value => plain(value),
                            })
                        })
                        .collect();
                    assert_eq!(said, expected, "{key}");
                    products += said.len();
                }
                _ => {
                    let (_, shown, column) =
                        COLUMNS.iter().find(|(name, ..)| *name == field).unwrap_or_else(|| {
                            panic!("{key}: no column is known for {field}: {answer:#}")
                        });
                    let said = plain(&source["reads"][*shown]);
                    let cell = plain(&json!(row[*column]));
                    let cell = if field == "purchase.contract_value" {
                        format!("{cell} {}", row["Currency"])
                    } else {
                        cell
                    };
                    assert_eq!(said, cell, "{key} {field}: {source:#}");
                    assert_eq!(
                        (&source["from"], &source["name"]),
                        (&json!("crm"), &json!("hubspot"))
                    );
                    assert_eq!(source["line"], "map: csv");
                    assert!(source["at"].is_string(), "{source:#}");
                    read += 1;
                }
            }
        }
    }
    assert!(seen > 120 && read > 40, "{seen} answers, {read} read of a column");
    assert!(contacts > 10 && products > 3, "{contacts} of contacts, {products} products");
}

#[test]
fn a_persons_answer_names_the_commit_and_stays_theirs_when_the_crm_agrees() {
    let sandbox = signed();
    let made = sandbox.git("ledger", &["rev-parse", "HEAD"]);
    let commit = edit(&sandbox, METRIC, "None late by May");
    let told = why(&sandbox, "success.metric");
    assert_eq!(told["source"]["from"], "person", "{told:#}");
    assert_eq!(told["source"]["name"], "Dana Wu <dana@example.com>");
    assert_eq!(
        (&told["source"]["ref"], &told["since"]["commit"]),
        (&json!(commit), &json!(commit))
    );
    assert_eq!(
        (&told["before"][0]["answer"], &told["before"][0]["until"]),
        (&json!(METRIC), &json!(commit))
    );
    assert_ne!(made.trim(), commit);
    // A later correction of another answer, and a CRM that says the same, leave it with them.
    for metric in [METRIC, "None late by May"] {
        let amount = if metric == METRIC { "52000.00" } else { "53000.00" };
        sandbox.write("ledger/deals.csv", deals(amount, metric, "Closed Won"));
        sandbox.handoff("ledger", &["refresh", KEY]).exits(0);
        let told = why(&sandbox, "success.metric");
        assert_eq!(told["source"]["name"], "Dana Wu <dana@example.com>", "{told:#}");
        let value = why(&sandbox, "purchase.contract_value");
        assert_eq!(value["source"]["from"], "crm");
        assert_eq!(value["source"]["reads"]["deal.amount"], format!("{amount} USD"), "{value:#}");
    }
    // The page marks it, and nothing that a machine read; so does `render`, and CI agrees.
    let page =
        fs::read_to_string(sandbox.join("ledger").join(path(&sandbox, "README.md"))).unwrap();
    let marked: Vec<&str> = page.lines().filter(|line| line.ends_with('✓')).collect();
    let theirs = ["Primary goal", "Metric"].map(|it| format!("- **{it}:** None late by May ✓"));
    assert_eq!(marked, theirs, "{page}");
    assert!(page.contains("✓ a person gave or confirmed this answer"), "{page}");
    let folder = path(&sandbox, "brief.yaml").replace("/brief.yaml", "");
    for what in [KEY, &*folder] {
        assert_eq!(sandbox.handoff("ledger", &["render", what]).exits(0).stdout, page, "{what}");
    }
    let found = sandbox.handoff("ledger", &["validate", "--format", "json"]).stdout;
    assert!(!found.contains("stale-rendering"), "{found}");
    let unmarked = page.replace(" ✓\n", "\n");
    fs::write(sandbox.join("ledger").join(path(&sandbox, "README.md")), unmarked).unwrap();
    let found = sandbox.handoff("ledger", &["validate", "--format", "json"]).exits(1).stdout;
    assert!(found.contains("stale-rendering"), "{found}");
    sandbox.git("ledger", &["checkout", "-q", "."]);
    // Who writes themselves into the file confirms nothing.
    let sources = sandbox.join("ledger").join(path(&sandbox, "sources.yaml"));
    let recorded = fs::read_to_string(&sources).unwrap();
    let forged = recorded.replacen("    from: crm\n", "    from: person\n", 1);
    assert_ne!(forged, recorded);
    fs::write(&sources, forged).unwrap();
    let page = sandbox.handoff("ledger", &["render", &folder]).exits(0).stdout;
    assert!(!page.contains('✓'), "{page}");
    sandbox.git("ledger", &["checkout", "-q", "."]);
    let text = sandbox.handoff("ledger", &["why", KEY, "success.metric"]).exits(0).stdout;
    assert!(text.contains("a person: Dana Wu <dana@example.com>, commit "), "{text}");
    // Given to another CSM by name: theirs, and not the rules'.
    let file = sandbox.join("ledger/handoff.yaml");
    let settings = fs::read_to_string(&file).unwrap();
    let more =
        settings.replacen("  csms:\n", "  csms:\n    - {name: Noor Haddad, github: noorh}\n", 1);
    assert_ne!(settings, more, "{settings}");
    fs::write(&file, more).unwrap();
    sandbox.handoff("ledger", &["assign", KEY, "noorh", "--by", "Alex Kim"]).exits(0);
    let owner = why(&sandbox, "first_action.owner");
    assert_eq!(
        (&owner["source"]["from"], &owner["source"]["name"]),
        (&json!("person"), &json!("Alex Kim"))
    );
}

#[test]
fn what_was_written_in_a_draft_keeps_its_person_and_its_form_when_it_is_signed() {
    let sandbox = ledger();
    sandbox.write("ledger/deals.csv", deals("48000.00", "", "Contract sent"));
    let form = "### Primary goal\n\nClose the books in three days\n";
    let form = sandbox.write("form.md", form).display().to_string();
    sandbox.handoff("ledger", &["draft", "--deal", "18640329741", "--form", &form]).exits(0);
    let branch = format!("handoff/{KEY}");
    sandbox.git("ledger", &["checkout", "-q", &branch]);
    let commit = edit(&sandbox, "success:\n", "success:\n  metric: Days to close\n");
    sandbox.git("ledger", &["checkout", "-q", "main"]);
    let goal = why(&sandbox, "success.primary_goal");
    assert_eq!(goal["source"]["from"], "form", "{goal:#}");
    assert_eq!(why(&sandbox, "success.metric")["source"]["name"], "Dana Wu <dana@example.com>");
    let name = why(&sandbox, "customer.name");
    assert_eq!(name["source"]["from"], "crm", "{name:#}");

    sandbox.write("ledger/deals.csv", deals("48000.00", "", "Closed Won"));
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event]).exits(0);
    assert_eq!(why(&sandbox, "success.primary_goal")["source"]["from"], "form");
    // The branch is gone and its commits with it: what was recorded names the person.
    let metric = why(&sandbox, "success.metric");
    assert_eq!(metric["source"]["from"], "person", "{metric:#}");
    assert_eq!(metric["source"]["name"], "Dana Wu <dana@example.com>");
    assert_eq!(metric["source"]["ref"], commit);
    let told = sandbox.handoff("ledger", &["why", KEY, "--format", "json"]).exits(0).json();
    for answer in told["answers"].as_array().unwrap() {
        let name = answer["source"]["name"].as_str().unwrap_or_default();
        assert!(!name.contains("handoff@") && !name.contains("test@example.com"), "{answer:#}");
        assert_ne!(answer["source"]["from"], "unrecorded", "{answer:#}");
    }
}

#[test]
fn a_brief_from_before_sources_were_recorded_says_so() {
    let sandbox = signed();
    sandbox.git("ledger", &["rm", "-q", &path(&sandbox, "sources.yaml")]);
    // As an older handoff would have left it: no commit has ever had the file.
    sandbox.git("ledger", &["commit", "-q", "--amend", "--no-edit"]);
    let made = sandbox.git("ledger", &["log", "--format=%H", "--", &path(&sandbox, "brief.yaml")]);
    sandbox.git("ledger", &["reset", "-q", "--soft", &format!("{}~1", made.trim())]);
    sandbox.git("ledger", &["commit", "-qm", "by an older handoff"]);
    let told = why(&sandbox, "success.metric");
    assert_eq!(told["source"], json!({"from": "unrecorded"}));
    assert_eq!(told["note"], "handoff wrote it before sources were recorded");
    let ran = sandbox.handoff("ledger", &["why", KEY, "--check", "--format", "json"]).exits(0);
    let findings = ran.json()["findings"].clone();
    let rules: Vec<&Value> = findings.as_array().unwrap().iter().map(|it| &it["rule"]).collect();
    assert!(
        !rules.is_empty() && rules.iter().all(|rule| **rule == "unsourced-answer"),
        "{findings:#}"
    );
    // What a person adds has its source, and the next correction records the others.
    edit(&sandbox, METRIC, "None late by May");
    assert_eq!(why(&sandbox, "success.metric")["source"]["from"], "person");
    sandbox.write("ledger/deals.csv", deals("52000.00", METRIC, "Closed Won"));
    sandbox.handoff("ledger", &["refresh", KEY]).exits(0);
    assert_eq!(why(&sandbox, "success.metric")["source"]["from"], "person");
    assert_eq!(why(&sandbox, "customer.name")["source"]["from"], "crm");
}

#[test]
fn check_asks_again_and_names_what_the_source_says_now() {
    let sandbox = signed();
    let line = ["why", KEY, "--check", "--format", "json"];
    let told = sandbox.handoff("ledger", &line).exits(0).json();
    assert_eq!(told["findings"], json!([]), "{told:#}");
    sandbox.assert_schema("why", &told);
    let same = told["answers"].as_array().unwrap().iter().filter(|it| it["now"]["same"] == true);
    assert!(same.count() > 5, "{told:#}");
    edit(&sandbox, "Brightwater Logistics Ltd", "Brightwater");
    sandbox.write("ledger/deals.csv", deals("52000.00", "Under 0.5%", "Closed Won"));
    let told = sandbox.handoff("ledger", &line).exits(1).json();
    let found: Vec<(&str, &str)> = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["rule"].as_str().unwrap(), it["message"].as_str().unwrap()))
        .collect();
    assert!(found.iter().all(|(rule, _)| *rule == "source-changed"), "{found:#?}");
    let metric = format!(
        "\"success.metric\" came from \"deal.Handoff: success metric\", which said \"{METRIC}\" and says \"Under 0.5%\" now"
    );
    assert!(found.iter().any(|(_, message)| *message == metric), "{found:#?}");
    let amount = "\"purchase.contract_value\" came from \"deal.amount\", which said \"48000.00 USD\" and says \"52000.00 USD\" now";
    assert!(found.iter().any(|(_, message)| *message == amount), "{found:#?}");
    assert!(
        !found.iter().any(|(_, message)| message.contains("customer.name")),
        "a person's answer: {found:#?}"
    );
    let text =
        sandbox.handoff("ledger", &["why", KEY, "success.metric", "--check"]).exits(1).stdout;
    assert!(text.contains("now      deal.Handoff: success metric was"), "{text}");
    sandbox.handoff("ledger", &["refresh", KEY]).exits(0);
    sandbox.handoff("ledger", &line).exits(0);
    // A deal that is not there any more is no "the same".
    sandbox.write("ledger/deals.csv", deals("1", "x", "Closed Won").replace("18640329741", "999"));
    let ran = sandbox.handoff("ledger", &line).exits(3);
    assert!(ran.stderr.contains("has no deal 18640329741 any more"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_known_is_said_and_never_guessed() {
    let sandbox = signed();
    let all = sandbox.handoff("ledger", &["why", KEY]).exits(0).stdout;
    let value = all.lines().find(|line| line.starts_with("purchase.contract_value")).unwrap();
    assert!(value.contains("USD 48,000.00") && value.contains("deal.amount (the CRM"), "{all}");
    sandbox.handoff("ledger", &["why", "pandadoc-none"]).exits(4);
    let ran = sandbox.handoff("ledger", &["why", KEY, "success.metrik"]).exits(4);
    assert!(ran.stderr.contains("did you mean `success.metric`?"), "{}", ran.stderr);
    // A field of the schema that the brief does not answer is known all the same.
    let ran = sandbox.handoff("ledger", &["why", KEY, "success.baselin"]).exits(4);
    assert!(ran.stderr.contains("did you mean `success.baseline`?"), "{}", ran.stderr);
    // The last part of a name is enough where only one field has it.
    let ran = sandbox.handoff("ledger", &["why", KEY, "contract_value"]).exits(0);
    assert!(ran.stdout.contains("purchase.contract_value: "), "{}", ran.stdout);
    let ran = sandbox.handoff("ledger", &["why", KEY, "baseline"]).exits(4);
    assert!(ran.stderr.contains("has no answer to \"success.baseline\""), "{}", ran.stderr);
    let ran = sandbox.handoff("ledger", &["why", KEY, "title"]).exits(4);
    assert!(
        ran.stderr.contains("did you mean one of `contacts.signer.title`, `"),
        "{}",
        ran.stderr
    );
    let ran = sandbox.handoff("ledger", &["why", KEY, "success.baseline"]).exits(4);
    assert!(ran.stderr.contains("has no answer to"), "{}", ran.stderr);

    // The schema has no such field any more: the answer and its source are still told.
    let file = sandbox.join("ledger/schema/brief.schema.json");
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let success = schema["properties"]["success"].as_object_mut().unwrap();
    success["properties"].as_object_mut().unwrap().remove("metric");
    success["required"].as_array_mut().unwrap().retain(|name| name != "metric");
    fs::write(&file, schema.to_string()).unwrap();
    let told = why(&sandbox, "success.metric");
    assert_eq!(told["source"]["reads"]["deal.Handoff: success metric"], METRIC, "{told:#}");
    sandbox.git("ledger", &["checkout", "-q", "schema"]);

    // A version that nobody can read hides who wrote what came after it.
    let brief = path(&sandbox, "brief.yaml");
    let whole = fs::read_to_string(sandbox.join("ledger").join(&brief)).unwrap();
    sandbox.write(&format!("ledger/{brief}"), "success: [\n");
    sandbox.git("ledger", &["commit", "-qam", "broken"]);
    let broken = sandbox.git("ledger", &["rev-parse", "--short=10", "HEAD"]);
    sandbox.write(&format!("ledger/{brief}"), whole.replace(METRIC, "None late by May"));
    sandbox.git("ledger", &["commit", "-qam", "whole again"]);
    let ran = sandbox.handoff("ledger", &["why", KEY, "--format", "json"]).exits(3);
    assert!(
        ran.stderr.contains(&format!("as of {} cannot be read", broken.trim())),
        "{}",
        ran.stderr
    );
    let told = ran.json();
    let of = |field: &str| {
        told["answers"].as_array().unwrap().iter().find(|it| it["field"] == field).unwrap().clone()
    };
    let metric = of("success.metric");
    assert_eq!(metric["source"]["from"], "unrecorded", "{metric:#}");
    assert_eq!(metric["note"], "the version before it cannot be read");
    assert_eq!(of("customer.name")["source"]["from"], "crm", "what stood before is as it was");
    assert_eq!(told["complete"], false);

    // A shallow clone says that it is one.
    let from = format!("file://{}", sandbox.join("ledger").display());
    sandbox.git(".", &["clone", "-q", "--depth", "1", &from, "shallow"]);
    let ran = sandbox.handoff("shallow", &["why", KEY, "success.metric"]).exits(3);
    assert!(ran.stderr.contains("git fetch --unshallow"), "{}", ran.stderr);
}
