//! What is checked the same way for every provider before its own proof.

use http::Method;
use secrecy::SecretString;

use super::error::Rejection;
use super::port::{Provider, Request};
use crate::facts::Secrets;
use crate::text;

/// Method, size and the presence of a secret; gives the keys of the first
/// secret the provider names.
pub(super) fn check(
    provider: &dyn Provider,
    request: &Request<'_>,
    secrets: &Secrets,
    limit: usize,
) -> Result<Vec<SecretString>, Rejection> {
    let secret = provider.secret_names().first().copied().expect("every provider names a secret");
    let keys = secrets.list(secret);
    if keys.is_empty() {
        return Err(Rejection::NoSecret { provider: provider.title(), secret });
    }
    if request.method != Method::POST {
        return Err(Rejection::WrongMethod { provider: provider.title() });
    }
    let bytes = request.body.len();
    if bytes > limit {
        return Err(Rejection::TooLarge { provider: provider.title(), bytes, limit });
    }
    Ok(keys)
}

/// That the body claims to be JSON; a missing content type is let through,
/// because the signature decides.
pub(super) fn expect_json(provider: &dyn Provider, request: &Request<'_>) -> Result<(), Rejection> {
    match request.content_type().map(essence) {
        None => Ok(()),
        Some(kind) if kind == "application/json" || kind.ends_with("+json") => Ok(()),
        Some(kind) => Err(Rejection::WrongContentType {
            provider: provider.title(),
            expected: "application/json",
            got: text::quoted(&kind),
        }),
    }
}

/// A content type without parameters, in lower case.
pub(super) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
