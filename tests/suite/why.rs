//! `handoff why`: where each answer comes from, read from the ledger alone.

use std::fs;

use serde_json::Value;

use crate::refresh::{KEY, METRIC, deals, signed};
use crate::sandbox::Sandbox;

fn why(sandbox: &Sandbox, field: &str) -> Value {
    let line = ["why", KEY, field, "--format", "json"];
    sandbox.handoff("ledger", &line).exits(0).json()["answers"][0].clone()
}

#[test]
fn an_answer_of_the_deal_names_its_property_and_the_line_without_the_crm() {
    let sandbox = signed();
    // A year later the export is gone.
    fs::remove_file(sandbox.join("ledger/deals.csv")).unwrap();
    let metric = why(&sandbox, "success.metric");
    assert_eq!(metric["answer"], METRIC);
    assert_eq!(metric["source"], "crm");
    let reads = metric["reads"].to_string();
    assert!(reads.contains("deal"), "{metric:#}");
    let expression = metric["expression"].as_str().unwrap();
    assert!(expression.contains("deal"), "{metric:#}");
    let head = sandbox.git("ledger", &["log", "-1", "--format=%H", "--", "briefs"]);
    assert_eq!(metric["since"]["commit"], head.trim());
    assert_eq!(why(&sandbox, "signature.document_id")["source"], "document");
    assert_eq!(why(&sandbox, "deal.id")["source"], "crm");
}

#[test]
fn a_persons_answer_names_the_commit_and_what_stood_there_before() {
    let sandbox = signed();
    let path = sandbox.git("ledger", &["ls-files", &format!("briefs/*{KEY}/brief.yaml")]);
    let path = sandbox.join("ledger").join(path.trim());
    let brief = fs::read_to_string(&path).unwrap();
    fs::write(&path, brief.replace(METRIC, "None late by May")).unwrap();
    sandbox.git(
        "ledger",
        &["commit", "-qam", "what they said", "--author=Dana Wu <dana@example.com>"],
    );
    let head = sandbox.git("ledger", &["rev-parse", "HEAD"]);
    let told = why(&sandbox, "success.metric");
    assert_eq!(told["source"], "person");
    assert_eq!(told["from"], "Dana Wu <dana@example.com>");
    assert_eq!(told["since"]["commit"], head.trim());
    assert_eq!(told["before"][0]["answer"], METRIC);
    // A later correction of another answer leaves it with the person.
    sandbox.write("ledger/deals.csv", deals("52000.00", METRIC, "Closed Won"));
    sandbox.handoff("ledger", &["refresh", KEY]).exits(0);
    assert_eq!(why(&sandbox, "success.metric")["source"], "person");
    let text = sandbox.handoff("ledger", &["why", KEY, "success.metric"]).exits(0).stdout;
    assert!(text.contains("a person: Dana Wu <dana@example.com>"), "{text}");
}

#[test]
fn what_is_not_there_is_exit_4_with_a_suggestion() {
    let sandbox = signed();
    sandbox.handoff("ledger", &["why", "hubspot-1"]).exits(4);
    let ran = sandbox.handoff("ledger", &["why", KEY, "success.metrik"]).exits(4);
    assert!(ran.stderr.contains("did you mean `success.metric`?"), "{}", ran.stderr);
}
