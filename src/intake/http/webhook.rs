//! One webhook: read, verified, stored, answered; in this order.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request as HttpRequest, State};
use axum::response::{IntoResponse as _, Response};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use tracing::Instrument as _;

use super::super::inbox::Put;
use super::super::metrics::Counter;
use super::entry::{Admitted, SenderRoute};
use super::{Service, serve};
use crate::model::Secrets;
use crate::text;
use crate::webhook::{self, BODY_LIMIT, Rejection, Reply, Request, Route};

/// The header that names a request.
const REQUEST_ID: &str = "x-request-id";
/// How long a sender may take to send a body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// So much of a body that is too large is read and thrown away, so that its
/// sender hears why it is refused.
const DRAINED: usize = 32 * 1024 * 1024;

/// `/webhooks/{provider}`. Each request has an id: the proxy's, or the next
/// number. It stands in every line of the log and goes back to the sender.
pub(super) async fn receive(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    request: HttpRequest,
) -> Response {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let is_id = |id: &str| {
        (1..=100).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    let id = match given.filter(|id| is_id(id)) {
        Some(id) => id.to_owned(),
        None => NEXT.fetch_add(1, Ordering::Relaxed).to_string(),
    };
    let span = tracing::info_span!("webhook", request = id);
    let mut response = receive_one(service, name, request).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn receive_one(service: Arc<Service>, name: String, request: HttpRequest) -> Response {
    let senders = service.senders.now();
    let from = From::of(&request, &service);
    let Some(entry) = SenderRoute::find(&senders, &name) else {
        service.metrics.count(Counter::Rejected, &["unknown", "unknown_provider"]);
        let (name, remote) = (text::quoted(&name), &from.remote);
        tracing::warn!(name, remote, "there is no provider of this name");
        return respond(&Reply::text(404, "there is no such provider\n"));
    };
    let route = entry.route();
    service.metrics.count(Counter::Received, &[route.name()]);
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIME, read(body)).await {
        Ok(Ok(ReceivedBody::Whole(body))) => body,
        Ok(Ok(ReceivedBody::TooLarge(bytes))) => {
            let rejection = too_large(&senders.secrets, route, bytes);
            return respond(&reject(&service, route, &from, &rejection));
        }
        Ok(Err(error)) => {
            service.metrics.count(Counter::Rejected, &[route.name(), "cut_off"]);
            let remote = &from.remote;
            tracing::warn!(provider = route.name(), remote, %error, "the sender hung up within the body");
            return respond(&Reply::text(400, "the body could not be read\n"));
        }
        Err(_) => {
            service.metrics.count(Counter::Rejected, &[route.name(), "too_slow"]);
            tracing::warn!(
                provider = route.name(),
                remote = from.remote,
                seconds = BODY_TIME.as_secs(),
                "the sender was too slow"
            );
            return respond(&Reply::text(408, "the body did not come in time\n"));
        }
    };
    let encoding = parts.headers.get(header::CONTENT_ENCODING).and_then(|it| it.to_str().ok());
    let body = match decoded(body, encoding.unwrap_or("identity")) {
        Ok(body) => body,
        Err(Undecoded::TooLarge) => {
            let rejection = too_large(&senders.secrets, route, BODY_LIMIT + 1);
            return respond(&reject(&service, route, &from, &rejection));
        }
        Err(why) => {
            let (status, why) = match why {
                Undecoded::Damaged => (400, "its body is not what its Content-Encoding says"),
                _ => (415, "its Content-Encoding is neither gzip nor deflate"),
            };
            service.metrics.count(Counter::Rejected, &[route.name(), "encoding"]);
            tracing::warn!(
                provider = route.name(),
                reason = "encoding",
                status,
                remote = from.remote,
                delivery = from.delivery,
                "refused: {why}"
            );
            return respond(&Reply::text(status, "the body's encoding cannot be read\n"));
        }
    };
    let request = Request {
        method: &parts.method,
        headers: &parts.headers,
        query: parts.uri.query(),
        body: &body,
    };
    respond(&answer(&service, &senders.secrets, entry, &from, &request).await)
}

/// Where a request is from, for the log.
struct From {
    remote: String,
    delivery: String,
}

impl From {
    fn of(request: &HttpRequest, service: &Service) -> Self {
        // The names that senders use for a delivery's id all end like this.
        let is_id = |name: &str| {
            ["-event-id", "-delivery-id", "webhook-id", "-delivery"]
                .iter()
                .any(|it| name.ends_with(it))
        };
        let headers = request.headers().iter().filter(|(name, _)| is_id(name.as_str()));
        let ids = headers.filter_map(|(_, value)| value.to_str().ok()).map(text::quoted);
        Self {
            remote: serve::remote(request, &service.trusted_proxies),
            delivery: ids.collect::<Vec<_>>().join(" "),
        }
    }
}

async fn answer(
    service: &Service,
    secrets: &Secrets,
    entry: SenderRoute<'_>,
    from: &From,
    request: &Request<'_>,
) -> Reply {
    let (route, now) = (entry.route(), (service.clock)());
    let envelope = match entry.admit(request, secrets, now) {
        Ok(Admitted::Kept(envelope)) => *envelope,
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
        Err(rejection) => return reject(service, route, from, &rejection),
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
            tracing::error!(provider = route.name(), %error, "not stored; the provider is asked to send it again");
            Reply::try_again()
        }
    }
}

