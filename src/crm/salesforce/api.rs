//! Salesforce's API: the session of an org, its objects, one request, and what its
//! errors mean.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::sleep;
use url::form_urlencoded;

use super::SalesforceSettings;
use crate::crm::CrmError;
use crate::crm::failure::{Failure, clean, list, object};
use crate::crm::reading::{AccountFacts, PageSource, whole};
use crate::crm::requested_properties::KnownProperties;
use crate::http::{ApiRequest, BaseUrl, Client, Limits, Page, Response, Schedule, Semantics};
use crate::model::{CrmName, RecordKind, Secrets};

// A session of an org: client credentials or a signed JWT become a token and
// the URL of the instance; a session that has expired is renewed once.

pub(super) const CLIENT_ID: &str = "SALESFORCE_CLIENT_ID";
pub(super) const CLIENT_SECRET: &str = "SALESFORCE_CLIENT_SECRET";
pub(super) const PRIVATE_KEY: &str = "SALESFORCE_PRIVATE_KEY";

/// How long a JWT is valid; Salesforce's pages say three or five minutes at most.
const JWT_SECONDS: u64 = 180;

/// How a token is asked for.
enum LoginGrant {
    Credentials { secret: SecretString },
    Jwt { key: EncodingKey, username: String, audience: String },
}

/// Where a token comes from, and the open session.
pub(super) struct Session {
    login_url: BaseUrl,
    client_id: SecretString,
    grant: LoginGrant,
    pub(super) schedule: Schedule,
    pub(super) limits: Limits,
    open: Mutex<Option<OpenSession>>,
}

/// A session that was opened.
#[derive(Clone)]
pub(super) struct OpenSession {
    pub(super) client: Client,
    pub(super) token: SecretString,
}

impl Session {
    /// Prepares a session; nothing is sent yet.
    pub(super) fn new(settings: &SalesforceSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let missing =
            |message: String, help: &str| CrmError::Denied { message, help: help.to_owned() };
        let client_id = secrets.get(CLIENT_ID).ok_or_else(|| {
            missing(
                format!("{CLIENT_ID} is not set."),
                "Set it, or SALESFORCE_CLIENT_ID_FILE, to the consumer key of an External Client \
                 App of the org.",
            )
        })?;
        let grant = match (secrets.get(PRIVATE_KEY), secrets.get(CLIENT_SECRET)) {
            (Some(key), _) => LoginGrant::Jwt {
                key: private_key(&key)?,
                username: settings.username.clone().ok_or_else(|| CrmError::Settings {
                    message: format!("{PRIVATE_KEY} is set, and crm.salesforce.username is not."),
                    help: "Name the user that the app is approved for.".to_owned(),
                })?,
                audience: settings.audience(),
            },
            (None, Some(secret)) => LoginGrant::Credentials { secret },
            (None, None) => {
                return Err(missing(
                    format!("Neither {CLIENT_SECRET} nor {PRIVATE_KEY} is set."),
                    "Set the one that the External Client App uses: its consumer secret, or the \
                     PEM of the private key of its certificate.",
                ));
            }
        };
        if matches!(grant, LoginGrant::Credentials { .. }) && settings.is_shared_login() {
            return Err(CrmError::Settings {
                message: format!(
                    "Client credentials are not valid on {}.",
                    settings.login().as_str()
                ),
                help: "Set crm.salesforce.login_url to the org's My Domain, such as \
                       https://acme.my.salesforce.com."
                    .to_owned(),
            });
        }
        Ok(Self {
            login_url: settings.login().clone(),
            client_id,
            grant,
            schedule: Schedule::interactive(),
            limits: Limits::default(),
            open: Mutex::new(None),
        })
    }

