//! One webhook request as it came.

use http::{HeaderMap, Method};

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
