//! Pipedrive's API: one request, lists by cursor, and what its errors mean.

use async_trait::async_trait;
use http::HeaderName;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{HOST, PipedriveSettings};
use crate::crm::CrmError;
use crate::crm::failure::{Failure, clean, cursor, list, object, secret_header};
use crate::crm::reading::{AccountFacts, PageSource, whole};
use crate::http::{ApiRequest, Client, Limits, Page, Response, Schedule};
use crate::model::CrmName;

/// Records of one page, at most.
const PAGE: usize = 500;

/// Records of one request by their ids, at most.
pub(super) const BY_IDS: usize = 100;

/// A client for one company.
pub(super) struct PipedriveApi {
    client: Client,
    token: SecretString,
    v1: &'static str,
    account: AccountFacts,
}

/// Whether a path concerns the company and not one deal.
fn is_of_account(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(name, "me" | "users" | "pipelines" | "stages") || name.ends_with("Fields")
}

impl PipedriveApi {
    pub(super) fn new(
        settings: &PipedriveSettings,
        token: SecretString,
        schedule: Schedule,
    ) -> Result<Self, CrmError> {
        let name = HeaderName::from_static("x-api-token");
        let headers = secret_header(name, token.expose_secret(), "PIPEDRIVE_TOKEN")?;
        // The general host has version 1 beside `api/`, a company's below it.
        let v1 = if settings.base_url.as_str() == HOST { "v1" } else { "api/v1" };
        let client = Client::new(settings.base_url.clone(), headers, schedule);
        Ok(Self { client, token, v1, account: AccountFacts::default() })
    }

    /// The same with other waits between tries.
    pub(super) fn with_schedule(
        self,
        settings: &PipedriveSettings,
        schedule: Schedule,
    ) -> Result<Self, CrmError> {
        Self::new(settings, self.token, schedule)
    }

    /// The same with other time limits.
    pub(super) fn with_limits(self, limits: Limits) -> Self {
        Self { client: self.client.with_limits(limits), ..self }
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
        let answer = self.send(&ApiRequest::get(path)).await?;
        Ok((self.object(path, &answer)?, answer.body))
    }

    /// Reads what an answer holds under `data`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        let ask = async {
            let (mut answer, _) = self.read(path).await?;
            Ok(answer.get_mut("data").map(Value::take).unwrap_or_default())
        };
        if is_of_account(path) { self.account.once(path, ask).await } else { ask.await }
    }

    /// Every record of a list, however many pages it has.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let ask = whole(self, first(path));
        if is_of_account(path) { self.account.list_once(path, ask).await } else { ask.await }
    }

    /// An answer's object. `success: false` is an error whatever the status.
    fn object(&self, path: &str, answer: &Response) -> Result<Value, Failure> {
        let object = object("Pipedrive", path, answer)?;
        if object["success"] == false { Err(self.failure(answer)) } else { Ok(object) }
    }

    /// Records by id, a hundred in a request.
    pub(super) async fn by_ids(&self, object: &str, ids: &[u64]) -> Result<Vec<Value>, Failure> {
        let mut records = Vec::new();
        for ids in ids.chunks(BY_IDS) {
            let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
            let more = "include_option_labels=true";
            let path = self.v2(&format!("{object}?ids={}&{more}", ids.join(",")));
            records.extend(self.list(&path).await?);
        }
        Ok(records)
    }

    /// Changes one record; the same change again gives the same record.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let answer = self.send(&ApiRequest::patch(path, body)).await?;
        let mut changed = self.object(path, &answer)?;
        Ok(changed.get_mut("data").map(Value::take).unwrap_or_default())
    }

    /// Creates a record; not repeated where it may have been created.
    pub(super) async fn create(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let answer = self.send(&ApiRequest::create(path, body)).await?;
        let mut made = self.object(path, &answer)?;
        Ok(made.get_mut("data").map(Value::take).unwrap_or_default())
    }

    async fn send(&self, request: &ApiRequest<'_>) -> Result<Response, Failure> {
        let setting = "crm.pipedrive.base_url";
        let answer = self.client.send(request).await;
        let answer =
            answer.map_err(|error| Failure::unreachable(&error, setting, &[&self.token]))?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let redirected = Failure::redirected("Pipedrive", request.path(), &answer, setting);
        Err(redirected.unwrap_or_else(|| self.failure(&answer)))
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
            _ => Failure::other_status("Pipedrive", answer.status, &format!("{said}.")),
        };
        Failure::new(Some(answer.status), error)
    }
}

impl std::fmt::Debug for PipedriveApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipedriveApi").field("base", &self.base()).finish_non_exhaustive()
    }
}

/// Pages of a list: version 2 has cursors, version 1 counts.
#[async_trait]
impl PageSource for PipedriveApi {
    fn crm(&self) -> &'static str {
        "Pipedrive"
    }

    async fn page(&self, at: &str, before: usize) -> Result<Page, Failure> {
        let (mut answer, bytes) = self.read(at).await?;
        let more = &answer["additional_data"];
        let next_cursor = cursor(&more["next_cursor"]);
        let counts = more["pagination"]["more_items_in_collection"] == true;
        let records = match &answer["data"] {
            // Version 1 writes null where a deal has no participants, mails or notes.
            Value::Null
                if answer["success"] == true
                    && !counts
                    && ["/participants", "/mailMessages", "notes?"]
                        .iter()
                        .any(|list| at.contains(list)) =>
            {
                Vec::new()
            }
            _ => list("Pipedrive", at, &mut answer, "data")?,
        };
        let of_list = at.split("&cursor=").next().unwrap_or(at);
        let of_list = of_list.split("&start=").next().unwrap_or(of_list);
        let next = match next_cursor {
            Some(cursor) => {
                let cursor: String =
                    url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
                Some(format!("{of_list}&cursor={cursor}"))
            }
            None => counts.then(|| format!("{of_list}&start={}", before + records.len())),
        };
        Ok(Page { records, bytes, total: None, next })
    }
}

/// The first page of a list.
pub(super) fn first(path: &str) -> String {
    format!("{path}{}limit={PAGE}", if path.contains('?') { '&' } else { '?' })
}
