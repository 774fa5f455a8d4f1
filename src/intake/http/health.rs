//! Whether the server is well, ready, and busy.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::super::inbox::{EventState, InboxCounts, InboxError};
use super::super::metrics;
use super::{Service, routes};

/// So many events are looked at for the one that has waited longest.
const LOOKED_AT: usize = 1_000;

/// `/healthz`: alive. Degraded, and still 200, when something waits for a person:
/// to start the process again would fix nothing.
pub(super) async fn health(State(service): State<Arc<Service>>) -> Response {
    let counts = match counts(&service).await {
        Ok(counts) => counts,
        Err(error) => {
            let problem = error.to_string();
            return page(StatusCode::OK, &json!({"status": "degraded", "problem": problem}));
        }
    };
    let problems = problems(&service, unpushed(&service).await.as_ref());
    let status = if counts.failed > 0 || !problems.is_empty() { "degraded" } else { "ok" };
    let inbox: Value = EventState::ALL
        .iter()
        .map(|state| (state.word().to_owned(), json!(counts.of(*state))))
        .collect();
    let oldest = counts.oldest_due.map(|age| age.as_secs());
    let waiting = oldest_waiting(&service, &counts).await;
    page(
        StatusCode::OK,
        &json!({
            "status": status, "inbox": inbox, "problems": problems,
            "oldest_due_seconds": oldest, "oldest_waiting_seconds": waiting,
        }),
    )
}

/// `/readyz`: events can be stored and the ledger can be read. What keeps them
/// from being processed is named, and is no reason to send them elsewhere.
pub(super) async fn ready(State(service): State<Arc<Service>>) -> Response {
    let checked = match service.inbox.check_writable().await {
        Ok(()) => unpushed(&service).await,
        Err(error) => Err(error.to_string()),
    };
    match checked {
        Ok(unpushed) => {
            let problems = problems(&service, Ok(&unpushed));
            page(StatusCode::OK, &json!({"status": "ready", "problems": problems}))
        }
        Err(problem) => {
            tracing::error!(problem, "not ready");
            page(
                StatusCode::SERVICE_UNAVAILABLE,
                &json!({"status": "not ready", "problem": problem}),
            )
        }
    }
}

/// What a person has to fix, each in a sentence.
fn problems(service: &Service, unpushed: Result<&usize, &String>) -> Vec<String> {
    let mut problems: Vec<String> =
        service.metrics.degradations().into_iter().map(|(_, why)| why).collect();
    problems.extend(service.senders.problems());
    match unpushed {
        Ok(0) => {}
        Ok(commits) => problems.push(format!(
            "{commits} commits are not on the ledger's remote; `handoff doctor` says why"
        )),
        Err(why) => problems.push(format!("the ledger cannot be read: {why}")),
    }
    problems
}

async fn unpushed(service: &Arc<Service>) -> Result<usize, String> {
    let service = Arc::clone(service);
    tokio::task::spawn_blocking(move || (service.ledger)())
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}

/// How long ago the oldest event came that is not processed yet, however
/// often it was tried since; `None` where there is none, or too many to look at.
async fn oldest_waiting(service: &Service, counts: &InboxCounts) -> Option<i64> {
    if counts.new + counts.work > LOOKED_AT {
        return counts.oldest_due.and_then(|age| i64::try_from(age.as_secs()).ok());
    }
    let now = (service.clock)();
    let listed = service.inbox.list(&[EventState::New, EventState::Work], now).await.ok()?;
    let received =
        listed.iter().filter_map(|event| Some(event.envelope.as_ref().ok()?.received_at));
    received.min().map(|at| (now - at).num_seconds().max(0))
}

/// `/metrics`, in Prometheus' text format.
pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    for route in routes(&service.senders.now()) {
        service.metrics.begin_sender(route.name());
    }
    let mut text = service.metrics.render();
    // Writing to a text cannot fail.
    let mut gauge = |name: &str, help: &str, value: &dyn std::fmt::Display| {
        metrics::header(&mut text, name, "gauge", help);
        let _ = writeln!(text, "{name} {value}");
    };
    if let Ok(commits) = unpushed(&service).await {
        let help = "Commits that the ledger's remote lacks.";
        gauge("handoff_unpushed_commits", help, &commits);
    }
    let counts = counts(&service).await;
    gauge("handoff_inbox_readable", "Whether the inbox can be read.", &u8::from(counts.is_ok()));
    if let Ok(counts) = counts {
        let age = counts.oldest_due.unwrap_or_default().as_secs_f64();
        let help = "How long the oldest due event has been due; each new try starts at zero.";
        gauge("handoff_inbox_oldest_due_seconds", help, &format!("{age:.3}"));
        let waiting = oldest_waiting(&service, &counts).await.unwrap_or_default();
        let help = "How long ago the oldest unprocessed event came.";
        gauge("handoff_inbox_oldest_waiting_seconds", help, &waiting);
        metrics::header(&mut text, "handoff_inbox_events", "gauge", "Events in the inbox.");
        for state in EventState::ALL {
            let (word, count) = (state.word(), counts.of(state));
            let _ = writeln!(text, "handoff_inbox_events{{state=\"{word}\"}} {count}");
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn counts(service: &Service) -> Result<InboxCounts, InboxError> {
    service.inbox.counts((service.clock)()).await
}

fn page(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}
