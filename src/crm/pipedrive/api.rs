//! Pipedrive's API: one request, lists by cursor, and what its errors mean.

use http::{HeaderMap, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::settings::{HOST, PipedriveSettings};
use crate::crm::CrmError;
use crate::crm::failure::{Failure, clean};
use crate::facts::CrmName;
use crate::net::{Client, Response, Schedule, Semantics};

/// Records of one page, at most.
pub(super) const PAGE: usize = 500;

/// A client for one company.
pub(super) struct Api {
    client: Client,
    token: SecretString,
    v1: &'static str,
}

impl Api {
    pub(super) fn new(
        settings: &PipedriveSettings,
        token: SecretString,
        schedule: Schedule,
    ) -> Result<Self, CrmError> {
        let mut value =
            HeaderValue::from_str(token.expose_secret()).map_err(|_| CrmError::Denied {
                message: "PIPEDRIVE_TOKEN holds characters that no token has.".to_owned(),
                help: "Copy the token again, on one line.".to_owned(),
            })?;
        value.set_sensitive(true);
        let headers = HeaderMap::from_iter([("x-api-token".parse().expect("a name"), value)]);
        // The general host has version 1 beside `api/`, a company's below it.
        let v1 = if settings.base_url.as_str() == HOST { "v1" } else { "api/v1" };
        Ok(Self { client: Client::new(settings.base_url.clone(), headers, schedule), token, v1 })
    }

    /// The same with other waits between tries.
    pub(super) fn with_schedule(
        self,
        settings: &PipedriveSettings,
        schedule: Schedule,
    ) -> Result<Self, CrmError> {
        Self::new(settings, self.token, schedule)
    }

    /// The base URL, for the evidence.
    pub(super) fn base(&self) -> &str {
        self.client.base().as_str()
    }

    /// A path of version 2.
    pub(super) fn v2(&self, rest: &str) -> String {
        format!("api/v2/{rest}")
    }

    /// A path of version 1, where version 2 has none.
    pub(super) fn v1(&self, rest: &str) -> String {
        format!("{}/{rest}", self.v1)
    }

    /// Reads, with the bytes for the population's hash.
    pub(super) async fn read(&self, path: &str) -> Result<(Value, bytes::Bytes), Failure> {
        let answer = self.send(Semantics::Idempotent, Method::GET, path, None).await?;
        Ok((self.body(path, &answer)?, answer.body))
    }

    /// Reads what an answer holds under `data`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.read(path).await?.0["data"].take())
    }

    /// Every record of a list, however many pages it has.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let mut records = Vec::new();
        let mut next = Some(first(path));
        while let Some(page) = next.take() {
            let (mut answer, _) = self.read(&page).await?;
            next = after(path, &answer, records.len());
            if let Value::Array(page) = answer["data"].take() {
                // A cursor behind nothing would go on for ever.
                if page.is_empty() {
                    break;
                }
                records.extend(page);
            }
        }
        Ok(records)
    }

    /// Records by id, a hundred in a request.
    pub(super) async fn by_ids(&self, object: &str, ids: &[u64]) -> Result<Vec<Value>, Failure> {
        let mut records = Vec::new();
        for ids in ids.chunks(100) {
            let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
            let path =
                self.v2(&format!("{object}?ids={}&include_option_labels=true", ids.join(",")));
            records.extend(self.list(&path).await?);
        }
        Ok(records)
    }

    /// Changes one record; the same change again gives the same record.
    pub(super) async fn patch(&self, path: &str, json: &Value) -> Result<Value, Failure> {
        let answer = self.send(Semantics::Idempotent, Method::PATCH, path, Some(json)).await?;
        Ok(self.body(path, &answer)?["data"].take())
    }

    /// Creates a record; not repeated where it may have been created.
    pub(super) async fn create(&self, path: &str, json: &Value) -> Result<(), Failure> {
        self.send(Semantics::Creates, Method::POST, path, Some(json)).await.map(|_| ())
    }

    async fn send(
        &self,
        semantics: Semantics,
        method: Method,
        path: &str,
        json: Option<&Value>,
    ) -> Result<Response, Failure> {
        let answer = self.client.send(semantics, method, path, json).await;
        let answer = answer.map_err(|error| Failure {
            status: None,
            error: CrmError::Unavailable {
                message: format!("{}.", clean(&error.to_string(), &[&self.token])),
                help: "Check the network and crm.pipedrive.base_url, and run it again.".to_owned(),
            },
        })?;
        if answer.status.is_success() { Ok(answer) } else { Err(self.failure(&answer)) }
    }

    fn body(&self, path: &str, answer: &Response) -> Result<Value, Failure> {
        answer.json().map_err(|error| Failure {
            status: Some(answer.status),
            error: CrmError::Unavailable {
                message: format!(
                    "Pipedrive's answer to {} is no JSON: {error}.",
                    path.split('?').next().unwrap_or_default()
                ),
                help: "Run it again; if it stays so, a proxy may answer in Pipedrive's place."
                    .to_owned(),
            },
        })
    }

    fn failure(&self, answer: &Response) -> Failure {
        let body = answer.json().unwrap_or_default();
        // The two versions word their errors differently.
        let words: Vec<&str> = ["error", "message", "error_info"]
            .iter()
            .filter_map(|name| body[name].as_str())
            .map(|words| words.trim().trim_end_matches('.'))
            .filter(|words| !words.is_empty() && !words.starts_with("Please check developers"))
            .collect();
        let said = clean(&words.join(": "), &[&self.token]);
        let said = if said.is_empty() { format!("status {}", answer.status) } else { said };
        let error = match answer.status.as_u16() {
            401 => CrmError::Denied {
                message: format!("Pipedrive does not accept the token: {said}."),
                help: "Set PIPEDRIVE_TOKEN to the API token of an admin (Personal preferences, \
                       API)."
                    .to_owned(),
            },
            402 | 403 => CrmError::Denied {
                message: format!("Pipedrive does not allow this: {said}."),
                help: "A token may do what its user may: use an admin's.".to_owned(),
            },
            400 | 409 | 422 => {
                CrmError::Refused { crm: CrmName::new("pipedrive"), message: format!("{said}.") }
            }
            429 => CrmError::Unavailable {
                message: format!("Pipedrive's rate limit did not clear: {said}."),
                help: "The company's integrations share a daily budget of tokens, renewed at \
                       midnight; run it again later."
                    .to_owned(),
            },
            status => CrmError::Unavailable {
                message: format!("Pipedrive answered {status}: {said}."),
                help: "Run it again; status.pipedrive.com tells of outages.".to_owned(),
            },
        };
        Failure { status: Some(answer.status), error }
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("base", &self.base()).finish_non_exhaustive()
    }
}

/// The first page of a list.
pub(super) fn first(path: &str) -> String {
    format!("{path}{}limit={PAGE}", if path.contains('?') { '&' } else { '?' })
}

/// The page behind an answer: version 2 has cursors, version 1 counts.
pub(super) fn after(path: &str, answer: &Value, before: usize) -> Option<String> {
    let more = &answer["additional_data"];
    if let Some(cursor) = more["next_cursor"].as_str().filter(|cursor| !cursor.is_empty()) {
        let cursor: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        return Some(format!("{}&cursor={cursor}", first(path)));
    }
    (more["pagination"]["more_items_in_collection"] == true).then(|| {
        let read = before + answer["data"].as_array().map_or(0, Vec::len);
        format!("{}&start={read}", first(path))
    })
}
