//! HubSpot's API: one request with its retries and waits, and what its errors mean.

use std::sync::Mutex;
use std::time::Duration;

use http::{StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::HubSpotSettings;
use crate::crm::CrmError;
use crate::crm::failure::{clean, object, object_in_parts, secret_header};
use crate::crm::reading::{AccountFacts, whole};
use crate::http::{ApiRequest, Client, Limits, NetError, Response, Schedule};
use crate::model::CrmName;

pub(super) use crate::crm::failure::Failure;

// How long to wait: HubSpot names the limit that was reached in the body of
// its 429, not in `Retry-After`.

/// Waits and tries as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// How often a request is sent at most.
    pub tries: u32,
    /// The wait for the limit of one second, times the try.
    pub secondly: Duration,
    /// The wait for the limit of ten seconds, times the try.
    pub ten_secondly: Duration,
    /// The wait after an error of the server, times the try.
    pub server: Duration,
    /// The least wait for a record that another change holds.
    pub locked: Duration,
    /// The longest wait the server may ask for.
    pub longest: Duration,
    /// The least time between two searches: an account has five a second.
    pub between_searches: Duration,
}

impl Default for Pace {
    /// As HubSpot's own SDK waits.
    fn default() -> Self {
        Self {
            tries: 5,
            secondly: Duration::from_secs(1),
            ten_secondly: Duration::from_secs(10),
            server: Duration::from_millis(400),
            locked: Duration::from_secs(2),
            longest: Duration::from_secs(60),
            between_searches: Duration::from_millis(220),
        }
    }
}

impl Pace {
    /// The same tries without any wait, for tests.
    #[must_use]
    pub fn without_waits() -> Self {
        let none = Duration::ZERO;
        Self {
            secondly: none,
            ten_secondly: none,
            server: none,
            locked: none,
            between_searches: none,
            ..Self::default()
        }
    }

    /// How long to wait before trying again after this answer; `None` where
    /// that is no use or may act twice.
    pub(super) fn wait(
        &self,
        attempt: u32,
        answer: &Response,
        repeatable: bool,
    ) -> Option<Duration> {
        if attempt >= self.tries {
            return None;
        }
        let own = match answer.status.as_u16() {
            429 => match limit(answer).as_deref() {
                Some("DAILY") => return None,
                Some("SECONDLY") => self.secondly * attempt,
                _ => self.ten_secondly * attempt,
            },
            423 if repeatable => self.locked * attempt,
            477 | 500 | 502 | 503 | 504 | 524 if repeatable => self.server * attempt,
            _ => return None,
        };
        match answer.retry_after() {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked.max(own)),
            None => Some(own),
        }
    }
}

/// The name of the limit that a 429 speaks of.
pub(super) fn limit(answer: &Response) -> Option<String> {
    let body: Value = answer.json().ok()?;
    body.get("policyName")?.as_str().map(str::to_uppercase)
}

// HubSpot's API: one request with its retries, and what its errors mean.

/// A client for one account.
pub(super) struct HubSpotApi {
    client: Client,
    token: SecretString,
    version: String,
    pub(super) pace: Pace,
    next_search: Mutex<Option<Instant>>,
    account: AccountFacts,
}

/// Areas that concern the account and not one deal.
const OF_ACCOUNT: [&str; 4] = ["account-info", "crm/pipelines", "crm/properties", "crm/owners"];

impl HubSpotApi {
    pub(super) fn new(
        settings: &HubSpotSettings,
        token: SecretString,
        limits: Limits,
    ) -> Result<Self, CrmError> {
        let bearer = format!("Bearer {}", token.expose_secret());
        let headers = secret_header(header::AUTHORIZATION, &bearer, "HUBSPOT_TOKEN")?;
        // HubSpot's waits depend on its bodies, so the tries are counted here.
        let client = Client::new(settings.base_url.clone(), headers, Schedule::once());
        let client = client.with_limits(limits);
        Ok(Self {
            client,
            token,
            version: settings.api_version.clone(),
            pace: Pace::default(),
            next_search: Mutex::new(None),
            account: AccountFacts::default(),
        })
    }

    /// The base URL, for the evidence.
    pub(super) fn base(&self) -> &str {
        self.client.base().as_str()
    }

    /// Reads.
    pub(super) async fn get(&self, area: &str, rest: &str) -> Result<Value, Failure> {
        let path = self.path(area, rest);
        let ask = async {
            let answer = self.send(&ApiRequest::get(&path)).await?;
            self.object(&path, &answer)
        };
        if OF_ACCOUNT.contains(&area) { self.account.once(&path, ask).await } else { ask.await }
    }

