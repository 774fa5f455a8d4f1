//! `/h/{token}`: the page behind a link. The token is the only credential, so
//! it stands in no log, no cache and no referrer; a form must come from the
//! page itself, and nobody may try often.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{Service, serve};

/// The fields of a form, in their order.
pub type PostedFields = Vec<(String, String)>;

/// What answers a link's requests.
#[async_trait]
pub trait LinkHandler: Send + Sync {
    /// Status and page: without a form the handoff is shown, with one it is
    /// acted upon.
    async fn answer(&self, token: String, form: Option<PostedFields>) -> (u16, String);
}

/// The page behind a link, as it is offered.
pub struct LinkRoute {
    /// What answers.
    pub handler: Arc<dyn LinkHandler>,
    /// The origin that people reach this server by: `https://handoff.example.com`.
    pub origin: String,
    /// The Content-Security-Policy's source for the page's style sheet.
    pub style_source: String,
    limits: AddressCounts,
}

impl LinkRoute {
    /// A route that nobody has used yet.
    #[must_use]
    pub fn new(handler: Arc<dyn LinkHandler>, origin: String, style_source: String) -> Self {
        Self { handler, origin, style_source, limits: AddressCounts::default() }
    }
}

/// The largest form.
const LARGEST: usize = 256 * 1024;
/// More fields than any schema asks for.
const MOST_FIELDS: usize = 2_000;
/// So many requests of one address within [`WINDOW`].
const MOST_REQUESTS: u32 = 60;
/// Of these, so many with a link that does not count.
const MOST_FAULTS: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// So many addresses are counted; then those of the last window are forgotten.
const MOST_ADDRESSES: usize = 10_000;

/// How often each address asked.
#[derive(Default)]
struct AddressCounts(Mutex<BTreeMap<String, (Instant, u32, u32)>>);

impl AddressCounts {
    /// Counts a request; whether there were too many.
    fn is_too_much(&self, remote: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_ADDRESSES {
            seen.retain(|_, (since, ..)| since.elapsed() < WINDOW);
            // An attack from everywhere: counting starts afresh.
            if seen.len() >= MOST_ADDRESSES {
                seen.clear();
            }
        }
        let entry = seen.entry(remote.to_owned()).or_insert_with(|| (Instant::now(), 0, 0));
        if entry.0.elapsed() >= WINDOW {
            *entry = (Instant::now(), 0, 0);
        }
        entry.1 += 1;
        entry.1 > MOST_REQUESTS || entry.2 >= MOST_FAULTS
    }

    fn fault(&self, remote: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = seen.get_mut(remote) {
            entry.2 += 1;
        }
    }
}

/// Answers a request for a link's page.
pub(super) async fn page(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let Some(route) = &service.links else {
        return plain(StatusCode::NOT_FOUND, "there is no such path\n");
    };
    let remote = group(&serve::remote(&request, &service.trusted_proxies));
    if route.limits.is_too_much(&remote) {
        tracing::warn!(remote, "too many requests for links");
        let mut response =
            plain(StatusCode::TOO_MANY_REQUESTS, "too many requests; try again in a minute\n");
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        return response;
    }
    let form = match *request.method() {
        Method::GET | Method::HEAD => None,
        Method::POST => match form(route, request).await {
            Ok(form) => Some(form),
            Err((status, words)) => {
                return plain(status, words);
            }
        },
        _ => return plain(StatusCode::METHOD_NOT_ALLOWED, "open the link in a browser\n"),
    };
    let (status, html) = route.handler.answer(token, form).await;
    if status == 403 {
        route.limits.fault(&remote);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, html).into_response();
    guard(response.headers_mut(), &route.style_source);
    response
}

/// One counter for what one person can change at will: of IPv6 the network.
fn group(remote: &str) -> String {
    match remote.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => remote.to_owned(),
    }
}

/// The fields of a form that came from the page itself.
async fn form(
    route: &LinkRoute,
    request: Request,
) -> Result<PostedFields, (StatusCode, &'static str)> {
    if !is_from_page(&route.origin, request.headers()) {
        return Err((
            StatusCode::FORBIDDEN,
            "the form did not come from this page; open the link again and send it from there\n",
        ));
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    if !kind.unwrap_or_default().starts_with("application/x-www-form-urlencoded") {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "this is not a form of this page\n"));
    }
    let read =
        tokio::time::timeout(Duration::from_secs(30), to_bytes(request.into_body(), LARGEST));
    let body = match read.await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err((StatusCode::PAYLOAD_TOO_LARGE, "the form is too large\n")),
        Err(_) => return Err((StatusCode::REQUEST_TIMEOUT, "the form did not come in time\n")),
    };
    let fields: PostedFields =
        url::form_urlencoded::parse(&body).into_owned().take(MOST_FIELDS).collect();
    Ok(fields)
}

/// Whether a browser says that the page itself sent the form. Without a
/// referrer the origin is `null` even then, and `Sec-Fetch-Site` says it.
fn is_from_page(origin: &str, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("origin") {
        Some(given) if given != "null" => given.eq_ignore_ascii_case(origin),
        _ => text("sec-fetch-site") == Some("same-origin"),
    }
}

fn plain(status: StatusCode, words: &'static str) -> Response {
    let mut response = (status, words).into_response();
    let headers = response.headers_mut();
    guard(headers, "'none'");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Nothing is kept, passed on, framed or run.
fn guard(headers: &mut HeaderMap, style_source: &str) {
    let policy = format!(
        "default-src 'none'; style-src {style_source}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}
