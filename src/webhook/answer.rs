//! What a webhook is answered with.

use super::rejection::Rejection;

/// One answer: status, content type, headers, body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// Further headers, such as Adobe's echo of the client id.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
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
