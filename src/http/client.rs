//! Where an API lives, retries as data, and one request with its retries.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, Collected, LengthLimitError, Limited};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

/// The root of an API: `https`, or plain `http` on loopback only; without
/// user, password, query or fragment; paths are joined below it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct BaseUrl(Url);

/// Why a text is no base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Not a URL at all.
    #[error("this is not a URL such as https://api.example.com")]
    NotAUrl,
    /// Plain HTTP to another machine.
    #[error("plain http is accepted on loopback only; use https")]
    PlainHttp,
    /// Another scheme, or user, query, fragment.
    #[error("give scheme, host and path only, such as https://api.example.com/v2")]
    Extra,
}

impl BaseUrl {
    /// Parses and checks.
    ///
    /// # Errors
    /// See [`BaseUrlError`].
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let mut url = Url::parse(text).map_err(|_| BaseUrlError::NotAUrl)?;
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => return Err(BaseUrlError::NotAUrl),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(BaseUrlError::PlainHttp),
            _ => return Err(BaseUrlError::Extra),
        }
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(BaseUrlError::Extra);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL of a path below the base; the path may carry a query. Parts
    /// from outside must be percent-encoded by the caller.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        let base = self.0.as_str().trim_end_matches('/');
        if path.is_empty() {
            return base.to_owned();
        }
        format!("{base}/{}", path.trim_start_matches('/'))
    }

    /// The base as text, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = BaseUrlError;
    fn try_from(text: String) -> Result<Self, BaseUrlError> {
        Self::parse(&text)
    }
}

/// How often and how far apart something is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The waits between tries; as many retries as there are waits.
    pub waits: Vec<Duration>,
    /// The longest wait a server may ask for with `Retry-After`; a longer one
    /// ends the tries.
    pub longest: Duration,
}

impl Schedule {
    /// For a person or a job that waits: three retries within a few seconds.
    #[must_use]
    pub fn interactive() -> Self {
        Self {
            waits: [250, 1_000, 4_000].map(Duration::from_millis).to_vec(),
            longest: Duration::from_secs(60),
        }
    }

    /// For what is tried again over days: seven tries within two days.
    #[must_use]
    pub fn over_days() -> Self {
        let minutes = [5, 30, 120, 480, 1_440, 1_440];
        let waits = minutes.map(|minutes| Duration::from_secs(minutes * 60)).to_vec();
        Self { waits, longest: Duration::from_secs(24 * 60 * 60) }
    }

    /// No retry at all.
    #[must_use]
    pub fn once() -> Self {
        Self { waits: Vec::new(), longest: Duration::ZERO }
    }

    /// The wait before retry number `retry` (from 0), with what the server
    /// asked for; `None` when no more tries are due.
    #[must_use]
    pub fn wait(&self, retry: usize, asked: Option<Duration>) -> Option<Duration> {
        let own = *self.waits.get(retry)?;
        match asked {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked.max(own)),
            None => Some(own),
        }
    }
}

/// Whether a request may be sent again after an unclear outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Semantics {
    /// Reading, or writing that gives the same result however often.
    Idempotent,
    /// Creating: sent again only when the server surely did not act
    /// (connection refused, 429, 503 with `Retry-After`).
    Creates,
}

/// A request: what it does, where it goes, and its body.
#[derive(Debug, Clone)]
pub struct ApiRequest<'a> {
    semantics: Semantics,
    method: Method,
    path: &'a str,
    body: Option<(&'a str, Bytes)>,
}

impl<'a> ApiRequest<'a> {
    /// One without a body.
    #[must_use]
    pub fn new(semantics: Semantics, method: Method, path: &'a str) -> Self {
        Self { semantics, method, path, body: None }
    }

