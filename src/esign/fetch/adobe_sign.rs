//! Adobe Acrobat Sign's API, `/api/rest/v6`.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::api::{Api, MOST_PAGES, Pages, encoded};
use super::port::{FetchError, Fetcher};
use crate::esign::adobe_sign::{self, Settings};
use crate::model::{DocumentId, Evidence, Secrets, Signature, SignatureEvent};
use crate::webhook::json;

/// The secret that holds the OAuth access token.
pub const TOKEN: &str = "ADOBE_SIGN_ACCESS_TOKEN";
const TITLE: &str = "Adobe Acrobat Sign";
/// The list tells a "display date" and not when an agreement was completed.
/// Agreements whose date is up to this long before the window are looked at
/// one by one.
const LONGEST_SIGNING: TimeDelta = TimeDelta::days(180);

/// Adobe Acrobat Sign's API.
#[derive(Debug, Clone)]
pub struct AdobeSignApi {
    api: Api,
    settings: Settings,
}

impl AdobeSignApi {
    /// The API with the token `ADOBE_SIGN_ACCESS_TOKEN`.
    ///
    /// # Errors
    /// When token or access point are missing.
    pub fn new(settings: Settings, secrets: &Secrets) -> Result<Self, FetchError> {
        let base = settings.base_url.clone().ok_or(FetchError::NoSetting {
            provider: TITLE,
            setting: "esign.adobe_sign.base_url",
            help: "it is the apiAccessPoint that GET https://api.adobesign.com/api/rest/v6/baseUris gives, such as https://api.na1.adobesign.com",
        })?;
        let api = Api::new(TITLE, TOKEN, base, secrets, |token| format!("Bearer {token}"))?;
        Ok(Self { api, settings })
    }

    async fn part(&self, id: &DocumentId, part: &str) -> Result<Value, FetchError> {
        let path = format!("api/rest/v6/agreements/{}{part}", encoded(id.as_str()));
        self.api.get(&path, Some(id)).await
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
        if let Some(agreement) = agreement.as_object_mut() {
            agreement.insert("participantSetsInfo".to_owned(), members);
        }
        let mut signature = adobe_sign::signature(&agreement, &self.settings)
            .ok_or_else(|| self.api.unavailable("the agreement came without its id".to_owned()))?;
        Ok(match status.as_str() {
            status if adobe_sign::is_final(status) => {
                signature.signed_at = self.completed_at(id).await?;
                SignatureEvent::Completed(signature)
            }
            "CANCELLED" | "EXPIRED" => {
                SignatureEvent::Voided { signature, what: status.to_ascii_lowercase() }
            }
            status if status.starts_with("OUT_FOR_") && self.settings.drafts => {
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
                let finished = json::text(row, &["status"]).is_some_and(adobe_sign::is_final);
                let date = json::time_at(row, &["displayDate"]);
                if !finished || date.is_some_and(|date| date < since - LONGEST_SIGNING) {
                    continue;
                }
                let Some(mut signature) = adobe_sign::signature(row, &self.settings) else {
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
