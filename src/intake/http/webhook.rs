//! One webhook: read, verified, stored, answered; in this order.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::super::inbox::Put;
use super::super::metrics::Counter;
use super::entry::{Admitted, Entry};
use super::router::Service;
use crate::text;
use crate::webhook::{self, Answer, BODY_LIMIT, Rejection, Request, Route};

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
    let Some(entry) = Entry::find(&service, &name) else {
        service.metrics.count(Counter::Rejected, &["unknown", "unknown_provider"]);
        tracing::warn!(name = text::quoted(&name), "there is no provider of this name");
        return respond(&Answer::text(404, "there is no such provider\n"));
    };
    let route = entry.route();
    service.metrics.count(Counter::Received, &[route.name()]);
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIME, read(body)).await {
        Ok(Ok(Read::Whole(body))) => body,
        Ok(Ok(Read::TooLarge(bytes))) => {
            return respond(&reject(&service, route, &too_large(&service, route, bytes)));
        }
        Ok(Err(error)) => {
            service.metrics.count(Counter::Rejected, &[route.name(), "cut_off"]);
            tracing::warn!(provider = route.name(), %error, "the sender hung up within the body");
            return respond(&Answer::text(400, "the body could not be read\n"));
        }
        Err(_) => {
            service.metrics.count(Counter::Rejected, &[route.name(), "too_slow"]);
            tracing::warn!(
                provider = route.name(),
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
    respond(&answer(&service, entry, &request).await)
}

async fn answer(service: &Service, entry: Entry<'_>, request: &Request<'_>) -> Answer {
    let (route, now) = (entry.route(), (service.clock)());
    let envelope = match entry.admit(request, &service.secrets, now) {
        Ok(Admitted::Kept(envelope)) => envelope,
        Ok(Admitted::Test) => {
            service.metrics.count(Counter::Accepted, &[route.name(), "test"]);
            tracing::info!(provider = route.name(), "the provider tested the address");
            return route.accepted(request);
        }
        Ok(Admitted::Ignored(delivery)) => {
            service.metrics.count(Counter::Accepted, &[route.name(), "ignored"]);
            tracing::debug!(provider = route.name(), %delivery, "of no interest");
            return route.accepted(request);
        }
        Err(rejection) => return reject(service, route, &rejection),
    };
    let event = envelope.name();
    match service.inbox.put(envelope).await {
        Ok(put) => {
            let what = if put == Put::Stored { "stored" } else { "known" };
            service.metrics.count(Counter::Accepted, &[route.name(), what]);
            tracing::info!(provider = route.name(), delivery = event.delivery(), what, "accepted");
            route.accepted(request)
        }
        Err(error) => {
            service.metrics.count(Counter::NotStored, &[route.name()]);
            tracing::error!(provider = route.name(), %error, "not stored; the provider is told to come again");
            Answer::try_again()
        }
    }
}

fn reject(service: &Service, route: &dyn Route, rejection: &Rejection) -> Answer {
    service.metrics.count(Counter::Rejected, &[route.name(), rejection.kind()]);
    let answer = route.rejected(rejection);
    tracing::warn!(
        provider = route.name(),
        reason = rejection.kind(),
        status = answer.status,
        "refused: {}",
        text::terminal(&rejection.to_string())
    );
    answer
}

/// A body that is too large is refused like any other, which is with 503 while
/// nothing is configured: the provider tries again then.
fn too_large(service: &Service, route: &dyn Route, bytes: usize) -> Rejection {
    let (method, headers) = (&Method::POST, &HeaderMap::new());
    let without_body = Request { method, headers, query: None, body: b"" };
    match webhook::check(route, &without_body, &service.secrets) {
        Err(rejection) => rejection,
        Ok(_) => Rejection::TooLarge { provider: route.title(), bytes, limit: BODY_LIMIT },
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
