//! GitHub's REST API through octocrab: credentials, the App's installation,
//! pace, limits, and what an answer means, by its status and error codes.
//! Nothing is repeated here but reads. The calls go by path instead of
//! octocrab's typed builders, for those keep an answer's headers to themselves
//! (which say how long a limit lasts) and read it with models that are too
//! strict, see `model`. Projects and the readiness of a draft exist in GraphQL
//! only.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use octocrab::Octocrab;
use octocrab::models::{AppId, InstallationId};
use octocrab::service::middleware::retry::RetryConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::settings::{GithubSettings, RepositoryName};
use crate::deliver::http_answer::TargetPages;
use crate::deliver::read_back::Actor;
use crate::deliver::sink::DeliveryError;
use crate::http::{self as net, Page, Schedule, connector};
use crate::model::Secrets;
use crate::text;

/// Where GitHub is when no base URL is configured.
const PUBLIC: &str = "https://api.github.com";
/// So many items of a list are asked for at once, the most that GitHub gives.
pub(super) const FULL_PAGE: usize = 100;
/// So many redirects are followed.
const REDIRECTS: usize = 3;
/// What GitHub asks to wait when it says no more than "slow down".
const PATIENCE: Duration = Duration::from_secs(60);

/// As whom one speaks to GitHub.
#[derive(Clone)]
enum GithubAccess {
    Token(SecretString),
    App { id: u64, key: SecretString },
}

/// What GitHub answered, read whole.
pub(super) struct ApiAnswer {
    method: Method,
    path: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

/// A write that came to nothing, as far as one can tell.
pub(super) struct WriteFault {
    /// The status of a refusal.
    pub(super) status: Option<StatusCode>,
    /// The fields that GitHub names as the reason, `assignees`.
    fields: Vec<String>,
    pub(super) error: DeliveryError,
}

impl WriteFault {
    /// Whether GitHub refused because of this field; then nothing was made.
    pub(super) fn refuses_field(&self, field: &str) -> bool {
        self.is_unprocessable() && self.fields.iter().any(|it| it == field)
    }

    /// Whether GitHub understood the request and refused what it asks for;
    /// then nothing was made.
    pub(super) fn is_unprocessable(&self) -> bool {
        self.status == Some(StatusCode::UNPROCESSABLE_ENTITY)
    }

    /// Whether GitHub names no field as the reason.
    pub(super) fn names_no_field(&self) -> bool {
        self.fields.is_empty()
    }

    fn without_answer(error: DeliveryError) -> Self {
        Self { status: None, fields: Vec::new(), error }
    }
}

impl From<WriteFault> for DeliveryError {
    fn from(fault: WriteFault) -> Self {
        fault.error
    }
}

/// Why there is no answer.
struct NoAnswer {
    reached: bool,
    /// Whether the same may be answered a moment later.
    may_pass: bool,
    why: String,
}

struct Clients {
    rest: Octocrab,
    graphql: Octocrab,
}

/// The API of one repository's forge.
pub(super) struct GithubApi {
    access: GithubAccess,
    base: String,
    repository: RepositoryName,
    clients: OnceCell<Clients>,
    reads: Schedule,
    pause: Duration,
    last_write: Mutex<Option<Instant>>,
}

impl GithubApi {
    /// With the credentials among the secrets; the error says which are wanted.
    pub(super) fn new(settings: &GithubSettings, secrets: &Secrets) -> Result<Self, String> {
        let access = match (
            secrets.get("GITHUB_TOKEN"),
            secrets.get("GITHUB_APP_ID"),
            secrets.get("GITHUB_APP_PRIVATE_KEY"),
        ) {
            (_, Some(id), Some(key)) => {
                let id = id.expose_secret().parse().map_err(
                    |_| "GITHUB_APP_ID is not a number; it is shown on the app's settings page",
                )?;
                // Environments that cannot hold line ends carry them as \n.
                let key = key.expose_secret().replace("\\n", "\n").into();
                GithubAccess::App { id, key }
            }
            (_, Some(_), None) => {
                return Err("GITHUB_APP_ID is set, and GITHUB_APP_PRIVATE_KEY is not".into());
            }
            (Some(token), None, _) => GithubAccess::Token(token),
            (None, None, _) => {
                return Err("set GITHUB_TOKEN, or GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY".into());
            }
        };
        let base = settings.base_url.as_ref().map_or(PUBLIC, |base| base.as_str()).to_owned();
        Ok(Self {
            access,
            base,
            repository: settings.repository.clone(),
            clients: OnceCell::new(),
            reads: Schedule::interactive(),
            pause: Duration::from_secs(settings.seconds_between_writes),
            last_write: Mutex::new(None),
        })
    }

