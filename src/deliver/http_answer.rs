//! What an answer over HTTP means for a delivery, where the target has no
//! rules of its own.

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::sink::DeliveryError;
use crate::http::{NetError, Response};
use crate::text;

/// A request without an answer.
pub(super) fn answered(sent: Result<Response, NetError>) -> Result<Response, DeliveryError> {
    sent.map_err(|error| match error {
        NetError::NotReached { .. } => DeliveryError::transient(error.to_string()),
        NetError::Unclear { .. } => DeliveryError::unclear(error.to_string()),
    })
}

/// An answer that is no success. `words` are the target's, `help` says what to
/// do about a refusal.
pub(super) fn fault(target: &str, response: &Response, words: &str, help: &str) -> DeliveryError {
    let status = response.status.as_u16();
    let words = text::shorten(&text::one_line(words), 300);
    let message = format!("{target} answered {status}: {words}");
    match status {
        429 => DeliveryError::Transient { message, retry_after: response.retry_after() },
        503 if response.retry_after().is_some() => {
            DeliveryError::Transient { message, retry_after: response.retry_after() }
        }
        500.. => DeliveryError::unclear(message),
        _ => DeliveryError::permanent(message, help.to_owned()),
    }
}

/// The answer's JSON, or what its status means.
pub(super) fn json(target: &str, response: &Response, help: &str) -> Result<Value, DeliveryError> {
    let body = response.json();
    if !response.status.is_success() {
        return Err(fault(target, response, &words(&body.unwrap_or_default()), help));
    }
    body.map_err(|error| {
        DeliveryError::unclear(format!("{target}: the answer is no JSON: {error}"))
    })
}

/// What the usual shapes of errors say, one after the other.
fn words(body: &Value) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut take = |value: &Value| {
        if let Some(text) = value.as_str() {
            words.push(text.to_owned());
        }
    };
    take(&body["message"]);
    body["errorMessages"].as_array().into_iter().flatten().for_each(&mut take);
    for error in body["errors"].as_array().into_iter().flatten() {
        take(&error["message"]);
    }
    for (field, error) in body["errors"].as_object().into_iter().flatten() {
        take(&Value::from(format!("{field}: {}", error.as_str().unwrap_or("refused"))));
    }
    if words.is_empty() { "no reason given".to_owned() } else { words.join("; ") }
}

/// An `Authorization` header that is never shown; the error names the secret.
pub(super) fn authorization(
    kind: &str,
    secret: &SecretString,
    name: &str,
) -> Result<HeaderMap, String> {
    let mut value = HeaderValue::from_str(&format!("{kind} {}", secret.expose_secret()))
        .map_err(|_| format!("{name} holds characters that no header can"))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}
