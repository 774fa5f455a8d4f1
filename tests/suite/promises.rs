//! `handoff promises`: what reps have promised, over the whole ledger.

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

fn brief(key: &str, customer: &str, commitments: &str) -> String {
    format!(
        "schema: handoff/brief/v1\nkey: {key}\n\
         signature: {{provider: pandadoc, document_id: d1, signed_at: 2026-10-14T15:44:00Z}}\n\
         customer: {{name: {customer}}}\ncommitments:{commitments}\n"
    )
}

fn timeline(key: &str, event: &str) -> String {
    format!(
        "schema: handoff/timeline/v1\nkey: {key}\nevents:\n  - {{at: 2026-10-14T15:45:00Z, event: signed, via: pandadoc, ref: d1}}\n{event}"
    )
}

/// A ledger with two handoffs that hold promises, one that holds none and one
/// whose document was voided.
fn ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    let acme = "\n  - {promise: SSO with their Okta, made_by: Riley Ross, made_to: Dana Wu, owner: Platform team, due: 2026-12-15}\n  \
                - {promise: \"=HYPERLINK(\\\"http://evil\\\")\", owner: \"@SUM(1)\", due: 2026-11-19}\n  \
                - {promise: A named contact, owner: \"-1+1\", stretch: true}";
    let other = "\n  - {promise: Import of old data, owner: Data team, due: 2026-11-20}";
    for (month, key, customer, commitments, event) in [
        ("2026/10", "hubspot-1", "Acme", acme, ""),
        ("2026/09", "hubspot-2", "Brightwater", other, ""),
        ("2026/09", "hubspot-3", "Quiet", " none", ""),
        (
            "2026/09",
            "hubspot-4",
            "Gone",
            other,
            "  - {at: 2026-10-15T15:45:00Z, event: voided, via: pandadoc, ref: d1}\n",
        ),
    ] {
        let folder = format!("ledger/briefs/{month}/{}--{key}", customer.to_lowercase());
        sandbox.write(&format!("{folder}/brief.yaml"), brief(key, customer, commitments));
        sandbox.write(&format!("{folder}/timeline.yaml"), timeline(key, event));
    }
    sandbox.git("ledger", &["add", "briefs"]);
    sandbox.git("ledger", &["commit", "-qm", "briefs"]);
    sandbox
}

fn listed(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Value> {
    let line = [&["promises", "--format", "json"], arguments].concat();
    sandbox.handoff("ledger", &line).exits(0).json()["promises"].as_array().unwrap().clone()
}

fn names(promises: &[Value]) -> Vec<String> {
    promises.iter().map(|it| format!("{}/{}", it["key"].as_str().unwrap(), it["number"])).collect()
}

#[test]
fn the_list_covers_the_ledger_by_due_date_and_is_narrowed_by_owner_and_day() {
    let sandbox = ledger();
    let all = listed(&sandbox, &[]);
    assert_eq!(names(&all), ["hubspot-1/2", "hubspot-2/1", "hubspot-1/1", "hubspot-1/3"]);
    let overdue: Vec<bool> = all.iter().map(|it| it["overdue"].as_bool().unwrap()).collect();
    assert_eq!(overdue, [true, false, false, false], "a promise is due until its day is over");
    assert_eq!(all[2]["customer"], "Acme");
    assert_eq!(names(&listed(&sandbox, &["--owner", "data"])), ["hubspot-2/1"]);
    assert_eq!(names(&listed(&sandbox, &["--due-before", "2026-11-20"])), ["hubspot-1/2"]);
    sandbox.handoff("ledger", &["promises", "--owner", "nobody there"]).exits(4);
    let text = sandbox.handoff("ledger", &["promises"]).exits(0).stdout;
    for words in ["2026-12-15", "Platform team", "overdue", "4 promises: 4 open, 1 overdue"] {
        assert!(text.contains(words), "the table says {words}:\n{text}");
    }
}

#[test]
fn a_spreadsheet_computes_nothing_of_it() {
    let sandbox = ledger();
    let csv = sandbox.handoff("ledger", &["promises", "--format", "csv"]).exits(0).stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().get(2), Some("promise"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0].get(2), Some("'=HYPERLINK(\"http://evil\")"));
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
    }
}

