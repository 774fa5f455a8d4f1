//! A target's API over HTTP, and what an answer means for a delivery where the
//! target has no rules of its own.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::sink::DeliveryError;
use crate::http::{
    ApiRequest, BaseUrl, Client, NetError, Page, PageWalk, PagesFault, Response, Schedule,
    secret_header,
};
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

/// A target's list while its pages are read. One that goes in a circle or on for ever,
/// or holds less than it counts, is an error and not a shorter list: who looks there
/// for what was made would make it again.
pub(super) struct TargetPages {
    target: &'static str,
    walk: PageWalk,
    fault: Option<PagesFault>,
}

impl TargetPages {
    /// A list of this target.
    pub(super) fn of(target: &'static str) -> Self {
        Self { target, walk: PageWalk::new(""), fault: None }
    }

    /// The place of the page to read now, empty for the first; `None` behind the last.
    ///
    /// # Errors
    /// When the list is not whole.
    pub(super) fn next(&mut self) -> Result<Option<String>, DeliveryError> {
        let next = self.walk.next();
        let fault = self.fault.take();
        match fault.map_or_else(|| if next.is_none() { self.walk.finish() } else { Ok(()) }, Err) {
            Ok(()) => Ok(next),
            Err(fault) => Err(self.broken(&fault.to_string())),
        }
    }

    /// The items of a page, before what it says of the next one is judged.
    pub(super) fn take(&mut self, page: Page) -> Vec<Value> {
        self.fault = self.walk.take(&page).err();
        page.records
    }

    /// Takes a list out of an answer.
    ///
    /// # Errors
    /// When there is none under this name.
    pub(super) fn items(
        &self,
        answer: &mut Value,
        name: &str,
    ) -> Result<Vec<Value>, DeliveryError> {
        let items = answer.get_mut(name).and_then(Value::as_array_mut).map(std::mem::take);
        items.ok_or_else(|| self.broken(&format!("an answer has no `{name}`")))
    }

    /// A list that is not whole.
    pub(super) fn broken(&self, why: &str) -> DeliveryError {
        DeliveryError::transient(format!("a list of {} is not whole: {why}", self.target))
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
