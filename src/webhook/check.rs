//! What is checked the same way at every route before the sender's own proof.

use http::Method;
use secrecy::{ExposeSecret as _, SecretString};

use super::rejection::Rejection;
use super::route::{BODY_LIMIT, Request, Route};
use crate::model::Secrets;
use crate::text;

/// Keys of fewer characters can be guessed; one is most often a paste that lost
/// its rest. Every vendor's own keys are far longer.
const SHORTEST_KEY: usize = 8;

/// Settings, a usable secret, method and size; gives the keys of the first
/// secret the route names.
///
/// # Errors
/// With the first of them that is not as it should be.
///
/// # Panics
/// When a route names no secret, which none does.
pub fn check(
    route: &dyn Route,
    request: &Request<'_>,
    secrets: &Secrets,
) -> Result<Vec<SecretString>, Rejection> {
    let provider = route.title();
    if let Some(setting) = route.missing_setting() {
        return Err(Rejection::NoSetting { provider, setting });
    }
    let secret = route.secret_names().first().copied().expect("every route names a secret");
    let keys = secrets.list(secret);
    if keys.is_empty() {
        return Err(Rejection::NoSecret { provider, secret });
    }
    if let Some(rejection) = unusable(route, secrets) {
        return Err(rejection);
    }
    if request.method != Method::POST {
        return Err(Rejection::WrongMethod { provider });
    }
    let bytes = request.body.len();
    if bytes > BODY_LIMIT {
        return Err(Rejection::TooLarge { provider, bytes, limit: BODY_LIMIT });
    }
    Ok(keys)
}

/// What a route needs before it accepts anything and does not have: settings
/// and secrets by name.
#[must_use]
pub fn lacks(route: &dyn Route, secrets: &Secrets) -> Vec<&'static str> {
    let secret = route.secret_names().first().copied().filter(|name| secrets.list(name).is_empty());
    route.missing_setting().into_iter().chain(secret).collect()
}

/// Why the secret that is set cannot be used: one of its keys is empty behind
/// its prefix or too short. Such a route refuses everything.
#[must_use]
pub fn unusable(route: &dyn Route, secrets: &Secrets) -> Option<Rejection> {
    let secret = route.secret_names().first().copied()?;
    let is_short = |key: &SecretString| {
        let key = key.expose_secret();
        let bare = key.strip_prefix("whsec_").or_else(|| key.strip_prefix("whpk_")).unwrap_or(key);
        bare.chars().count() < SHORTEST_KEY
    };
    secrets.list(secret).iter().any(is_short).then(|| Rejection::UnusableSecret {
        secret,
        why: format!(
            "a key in it has fewer than {SHORTEST_KEY} characters; copy the whole key that {} shows",
            route.title()
        ),
    })
}

/// That the body claims to be of this type, such as `application/json`, or of
/// one that ends in its `+json`; a missing content type is let through,
/// because the proof decides.
///
/// # Errors
/// When it claims to be of another type.
pub fn expect_content_type(
    route: &dyn Route,
    request: &Request<'_>,
    expected: &'static str,
) -> Result<(), Rejection> {
    let Some(kind) = request.content_type().map(essence) else { return Ok(()) };
    let suffix = expected.rsplit('/').next().unwrap_or(expected);
    let fits = kind == expected
        || kind.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('+'))
        || (suffix == "xml" && kind == "application/xml");
    if fits {
        return Ok(());
    }
    Err(Rejection::WrongContentType { provider: route.title(), expected, got: text::quoted(&kind) })
}

/// A content type without parameters, in lower case.
#[must_use]
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