fn reject(service: &Service, route: &dyn Route, from: &From, rejection: &Rejection) -> Reply {
    service.metrics.count(Counter::Rejected, &[route.name(), rejection.kind()]);
    let answer = route.rejected(rejection);
    tracing::warn!(
        provider = route.name(),
        reason = rejection.kind(),
        status = answer.status,
        remote = from.remote,
        delivery = from.delivery,
        "refused: {}",
        text::terminal(&rejection.to_string())
    );
    answer
}

/// A body that is too large is refused like any other, which is with 503 while
/// nothing is configured: the provider tries again then.
fn too_large(secrets: &Secrets, route: &dyn Route, bytes: usize) -> Rejection {
    let (method, headers) = (&Method::POST, &HeaderMap::new());
    let without_body = Request { method, headers, query: None, body: b"" };
    match webhook::check(route, &without_body, secrets) {
        Err(rejection) => rejection,
        Ok(_) => Rejection::TooLarge { provider: route.title(), bytes, limit: BODY_LIMIT },
    }
}

enum ReceivedBody {
    Whole(Vec<u8>),
    TooLarge(usize),
}

async fn read(body: Body) -> Result<ReceivedBody, axum::Error> {
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
    Ok(if length > BODY_LIMIT {
        ReceivedBody::TooLarge(length)
    } else {
        ReceivedBody::Whole(bytes)
    })
}

/// Why an encoded body is not read.
enum Undecoded {
    TooLarge,
    Unknown,
    Damaged,
}

/// The body as it was before it was compressed, which is what senders sign;
/// never more than a plain body may have.
fn decoded(body: Vec<u8>, encoding: &str) -> Result<Vec<u8>, Undecoded> {
    let limit = BODY_LIMIT as u64 + 1;
    let mut plain = Vec::new();
    let read = match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => return Ok(body),
        "gzip" | "x-gzip" => MultiGzDecoder::new(&body[..]).take(limit).read_to_end(&mut plain),
        // By the standard with zlib's header; some send it without.
        "deflate" => match ZlibDecoder::new(&body[..]).take(limit).read_to_end(&mut plain) {
            Err(_) => {
                plain.clear();
                DeflateDecoder::new(&body[..]).take(limit).read_to_end(&mut plain)
            }
            read => read,
        },
        _ => return Err(Undecoded::Unknown),
    };
    match read {
        Ok(_) if plain.len() > BODY_LIMIT => Err(Undecoded::TooLarge),
        Ok(_) => Ok(plain),
        Err(_) => Err(Undecoded::Damaged),
    }
}

fn respond(answer: &Reply) -> Response {
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
