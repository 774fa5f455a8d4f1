//! The providers' APIs: one document's facts, and what was completed in a
//! time. One question, and its answer or the reason there is none; what is
//! asked is in each provider's folder.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderValue, header};
use serde_json::Value;

use crate::http::{ApiRequest, BaseUrl, Client, Limits, Page, PageWalk, Schedule, secret_header};
use crate::model::{DocumentId, Evidence, Gap, Secrets, Signature, SignatureEvent, UnreadFact};
use crate::text;
use crate::webhook::json;

/// Why a provider's API did not tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// There is no key for the API.
    #[error("{provider}'s API needs {secret}; set it, or its file with {secret}_FILE")]
    NoSecret {
        /// The provider's title.
        provider: &'static str,
        /// The secret's name.
        secret: &'static str,
    },
    /// A setting that the API needs is missing.
    #[error("{provider}'s API needs {setting} in handoff.yaml; {help}")]
    NoSetting {
        /// The provider's title.
        provider: &'static str,
        /// The setting's path.
        setting: &'static str,
        /// Where to find its value.
        help: &'static str,
    },
    /// A notification that is only a hint, and nobody to ask.
    #[error(
        "notifications of {provider} prove nothing by themselves, and its API cannot be asked; set up its API (docs/esign.md)"
    )]
    CannotConfirm {
        /// The provider's name.
        provider: String,
    },
    /// The API says that the document is not completed. It may be a moment
    /// behind its own notification, or the notification was forged.
    #[error(
        "the provider's API says that document {document} is not completed ({state}); nothing is done until it is"
    )]
    NotCompleted {
        /// The document.
        document: DocumentId,
        /// The state it has.
        state: String,
    },
    /// There is no such document, or the key may not see it.
    #[error(
        "{provider} has no document {document} that this key may see; the key may belong to another workspace or account"
    )]
    NotFound {
        /// The provider's title.
        provider: &'static str,
        /// The document.
        document: DocumentId,
    },
    /// The key was refused.
    #[error("{provider} refused the key: {message}; check {secret}")]
    Denied {
        /// The provider's title.
        provider: &'static str,
        /// Its words, shortened.
        message: String,
        /// The secret to fix.
        secret: &'static str,
    },
    /// It could not be reached, is limited, or answered nonsense.
    #[error("{provider}: {message}")]
    Unavailable {
        /// The provider's title.
        provider: &'static str,
        /// What happened and where.
        message: String,
    },
}

impl FetchError {
    /// Whether the same question may be answered later without anybody
    /// fixing anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NotCompleted { .. } | Self::Unavailable { .. })
    }

    /// That this fact of a document could not be read.
    #[must_use]
    pub fn unread(&self, fact: &'static str) -> UnreadFact {
        UnreadFact { fact, why: self.to_string(), may_pass: self.may_pass() }
    }
}

/// A provider's API.
#[async_trait]
pub trait Fetcher: Send + Sync {
    /// One document as the API knows it: `Completed` with all its facts, or
    /// what it is instead.
    ///
    /// # Errors
    /// See [`FetchError`].
    async fn document(&self, id: &DocumentId) -> Result<SignatureEvent, FetchError>;

    /// Whether the API could tell what this notification cannot hold, such as
    /// the template's name.
    fn adds_to(&self, signature: &Signature) -> bool {
        let _ = signature;
        false
    }

    /// The documents that were completed from `since` (inclusive) until
    /// `until` (exclusive). The facts are those of the provider's list; ask
    /// [`Fetcher::document`] for the rest. A page that cannot be read is a gap,
    /// never a shorter list.
    async fn completed(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Evidence<Signature>;
}

/// A provider's API with its key.
#[derive(Debug, Clone)]
pub(super) struct ProviderApi {
    client: Client,
    title: &'static str,
    secret: &'static str,
}

impl ProviderApi {
    /// An API below this root, its key (the secret of this name, the first when
    /// there are several) put into the `Authorization` header by `scheme`.
    pub(super) fn new(
        title: &'static str,
        secret: &'static str,
        base: BaseUrl,
        secrets: &Secrets,
        limits: Limits,
        scheme: impl FnOnce(&str) -> String,
    ) -> Result<Self, FetchError> {
        use secrecy::ExposeSecret as _;
        let key = secrets.list(secret).into_iter().next();
        let key = key.ok_or(FetchError::NoSecret { provider: title, secret })?;
        let headers = secret_header(header::AUTHORIZATION, &scheme(key.expose_secret()));
        let mut headers = headers.ok_or_else(|| FetchError::Denied {
            provider: title,
            message: "the key has characters that no header can hold".to_owned(),
            secret,
        })?;
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let client = Client::new(base, headers, Schedule::interactive()).with_limits(limits);
        Ok(Self { client, title, secret })
    }

