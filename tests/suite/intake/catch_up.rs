//! `handoff catch-up`: what never arrived.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::server::{briefs, ledger};
use crate::sandbox::{Sandbox, fixture};

const SINCE: &str = "2026-10-01T00:00:00Z";

/// A ledger whose PandaDoc is a server in this process.
pub(super) fn ledger_with(server: &MockServer) -> Sandbox {
    let sandbox = ledger();
    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let mut within = false;
    let without: String = text
        .lines()
        .filter(|line| {
            within = line.starts_with("esign:")
                || (within && (line.starts_with(' ') || line.is_empty()));
            !within
        })
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&file, format!("{without}\nesign: {{pandadoc: {{base_url: '{}'}}}}\n", server.uri()))
        .unwrap();
    sandbox
}

pub(crate) async fn answers(server: &MockServer, at: &str, status: u16, body: &Value) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(server)
        .await;
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn what_the_provider_completed_and_the_ledger_lacks_is_handed_over_once() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start());
    let details: Value =
        serde_json::from_slice(&fs::read(fixture("esign/pandadoc-details.response.json")).unwrap())
            .unwrap();
    let id = details["id"].as_str().unwrap().to_owned();
    let listed = json!({"results": [{
        "id": id, "name": "Order Form", "status": "document.completed",
        "date_created": "2026-10-12T09:14:05.600947Z", "date_modified": "2026-10-14T15:43:53.918819Z",
        "date_completed": "2026-10-14T15:43:53.877522Z", "expiration_date": null, "version": "2"
    }]});
    runtime.block_on(async {
        answers(&server, "/public/v1/documents", 200, &listed).await;
        answers(&server, &format!("/public/v1/documents/{id}/details"), 200, &details).await;
    });
    let sandbox = ledger_with(&server);
    let secrets = [("PANDADOC_API_KEY", "key-of-tests")];
    let line = ["catch-up", "--since", SINCE, "--format", "json", "--dry-run"];
    let dry = sandbox.handoff_with("ledger", &line, &secrets).exits(0).json();
    assert_eq!(
        (&dry["completed"], &dry["missing"][0]["document_id"]),
        (&json!(1), &json!(id)),
        "{dry}"
    );
    assert_eq!(
        sandbox.git("ledger", &["ls-tree", "-r", "--name-only", "HEAD", "briefs"]),
        "",
        "nothing is written"
    );
    let done = sandbox.handoff_with("ledger", &line[..5], &secrets).exits(0).json();
    // The export does not have its deal yet: it waits for two days.
    assert_eq!((&done["held"], &done["failed"]), (&json!(1), &json!(0)), "{done}");
    let later = ["--now", "2026-11-23T17:00:00Z", "work", "--once", "--format", "json"];
    let done = sandbox.handoff_with("ledger", &later, &secrets).exits(0).json();
    assert_eq!((&done["done"], &done["failed"]), (&json!(1), &json!(0)), "{done}");
    assert_eq!(briefs(&sandbox).len(), 1);
    let again = sandbox.handoff_with("ledger", &line[..5], &secrets).exits(0).json();
    assert_eq!((&again["completed"], &again["missing"]), (&json!(1), &json!([])), "{again}");
}

#[test]
fn a_provider_that_cannot_be_asked_is_no_clean_result() {
    let runtime = runtime();
    let server = runtime.block_on(MockServer::start());
    runtime.block_on(answers(
        &server,
        "/public/v1/documents",
        401,
        &json!({"type": "authentication_error"}),
    ));
    let sandbox = ledger_with(&server);
    let line = ["catch-up", "--since", SINCE];
    let ran = sandbox.handoff("ledger", &line).exits(3);
    assert!(ran.stderr.contains("PANDADOC_API_KEY"), "{}", ran.stderr);
    let ran =
        sandbox.handoff_with("ledger", &line, &[("PANDADOC_API_KEY", "key-of-tests")]).exits(3);
    assert!(!ran.stderr.contains("key-of-tests"), "{}", ran.stderr);
    let ran = sandbox
        .handoff("ledger", &["catch-up", "--since", SINCE, "--provider", "standard-webhooks"])
        .exits(2);
    assert!(ran.stderr.contains("no API"), "{}", ran.stderr);
    sandbox.handoff("ledger", &["catch-up", "--since", "2027-01-01T00:00:00Z"]).exits(2);

    // A list whose pages are always new ends with the time of the run.
    let endless = |request: &Request| {
        let page = request.url.query_pairs().find(|(name, _)| name == "page");
        let page = page.map_or_else(|| "1".to_owned(), |(_, page)| page.into_owned());
        let row = |at: u32| {
            json!({"id": format!("{page}-{at}"), "name": "Order", "status": "document.completed",
                   "date_completed": "2026-10-14T15:43:53.877522Z", "version": "2"})
        };
        let rows: Vec<Value> = (0..100).map(row).collect();
        ResponseTemplate::new(200)
            .set_body_json(json!({"results": rows}))
            .set_delay(Duration::from_millis(50))
    };
    runtime.block_on(async {
        server.reset().await;
        let list = Mock::given(method("GET")).and(path("/public/v1/documents"));
        list.respond_with(endless).mount(&server).await;
    });
    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\nlimits: {{run: 1s}}\n")).unwrap();
    sandbox.git("ledger", &["commit", "-qam", "a limit"]);
    let line = ["catch-up", "--since", SINCE, "--dry-run"];
    let ran =
        sandbox.handoff_with("ledger", &line, &[("PANDADOC_API_KEY", "key-of-tests")]).exits(3);
    assert!(ran.stderr.contains("longer than `limits.run`"), "{}", ran.stderr);
}
