//! `sources.yaml`, which says where each answer came from: written by handoff
//! only, and each other hand is named by the audit and by `validate`.

use std::fs;

use super::Ledger;

const BROKEN: &str = "broken-sources";

/// A signed handoff with its folder; nothing is wrong with it.
fn ledger() -> (Ledger, String) {
    let ledger = Ledger::new();
    let folder = ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
    let (_, findings) = ledger.audited();
    assert!(!findings.iter().any(|(rule, _)| rule == "sources-rewritten"), "{findings:?}");
    assert_eq!(broken(&ledger), Vec::<String>::new());
    (ledger, folder)
}

/// What `validate` says of sources.
fn broken(ledger: &Ledger) -> Vec<String> {
    let ran = ledger.sandbox.handoff("l", &["validate", "--format", "json"]);
    let findings = ran.json()["findings"].as_array().unwrap().clone();
    let of_sources = findings.iter().filter(|finding| finding["rule"] == BROKEN);
    of_sources.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn sources_that_somebody_else_wrote_are_found_by_audit_and_validate() {
    let (ledger, folder) = ledger();
    let path = format!("{folder}/sources.yaml");
    ledger.change(&path, "from: crm", "from: person");
    assert_eq!(broken(&ledger).len(), 1, "already before it is committed");
    ledger.commit("2026-11-03T09:00:00Z", "the rep said so");
    let class = ledger.is_found("sources-rewritten", "changed sources.yaml of");
    assert_eq!(class, "on_time", "the number is not touched");
    // The same from the cache, and from a bare clone.
    ledger.is_found("sources-rewritten", "changed sources.yaml of");
    ledger.sandbox.git(".", &["clone", "-q", "--bare", "l", "bare"]);
    let ran = ledger.sandbox.handoff("bare", &["validate"]);
    assert!(ran.stdout.contains(BROKEN), "{}", ran.stdout);
    // `why` does not believe it either.
    let why = ["why", "hubspot-1", "--format", "json"];
    let told = ledger.sandbox.handoff("l", &why);
    assert!(told.stdout.contains("handoff did not write it"), "{}", told.stdout);
    assert!(!told.stdout.contains("\"from\": \"person\""), "{}", told.stdout);
    // What the help says puts the file right, and the audit goes on to say that it happened.
    ledger.git_at("2026-11-04T09:00:00Z", &["checkout", "-q", "HEAD~1", "--", &path]);
    assert_eq!(broken(&ledger), Vec::<String>::new());
    ledger.commit("2026-11-04T09:00:00Z", "put right");
    ledger.is_found("sources-rewritten", "changed sources.yaml of");
}

#[test]
fn sources_that_were_removed_or_brought_back_are_found() {
    let (ledger, folder) = ledger();
    let path = format!("{folder}/sources.yaml");
    ledger.git_at("2026-11-03T09:00:00Z", &["rm", "-q", &path]);
    ledger.git_at("2026-11-03T09:00:00Z", &["commit", "-qm", "nobody needs it"]);
    ledger.is_found("sources-rewritten", "removed sources.yaml of");
    assert!(broken(&ledger)[0].contains("is missing"));
    // A correction writes the file again; the earlier one comes back.
    let (ledger, folder) = self::ledger();
    let path = format!("{folder}/sources.yaml");
    ledger.deals(&["1,Acme Corp,Closed Won,2026-11-02 10:00,Riley Ross,120.00,USD,true,New"]);
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    let refresh = ["--now", "2026-11-03T09:00:00Z", "refresh", "hubspot-1"];
    ledger.sandbox.handoff("l", &refresh).exits(0);
    fs::remove_file(ledger.sandbox.join("l/deals.csv")).unwrap();
    let (_, findings) = ledger.audited();
    assert!(!findings.iter().any(|(rule, _)| rule == "sources-rewritten"), "{findings:?}");
    assert_eq!(broken(&ledger), Vec::<String>::new());
    ledger.git_at("2026-11-04T09:00:00Z", &["checkout", "-q", "HEAD~1", "--", &path]);
    ledger.commit("2026-11-04T09:00:00Z", "as it was");
    ledger.is_found("sources-rewritten", "brought back an earlier sources.yaml of");
}

#[test]
fn a_timeline_that_cannot_be_read_for_a_while_hides_no_other_sources() {
    let (ledger, folder) = ledger();
    let timeline = format!("{folder}/timeline.yaml");
    ledger.change(&timeline, "schema: handoff/timeline/v1", "schema: [");
    ledger.change(&format!("{folder}/sources.yaml"), "from: crm", "from: form");
    ledger.commit("2026-11-03T09:00:00Z", "oops");
    ledger.change(&timeline, "schema: [", "schema: handoff/timeline/v1");
    ledger.commit("2026-11-03T09:05:00Z", "fixed");
    ledger.is_found("sources-rewritten", "changed sources.yaml of");
}
