//! Salesforce's API: one request in the org's session, and what its errors mean.

use async_trait::async_trait;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::sleep;
use url::form_urlencoded;

use super::session::{Open, Session};
use super::settings::SalesforceSettings;
use crate::crm::CrmError;
use crate::crm::failure::{Failure, clean, json};
use crate::crm::reading::{Page, Pages, take_list};
use crate::http::{Response, Semantics};
use crate::model::{CrmName, Secrets};

/// A client for one org.
pub(super) struct Api {
    pub(super) session: Session,
    version: String,
}

impl Api {
    pub(super) fn new(settings: &SalesforceSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let session = Session::new(settings, secrets)?;
        Ok(Self { session, version: settings.api_version.as_str().to_owned() })
    }

    /// The instance's URL, for links and the evidence.
    pub(super) async fn base(&self) -> Result<String, Failure> {
        Ok(self.session.open().await?.client.base().as_str().to_owned())
    }

    /// `sobjects/Opportunity/describe` as a path of the configured version.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("services/data/{}/{rest}", self.version)
    }

    /// Where a query is answered; `all` has deleted records too.
    pub(super) fn query_path(&self, soql: &str, all: bool) -> String {
        let query: String = form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        self.path(&format!("{}?q={query}", if all { "queryAll" } else { "query" }))
    }

    /// Reads, with the bytes for the population's hash.
    pub(super) async fn read(&self, path: &str) -> Result<(Value, bytes::Bytes), Failure> {
        let answer = self.answer(path).await?;
        Ok((json("Salesforce", path, &answer)?, answer.body))
    }

    /// Reads what is no JSON.
    pub(super) async fn answer(&self, path: &str) -> Result<Response, Failure> {
        self.send(Semantics::Idempotent, Method::GET, path, None).await
    }

    /// Reads below the version's path.
    pub(super) async fn get(&self, rest: &str) -> Result<Value, Failure> {
        Ok(self.read(&self.path(rest)).await?.0)
    }

    /// Every record of a query, deleted ones too.
    pub(super) async fn query(&self, soql: &str) -> Result<Vec<Value>, Failure> {
        let (first, _) = self.read(&self.query_path(soql, true)).await?;
        self.whole(first).await
    }

    /// The records of an answer and of the pages behind it.
    pub(super) async fn whole(&self, mut answer: Value) -> Result<Vec<Value>, Failure> {
        let mut records = Vec::new();
        loop {
            records.extend(take_list(&mut answer, "records"));
            match answer["nextRecordsUrl"].as_str() {
                Some(next) if answer["done"] == false => answer = self.read(next).await?.0,
                _ => return Ok(records),
            }
        }
    }

    /// Changes one record; the same change again gives the same record.
    pub(super) async fn patch(&self, rest: &str, body: &Value) -> Result<(), Failure> {
        let path = self.path(rest);
        self.send(Semantics::Idempotent, Method::PATCH, &path, Some(body)).await.map(|_| ())
    }

    /// Creates a record; not repeated where it may have been created.
    pub(super) async fn create(&self, rest: &str, body: &Value) -> Result<Value, Failure> {
        let path = self.path(rest);
        let answer = self.send(Semantics::Creates, Method::POST, &path, Some(body)).await?;
        json("Salesforce", &path, &answer)
    }

    /// Deletes what was created for a while.
    pub(super) async fn delete(&self, rest: &str) -> Result<(), Failure> {
        let path = self.path(rest);
        self.send(Semantics::Idempotent, Method::DELETE, &path, None).await.map(|_| ())
    }

    async fn send(
        &self,
        semantics: Semantics,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response, Failure> {
        let mut open = self.session.open().await?;
        let (mut renewed, mut retry) = (false, 0);
        loop {
            let answer = open.client.send(semantics, method.clone(), path, body).await;
            let answer = answer.map_err(|error| {
                let host = "crm.salesforce.login_url";
                Failure::unreachable(&error, host, &[&open.token])
            })?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            let failed = Words::of(&answer);
            // The request was not looked at, whatever it was.
            if failed.code == "INVALID_SESSION_ID" && !renewed {
                renewed = true;
                open = self.session.renew(&open).await?;
                continue;
            }
            // Too many requests at a time; the day's limit has the same code.
            if failed.code == LIMIT
                && failed.message.starts_with("Concurrent")
                && let Some(wait) = self.session.schedule.wait(retry, answer.retry_after())
            {
                retry += 1;
                sleep(wait).await;
                continue;
            }
            return Err(failed.failure(answer.status, &open));
        }
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("version", &self.version).finish_non_exhaustive()
    }
}

