//! One webhook: read, verified, stored, answered; in this order.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use http::{HeaderValue, StatusCode, header};

use super::super::inbox::{Envelope, Put};
use super::super::metrics::Counter;
use super::router::Service;
use crate::esign::{Answer, Authenticity, BODY_LIMIT, Provider, Received, Rejection, Request};
use crate::facts::SignatureEvent;
use crate::text;

/// How long a sender may take to send a body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// So much of a body that is too large is read and thrown away, so that its
/// sender hears why it is refused.
const DRAINED: usize = 32 * 1024 * 1024;

/// `/webhooks/{provider}`.
pub(super) async fn receive(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    request: HttpRequest,
) -> Response {
    let Some(provider) = service.providers.by_name(&name) else {
        service.metrics.count(Counter::Rejected, &["unknown", "unknown_provider"]);
        tracing::warn!(name = text::quoted(&name), "there is no provider of this name");
        return respond(&Answer::text(404, "there is no such provider\n"));
    };
    service.metrics.count(Counter::Received, &[provider.name()]);
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIME, read(body)).await {
        Ok(Ok(Read::Whole(body))) => body,
        Ok(Ok(Read::TooLarge(bytes))) => {
            return respond(&reject(&service, provider, &too_large(&service, provider, bytes)));
        }
        Ok(Err(error)) => {
            service.metrics.count(Counter::Rejected, &[provider.name(), "cut_off"]);
            tracing::warn!(provider = provider.name(), %error, "the sender hung up within the body");
            return respond(&Answer::text(400, "the body could not be read\n"));
        }
        Err(_) => {
            service.metrics.count(Counter::Rejected, &[provider.name(), "too_slow"]);
            tracing::warn!(
                provider = provider.name(),
                seconds = BODY_TIME.as_secs(),
                "the sender was too slow"
            );
            return respond(&Answer::text(408, "the body did not come in time\n"));
        }
    };
    let request = Request {
        method: &parts.method,
        headers: &parts.headers,
        query: parts.uri.query(),
        body: &body,
    };
    respond(&answer(&service, provider, &request).await)
}

async fn answer(service: &Service, provider: &dyn Provider, request: &Request<'_>) -> Answer {
    let now = (service.clock)();
    let verified = match provider.receive(request, &service.secrets, now) {
        Ok(Received::Notification(verified)) => verified,
        Ok(Received::Handshake) => {
            service.metrics.count(Counter::Accepted, &[provider.name(), "test"]);
            tracing::info!(provider = provider.name(), "the provider tested the address");
            return provider.accepted(request);
        }
        Err(rejection) => return reject(service, provider, &rejection),
    };
    let ignored = |event: &SignatureEvent| matches!(event, SignatureEvent::Ignored { .. });
    if verified.authenticity() == Authenticity::Body && verified.claims().iter().all(ignored) {
        service.metrics.count(Counter::Accepted, &[provider.name(), "ignored"]);
        tracing::debug!(provider = provider.name(), delivery = %verified.delivery_id(), "of no interest");
        return provider.accepted(request);
    }
    let content_type = request.content_type().map(str::to_owned);
    let envelope = Envelope::new(
        verified.provider().clone(),
        verified.delivery_id(),
        content_type,
        now,
        request.body.to_vec(),
    );
    match service.inbox.put(envelope).await {
        Ok(put) => {
            let what = if put == Put::Stored { "stored" } else { "known" };
            service.metrics.count(Counter::Accepted, &[provider.name(), what]);
            tracing::info!(provider = provider.name(), delivery = %verified.delivery_id(), what, "accepted");
            provider.accepted(request)
        }
        Err(error) => {
            service.metrics.count(Counter::NotStored, &[provider.name()]);
            tracing::error!(provider = provider.name(), %error, "not stored; the provider is told to come again");
            Answer::try_again()
        }
    }
}

fn reject(service: &Service, provider: &dyn Provider, rejection: &Rejection) -> Answer {
    service.metrics.count(Counter::Rejected, &[provider.name(), rejection.kind()]);
    let answer = provider.rejected(rejection);
    tracing::warn!(
        provider = provider.name(),
        reason = rejection.kind(),
        status = answer.status,
        "refused: {}",
        text::terminal(&rejection.to_string())
    );
    answer
}

/// A body that is too large is refused like any other, which is with 503 while
/// nothing is configured: the provider tries again then.
fn too_large(service: &Service, provider: &dyn Provider, bytes: usize) -> Rejection {
    let unset = provider
        .secret_names()
        .iter()
        .copied()
        .take(1)
        .find(|name| service.secrets.list(name).is_empty());
    match unset {
        Some(secret) => Rejection::NoSecret { provider: provider.title(), secret },
        None => Rejection::TooLarge { provider: provider.title(), bytes, limit: BODY_LIMIT },
    }
}

enum Read {
    Whole(Vec<u8>),
    TooLarge(usize),
}

async fn read(body: Body) -> Result<Read, axum::Error> {
    let mut stream = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(part) = stream.next().await {
        let part = part?;
        length += part.len();
        if length <= BODY_LIMIT {
            bytes.extend_from_slice(&part);
        } else if length > DRAINED {
            break;
        }
    }
    Ok(if length > BODY_LIMIT { Read::TooLarge(length) } else { Read::Whole(bytes) })
}

fn respond(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    for (name, value) in &answer.headers {
        // A value that came from outside may hold what no header can.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(*name, value);
        }
    }
    response
}