    /// Every record of a list.
    pub(super) async fn list(&self, area: &str, rest: &str) -> Result<Vec<Value>, Failure> {
        let path = self.path(area, rest);
        let ask = whole(self, path.clone());
        if OF_ACCOUNT.contains(&area) {
            self.account.list_once(&path, ask).await
        } else {
            ask.await
        }
    }

    /// An answer's object. One that says `status: error` is an error whatever
    /// its HTTP status.
    pub(super) fn object(&self, path: &str, answer: &Response) -> Result<Value, Failure> {
        let object = match answer.status {
            StatusCode::MULTI_STATUS => object_in_parts("HubSpot", path, answer)?,
            _ => object("HubSpot", path, answer)?,
        };
        if object["status"] == "error" { Err(self.failure(answer)) } else { Ok(object) }
    }

    /// Reads with a body; gives the bytes too, for the population's hash.
    pub(super) async fn read(
        &self,
        area: &str,
        rest: &str,
        body: &Value,
    ) -> Result<(Value, bytes::Bytes), Failure> {
        let path = self.path(area, rest);
        let answer = self.send(&ApiRequest::ask(&path, body)).await?;
        Ok((self.object(&path, &answer)?, answer.body))
    }

    /// As [`Api::read`], no faster than an account may search.
    pub(super) async fn search(&self, body: &Value) -> Result<(Value, bytes::Bytes), Failure> {
        let due = {
            let mut next = self.next_search.lock().expect("nothing panics while it is held");
            let due = next.unwrap_or_else(Instant::now).max(Instant::now());
            *next = Some(due + self.pace.between_searches);
            due
        };
        sleep_until(due).await;
        self.read("crm/objects", "deals/search", body).await
    }

    /// Changes one record; the same change again gives the same record.
    pub(super) async fn patch(&self, rest: &str, body: &Value) -> Result<Value, Failure> {
        let path = self.path("crm/objects", rest);
        let answer = self.send(&ApiRequest::patch(&path, body)).await?;
        self.object(&path, &answer)
    }

    /// Creates a record; not repeated where it may have been created.
    pub(super) async fn create(&self, rest: &str, body: &Value) -> Result<Value, Failure> {
        let path = self.path("crm/objects", rest);
        let answer = self.send(&ApiRequest::create(&path, body)).await?;
        self.object(&path, &answer)
    }

    /// `crm/objects` and `deals/1?x=y` become `crm/objects/2026-09/deals/1?x=y`.
    pub(super) fn path(&self, area: &str, rest: &str) -> String {
        format!("{area}/{}/{rest}", self.version)
    }

    pub(super) async fn send(&self, request: &ApiRequest<'_>) -> Result<Response, Failure> {
        let (path, repeatable) = (request.path(), request.is_repeatable());
        let mut attempt = 1;
        let begun = Instant::now();
        loop {
            let result = self.client.send(request).await;
            let wait = match &result {
                // HubSpot still works on it.
                Ok(answer) if answer.status == StatusCode::ACCEPTED && repeatable => {
                    (attempt < self.pace.tries).then(|| self.pace.server * attempt)
                }
                Ok(answer) if answer.status.is_success() => None,
                Ok(answer) => self.pace.wait(attempt, answer, repeatable),
                Err(NetError::Unclear { .. }) if !repeatable => None,
                Err(NetError::NotReached { why, .. } | NetError::Unclear { why, .. })
                    if !why.may_pass() =>
                {
                    None
                }
                Err(NetError::Unclear { .. })
                    if begun.elapsed() + self.client.limits().request
                        > self.client.limits().silence =>
                {
                    self.client.give_up();
                    None
                }
                Err(_) => (attempt < self.pace.tries).then(|| self.pace.server * attempt),
            };
            if let Some(wait) = wait {
                tracing::debug!(attempt, ?wait, "HubSpot asks to try again");
                sleep(wait).await;
                attempt += 1;
                continue;
            }
            return match result {
                Ok(answer) if answer.status == StatusCode::ACCEPTED && repeatable => {
                    let why = "is not ready: HubSpot still works on it (202)";
                    Err(Failure::nonsense("HubSpot", path, answer.status, why))
                }
                Ok(answer) if answer.status.is_success() => Ok(answer),
                Ok(answer) => {
                    let setting = "crm.hubspot.base_url";
                    let redirected = Failure::redirected("HubSpot", path, &answer, setting);
                    Err(redirected.unwrap_or_else(|| self.failure(&answer)))
                }
                Err(error) => {
                    Err(Failure::unreachable(&error, "crm.hubspot.base_url", &[&self.token]))
                }
            };
        }
    }