    /// The repository.
    pub(super) fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// Whether this is the public GitHub.
    pub(super) fn is_public(&self) -> bool {
        self.base == PUBLIC
    }

    /// Where the API is, for messages.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Reads; limits and faults of the server are waited out for a while.
    /// Any other status is an answer.
    pub(super) async fn get(&self, path: &str) -> Result<ApiAnswer, DeliveryError> {
        let clients = self.clients().await?;
        let mut retry = 0;
        loop {
            let result = send(&clients.rest, &self.base, Method::GET, path, None).await;
            let (error, asked) = match result {
                Ok(answer) => match answer.limit() {
                    Some(wait) => (answer.fault(), Some(wait)),
                    None if answer.status.is_server_error() => (answer.fault(), None),
                    None => return Ok(answer),
                },
                Err(none) if !none.may_pass => return Err(transient(none.why)),
                Err(none) => (transient(none.why), None),
            };
            let Some(wait) = self.reads.wait(retry, asked) else { return Err(error) };
            tokio::time::sleep(wait).await;
            retry += 1;
        }
    }

    /// Every item of a list, page by page.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Vec<T>, DeliveryError> {
        let mut all = Vec::new();
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut pages = TargetPages::of("GitHub");
        while let Some(place) = pages.next()? {
            let number = place.parse().unwrap_or(1);
            let address = format!("{path}{joint}per_page={FULL_PAGE}&page={number}");
            let mut answer = self.get(&address).await?.ok()?;
            let goes_on = answer.has_next_page() || answer.may_go_on();
            let next = goes_on.then(|| (number + 1).to_string());
            let body = answer.body.take();
            let page = Page { records: answer.read_as(body)?, next, ..Page::default() };
            let records = Value::Array(pages.take(page));
            all.extend(answer.read_as::<Vec<T>>(records)?);
        }
        Ok(all)
    }

    /// Writes, once, not sooner than the pause after the last write.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<ApiAnswer, WriteFault> {
        let clients = self.clients().await.map_err(WriteFault::without_answer)?;
        let client = if path == "/graphql" { &clients.graphql } else { &clients.rest };
        let mut last = self.last_write.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + self.pause).await;
        }
        let result = send(client, &self.base, method, path, Some(body)).await;
        *last = Some(Instant::now());
        drop(last);
        match result {
            Ok(answer) if answer.status.is_success() => Ok(answer),
            Ok(answer) => Err(WriteFault {
                status: Some(answer.status),
                fields: answer.refused_fields(),
                error: answer.fault(),
            }),
            Err(none) if none.reached => {
                Err(WriteFault::without_answer(DeliveryError::unclear(none.why)))
            }
            Err(none) => Err(WriteFault::without_answer(transient(none.why))),
        }
    }

    async fn clients(&self) -> Result<&Clients, DeliveryError> {
        self.clients
            .get_or_try_init(|| async {
                // Enterprise serves GraphQL beside the REST version, not below it.
                let beside = self.base.strip_suffix("/v3").unwrap_or(&self.base);
                let (rest, graphql) = (self.connect(&self.base)?, self.connect(beside)?);
                if matches!(self.access, GithubAccess::Token(_)) {
                    return Ok(Clients { rest, graphql });
                }
                let path = self.repository.path("/installation");
                let answer = send(&rest, &self.base, Method::GET, &path, None)
                    .await
                    .map_err(|none| transient(none.why))?
                    .ok()?;
                let id = answer.body["id"].as_u64().ok_or_else(|| {
                    transient(format!("GET {path}: the answer names no installation"))
                })?;
                let installed = |crab: &Octocrab| {
                    crab.installation(InstallationId(id)).map_err(|error| broken(&error))
                };
                Ok(Clients { rest: installed(&rest)?, graphql: installed(&graphql)? })
            })
            .await
    }

    fn connect(&self, base: &str) -> Result<Octocrab, DeliveryError> {
        let version = HeaderName::from_static("x-github-api-version");
        let http = connector().timeout(Duration::from_secs(60)).build();
        let http = http.map_err(|error| transient(error.to_string()))?;
        let builder = Octocrab::builder()
            .add_retry_config(RetryConfig::None)
            .add_header(version, "2022-11-28".to_owned())
            .base_uri(base)
            .map_err(|error| broken(&error))?;
        match &self.access {
            GithubAccess::Token(token) => builder.personal_token(token.clone()),
            GithubAccess::App { id, key } => builder
                .app_from_rsa_pem(AppId(*id), key.expose_secret().as_bytes())
                .map_err(|_| {
                    DeliveryError::permanent(
                        "GITHUB_APP_PRIVATE_KEY is not an RSA key in PEM form",
                        "make a new private key on the app's settings page",
                    )
                })?,
        }
        .build_with_reqwest(http)
        .map_err(|error| broken(&error))
    }
}