#[test]
fn a_kept_promise_is_an_event_recorded_once_and_follows_its_words() {
    let sandbox = ledger();
    let keep =
        ["promises", "keep", "hubspot-1", "1", "--by", "samlee", "--reason", "live since Monday"];
    let ran = sandbox.handoff("ledger", &keep).exits(0);
    assert!(
        ran.stdout.contains("promise 1 kept, says samlee: SSO with their Okta"),
        "{}",
        ran.stdout
    );
    let head = sandbox.git("ledger", &["rev-parse", "HEAD"]);
    let again = sandbox.handoff("ledger", &keep).exits(0);
    assert!(again.stdout.contains("kept already"), "{}", again.stdout);
    assert_eq!(sandbox.git("ledger", &["rev-parse", "HEAD"]), head);
    assert!(
        sandbox
            .git("ledger", &["log", "-1", "--format=%(trailers)"])
            .contains("Handoff-Event: promise_kept")
    );
    let status =
        sandbox.handoff("ledger", &["status", "hubspot-1", "--format", "json"]).exits(0).json();
    assert_eq!(
        status["handoffs"][0]["events"][1],
        json!({"at": "2026-11-20T17:00:00Z", "event": "promise_kept", "via": "cli", "ref": "1: SSO with their Okta", "by": "samlee", "reason": "live since Monday"})
    );
    assert_eq!(names(&listed(&sandbox, &[])), ["hubspot-1/2", "hubspot-2/1", "hubspot-1/3"]);
    let all = listed(&sandbox, &["--all"]);
    assert_eq!(all[2]["kept"], json!({"at": "2026-11-20T17:00:00Z", "by": "samlee"}));

    // The list is reordered: the words count. They are changed: it is open again.
    let file = "ledger/briefs/2026/10/acme--hubspot-1/brief.yaml";
    let reordered = brief(
        "hubspot-1",
        "Acme",
        "\n  - {promise: A named contact}\n  - {promise: SSO with their Okta, due: 2026-12-15}",
    );
    sandbox.write(file, &reordered);
    sandbox.git("ledger", &["commit", "-qam", "reordered"]);
    assert_eq!(names(&listed(&sandbox, &[])), ["hubspot-2/1", "hubspot-1/1"]);
    sandbox.write(file, reordered.replace("their Okta", "their Okta and Entra"));
    sandbox.git("ledger", &["commit", "-qam", "reworded"]);
    assert_eq!(names(&listed(&sandbox, &[])), ["hubspot-2/1", "hubspot-1/2", "hubspot-1/1"]);
}

#[test]
fn what_is_not_there_or_not_yet_is_refused() {
    let sandbox = ledger();
    for (key, number, at, code, words) in [
        ("hubspot-1", "4", "2026-11-20T10:00:00Z", 4, "the promises 1 to 3"),
        ("hubspot-1", "0", "2026-11-20T10:00:00Z", 2, "a whole number from 1 on"),
        ("hubspot-3", "1", "2026-11-20T10:00:00Z", 4, "no promise"),
        ("hubspot-9", "1", "2026-11-20T10:00:00Z", 4, "no handoff hubspot-9"),
        ("hubspot-1", "1", "2026-12-20T10:00:00Z", 3, "in the future"),
    ] {
        let ran = sandbox
            .handoff("ledger", &["promises", "keep", key, number, "--by", "sam", "--at", at])
            .exits(code);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    sandbox.write("ledger/briefs/2026/10/acme--hubspot-1/brief.yaml", "a: [\n");
    sandbox.git("ledger", &["commit", "-qam", "broken"]);
    let ran = sandbox.handoff("ledger", &["promises", "--format", "json"]).exits(3);
    assert_eq!(ran.json()["complete"], false, "what was not read is not passed over in silence");
    assert!(ran.stderr.contains("acme--hubspot-1"), "{}", ran.stderr);
}
