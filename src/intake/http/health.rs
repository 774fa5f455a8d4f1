//! Whether the server is well, ready, and busy.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::super::inbox::{Counts, InboxError, State as EventState};
use super::super::metrics;
use super::Service;

/// `/healthz`: alive. Degraded, and still 200, when events wait for a person:
/// to start the process anew would mend nothing.
pub(super) async fn health(State(service): State<Arc<Service>>) -> Response {
    match counts(&service).await {
        Ok(counts) => {
            let status = if counts.failed > 0 { "degraded" } else { "ok" };
            let inbox: Value = EventState::ALL
                .iter()
                .map(|state| (state.word().to_owned(), json!(counts.of(*state))))
                .collect();
            let oldest = counts.oldest_due.map(|age| age.as_secs());
            page(
                StatusCode::OK,
                &json!({"status": status, "inbox": inbox, "oldest_due_seconds": oldest}),
            )
        }
        Err(error) => {
            page(StatusCode::OK, &json!({"status": "degraded", "problem": error.to_string()}))
        }
    }
}

/// `/readyz`: events can be stored and the ledger can be read.
pub(super) async fn ready(State(service): State<Arc<Service>>) -> Response {
    let checked = match service.inbox.check_writable().await {
        Ok(()) => tokio::task::spawn_blocking(move || (service.ledger)())
            .await
            .unwrap_or_else(|error| Err(error.to_string())),
        Err(error) => Err(error.to_string()),
    };
    match checked {
        Ok(()) => page(StatusCode::OK, &json!({"status": "ready"})),
        Err(problem) => {
            tracing::error!(problem, "not ready");
            page(
                StatusCode::SERVICE_UNAVAILABLE,
                &json!({"status": "not ready", "problem": problem}),
            )
        }
    }
}

/// `/metrics`, in Prometheus' text format.
pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let mut text = service.metrics.render();
    if let Ok(counts) = counts(&service).await {
        metrics::header(&mut text, "handoff_inbox_events", "gauge", "Events in the inbox.");
        for state in EventState::ALL {
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "handoff_inbox_events{{state=\"{}\"}} {}",
                state.word(),
                counts.of(state)
            );
        }
        let help = "How long the oldest event that is due has been due.";
        metrics::header(&mut text, "handoff_inbox_oldest_due_seconds", "gauge", help);
        let age = counts.oldest_due.unwrap_or_default().as_secs_f64();
        let _ = writeln!(text, "handoff_inbox_oldest_due_seconds {age:.3}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn counts(service: &Service) -> Result<Counts, InboxError> {
    service.inbox.counts((service.clock)()).await
}

fn page(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}
