//! Adobe Acrobat Sign's API, `/api/rest/v6`.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::{AdobeSign, TITLE, TOKEN, document};
use crate::esign::api::{Api, FetchError, Fetcher, MOST_PAGES, Pages, encoded};
use crate::model::{DocumentId, Evidence, Secrets, Signature, SignatureEvent};
use crate::webhook::json;

/// The list tells a "display date" and not when an agreement was completed.
/// Agreements whose date is up to this long before the window are looked at
/// one by one.
const LONGEST_SIGNING: TimeDelta = TimeDelta::days(180);

/// Adobe Acrobat Sign's API.
#[derive(Debug, Clone)]
pub(super) struct AdobeSignApi {
    api: Api,
    provider: AdobeSign,
}

impl AdobeSignApi {
    /// The API with the token `ADOBE_SIGN_ACCESS_TOKEN`.
    ///
    /// # Errors
    /// When token or access point are missing.
    pub(super) fn new(provider: AdobeSign, secrets: &Secrets) -> Result<Self, FetchError> {
        let base = provider.settings.base_url.clone().ok_or(FetchError::NoSetting {
            provider: TITLE,
            setting: "esign.adobe_sign.base_url",
            help: "it is the apiAccessPoint that GET https://api.adobesign.com/api/rest/v6/baseUris gives, such as https://api.na1.adobesign.com",
        })?;
        let api = Api::new(TITLE, TOKEN, base, secrets, |token| format!("Bearer {token}"))?;
        Ok(Self { api, provider })
    }

    async fn part(&self, id: &DocumentId, part: &str) -> Result<Value, FetchError> {
        let path = format!("api/rest/v6/agreements/{}{part}", encoded(id.as_str()));
        self.api.get(&path, Some(id)).await
    }

    /// The names of the library document and the workflow it was made from;
    /// the ids stay where the key may not see them.
    async fn names(&self, agreement: &Value) -> Map<String, Value> {
        let library = json::list(agreement, &["fileInfos"])
            .iter()
            .find_map(|file| json::text(file, &["libraryDocumentId"]));
        let workflow = json::text(agreement, &["workflowId"]);
        let mut names = Map::new();
        for (id, kind, into) in [
            (library, "libraryDocuments", "libraryDocumentName"),
            (workflow, "workflows", "workflowName"),
        ] {
            let Some(id) = id else { continue };
            let path = format!("api/rest/v6/{kind}/{}", encoded(id));
            if let Ok(answer) = self.api.get(&path, None).await {
                let name = json::text(&answer, &["displayName"])
                    .or_else(|| json::text(&answer, &["name"]));
                names.extend(name.map(|name| (into.to_owned(), Value::from(name))));
            }
        }
        names
    }

    /// When the last of those who were asked did their part.
    async fn completed_at(&self, id: &DocumentId) -> Result<Option<DateTime<Utc>>, FetchError> {
        let events = self.part(id, "/events").await?;
        Ok(json::list(&events, &["events"])
            .iter()
            .filter(|event| {
                json::text(event, &["type"]).is_some_and(|kind| {
                    kind.starts_with("ACTION_COMPLETED")
                        || matches!(kind, "SIGNED" | "ESIGNED" | "DIGSIGNED" | "WRITTEN_SIGNED")
                })
            })
            .filter_map(|event| json::time_at(event, &["date"]))
            .max())
    }
}

#[async_trait]
impl Fetcher for AdobeSignApi {
    async fn document(&self, id: &DocumentId) -> Result<SignatureEvent, FetchError> {
        let mut agreement = self.part(id, "").await?;
        let status = json::text(&agreement, &["status"]).unwrap_or("UNKNOWN").to_owned();
        // The agreement lists people by e-mail alone; their names are apart, in
        // the form that notifications have.
        let members = self.part(id, "/members").await?;
        let names = self.names(&agreement).await;
        if let Some(agreement) = agreement.as_object_mut() {
            agreement.insert("participantSetsInfo".to_owned(), members);
            agreement.extend(names);
        }
        let mut signature = document::signature(&agreement, &self.provider)
            .ok_or_else(|| self.api.unavailable("the agreement came without its id".to_owned()))?;
        Ok(match status.as_str() {
            status if document::is_final(status) => {
                signature.signed_at = self.completed_at(id).await?;
                SignatureEvent::Completed(signature)
            }
            "CANCELLED" | "EXPIRED" => {
                SignatureEvent::Voided { signature, what: status.to_ascii_lowercase() }
            }
            status if status.starts_with("OUT_FOR_") && self.provider.settings.drafts => {
                SignatureEvent::Sent(signature)
            }
            status => SignatureEvent::Ignored {
                what: format!("agreement {}", status.to_ascii_lowercase().replace('_', " ")),
            },
        })
    }

    async fn completed(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Evidence<Signature> {
        let mut pages = Pages::default();
        let mut cursor: Option<String> = None;
        for page in 1..=MOST_PAGES {
            let next = cursor.as_deref().map(|c| format!("&cursor={}", encoded(c)));
            let path = format!(
                "api/rest/v6/agreements?showHiddenAgreements=true&pageSize=100{}",
                next.unwrap_or_default()
            );
            let answer = match self.api.get(&path, None).await {
                Ok(answer) => answer,
                Err(error) => {
                    pages.gaps.push(self.api.gap(&format!("page {page} and after"), &error));
                    break;
                }
            };
            let Some(rows) = answer.get("userAgreementList").and_then(Value::as_array) else {
                let error = self.api.unavailable("the list has no agreements in it".to_owned());
                pages.gaps.push(self.api.gap(&format!("page {page} and after"), &error));
                break;
            };
            for row in rows {
                let finished = json::text(row, &["status"]).is_some_and(document::is_final);
                let date = json::time_at(row, &["displayDate"]);
                if !finished || date.is_some_and(|date| date < since - LONGEST_SIGNING) {
                    continue;
                }
                let Some(mut signature) = document::signature(row, &self.provider) else {
                    let error = self.api.unavailable("one has no id".to_owned());
                    pages.gaps.push(self.api.gap(&format!("a row on page {page}"), &error));
                    continue;
                };
                match self.completed_at(&signature.document_id).await {
                    Ok(time) => {
                        signature.signed_at = time;
                        if time.is_none_or(|time| (since..until).contains(&time)) {
                            pages.take(signature);
                        }
                    }
                    Err(error) => {
                        let what = format!("agreement {}", signature.document_id);
                        pages.gaps.push(self.api.gap(&what, &error));
                    }
                }
            }
            cursor = json::text(&answer, &["page", "nextCursor"]).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Evidence::new(pages.items, pages.gaps)
    }
}