    /// Asks for this path; a `document` makes 404 and 410 mean that one.
    pub(super) async fn get(
        &self,
        path: &str,
        document: Option<&DocumentId>,
    ) -> Result<Value, FetchError> {
        // An address takes these for "here" and "one up", however they are written.
        if let Some(document) = document.filter(|id| matches!(id.as_str(), "" | "." | "..")) {
            return Err(self.not_found(document));
        }
        let response = self
            .client
            .send(&ApiRequest::get(path))
            .await
            .map_err(|error| self.unavailable(error.to_string()))?;
        // The query may hold customers' words and is not repeated.
        let asked = path.split('?').next().unwrap_or_default();
        match response.status.as_u16() {
            // 202 is not ready, 206 and 207 are parts: nothing is missing of a plain answer.
            status @ (201 | 202 | 204..=299) => Err(self.unavailable(format!(
                "GET {asked} was answered with status {status}, which is no whole answer"
            ))),
            200 | 203 => response.json().map_err(|error| {
                self.unavailable(format!("GET {asked} did not return JSON: {error}"))
            }),
            status @ (401 | 403) => Err(FetchError::Denied {
                provider: self.title,
                message: format!("status {status}{}", words(&response.body)),
                secret: self.secret,
            }),
            status => match document.filter(|_| matches!(status, 404 | 410)) {
                Some(document) => Err(self.not_found(document)),
                None => Err(self.unavailable(format!(
                    "GET {asked} was answered with status {status}{}",
                    words(&response.body)
                ))),
            },
        }
    }

    fn not_found(&self, document: &DocumentId) -> FetchError {
        FetchError::NotFound { provider: self.title, document: document.clone() }
    }

    /// An answer that makes no sense.
    pub(super) fn unavailable(&self, message: String) -> FetchError {
        FetchError::Unavailable { provider: self.title, message }
    }

    /// A part of a list that could not be read.
    pub(super) fn gap(&self, what: &str, error: &FetchError) -> Gap {
        Gap {
            what: format!("{what} of {}'s completed documents", self.title),
            why: error.to_string(),
            help: Some("run it again later; reading documents twice does no harm".to_owned()),
        }
    }
}

/// What a body says in words, shortened.
fn words(body: &[u8]) -> String {
    let Ok(body) = crate::model::read_json(body) else { return String::new() };
    let paths: [&[&str]; 5] = [
        &["detail"],
        &["message"],
        &["error", "error_msg"],
        &["error_description"],
        &["info_message"],
    ];
    paths
        .iter()
        .find_map(|path| json::text(&body, path))
        .map(|said| format!(": {}", text::quoted(said)))
        .unwrap_or_default()
}

/// A piece of a path or query, percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

/// A time for a query, percent-encoded.
pub(super) fn moment(time: DateTime<Utc>) -> String {
    encoded(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// A list of completed documents while its pages are read: what was found, and
/// what could not be read.
pub(super) struct Listing<'a> {
    api: &'a ProviderApi,
    walk: PageWalk,
    is_cut: bool,
    found: Vec<Signature>,
    seen: BTreeSet<String>,
    gaps: Vec<Gap>,
}

impl<'a> Listing<'a> {
    /// A list whose first page is at this path.
    pub(super) fn new(api: &'a ProviderApi, first: impl Into<String>) -> Self {
        let walk = PageWalk::new(first);
        Self {
            api,
            walk,
            is_cut: false,
            found: Vec::new(),
            seen: BTreeSet::new(),
            gaps: Vec::new(),
        }
    }

    /// Goes on with another list.
    pub(super) fn go_on(&mut self, first: impl Into<String>) {
        (self.walk, self.is_cut) = (PageWalk::new(first), false);
    }

    /// The rows of the next page; `None` behind the last one. `read` takes an
    /// answer with the number of its page and of the rows before it, or says
    /// why it is no page.
    pub(super) async fn rows(
        &mut self,
        read: impl FnOnce(Value, usize, usize) -> Result<Page, &'static str>,
    ) -> Option<Vec<Value>> {
        let Some(at) = self.walk.next() else {
            if let Err(fault) = self.walk.finish()
                && !self.is_cut
            {
                self.lost("a part", &fault.to_string());
            }
            return None;
        };
        let (number, before) = (self.walk.page(), self.walk.read());
        let answer = self.api.get(&at, None).await.and_then(|answer| {
            read(answer, number, before).map_err(|why| self.api.unavailable(why.to_owned()))
        });
        match answer {
            Ok(page) => {
                if let Err(fault) = self.walk.take(&page) {
                    self.is_cut = true;
                    self.lost(&format!("what follows page {number}"), &fault.to_string());
                }
                Some(page.records)
            }
            Err(error) => {
                self.gaps.push(self.api.gap(&format!("page {number} and after"), &error));
                None
            }
        }
    }

    /// Takes what is new; pages shift while they are read, so one document may
    /// come twice.
    pub(super) fn take(&mut self, signature: Signature) {
        if self.seen.insert(signature.document_id.as_str().to_owned()) {
            self.found.push(signature);
        }
    }

    /// A row of the page that was read last cannot be used.
    pub(super) fn lost_row(&mut self) {
        self.lost(&format!("a row on page {}", self.walk.page()), "it has no id");
    }

    /// A document of the list that could not be asked for.
    pub(super) fn unread(&mut self, document: &str, error: &FetchError) {
        self.gaps.push(self.api.gap(document, error));
    }

    fn lost(&mut self, what: &str, why: &str) {
        let error = self.api.unavailable(why.to_owned());
        self.gaps.push(self.api.gap(what, &error));
    }

    /// What was found.
    pub(super) fn finish(self) -> Evidence<Signature> {
        Evidence::new(self.found, self.gaps)
    }
}

/// The rows of an answer under this name, where it has them.
pub(super) fn rows_of(answer: &mut Value, name: &str) -> Option<Vec<Value>> {
    match answer.get_mut(name)?.take() {
        Value::Array(rows) => Some(rows),
        _ => None,
    }
}