/// Sends a request, and sends it to where the repository is now where GitHub
/// says that it has another name: with the same method and body, which is what
/// GitHub asks of writes, too
/// (<https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects>).
async fn send(
    client: &Octocrab,
    base: &str,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<ApiAnswer, NoAnswer> {
    let mut path = path.to_owned();
    for _ in 0..REDIRECTS {
        let answer = send_once(client, method.clone(), &path, body).await?;
        match answer.moved_to(base) {
            Some(there) if there != path => path = there,
            _ => return Ok(answer),
        }
    }
    send_once(client, method, &path, body).await
}

async fn send_once(
    client: &Octocrab,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<ApiAnswer, NoAnswer> {
    let bare = path.split('?').next().unwrap_or_default();
    let none = |error: octocrab::Error| no_answer(&method, bare, &error);
    let response = match method {
        Method::GET => client._get(path).await,
        Method::PATCH => client._patch(path, body).await,
        _ => client._post(path, body).await,
    }
    .map_err(none)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = net::whole_body(response.into_body()).await;
    let body = body.map_err(|fault| incomplete(&method, bare, true, &fault))?;
    let body = crate::model::read_json(&body).unwrap_or(Value::Null);
    Ok(ApiAnswer { method: method.clone(), path: bare.to_owned(), status, headers, body })
}

/// The words of the innermost cause: the outer ones repeat the whole request.
fn no_answer(method: &Method, path: &str, error: &octocrab::Error) -> NoAnswer {
    let mut cause: &dyn std::error::Error = error;
    loop {
        if let Some(http) = cause.downcast_ref::<reqwest::Error>() {
            let reached = !http.is_connect() && !http.is_builder();
            return incomplete(method, path, reached, &net::Fault::of(http));
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => break,
        }
    }
    let why = text::shorten(&text::one_line(&cause.to_string()), 200);
    incomplete(method, path, true, &net::Fault::Other(why))
}

fn incomplete(method: &Method, path: &str, reached: bool, fault: &net::Fault) -> NoAnswer {
    let why = format!("{method} {path}: no complete answer came: {fault}");
    NoAnswer { reached, may_pass: fault.may_pass(), why }
}

fn transient(message: String) -> DeliveryError {
    DeliveryError::transient(message)
}

fn broken(error: &octocrab::Error) -> DeliveryError {
    DeliveryError::permanent(
        format!("the GitHub client cannot be set up: {}", text::quoted(&error.to_string())),
        "check deliver.github.base_url and the machine's certificates",
    )
}

impl ApiAnswer {
    /// The path that a redirect names, where it stays at the same API: the
    /// token goes nowhere else.
    fn moved_to(&self, base: &str) -> Option<String> {
        if !matches!(self.status.as_u16(), 301 | 307 | 308) {
            return None;
        }
        let location = self.headers.get(http::header::LOCATION)?.to_str().ok()?;
        let path = match location.strip_prefix(base.trim_end_matches('/')) {
            Some(path) => path,
            None if location.starts_with('/') && !location.starts_with("//") => location,
            None => return None,
        };
        path.starts_with('/').then(|| path.to_owned())
    }

    /// The answer, or what its status means.
    pub(super) fn ok(self) -> Result<Self, DeliveryError> {
        if self.status.is_success() { Ok(self) } else { Err(self.fault()) }
    }

    /// Whether a list may go on although the answer does not say so: the page is full and
    /// has no links at all, as where something on the way takes them away. GitHub gives
    /// none, too, where all that there is fills one page.
    pub(super) fn may_go_on(&self) -> bool {
        let records = self.body.as_array().map_or(0, Vec::len);
        records >= FULL_PAGE && !self.headers.contains_key(http::header::LINK)
    }

    /// Whether a list goes on.
    pub(super) fn has_next_page(&self) -> bool {
        let links = self.headers.get(http::header::LINK).and_then(|v| v.to_str().ok());
        links.is_some_and(|links| links.contains("rel=\"next\""))
    }

    /// The cursor of the next page, of a list that is not paged by number.
    pub(super) fn next_cursor(&self) -> Option<String> {
        let links = self.headers.get(http::header::LINK).and_then(|v| v.to_str().ok())?;
        let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
        let address = next.split_once('<')?.1.split_once('>')?.0;
        let url = url::Url::parse(address).ok()?;
        url.query_pairs().find(|(name, _)| name == "after").map(|(_, value)| value.into_owned())
    }

    /// How long GitHub asks to wait, where it limits.
    fn limit(&self) -> Option<Duration> {
        if !matches!(self.status.as_u16(), 403 | 429) {
            return None;
        }
        let number = |name: &str| -> Option<u64> {
            self.headers.get(name)?.to_str().ok()?.trim().parse().ok()
        };
        if let Some(seconds) = number("retry-after") {
            return Some(Duration::from_secs(seconds));
        }
        if number("x-ratelimit-remaining") == Some(0) {
            let date = self.headers.get(http::header::DATE).and_then(|v| v.to_str().ok());
            let now = date.and_then(|d| chrono::DateTime::parse_from_rfc2822(d).ok());
            let wait = number("x-ratelimit-reset").zip(now).map(|(reset, now)| {
                reset.saturating_sub(u64::try_from(now.timestamp()).unwrap_or(0))
            });
            return Some(wait.map_or(PATIENCE, |seconds| Duration::from_secs(seconds + 1)));
        }
        // Where a limit has no header, GitHub links to its page on limits:
        // <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>
        let page = self.body["documentation_url"].as_str().unwrap_or_default();
        let secondary = page.contains("rate-limit") || page.contains("rate_limit");
        (self.status == StatusCode::TOO_MANY_REQUESTS || secondary).then_some(PATIENCE)
    }

    /// The fields that GitHub refuses, by
    /// <https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed>.
    fn refused_fields(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        let fields = errors.filter_map(|error| error["field"].as_str());
        fields.filter(|field| !field.is_empty()).map(str::to_owned).collect()
    }

    /// The answer as what it should be.
    pub(super) fn read<T: DeserializeOwned>(mut self) -> Result<T, DeliveryError> {
        let body = self.body.take();
        self.read_as(body)
    }

    fn read_as<T: DeserializeOwned>(&self, body: Value) -> Result<T, DeliveryError> {
        let Self { method, path, .. } = self;
        serde_json::from_value(body).map_err(|error| {
            let message = format!("{method} {path}: GitHub's answer cannot be read: {error}");
            // What was read can be read again; what was written may be there.
            match *method {
                Method::GET => transient(message),
                _ => DeliveryError::unclear(message),
            }
        })
    }

    /// What GitHub says is wrong, with the fields it names.
    fn words(&self) -> String {
        let mut words = text::one_line(self.body["message"].as_str().unwrap_or("no reason given"));
        for error in self.body["errors"].as_array().into_iter().flatten() {
            let part = |name: &str| error[name].as_str().unwrap_or_default();
            let why = if part("message").is_empty() { part("code") } else { part("message") };
            words.push_str(&format!("; {} {why}", part("field")));
        }
        text::shorten(&text::one_line(&words), 300)
    }

    /// What a status that is no success means.
    pub(super) fn fault(&self) -> DeliveryError {
        let message = format!(
            "{} {}: GitHub answered {}: {}",
            self.method,
            self.path,
            self.status.as_u16(),
            self.words()
        );
        if let Some(wait) = self.limit() {
            return DeliveryError::Transient { message, retry_after: Some(wait) };
        }
        let help = match self.status.as_u16() {
            500.. if self.method == Method::GET => return transient(message),
            500.. => return DeliveryError::unclear(message),
            401 => "GITHUB_TOKEN is wrong or has expired; make a new one",
            403 => {
                "the token may not do this; it needs issues: write (and pull requests: write for as: pull_request)"
            }
            404 => {
                "check deliver.github.repository, and that the token or app may see this repository"
            }
            410 => "issues are turned off in this repository; turn them on in its settings",
            422 => "the request was refused as it is; fix what GitHub names",
            _ => "see what GitHub says",
        };
        DeliveryError::permanent(message, help.to_owned())
    }
}

// The few fields of GitHub's answers that matter here. octocrab's own models
// are not used for what is read: they refuse a whole list because of one
// account that was deleted (`user: null`) or one event name that is new to
// them, and Enterprise servers leave out fields that they ask for.

/// Who did something; GitHub gives `null` for an account that was deleted.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Account {
    pub(super) login: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

impl Account {
    /// Whether it is the one whose acts count is decided with the role that it
    /// has in the repository:
    /// <https://docs.github.com/en/graphql/reference/enums#commentauthorassociation>
    pub(super) fn actor(&self, association: Option<&str>) -> Actor<'_> {
        let is_machine = !(self.kind.is_empty() || self.kind.eq_ignore_ascii_case("user"))
            || self.login.ends_with("[bot]");
        let is_outsider =
            association.is_some_and(|it| !matches!(it, "OWNER" | "MEMBER" | "COLLABORATOR" | ""));
        Actor { id: &self.login, name: &self.login, is_person: !is_machine, is_outsider }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Milestone {
    pub(super) number: u64,
    pub(super) due_on: Option<DateTime<Utc>>,
}

/// An issue, or a pull request as an issue.
#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    #[serde(default)]
    pub(super) state: String,
    pub(super) number: u64,
    pub(super) html_url: String,
    pub(super) node_id: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    #[serde(default)]
    pub(super) title: String,
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) labels: Vec<Label>,
    #[serde(default)]
    pub(super) assignees: Vec<Account>,
    pub(super) milestone: Option<Milestone>,
    pub(super) pull_request: Option<serde_json::Value>,
    pub(super) closed_at: Option<DateTime<Utc>>,
    pub(super) closed_by: Option<Account>,
    pub(super) state_reason: Option<String>,
    #[serde(default)]
    pub(super) draft: bool,
    pub(super) merged_at: Option<DateTime<Utc>>,
    pub(super) merged_by: Option<Account>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Comment {
    pub(super) html_url: String,
    pub(super) created_at: DateTime<Utc>,
    pub(super) user: Option<Account>,
    pub(super) body: Option<String>,
    pub(super) author_association: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Review {
    pub(super) html_url: String,
    /// Absent while it is not handed in.
    pub(super) submitted_at: Option<DateTime<Utc>>,
    pub(super) user: Option<Account>,
    #[serde(default)]
    pub(super) state: String,
    pub(super) body: Option<String>,
    pub(super) author_association: Option<String>,
}

/// One thing that happened to an issue.
#[derive(Debug, Deserialize)]
pub(super) struct IssueEvent {
    pub(super) event: String,
    pub(super) actor: Option<Account>,
    /// Whom, for `assigned`.
    pub(super) assignee: Option<Account>,
    pub(super) created_at: DateTime<Utc>,
}