const LIMIT: &str = "REQUEST_LIMIT_EXCEEDED";

/// Pages of a query: the first by its path, the others as the answer says.
#[async_trait]
impl Pages for Api {
    async fn page(&self, at: &str, _: usize) -> Result<Page, Failure> {
        let (mut answer, bytes) = self.read(at).await?;
        let records = take_list(&mut answer, "records");
        let next = answer["nextRecordsUrl"].as_str().filter(|_| answer["done"] == false);
        let total = answer["totalSize"].as_u64().and_then(|n| usize::try_from(n).ok());
        Ok(Page { records, bytes, total, next: next.map(str::to_owned) })
    }
}

/// What an error body says: the code of the first error and the words of all.
struct Words {
    code: String,
    message: String,
}

impl Words {
    fn of(answer: &Response) -> Self {
        let body = answer.json().unwrap_or_default();
        let errors = body.as_array().map_or(&[][..], Vec::as_slice);
        let mut said = Vec::new();
        for error in errors.iter().take(10) {
            let message = error["message"].as_str().unwrap_or_default();
            let mut message = message.trim().trim_end_matches('.').to_owned();
            let fields = error["fields"].as_array().into_iter().flatten();
            let fields: Vec<&str> = fields.filter_map(Value::as_str).collect();
            if !fields.is_empty() {
                message = format!("{message} ({})", fields.join(", "));
            }
            said.push(message);
        }
        let first = errors.first().map_or(&Value::Null, |error| &error["errorCode"]);
        Self { code: first.as_str().unwrap_or_default().to_owned(), message: said.join("; ") }
    }

    fn failure(&self, status: StatusCode, open: &Open) -> Failure {
        let said = clean(&self.message, &[&open.token]);
        let said = if said.is_empty() { format!("status {status}") } else { said };
        let error = match (status.as_u16(), self.code.as_str()) {
            (401, _) => CrmError::Denied {
                message: format!("Salesforce does not accept the session: {said}."),
                help: "Check in the org that the app's user may use the API.".to_owned(),
            },
            (403, LIMIT) => CrmError::Unavailable {
                message: format!("Salesforce's limit of requests is used up: {said}."),
                help: "All integrations of the org share the requests of 24 hours; run it again \
                       later. Setup, Company Information shows them."
                    .to_owned(),
            },
            (403, _) => CrmError::Denied {
                message: format!("Salesforce does not allow this: {said}."),
                help: "Give the app's user the permissions that docs/crm.md lists.".to_owned(),
            },
            (404, _) => CrmError::Denied {
                message: format!("Salesforce has no such thing, or hides it: {said}."),
                help: "Give the app's user the permissions that docs/crm.md lists.".to_owned(),
            },
            (400, "INVALID_FIELD" | "INVALID_TYPE" | "MALFORMED_QUERY") => CrmError::Settings {
                message: format!("Salesforce cannot answer the query: {said}."),
                help: "A field or object is missing, or hidden from the app's user: run `handoff \
                       doctor`."
                    .to_owned(),
            },
            (400, _) => {
                CrmError::Refused { crm: CrmName::new("salesforce"), message: format!("{said}.") }
            }
            (410, _) => CrmError::Settings {
                message: format!("Salesforce has retired this version of its API: {said}."),
                help: "Set crm.salesforce.api_version to a newer one.".to_owned(),
            },
            (status, _) => CrmError::Unavailable {
                message: format!("Salesforce answered {status}: {said}."),
                help: "Run it again; status.salesforce.com tells of outages.".to_owned(),
            },
        };
        Failure { status: Some(status), error }
    }
}
