//! `handoff audit --signatures`, with a provider on loopback.

use std::fs;

use serde_json::{Value, json};
use wiremock::MockServer;

use super::catch_up::{answers, ledger_with, runtime};
use crate::sandbox::{Sandbox, fixture};

const AUDIT: &[&str] = &["audit", "--deals", "deals.csv", "--from", "2026-10-01", "--signatures"];
const KEY: &[(&str, &str)] = &[("PANDADOC_API_KEY", "api-key")];

/// PandaDoc with one completed document, which names this deal.
async fn pandadoc(server: &MockServer, deal: &str) -> String {
    let file = fs::read(fixture("esign/pandadoc-details.response.json")).unwrap();
    let mut details: Value = serde_json::from_slice(&file).unwrap();
    details["linked_objects"] =
        json!([{"provider": "hubspot", "entity_type": "deal", "entity_id": deal}]);
    let id = details["id"].as_str().unwrap().to_owned();
    let listed = json!({"results": [{
        "id": id, "name": "Order Form", "status": "document.completed",
        "date_created": "2026-10-12T09:14:05.600947Z", "date_modified": "2026-10-14T15:43:53.918819Z",
        "date_completed": "2026-10-14T15:43:53.877522Z", "expiration_date": null, "version": "2"
    }]});
    answers(server, "/public/v1/documents", 200, &listed).await;
    answers(server, &format!("/public/v1/documents/{id}/details"), 200, &details).await;
    id
}

fn write_deals(sandbox: &Sandbox, rows: &str) {
    let header = "Record ID,Deal Name,Deal Stage,Close Date,Is Closed Won,Amount,Currency\n";
    sandbox.write("ledger/deals.csv", format!("{header}{rows}"));
}

#[test]
fn signed_and_not_won_is_found_although_no_won_deal_shows_it() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start());
    let id = runtime.block_on(pandadoc(&server, "77"));
    let sandbox = ledger_with(&server);
    // The audit reads the settings that are committed.
    sandbox.git("ledger", &["commit", "-qam", "the settings"]);
    write_deals(&sandbox, "77,Acme,Contract sent,,false,100.00,USD\n");

    let without = sandbox.handoff("ledger", &AUDIT[..5]);
    assert_eq!(without.code, 4, "no deal is won: {}", without.stdout);

    let text = sandbox.handoff_with("ledger", AUDIT, KEY).exits(1);
    assert!(text.stdout.contains("error[signed-not-won]"), "{}", text.stdout);
    assert!(
        text.stdout.contains("1 document, 2 with each deal that they name = 1 not Closed Won"),
        "{}",
        text.stdout
    );
    assert!(text.stdout.contains("--signatures"), "the command to run it again: {}", text.stdout);

    let json = [AUDIT, &["--format", "json"]].concat();
    let report = sandbox.handoff_with("ledger", &json, KEY).exits(1).json();
    sandbox.assert_schema("audit", &report);
    let document = &report["signatures"]["documents"][0];
    assert_eq!(
        (&document["document_id"], &document["class"], &document["key"]),
        (&json!(id), &json!("not_won"), &json!("hubspot-77"))
    );
    for format in ["markdown", "html", "sarif", "junit", "github"] {
        let arguments = [AUDIT, &["--format", format]].concat();
        let page = sandbox.handoff_with("ledger", &arguments, KEY).exits(1).stdout;
        assert!(page.contains("is not Closed Won"), "{format}: {page}");
    }

    // Handed over and closed for its deal; its metadata names one that the CRM does not have.
    let event = fixture("esign/pandadoc-completed-full.body.json");
    let mut body: Value = serde_json::from_slice(&fs::read(event).unwrap()).unwrap();
    body[0]["data"]["id"] = json!(id);
    body[0]["data"]["linked_objects"] =
        json!([{"provider": "hubspot", "entity_type": "deal", "entity_id": "77"}]);
    body[0]["data"]["metadata"] = json!({});
    sandbox.write("ledger/../event.json", body.to_string());
    write_deals(&sandbox, "77,Acme,Closed Won,2026-10-14 16:00,true,100.00,USD\n");
    sandbox.handoff("ledger", &["sign", "../event.json"]).exits(0);
    let report = sandbox.handoff_with("ledger", &json, KEY).json();
    assert_eq!(
        report["signatures"]["summary"],
        json!({"handed_over": 1, "no_deal": 1}),
        "{report}"
    );
}

#[test]
fn a_provider_that_cannot_be_asked_is_never_a_clean_audit() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start());
    let sandbox = ledger_with(&server);
    sandbox.git("ledger", &["commit", "-qam", "the settings"]);
    let ran = sandbox.handoff("ledger", AUDIT).exits(3);
    assert!(ran.stdout.contains("the completed documents of PandaDoc"), "{}", ran.stdout);
    assert!(ran.stdout.contains("PANDADOC_API_KEY"), "{}", ran.stdout);
    runtime.block_on(answers(&server, "/public/v1/documents", 401, &json!({})));
    sandbox.handoff_with("ledger", AUDIT, KEY).exits(3);
    let window =
        sandbox.handoff("ledger", &["audit", "--deals", "deals.csv", "--signatures"]).exits(2);
    assert!(window.stderr.contains("--signatures needs --from"), "{}", window.stderr);
}

