//! One request with its retries.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

use super::{BaseUrl, Schedule};

/// Whether a request may be sent again after an unclear outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Semantics {
    /// Reading, or writing that gives the same result however often.
    Idempotent,
    /// Creating: sent again only when the server surely did not act
    /// (connection refused, 429, 503 with `Retry-After`).
    Creates,
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
    /// When it is no JSON.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// How long the server asks to wait, from `Retry-After` in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
        text.trim()
            .parse::<f64>()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }
}

/// Why there is no answer. The words hold method and URL path, never query,
/// header or body.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The server was not reached: nothing happened there.
    #[error("{method} {url}: the server was not reached: {why}")]
    NotReached {
        /// The method.
        method: Method,
        /// The URL without its query.
        url: String,
        /// The cause.
        why: String,
    },
    /// The request may or may not have been acted upon.
    #[error("{method} {url}: no complete answer came: {why}")]
    Unclear {
        /// The method.
        method: Method,
        /// The URL without its query.
        url: String,
        /// The cause.
        why: String,
    },
}

/// A client for one API: base URL, fixed headers, schedule.
#[derive(Debug, Clone)]
pub struct Client {
    inner: reqwest::Client,
    base: BaseUrl,
    headers: HeaderMap,
    schedule: Schedule,
}

impl Client {
    /// A client below this base URL that sends these headers with each
    /// request (mark secret values as sensitive).
    ///
    /// # Panics
    /// When the platform's certificate store cannot be opened at all.
    #[must_use]
    pub fn new(base: BaseUrl, headers: HeaderMap, schedule: Schedule) -> Self {
        // A second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let inner = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("handoff/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("a client without custom certificates can always be built");
        Self { inner, base, headers, schedule }
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// The same client with another header value, such as a renewed token.
    #[must_use]
    pub fn with_header(mut self, name: http::HeaderName, value: http::HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends a request, with JSON if given, and repeats it after the schedule
    /// where that is safe. Any status is an answer; 429 and 5xx only after the
    /// last try.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn send(
        &self,
        semantics: Semantics,
        method: Method,
        path: &str,
        json: Option<&Value>,
    ) -> Result<Response, NetError> {
        let body = json.map(|json| ("application/json", json.to_string().into_bytes()));
        self.send_bytes(semantics, method, path, body).await
    }

    /// As [`Client::send`], with a body of any type: `(content type, bytes)`.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn send_bytes(
        &self,
        semantics: Semantics,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Response, NetError> {
        let mut retry = 0;
        loop {
            let result = self.send_once(&method, path, body.as_ref()).await;
            let again = match &result {
                Ok(response) => match response.status.as_u16() {
                    429 => Some(response.retry_after()),
                    503 if semantics == Semantics::Creates => response.retry_after().map(Some),
                    500 | 502..=504 | 423 | 524 if semantics == Semantics::Idempotent => {
                        Some(response.retry_after())
                    }
                    _ => None,
                },
                Err(NetError::NotReached { .. }) => Some(None),
                Err(NetError::Unclear { .. }) => {
                    (semantics == Semantics::Idempotent).then_some(None)
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

    async fn send_once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&(&str, Vec<u8>)>,
    ) -> Result<Response, NetError> {
        let full = self.base.join(path);
        let url = || full.split('?').next().unwrap_or_default().to_owned();
        let mut request = self.inner.request(method.clone(), &full).headers(self.headers.clone());
        if let Some((content_type, bytes)) = body {
            request = request.header(http::header::CONTENT_TYPE, *content_type).body(bytes.clone());
        }
        let unclear = |error: reqwest::Error| NetError::Unclear {
            method: method.clone(),
            url: url(),
            why: root_cause(&error),
        };
        let response = request.send().await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                NetError::NotReached { method: method.clone(), url: url(), why: root_cause(&error) }
            } else {
                unclear(error)
            }
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(unclear)?;
        Ok(Response { status, headers, body })
    }
}

/// The innermost cause; the outer ones repeat the URL with its query.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "it took too long".to_owned() } else { cause.to_string() }
}
