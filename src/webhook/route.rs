//! A webhook's route: the request as it came, what every sender has in common,
//! and the answer.

use http::{HeaderMap, Method};

use super::rejection::Rejection;

/// The largest body any notification may have. One megabyte is ample without
/// documents inside, and documents are never wanted here.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// One webhook request as it came, before anything about it is believed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The query without its `?`. It may hold a signature: keep it out of logs.
    pub query: Option<&'a str>,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A header's first value, trimmed, when it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// The content type with its parameters.
    #[must_use]
    pub fn content_type(&self) -> Option<&'a str> {
        self.header("content-type")
    }
}

/// What a route is called, and the secrets that it needs.
#[derive(Debug, Clone, Copy)]
pub struct RouteNames<'a> {
    /// The name in URLs and metrics.
    pub name: &'static str,
    /// The name people know it by, for messages.
    pub title: &'static str,
    /// Other names it answers to in URLs and on the command line.
    pub aliases: &'static [&'static str],
    /// The secrets that verify its requests, the needed one first. Without it
    /// every request is refused.
    pub secrets: &'a [&'static str],
}

/// The route of one sender: its names, what it needs, how it is answered. What
/// it reports is the matter of the room that makes the route.
pub trait Route: Send + Sync {
    /// What it is called, and what it needs.
    fn names(&self) -> RouteNames<'_>;

    /// See [`RouteNames::name`].
    fn name(&self) -> &'static str {
        self.names().name
    }

    /// See [`RouteNames::title`].
    fn title(&self) -> &'static str {
        self.names().title
    }

    /// See [`RouteNames::aliases`].
    fn aliases(&self) -> &'static [&'static str] {
        self.names().aliases
    }

    /// See [`RouteNames::secrets`].
    fn secret_names(&self) -> &[&'static str] {
        self.names().secrets
    }

    /// The setting of `handoff.yaml`, such as `crm.hubspot.webhook.url`, that
    /// is needed and not there. Without it every request is refused.
    fn missing_setting(&self) -> Option<&'static str> {
        None
    }

    /// The answer that tells this sender it was heard.
    fn accepted(&self, request: &Request<'_>) -> Reply {
        let _ = request;
        Reply::ok()
    }

    /// The answer that tells this sender it was not; never 410, which some
    /// take as "unsubscribe".
    fn rejected(&self, rejection: &Rejection) -> Reply {
        Reply::refusal(rejection)
    }
}

/// One answer: status, content type, headers, body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// Further headers, such as Adobe's echo of the client id.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// A plain success.
    #[must_use]
    pub fn ok() -> Self {
        Self::text(200, "received\n")
    }

    /// A plain text.
    #[must_use]
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The answer to a request that was rejected. It says as much as a
    /// stranger may know; the log says the rest.
    #[must_use]
    pub fn refusal(rejection: &Rejection) -> Self {
        let text = match rejection {
            Rejection::NoSecret { .. }
            | Rejection::UnusableSecret { .. }
            | Rejection::NoSetting { .. } => "this webhook is not configured yet\n",
            Rejection::NotConnected { .. } => "this sender is not the one that is connected here\n",
            Rejection::Unsigned { .. }
            | Rejection::BadSignature { .. }
            | Rejection::MalformedSignature { .. }
            | Rejection::OtherAccount { .. }
            | Rejection::Stale { .. } => "not accepted\n",
            Rejection::WrongMethod { .. } => "send a POST request\n",
            Rejection::WrongContentType { .. } => "this content type is not expected here\n",
            Rejection::TooLarge { .. } => "the body is too large\n",
            Rejection::Malformed(_) => "the body could not be read\n",
        };
        Self::text(rejection.status(), text)
    }

    /// The answer when an accepted event could not be stored: come again.
    #[must_use]
    pub fn try_again() -> Self {
        let mut answer = Self::text(503, "not stored; please send it again\n");
        answer.headers.push(("retry-after", "60".to_owned()));
        answer
    }
}