    /// The open session; the first call opens it.
    pub(super) async fn open(&self) -> Result<OpenSession, Failure> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_ref() {
            return Ok(open.clone());
        }
        let new = self.login().await?;
        *open = Some(new.clone());
        Ok(new)
    }

    /// Another session in the place of one that has expired.
    pub(super) async fn renew(&self, expired: &OpenSession) -> Result<OpenSession, Failure> {
        {
            let mut open = self.open.lock().await;
            let same = open
                .as_ref()
                .is_some_and(|open| open.token.expose_secret() == expired.token.expose_secret());
            if same {
                *open = None;
            }
        }
        self.open().await
    }

    /// The form of a login, and what in it is secret.
    fn form(&self) -> Result<(String, SecretString), Failure> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let secret = match &self.grant {
            LoginGrant::Credentials { secret } => {
                form.append_pair("grant_type", "client_credentials")
                    .append_pair("client_id", self.client_id.expose_secret())
                    .append_pair("client_secret", secret.expose_secret());
                secret.clone()
            }
            LoginGrant::Jwt { key, username, audience } => {
                let assertion = self.assertion(key, username, audience)?;
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                    .append_pair("assertion", assertion.expose_secret());
                assertion
            }
        };
        Ok((form.finish(), secret))
    }

    async fn login(&self) -> Result<OpenSession, Failure> {
        let (form, secret) = self.form()?;
        let client = Client::new(self.login_url.clone(), HeaderMap::new(), self.schedule.clone())
            .with_limits(self.limits);
        let path = "services/oauth2/token";
        // A second token does no harm.
        let request = ApiRequest::new(Semantics::Idempotent, Method::POST, path);
        let request = request.with_body("application/x-www-form-urlencoded", form);
        let answer = client.send(&request).await.map_err(|error| {
            Failure::unreachable(&error, "crm.salesforce.login_url", &[&secret, &self.client_id])
        })?;
        if let Some(failure) =
            Failure::redirected("Salesforce", path, &answer, "crm.salesforce.login_url")
        {
            return Err(failure);
        }
        let failure = |error: CrmError| Failure::new(Some(answer.status), error);
        let said = answer.json().unwrap_or_default();
        let text = |name: &str| said[name].as_str().unwrap_or_default();
        if !answer.status.is_success() {
            let words = format!("{}: {}", text("error"), text("error_description"));
            let words = clean(&words, &[&secret, &self.client_id]);
            return Err(failure(if answer.status.is_client_error() {
                CrmError::Denied {
                    message: format!("Salesforce does not let the app in: {words}."),
                    help: "Check SALESFORCE_CLIENT_ID with its secret or key, and in the org that \
                           the flow is switched on for the External Client App, and that its user \
                           is approved."
                        .to_owned(),
                }
            } else {
                CrmError::Unavailable {
                    message: format!("Salesforce's login answered {}.", answer.status),
                    help: "Run it again; status.salesforce.com lists outages.".to_owned(),
                }
            }));
        }
        let token = SecretString::from(text("access_token"));
        let instance = BaseUrl::parse(text("instance_url")).ok().filter(|instance| {
            // A login over TLS does not lead to a place without it.
            instance.as_str().starts_with("https:")
                || !self.login_url.as_str().starts_with("https:")
        });
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok();
        let (Some(instance), Some(mut bearer), false) =
            (instance, bearer, token.expose_secret().is_empty())
        else {
            return Err(failure(CrmError::Unavailable {
                message: format!(
                    "The answer of {} has no access_token with an instance_url over https.",
                    self.login_url.join(path)
                ),
                help: "Check crm.salesforce.login_url: it is the org's My Domain.".to_owned(),
            }));
        };
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
        let client = Client::new(instance, headers, self.schedule.clone()).with_limits(self.limits);
        Ok(OpenSession { client, token })
    }

    /// The JWT of a login. Its end is measured from the machine's clock, as a
    /// timeout is; nothing that is kept depends on it.
    fn assertion(
        &self,
        key: &EncodingKey,
        username: &str,
        audience: &str,
    ) -> Result<SecretString, Failure> {
        let claims = json!({
            "iss": self.client_id.expose_secret(),
            "sub": username,
            "aud": audience,
            "exp": jsonwebtoken::get_current_timestamp() + JWT_SECONDS,
        });
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key)
            .map(SecretString::from)
            .map_err(|_| Failure::new(None, unusable_key()))
    }
}