    /// Reads.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Self::new(Semantics::Idempotent, Method::GET, path)
    }

    /// Reads what a body asks for.
    #[must_use]
    pub fn ask(path: &'a str, json: &Value) -> Self {
        Self::new(Semantics::Idempotent, Method::POST, path).with_json(json)
    }

    /// Creates; not repeated where it may have been created.
    #[must_use]
    pub fn create(path: &'a str, json: &Value) -> Self {
        Self::new(Semantics::Creates, Method::POST, path).with_json(json)
    }

    /// Replaces fields; the same again changes nothing.
    #[must_use]
    pub fn put(path: &'a str, json: &Value) -> Self {
        Self::new(Semantics::Idempotent, Method::PUT, path).with_json(json)
    }

    /// Changes fields; the same again changes nothing.
    #[must_use]
    pub fn patch(path: &'a str, json: &Value) -> Self {
        Self::new(Semantics::Idempotent, Method::PATCH, path).with_json(json)
    }

    /// The same with this JSON.
    #[must_use]
    pub fn with_json(self, json: &Value) -> Self {
        self.with_body("application/json", json.to_string())
    }

    /// The same with a body of any type.
    #[must_use]
    pub fn with_body(self, content_type: &'a str, body: impl Into<Bytes>) -> Self {
        Self { body: Some((content_type, body.into())), ..self }
    }

    /// Its path, with the query.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// Whether it may be sent again after an unclear outcome.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.semantics == Semantics::Idempotent
    }
}

/// A header whose value shows in no log; `None` where no header can hold it.
#[must_use]
pub fn secret_header(name: HeaderName, value: &str) -> Option<HeaderMap> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(HeaderMap::from_iter([(name, value)]))
}

/// What a server answered, read whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: bytes::Bytes,
}

impl Response {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is no JSON, or says two things under one key.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        crate::model::read_json(&self.body)
    }

    /// How long the server asks to wait: `Retry-After` in seconds, or as a time,
    /// which is measured from the answer's own `Date`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let header = |name| self.headers.get(name)?.to_str().ok();
        let text = header(http::header::RETRY_AFTER)?.trim();
        if let Ok(seconds) = text.parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let time = |text: &str| DateTime::parse_from_rfc2822(text).ok();
        (time(text)? - time(header(http::header::DATE)?)?).to_std().ok()
    }
}

/// What kept an answer from coming, told apart so that each gets its remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing came in time.
    #[error("it took too long")]
    Timeout,
    /// The time for all requests of a run is over.
    #[error("the whole run has taken longer than `limits.run` in handoff.yaml allows")]
    RunIsOver,
    /// Nobody listens there.
    #[error("the connection was refused; check host and port")]
    Refused,
    /// The host's name has no address.
    #[error("the host's name cannot be resolved; check its spelling and the DNS")]
    Dns,
    /// The certificate or the TLS connection is not accepted.
    #[error("the TLS connection failed: {0}; SSL_CERT_FILE names further certificates")]
    Tls(String),
    /// The proxy did not let it through.
    #[error("the proxy refused it: {0}; HTTPS_PROXY and NO_PROXY say which one is used")]
    Proxy(String),
    /// The server points elsewhere, where the credentials must not go by themselves.
    #[error(
        "it redirects to {0}, which is not followed with credentials; name that address in the settings"
    )]
    Redirect(String),
    /// More than any answer has.
    #[error("it is larger than {} MiB, which no answer is", MOST_OF_AN_ANSWER >> 20)]
    TooLarge,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// Whether the same may succeed a moment later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Tls(_) | Self::Redirect(_) | Self::RunIsOver | Self::TooLarge)
    }

    /// Reads a client's error: by the types of its causes, and where the
    /// client keeps those to itself, by the names it gives its own steps.
    #[must_use]
    pub fn of(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        // The outer causes repeat the URL with its query.
        let (mut cause, mut innermost): (Option<&dyn Error>, String) =
            (error.source(), "no answer came".to_owned());
        let (mut kind, mut step) = (None, "");
        while let Some(inner) = cause {
            innermost = inner.to_string();
            if let Some(io) = inner.downcast_ref::<std::io::Error>() {
                kind = Some(io.kind());
                if io.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>) {
                    step = "tls";
                }
            }
            if inner.is::<rustls::Error>() {
                step = "tls";
            }
            match innermost.as_str() {
                "dns error" => step = "dns",
                it if it.starts_with("tunnel error") || it.starts_with("proxy") => step = "proxy",
                _ => {}
            }
            cause = inner.source();
        }
        match (step, kind) {
            ("tls", _) => Self::Tls(innermost),
            ("dns", _) => Self::Dns,
            ("proxy", _) => Self::Proxy(innermost),
            (_, Some(std::io::ErrorKind::ConnectionRefused)) => Self::Refused,
            (_, Some(std::io::ErrorKind::TimedOut)) => Self::Timeout,
            _ => Self::Other(innermost),
        }
    }

    /// Reads an error that may have a client's inside.
    fn within(error: &(dyn Error + 'static)) -> Self {
        let mut cause = error;
        loop {
            if cause.is::<LengthLimitError>() {
                return Self::TooLarge;
            }
            if let Some(error) = cause.downcast_ref::<reqwest::Error>() {
                return Self::of(error);
            }
            match cause.source() {
                Some(inner) => cause = inner,
                None => return Self::Other(crate::text::one_line(&cause.to_string())),
            }
        }
    }
}

