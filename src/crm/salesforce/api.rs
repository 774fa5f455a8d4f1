//! Salesforce's API: one request in the org's session, and what its errors mean.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::sleep;
use url::form_urlencoded;

use super::session::Session;
use super::settings::SalesforceSettings;
use crate::crm::CrmError;
use crate::crm::failure::{Failure, clean, list, object};
use crate::crm::reading::{Pages, whole};
use crate::http::{Page, Response, Semantics};
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
        Ok((self.object(path, &answer)?, answer.body))
    }

    /// Reads what is no JSON.
    pub(super) async fn answer(&self, path: &str) -> Result<Response, Failure> {
        self.send(Semantics::Idempotent, Method::GET, path, None).await
    }

    /// Reads below the version's path.
    pub(super) async fn get(&self, rest: &str) -> Result<Value, Failure> {
        Ok(self.read(&self.path(rest)).await?.0)
    }

    /// An answer's object. A list is what Salesforce writes errors as.
    fn object(&self, path: &str, answer: &Response) -> Result<Value, Failure> {
        let said = Words::of(answer);
        if said.code.is_empty() {
            return object("Salesforce", path, answer);
        }
        Err(said.failure(answer.status, &[]))
    }

    /// Every record of a query, deleted ones too.
    pub(super) async fn query(&self, soql: &str) -> Result<Vec<Value>, Failure> {
        self.all(&self.query_path(soql, true)).await
    }

    /// Every record of the query at this path. A place in the list that the
    /// org has forgotten begins it once more.
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>, Failure> {
        match whole(self, path.to_owned()).await {
            Err(failure) if failure.starts_again => whole(self, path.to_owned()).await,
            records => records,
        }
    }

    /// The records of a list inside of a record, and of the pages behind it.
    pub(super) async fn below(&self, list: Value) -> Result<Vec<Value>, Failure> {
        if list.is_null() {
            return Ok(Vec::new());
        }
        let first = page(list, Bytes::new(), "the list inside of a record")?;
        let mut records = first.records;
        if let Some(next) = first.next {
            records.extend(whole(self, next).await?);
        }
        Ok(records)
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
        self.object(&path, &answer)
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
            if let Some(failure) = Failure::redirected(
                "Salesforce",
                path,
                &answer,
                "crm.salesforce.login_url and the instance_url of its answer",
            ) {
                return Err(failure);
            }
            let failed = Words::of(&answer);
            // The request was not looked at, whatever it was.
            if failed.code == "INVALID_SESSION_ID" && !renewed {
                renewed = true;
                open = self.session.renew(&open).await?;
                continue;
            }
            // Nothing was done, so that a change may be sent again, too.
            let again = match failed.code.as_str() {
                QUERY_TIMEOUT | LOCKED => true,
                LIMIT => !is_day_used_up(&answer),
                _ => false,
            };
            if again && let Some(wait) = self.session.schedule.wait(retry, answer.retry_after()) {
                retry += 1;
                sleep(wait).await;
                continue;
            }
            return Err(failed.failure(answer.status, &[&open.token]));
        }
    }
}

/// Whether the org's requests of the day are used up. Too many at a time have
/// the same code; the header counts those of the day:
/// `Sforce-Limit-Info: api-usage=15000/15000`.
fn is_day_used_up(answer: &Response) -> bool {
    let info = answer.headers.get("sforce-limit-info").and_then(|info| info.to_str().ok());
    let usage = info.and_then(|info| info.split("api-usage=").nth(1)).unwrap_or_default();
    let usage = usage.split([';', ',', ' ']).next().unwrap_or_default().split_once('/');
    usage.is_some_and(|(used, most)| match (used.parse::<u64>(), most.parse::<u64>()) {
        (Ok(used), Ok(most)) => used >= most,
        _ => false,
    })
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("version", &self.version).finish_non_exhaustive()
    }
}

const LIMIT: &str = "REQUEST_LIMIT_EXCEEDED";
const QUERY_TIMEOUT: &str = "QUERY_TIMEOUT";
const LOCKED: &str = "UNABLE_TO_LOCK_ROW";
const FORGOTTEN: &str = "INVALID_QUERY_LOCATOR";

/// Pages of a query: the first by its path, the others as the answer says.
#[async_trait]
impl Pages for Api {
    fn crm(&self) -> &'static str {
        "Salesforce"
    }

    async fn page(&self, at: &str, _: usize) -> Result<Page, Failure> {
        let (answer, bytes) = self.read(at).await?;
        page(answer, bytes, at)
    }
}

/// A page of a query. One that is not the last must say where the next is.
fn page(mut answer: Value, bytes: Bytes, path: &str) -> Result<Page, Failure> {
    if !answer.is_object() {
        let why = "is not a list of records";
        return Err(Failure::nonsense("Salesforce", path, StatusCode::OK, why));
    }
    let records = list("Salesforce", path, &mut answer, "records")?;
    let next = match (&answer["done"], answer["nextRecordsUrl"].as_str()) {
        (Value::Bool(true), _) => None,
        (Value::Bool(false), Some(next)) => Some(next.to_owned()),
        (Value::Bool(false), None) => {
            let why = "is not the last page and does not name the next";
            return Err(Failure::nonsense("Salesforce", path, StatusCode::OK, why));
        }
        _ => {
            let why = "does not say whether it is the last page";
            return Err(Failure::nonsense("Salesforce", path, StatusCode::OK, why));
        }
    };
    let total = answer["totalSize"].as_u64().and_then(|n| usize::try_from(n).ok());
    Ok(Page { records, bytes, total, next })
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

    /// What the code means, else the status; never what the words say.
    fn failure(&self, status: StatusCode, secrets: &[&SecretString]) -> Failure {
        let said = clean(&self.message, secrets);
        let said = if said.is_empty() { format!("status {status}") } else { said };
        let error = match (status.as_u16(), self.code.as_str()) {
            (_, QUERY_TIMEOUT) => CrmError::Unavailable {
                message: format!(
                    "Salesforce ended the query because it ran too long ({QUERY_TIMEOUT}), each \
                     time it was asked: {said}."
                ),
                help: "Ask for less with --from, or let the Bulk API read it: \
                       crm.salesforce.bulk_from: 0."
                    .to_owned(),
            },
            (_, FORGOTTEN) => CrmError::Unavailable {
                message: format!(
                    "Salesforce does not know the place in the list any more ({FORGOTTEN}): {said}."
                ),
                help: "Run it again; a user of the org may have too many open queries.".to_owned(),
            },
            (_, LOCKED) => CrmError::Unavailable {
                message: format!(
                    "Another change holds the record, and handoff waited for it ({LOCKED}): {said}."
                ),
                help: "Run it again; a flow or another integration is changing the record."
                    .to_owned(),
            },
            (401, _) => CrmError::Denied {
                message: format!("Salesforce does not accept the session: {said}."),
                help: "Check in the org that the app's user may use the API.".to_owned(),
            },
            (_, LIMIT) => CrmError::Unavailable {
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
            (200..=299, code) => CrmError::Unavailable {
                message: format!("Salesforce says that the request failed ({code}): {said}."),
                help: "Run it again; status.salesforce.com tells of outages.".to_owned(),
            },
            (status, _) => CrmError::Unavailable {
                message: format!("Salesforce answered {status}: {said}."),
                help: "Run it again; status.salesforce.com tells of outages.".to_owned(),
            },
        };
        let starts_again = self.code == FORGOTTEN;
        Failure { starts_again, ..Failure::new(Some(status), error) }
    }
}