/// The key; in variables its line ends are often written as `\n`.
fn private_key(text: &SecretString) -> Result<EncodingKey, CrmError> {
    let text = text.expose_secret().replace("\\n", "\n");
    EncodingKey::from_rsa_pem(text.as_bytes()).map_err(|_| unusable_key())
}

fn unusable_key() -> CrmError {
    CrmError::Denied {
        message: format!("{PRIVATE_KEY} holds no RSA private key in PEM."),
        help: "Copy the whole file, from BEGIN to END, or name it in SALESFORCE_PRIVATE_KEY_FILE."
            .to_owned(),
    }
}

// What an org has: the fields of its objects, what each of them holds, and
// the lists below an opportunity.

/// What a field holds, as far as a CSV file does not tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldType {
    Text,
    Number,
    Truth,
    Moment,
}

/// An object of the org.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) fields: BTreeMap<String, FieldType>,
    pub(super) children: BTreeSet<String>,
}

/// Asks the org which fields and children an object has.
pub(super) async fn describe(api: &SalesforceApi, object: &str) -> Result<Described, Failure> {
    let path = format!("sobjects/{object}/describe");
    let mut answer = api.get(&path).await?;
    let fields = list("Salesforce", &path, &mut answer, "fields")?;
    let children = list("Salesforce", &path, &mut answer, "childRelationships")?;
    let field = |field: &Value| {
        let holds = match field["type"].as_str().unwrap_or_default() {
            "boolean" => FieldType::Truth,
            "int" | "long" | "double" | "currency" | "percent" => FieldType::Number,
            "datetime" => FieldType::Moment,
            _ => FieldType::Text,
        };
        Some((field["name"].as_str()?.to_owned(), holds))
    };
    let child = |child: &Value| child["relationshipName"].as_str().map(str::to_owned);
    Ok(Described {
        fields: fields.iter().filter_map(field).collect(),
        children: children.iter().filter_map(child).collect(),
    })
}

/// Salesforce's name for a kind of record, and its own for several of them.
pub(super) fn object_of(kind: RecordKind) -> (&'static str, &'static str) {
    match kind {
        RecordKind::Deal => ("Opportunity", "opportunities"),
        RecordKind::Company => ("Account", "accounts"),
        RecordKind::Contact => ("Contact", "contacts"),
        RecordKind::LineItem => ("OpportunityLineItem", "opportunity products"),
    }
}

/// The company's property with the id of the account that was merged into it.
pub(super) const MERGED_FROM: &str = "MergedFrom";

/// What is added to a record's own fields when it is read.
fn added(kind: RecordKind) -> &'static [&'static str] {
    match kind {
        RecordKind::Deal => &["Owner.IsActive", "RecordType.Name"],
        RecordKind::Company => &["Parent.Name", MERGED_FROM],
        RecordKind::Contact => &["IsPrimary"],
        RecordKind::LineItem => &[],
    }
}

#[async_trait]
impl KnownProperties for SalesforceApi {
    fn called(&self, kind: RecordKind) -> (&'static str, &'static str) {
        ("Salesforce", object_of(kind).1)
    }

    async fn names(&self, kind: RecordKind) -> Result<Option<BTreeSet<String>>, Failure> {
        let described = describe(self, object_of(kind).0).await?;
        let added = added(kind).iter().map(|&name| name.to_owned());
        Ok(Some(described.fields.into_keys().chain(added).collect()))
    }
}

// Salesforce's API: one request in the org's session, and what its errors mean.

/// A client for one org.
pub(super) struct SalesforceApi {
    pub(super) session: Session,
    version: String,
    account: AccountFacts,
}