/// So much is read of an answer. Pages of lists have a few MiB at most; the next
/// larger thing is a server that does not end.
const MOST_OF_AN_ANSWER: usize = 64 << 20;

/// The body of an answer, whole.
///
/// # Errors
/// When it breaks off, or has more than 64 MiB.
pub async fn whole_body<B>(body: B) -> Result<Bytes, Fault>
where
    B: hyper::body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let read = Limited::new(body, MOST_OF_AN_ANSWER).collect().await;
    read.map(Collected::to_bytes).map_err(|error| Fault::within(&*error))
}

/// Why there is no answer. The words hold method and URL path, never query,
/// header or body.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The server was not reached, or sent elsewhere: nothing happened there.
    #[error("{method} {url}: the server was not reached: {why}")]
    NotReached {
        /// The method.
        method: Method,
        /// The URL without its query.
        url: String,
        /// The cause.
        why: Fault,
    },
    /// The request may or may not have been acted upon.
    #[error("{method} {url}: no complete answer came: {why}")]
    Unclear {
        /// The method.
        method: Method,
        /// The URL without its query.
        url: String,
        /// The cause.
        why: Fault,
    },
}

/// How long a server is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One request, until its answer is there whole.
    pub request: Duration,
    /// A server that gives no answer at all, over all tries. After it the
    /// server is not asked again for as long, so that a run with many requests
    /// does not wait for each of them.
    pub silence: Duration,
    /// All requests of a client together, from when it was made; `None` is no limit.
    pub run: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request: Duration::from_secs(30), silence: Duration::from_secs(60), run: None }
    }
}

/// The requests of this process, by host and outcome. Clients are rebuilt for
/// each batch of work, and the counts outlive them.
static REQUESTS: Mutex<BTreeMap<(String, &'static str), u64>> = Mutex::new(BTreeMap::new());

/// How many requests there were, by host and outcome.
#[must_use]
pub fn requests() -> BTreeMap<(String, &'static str), u64> {
    REQUESTS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Lets TLS use ring, for the whole process; a second time changes nothing.
pub fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What every connection begins with: the proxy and the certificates that the
/// machine names, and no redirect that takes credentials along.
pub fn connector() -> reqwest::ClientBuilder {
    use_ring();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("handoff/", env!("CARGO_PKG_VERSION")))
}

/// A client for one API: base URL, fixed headers, schedule, time limits.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    base: BaseUrl,
    headers: HeaderMap,
    schedule: Schedule,
    limits: Limits,
    made: Instant,
    /// When the server was given up; shared by all copies.
    silent: Arc<Mutex<Option<Instant>>>,
}

impl Client {
    /// A client below this base URL that sends these headers with each
    /// request (mark secret values as sensitive).
    ///
    /// # Panics
    /// When the platform's certificate store cannot be opened at all.
    #[must_use]
    pub fn new(base: BaseUrl, headers: HeaderMap, schedule: Schedule) -> Self {
        let inner =
            connector().build().expect("a client without custom certificates can always be built");
        let (limits, silent) = (Limits::default(), Arc::default());
        Self { inner, base, headers, schedule, limits, made: Instant::now(), silent }
    }

