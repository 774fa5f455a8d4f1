//! What operators see: metrics of deliveries, health that knows what is wrong,
//! ids of requests, a log for machines.

use super::server::{KEY, Running, document, eventually, get, ledger, proof, send};
use crate::sandbox::Sandbox;

fn serve(sandbox: &Sandbox) -> Running {
    let arguments = ["--log-format", "json", "serve", "--listen", "127.0.0.1:0"];
    Running::start(sandbox, &arguments, &[("PANDADOC_WEBHOOK_KEY", KEY)])
}

/// A ledger whose deliveries are files.
fn with_outbox() -> Sandbox {
    let sandbox = ledger();
    let file = sandbox.join("ledger/handoff.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let end = text.find("deliver:\n").unwrap();
    let text = format!("{}deliver:\n  outbox: {{dir: outbox}}\n", &text[..end]);
    std::fs::write(&file, text).unwrap();
    sandbox
}

#[test]
fn deliveries_are_counted_by_target_and_outcome_and_logged_with_the_request() {
    let sandbox = with_outbox();
    let server = serve(&sandbox);
    let at = server.address();
    let zeros = [
        "handoff_webhooks_not_stored_total{provider=\"pandadoc\"} 0",
        "handoff_webhooks_rejected_total{provider=\"pandadoc\",reason=\"bad_signature\"} 0",
        "handoff_webhooks_accepted_total{provider=\"pandadoc\",as=\"stored\"} 0",
        "handoff_pushes_total{outcome=\"refused\"} 0",
        "handoff_worker_restarts_total 0",
        "handoff_deliveries_total{target=\"outbox\",event=\"task_opened\",outcome=\"failed\"} 0",
    ];
    eventually("the counts stand at zero before the first event", || {
        let page = get(at, "/metrics").body;
        zeros.iter().all(|line| page.lines().any(|it| it == *line)).then_some(())
    });
    let body = document("counted");
    let query = format!("/webhooks/pandadoc?signature={}", proof(KEY, &body));
    let headers = [("content-type", "application/json"), ("x-request-id", "proxy-7")];
    let answer = send(at, "POST", &query, &headers, &body).unwrap();
    assert!(answer.head.to_lowercase().contains("x-request-id: proxy-7"), "{}", answer.head);
    server.wait_until_idle();
    let metrics = get(at, "/metrics").body;
    for family in [
        "handoff_deliveries_total{target=\"outbox\",event=\"task_opened\",outcome=\"made\"} 1",
        "handoff_delivery_age_seconds_count{target=\"outbox\"}",
        "handoff_delivery_age_seconds_bucket{target=\"outbox\",le=\"+Inf\"}",
    ] {
        assert!(metrics.contains(family), "{family} is missing:\n{metrics}");
    }
    let log = server.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let accepted = lines.iter().find(|line| line["message"] == "accepted");
    let accepted = accepted.unwrap_or_else(|| panic!("no line says accepted:\n{log}"));
    assert_eq!(accepted["span"]["request"], "proxy-7", "{accepted}");
    assert_eq!(accepted["provider"], "pandadoc", "{accepted}");
}

#[test]
fn health_names_settings_that_cannot_be_used_and_still_receives() {
    let sandbox = with_outbox();
    let server = serve(&sandbox);
    let at = server.address();
    assert_eq!(get(at, "/healthz").json()["status"], "ok");
    let file = sandbox.join("ledger/handoff.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}nonsense: 1\n")).unwrap();
    let body = document("kept");
    let query = format!("/webhooks/pandadoc?signature={}", proof(KEY, &body));
    let answer = send(at, "POST", &query, &[("content-type", "application/json")], &body).unwrap();
    assert!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
    let health = eventually("health is degraded", || {
        Some(get(at, "/healthz").json()).filter(|health| health["status"] == "degraded")
    });
    assert!(health["problems"].to_string().contains("handoff.yaml"), "{health}");
    let ready = get(at, "/readyz").json();
    assert_eq!(ready["status"], "ready", "events are still taken: {ready}");
    assert!(ready["problems"].to_string().contains("handoff.yaml"), "{ready}");
    assert!(get(at, "/metrics").body.contains("handoff_settings_usable 0"));
}
