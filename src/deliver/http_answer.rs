//! A target's API over HTTP, and what an answer means for a delivery where the
//! target has no rules of its own.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::sink::DeliveryError;
use crate::http::{ApiRequest, BaseUrl, Client, NetError, Response, Schedule, secret_header};
use crate::text;

/// An API that answers in JSON, as one account sees it.
#[derive(Clone)]
pub(super) struct JsonApi {
    client: Arc<Client>,
    /// The target for people.
    name: &'static str,
    /// What to do about a refusal.
    help: &'static str,
}

impl JsonApi {
    pub(super) fn new(
        base: BaseUrl,
        headers: HeaderMap,
        name: &'static str,
        help: &'static str,
    ) -> Self {
        let client = Arc::new(Client::new(base, headers, Schedule::interactive()));
        Self { client, name, help }
    }

    /// Sends a request; any status is an answer.
    pub(super) async fn send(&self, request: &ApiRequest<'_>) -> Result<Response, DeliveryError> {
        self.client.send(request).await.map_err(|error| match error {
            NetError::NotReached { .. } => DeliveryError::transient(error.to_string()),
            NetError::Unclear { .. } => DeliveryError::unclear(error.to_string()),
        })
    }

    /// The JSON of a request's answer.
    pub(super) async fn ask(&self, request: &ApiRequest<'_>) -> Result<Value, DeliveryError> {
        json(self.name, &self.send(request).await?, self.help)
    }

    /// The JSON at a path.
    pub(super) async fn read(&self, path: &str) -> Result<Value, DeliveryError> {
        self.ask(&ApiRequest::get(path)).await
    }

    /// The JSON at a path where there may be nothing, which these statuses say.
    pub(super) async fn read_if_there(
        &self,
        path: &str,
        nothing: &[u16],
    ) -> Result<Option<Value>, DeliveryError> {
        let response = self.send(&ApiRequest::get(path)).await?;
        if nothing.contains(&response.status.as_u16()) {
            return Ok(None);
        }
        json(self.name, &response, self.help).map(Some)
    }

    /// Writes where nothing need be answered.
    pub(super) async fn write(&self, request: &ApiRequest<'_>) -> Result<(), DeliveryError> {
        let response = self.send(request).await?;
        if response.status.is_success() {
            return Ok(());
        }
        json(self.name, &response, self.help).map(drop)
    }
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
        DeliveryError::unclear(format!("{target}: the answer is not JSON: {error}"))
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
    secret_header(AUTHORIZATION, &format!("{kind} {}", secret.expose_secret()))
        .ok_or_else(|| format!("{name} holds characters that no header can"))
}