    /// The same client with other time limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long the server is waited for.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Does not ask the server again for a while.
    pub fn give_up(&self) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_given_up(&self) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.is_some_and(|since| since.elapsed() < self.limits.silence)
    }

    /// How long the next request may take; nothing where the run is over.
    fn time_left(&self) -> Option<Duration> {
        let Some(run) = self.limits.run else { return Some(self.limits.request) };
        let left = run.checked_sub(self.made.elapsed()).filter(|left| !left.is_zero())?;
        Some(left.min(self.limits.request))
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// The same client with another header value, such as a renewed token.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends a request and repeats it after the schedule where that is safe.
    /// Any status is an answer; 429 and 5xx only after the last try.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn send(&self, request: &ApiRequest<'_>) -> Result<Response, NetError> {
        let ApiRequest { method, path, .. } = request;
        if self.is_given_up() {
            let method = method.clone();
            let url = self.base.join(path.split('?').next().unwrap_or_default());
            let why = Fault::Other(
                "it gave no answer to the requests before, and was not asked again".to_owned(),
            );
            return Err(NetError::NotReached { method, url, why });
        }
        let begun = Instant::now();
        let mut retry = 0;
        loop {
            let result = self.send_once(request).await;
            if matches!(result, Err(NetError::Unclear { .. }))
                && begun.elapsed() + self.limits.request > self.limits.silence
            {
                self.give_up();
                return result;
            }
            let again = match &result {
                Ok(response) => match response.status.as_u16() {
                    429 => Some(response.retry_after()),
                    503 if !request.is_repeatable() => response.retry_after().map(Some),
                    500 | 502..=504 | 423 | 524 if request.is_repeatable() => {
                        Some(response.retry_after())
                    }
                    _ => None,
                },
                Err(NetError::NotReached { why, .. }) => why.may_pass().then_some(None),
                Err(NetError::Unclear { why, .. }) => {
                    (request.is_repeatable() && why.may_pass()).then_some(None)
                }
            };
            let Some(wait) = again.and_then(|asked| self.schedule.wait(retry, asked)) else {
                return result;
            };
            tracing::debug!(%method, retry, ?wait, "trying again");
            tokio::time::sleep(wait).await;
            retry += 1;
        }
    }

    async fn send_once(&self, request: &ApiRequest<'_>) -> Result<Response, NetError> {
        let result = self.exchange(request).await;
        let outcome = match &result {
            Ok(response) => match response.status.as_u16() {
                429 => "limited",
                500.. => "server_error",
                400.. => "refused",
                _ => "answered",
            },
            Err(_) => "no_answer",
        };
        let host = url::Url::parse(self.base.as_str()).ok();
        let host = host.as_ref().and_then(url::Url::host_str).unwrap_or_default().to_owned();
        let mut counts = REQUESTS.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((host, outcome)).or_default() += 1;
        drop(counts);
        result
    }

    async fn exchange(&self, asked: &ApiRequest<'_>) -> Result<Response, NetError> {
        let ApiRequest { method, path, body, .. } = asked;
        let full = self.base.join(path);
        let url = || full.split('?').next().unwrap_or_default().to_owned();
        let mut request = self.inner.request(method.clone(), &full).headers(self.headers.clone());
        if let Some((content_type, bytes)) = body {
            request = request.header(http::header::CONTENT_TYPE, *content_type).body(bytes.clone());
        }
        let unclear = |why| NetError::Unclear { method: method.clone(), url: url(), why };
        let not_reached = |why| NetError::NotReached { method: method.clone(), url: url(), why };
        let Some(time) = self.time_left() else { return Err(not_reached(Fault::RunIsOver)) };
        request = request.timeout(time);
        let in_time = |fault| match fault {
            Fault::Timeout if time < self.limits.request => Fault::RunIsOver,
            fault => fault,
        };
        let response = request.send().await.map_err(|error| {
            let why = in_time(Fault::of(&error));
            if error.is_connect() || error.is_builder() { not_reached(why) } else { unclear(why) }
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        if let (301 | 302 | 303 | 307 | 308, Some(to)) =
            (status.as_u16(), headers.get(http::header::LOCATION))
        {
            let why = Fault::Redirect(target(&full, to));
            // 303 is the answer to something that was done.
            return Err(if status.as_u16() == 303 { unclear(why) } else { not_reached(why) });
        }
        let body = whole_body(reqwest::Body::from(response)).await;
        let body = body.map_err(|why| unclear(in_time(why)))?;
        Ok(Response { status, headers, body })
    }
}

/// Where a redirect points, without query.
fn target(from: &str, location: &HeaderValue) -> String {
    let location = location.to_str().unwrap_or_default();
    match url::Url::parse(from).and_then(|from| from.join(location)) {
        Ok(mut to) => {
            to.set_query(None);
            to.set_fragment(None);
            to.to_string()
        }
        Err(_) => crate::text::quoted(location),
    }
}