impl SalesforceApi {
    pub(super) fn new(settings: &SalesforceSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let session = Session::new(settings, secrets)?;
        let (version, account) = (settings.api_version.clone(), AccountFacts::default());
        Ok(Self { session, version, account })
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
        self.send(&ApiRequest::get(path)).await
    }

    /// Reads below the version's path.
    pub(super) async fn get(&self, rest: &str) -> Result<Value, Failure> {
        let path = self.path(rest);
        let ask = async { Ok(self.read(&path).await?.0) };
        if rest.ends_with("/describe") { self.account.once(&path, ask).await } else { ask.await }
    }

    /// An answer's object. A list is what Salesforce writes errors as.
    fn object(&self, path: &str, answer: &Response) -> Result<Value, Failure> {
        let said = ErrorWords::of(answer);
        if said.code.is_empty() {
            return object("Salesforce", path, answer);
        }
        Err(said.failure(answer.status, &[]))
    }

    /// Every record of a query, deleted ones too.
    pub(super) async fn query(&self, soql: &str) -> Result<Vec<Value>, Failure> {
        self.all(&self.query_path(soql, true)).await
    }

    /// Every record of a query that concerns the org and not one deal.
    pub(super) async fn query_once(&self, soql: &str) -> Result<Vec<Value>, Failure> {
        let path = self.query_path(soql, false);
        self.account.list_once(&path, self.all(&path)).await
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
        self.send(&ApiRequest::patch(&path, body)).await.map(drop)
    }

    /// Creates a record; not repeated where it may have been created.
    pub(super) async fn create(&self, rest: &str, body: &Value) -> Result<Value, Failure> {
        let path = self.path(rest);
        let answer = self.send(&ApiRequest::create(&path, body)).await?;
        self.object(&path, &answer)
    }

    /// Deletes what was created for a while.
    pub(super) async fn delete(&self, rest: &str) -> Result<(), Failure> {
        let path = self.path(rest);
        let request = ApiRequest::new(Semantics::Idempotent, Method::DELETE, &path);
        self.send(&request).await.map(drop)
    }

    async fn send(&self, request: &ApiRequest<'_>) -> Result<Response, Failure> {
        let mut open = self.session.open().await?;
        let (mut renewed, mut retry) = (false, 0);
        loop {
            let answer = open.client.send(request).await;
            let answer = answer.map_err(|error| {
                let host = "crm.salesforce.login_url";
                Failure::unreachable(&error, host, &[&open.token])
            })?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            if let Some(failure) = Failure::redirected(
                "Salesforce",
                request.path(),
                &answer,
                "crm.salesforce.login_url and the instance_url of its answer",
            ) {
                return Err(failure);
            }
            let failed = ErrorWords::of(&answer);
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

impl std::fmt::Debug for SalesforceApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SalesforceApi").field("version", &self.version).finish_non_exhaustive()
    }
}

const LIMIT: &str = "REQUEST_LIMIT_EXCEEDED";
const QUERY_TIMEOUT: &str = "QUERY_TIMEOUT";
const LOCKED: &str = "UNABLE_TO_LOCK_ROW";
const FORGOTTEN: &str = "INVALID_QUERY_LOCATOR";

/// Pages of a query: the first by its path, the others as the answer says.
#[async_trait]
impl PageSource for SalesforceApi {
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
struct ErrorWords {
    code: String,
    message: String,
}

impl ErrorWords {
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
                    "Salesforce has lost the position in the list ({FORGOTTEN}): {said}."
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
                message: format!("Salesforce has no such record or object, or hides it: {said}."),
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
                help: "Run it again; status.salesforce.com lists outages.".to_owned(),
            },
            _ => Failure::other_status("Salesforce", status, &format!("{said}.")),
        };
        let starts_again = self.code == FORGOTTEN;
        Failure { starts_again, ..Failure::new(Some(status), error) }
    }
}