    fn failure(&self, answer: &Response) -> Failure {
        let body = answer.json().unwrap_or_default();
        let said = self.clean(&words(&body));
        let said = if said.is_empty() { format!("status {}", answer.status) } else { said };
        let error = match answer.status.as_u16() {
            401 => CrmError::Denied {
                message: format!("HubSpot does not accept the token: {said}"),
                help: "Set HUBSPOT_TOKEN to a service key (Settings, Integrations, Service Keys) \
                       or to an existing private app's token."
                    .to_owned(),
            },
            403 => CrmError::Denied {
                message: format!("HubSpot does not allow this: {said}"),
                help: match scopes(&body) {
                    Some(scopes) => format!("Give the token these scopes: {scopes}."),
                    None => "Give the token the scopes that docs/crm.md lists.".to_owned(),
                },
            },
            400 | 409 if body["category"] == "VALIDATION_ERROR" => {
                CrmError::Refused { crm: CrmName::new("hubspot"), message: said }
            }
            429 if limit(answer).as_deref() == Some("DAILY") => CrmError::Unavailable {
                message: format!("HubSpot's limit for today is used up: {said}"),
                help: "All integrations of the account share it. It is renewed at midnight in the \
                       account's time zone; run it again then."
                    .to_owned(),
            },
            429 => CrmError::Unavailable {
                message: format!("HubSpot's rate limit did not clear: {said}"),
                help: "Other integrations may be using the account's limit; run it again later."
                    .to_owned(),
            },
            _ => Failure::other_status("HubSpot", answer.status, &said),
        };
        Failure::new(Some(answer.status), error)
    }

    fn clean(&self, text: &str) -> String {
        clean(text, &[&self.token])
    }
}

impl std::fmt::Debug for HubSpotApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubSpotApi").field("base", &self.base()).finish_non_exhaustive()
    }
}

/// What an error body says: its message, and that of each error below with the
/// properties it is about.
fn words(body: &Value) -> String {
    let message = body["message"].as_str().unwrap_or_default();
    let mut words = vec![message.trim_end_matches('.').to_owned()];
    for error in body["errors"].as_array().into_iter().flatten().take(10) {
        let Some(said) = error["message"].as_str() else { continue };
        let mut said = said.trim_end_matches('.').to_owned();
        let named = error.pointer("/context/propertyName").and_then(Value::as_array);
        let names: Vec<&str> = named.into_iter().flatten().filter_map(Value::as_str).collect();
        if !names.is_empty() && !names.iter().all(|name| said.contains(name)) {
            said = format!("{said} ({})", names.join(", "));
        }
        words.push(said);
    }
    words.retain(|part| !part.is_empty());
    if words.is_empty() { String::new() } else { format!("{}.", words.join(": ")) }
}

fn scopes(body: &Value) -> Option<String> {
    let mut scopes = std::collections::BTreeSet::new();
    for error in body["errors"].as_array()? {
        for list in ["requiredGranularScopes", "requiredScopes"] {
            let named = error["context"][list].as_array().into_iter().flatten();
            scopes.extend(named.filter_map(Value::as_str));
        }
    }
    let list: Vec<&str> = scopes.into_iter().collect();
    (!list.is_empty()).then(|| list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str, retry_after: Option<&str>) -> Response {
        let mut headers = http::HeaderMap::new();
        if let Some(seconds) = retry_after {
            headers.insert("retry-after", seconds.parse().expect("header"));
        }
        let status = http::StatusCode::from_u16(status).expect("status");
        Response { status, headers, body: body.to_owned().into() }
    }

    #[test]
    fn each_limit_has_its_wait() {
        let pace = Pace::default();
        let seconds = |attempt, answer: &Response, repeatable| {
            pace.wait(attempt, answer, repeatable).map(|wait| wait.as_secs_f64())
        };
        let ten = answer(429, r#"{"policyName": "TEN_SECONDLY_ROLLING"}"#, None);
        assert_eq!(seconds(1, &ten, false), Some(10.0));
        assert_eq!(seconds(2, &ten, false), Some(20.0));
        assert_eq!(seconds(5, &ten, false), None, "the tries are used up");
        let one = answer(429, r#"{"policyName": "SECONDLY"}"#, None);
        assert_eq!(seconds(1, &one, false), Some(1.0));
        let day = answer(429, r#"{"policyName": "DAILY"}"#, Some("1"));
        assert_eq!(seconds(1, &day, true), None, "today it will not get better");
        assert_eq!(seconds(1, &answer(429, "", Some("30")), false), Some(30.0));
        assert_eq!(seconds(1, &answer(429, "", Some("3600")), false), None);
        assert_eq!(seconds(1, &answer(502, "", None), true), Some(0.4));
        assert_eq!(seconds(2, &answer(423, "", None), true), Some(4.0), "locked");
        assert_eq!(seconds(1, &answer(502, "", None), false), None, "it may have acted");
        assert_eq!(seconds(1, &answer(400, "", None), true), None);
    }
}