#[test]
fn a_plan_asks_the_providers_which_documents_new_rules_would_hold() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start());
    let id = runtime.block_on(pandadoc(&server, "77"));
    let sandbox = ledger_with(&server);
    write_deals(&sandbox, "77,Acme,Contract sent,,false,100.00,USD\n");
    sandbox.git("ledger", &["commit", "-qam", "the settings"]);
    let plan = |more: &[&str]| {
        let line = [&["plan", "--deals", "deals.csv", "--months", "2"], more].concat();
        sandbox.handoff_with("ledger", &line, KEY)
    };
    let empty = plan(&["--signatures", "--format", "json"]).exits(0).json();
    assert_eq!((&empty["changes"], &empty["documents"]), (&json!([]), &json!(1)), "{empty}");

    let path = sandbox.join("ledger/handoff.yaml");
    let settings = fs::read_to_string(&path).unwrap();
    let rule = "documents:\n  - {when: \"'Order' in signature.document_name\", is: ignored, reason: orders are not ours}\n";
    fs::write(&path, format!("{settings}\n{rule}")).unwrap();
    let without = plan(&["--format", "json"]).exits(0).json();
    assert_eq!(without["documents_not_compared"], json!(true), "{without}");
    assert_eq!(without["documents"], Value::Null);
    let text = plan(&[]).exits(0).stdout;
    assert!(text.contains("documents were not compared"), "{text}");
    assert!(text.contains("`handoff plan --signatures`"), "{text}");

    let with = plan(&["--signatures", "--fail-on", "document", "--format", "json"]).exits(1).json();
    assert_eq!(with["documents_not_compared"], json!(false));
    sandbox.assert_schema("plan", &with);
    let change = &with["changes"][0];
    assert_eq!(change["kind"], json!("document"), "{with}");
    assert_eq!(change["key"], json!(format!("pandadoc/{id}")));
    assert_eq!(change["before"], json!("contract"));
    assert_eq!(change["after"], json!("ignored: orders are not ours"));

    // Who cannot be asked is a gap, and no empty plan.
    let line = ["plan", "--deals", "deals.csv", "--signatures"];
    let ran = sandbox.handoff("ledger", &line).exits(3);
    assert!(ran.stderr.contains("PANDADOC_API_KEY"), "{}", ran.stderr);
}

#[test]
fn why_asks_the_provider_whether_a_document_still_says_so() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start());
    let id = runtime.block_on(pandadoc(&server, "77"));
    let sandbox = ledger_with(&server);
    sandbox.git("ledger", &["commit", "-qam", "the settings"]);
    write_deals(&sandbox, "77,Acme,Closed Won,2026-10-14 15:43,true,100.00,USD\n");
    let event = fixture("esign/pandadoc-completed-full.body.json");
    let mut body: Value = serde_json::from_slice(&fs::read(event).unwrap()).unwrap();
    body[0]["data"]["id"] = json!(id);
    body[0]["data"]["metadata"] = json!({});
    body[0]["data"]["linked_objects"] =
        json!([{"provider": "hubspot", "entity_type": "deal", "entity_id": "77"}]);
    let event = sandbox.write("event.json", body.to_string()).display().to_string();
    sandbox.handoff("ledger", &["sign", &event]).exits(0);
    let why = ["why", "hubspot-77", "signature", "--check", "--format", "json"];
    let asked = sandbox.handoff_with("ledger", &why, KEY).json();
    sandbox.assert_schema("why", &asked);
    let of = |told: &Value, field: &str| {
        let answers = told["answers"].as_array().unwrap();
        answers.iter().find(|it| it["field"] == field).unwrap().clone()
    };
    assert_eq!(of(&asked, "signature.document_id")["now"]["same"], true, "{asked:#}");
    assert!(
        asked["answers"].as_array().unwrap().iter().all(|it| it["now"].is_object()),
        "{asked:#}"
    );
    // Without its key nobody is asked, which is said of each answer.
    let told = sandbox.handoff("ledger", &why).exits(0).json();
    sandbox.assert_schema("why", &told);
    let answer = of(&told, "signature.document_id");
    assert!(answer["not_asked"].as_str().unwrap().contains("PANDADOC_API_KEY"), "{answer:#}");
    let text = sandbox.handoff("ledger", &["why", "hubspot-77", "document_id", "--check"]).exits(0);
    assert!(text.stdout.contains("not asked: "), "{}", text.stdout);
    // One that the provider does not have any more is a gap.
    runtime.block_on(server.reset());
    let told = sandbox.handoff_with("ledger", &why, KEY).exits(3).json();
    assert!(told["gaps"][0].as_str().unwrap().contains(&id), "{told:#}");
}
