//! DocuSign's eSignature API, `/restapi/v2.1`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{DocuSign, TITLE, TOKEN, document};
use crate::esign::api::{Api, FetchError, Fetcher, MOST_PAGES, Pages, encoded, moment};
use crate::model::{DocumentId, Evidence, Secrets, Signature, SignatureEvent};
use crate::webhook::json;

const PAGE: usize = 100;

/// DocuSign's API.
#[derive(Debug, Clone)]
pub(super) struct DocuSignApi {
    api: Api,
    provider: DocuSign,
    account: String,
}

impl DocuSignApi {
    /// The API with the token `DOCUSIGN_ACCESS_TOKEN`.
    ///
    /// # Errors
    /// When token, host or account are missing. The host is never taken from a
    /// message.
    pub(super) fn new(provider: DocuSign, secrets: &Secrets) -> Result<Self, FetchError> {
        let base = provider.settings.base_url.clone().ok_or(FetchError::NoSetting {
            provider: TITLE,
            setting: "esign.docusign.base_url",
            help: "it is the account base URI on the \"Apps and Keys\" page, such as https://na3.docusign.net",
        })?;
        let account = provider.settings.account_id.clone().ok_or(FetchError::NoSetting {
            provider: TITLE,
            setting: "esign.docusign.account_id",
            help: "it is the API account id on the \"Apps and Keys\" page",
        })?;
        let api = Api::new(TITLE, TOKEN, base, secrets, |token| format!("Bearer {token}"))?;
        Ok(Self { api, provider, account: encoded(&account) })
    }

    fn include(&self) -> &'static str {
        if self.provider.settings.tabs {
            "custom_fields,recipients,documents,folders,powerform,tabs"
        } else {
            "custom_fields,recipients,documents,folders,powerform"
        }
    }
}

#[async_trait]
impl Fetcher for DocuSignApi {
    async fn document(&self, id: &DocumentId) -> Result<SignatureEvent, FetchError> {
        let path = format!(
            "restapi/v2.1/accounts/{}/envelopes/{}?include={}",
            self.account,
            encoded(id.as_str()),
            self.include()
        );
        let mut envelope = self.api.get(&path, Some(id)).await?;
        // An envelope does not hold the names of its templates.
        let path = format!(
            "restapi/v2.1/accounts/{}/envelopes/{}/templates",
            self.account,
            encoded(id.as_str())
        );
        let templates = self.api.get(&path, None).await.ok();
        if let (Some(envelope), Some(templates)) = (
            envelope.as_object_mut(),
            templates.as_ref().and_then(|answer| answer.get("templates")),
        ) {
            envelope.insert("templates".to_owned(), templates.clone());
        }
        document::event(&envelope, &self.provider)
            .ok_or_else(|| self.api.unavailable("the envelope came without its id".to_owned()))
    }

    fn adds_to(&self, signature: &Signature) -> bool {
        // Messages do not hold the names of templates.
        signature.template.is_none()
    }

    async fn completed(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Evidence<Signature> {
        let mut pages = Pages::default();
        let mut start = 0usize;
        for _ in 0..MOST_PAGES {
            let path = format!(
                "restapi/v2.1/accounts/{}/envelopes?from_date={}&to_date={}&from_to_status=completed&status=completed&include=custom_fields,recipients&count={PAGE}&start_position={start}",
                self.account,
                moment(since),
                moment(until)
            );
            let what = format!("rows from {start}");
            let answer = match self.api.get(&path, None).await {
                Ok(answer) => answer,
                Err(error) => {
                    pages.gaps.push(self.api.gap(&what, &error));
                    break;
                }
            };
            let envelopes = json::list(&answer, &["envelopes"]);
            for envelope in envelopes {
                let Some(id) = json::text(envelope, &["envelopeId"]) else {
                    let error = self.api.unavailable("one has no id".to_owned());
                    pages.gaps.push(self.api.gap(&what, &error));
                    continue;
                };
                let signature = document::signature(id, Some(envelope), &self.provider);
                // DocuSign says that its list may hold more than was asked for.
                let completed = json::text(envelope, &["status"]) == Some("completed");
                let inside = signature.signed_at.is_none_or(|time| (since..until).contains(&time));
                if completed && inside {
                    pages.take(signature);
                }
            }
            start += envelopes.len();
            let total = number(&answer, "totalSetSize");
            if total.is_none() && answer.get("envelopes").is_none() {
                let error = self.api.unavailable("the list does not say how long it is".to_owned());
                pages.gaps.push(self.api.gap(&what, &error));
                break;
            }
            let more =
                total.map_or(json::text(&answer, &["nextUri"]).is_some(), |total| start < total);
            if more && envelopes.is_empty() {
                let error = self.api.unavailable("the list ended before its own total".to_owned());
                pages.gaps.push(self.api.gap(&what, &error));
            }
            if !more || envelopes.is_empty() {
                break;
            }
        }
        Evidence::new(pages.items, pages.gaps)
    }
}

/// DocuSign writes numbers as texts.
fn number(answer: &Value, name: &str) -> Option<usize> {
    answer.get(name).and_then(json::scalar)?.parse().ok()
}
