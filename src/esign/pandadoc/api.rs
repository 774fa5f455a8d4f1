//! PandaDoc's API: `api.pandadoc.com/public/v1`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{API_KEY, PandaDoc, TITLE, document};
use crate::esign::api::{Api, FetchError, Fetcher, MOST_PAGES, Pages, encoded, moment};
use crate::http::BaseUrl;
use crate::model::{DocumentId, Evidence, Secrets, Signature, SignatureEvent};
use crate::webhook::json;

const PAGE: usize = 100;

/// PandaDoc's API.
#[derive(Debug, Clone)]
pub(super) struct PandaDocApi {
    api: Api,
    provider: PandaDoc,
}

impl PandaDocApi {
    /// The API with the key `PANDADOC_API_KEY`.
    ///
    /// # Errors
    /// When there is no key.
    pub(super) fn new(provider: PandaDoc, secrets: &Secrets) -> Result<Self, FetchError> {
        let base = provider.settings.base_url.clone().unwrap_or_else(|| {
            BaseUrl::parse("https://api.pandadoc.com").expect("a valid address")
        });
        let api = Api::new(TITLE, API_KEY, base, secrets, |key| format!("API-Key {key}"))?;
        Ok(Self { api, provider })
    }

    /// The folder's name; its id stays where it is not among the first hundred.
    async fn folder(&self, id: &str) -> Option<String> {
        let folders = self.api.get("public/v1/documents/folders?count=100", None).await.ok()?;
        let folder = json::list(&folders, &["results"])
            .iter()
            .find(|folder| json::text(folder, &["uuid"]) == Some(id))?;
        json::text(folder, &["name"]).map(str::to_owned)
    }
}

#[async_trait]
impl Fetcher for PandaDocApi {
    async fn document(&self, id: &DocumentId) -> Result<SignatureEvent, FetchError> {
        let path = format!("public/v1/documents/{}/details", encoded(id.as_str()));
        let document = self.api.get(&path, Some(id)).await?;
        let mut event = document::event(&document, &self.provider)
            .ok_or_else(|| self.api.unavailable("the document came without its id".to_owned()))?;
        if let (
            Some(id),
            SignatureEvent::Completed(signature)
            | SignatureEvent::Sent(signature)
            | SignatureEvent::Voided { signature, .. },
        ) = (json::text(&document, &["folder_uuid"]), &mut event)
        {
            signature.folder = self.folder(id).await.or_else(|| signature.folder.take());
        }
        Ok(event)
    }

    fn adds_to(&self, signature: &Signature) -> bool {
        // Notifications do not tell the folder.
        signature.folder.is_none()
    }

    async fn completed(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Evidence<Signature> {
        let mut pages = Pages::default();
        // The API filters by one status at a time.
        for code in self.provider.settings.status_codes() {
            for page in 1..=MOST_PAGES {
                let path = format!(
                    "public/v1/documents?status={code}&completed_from={}&completed_to={}&count={PAGE}&page={page}&order_by=date_completed",
                    moment(since),
                    moment(until)
                );
                let answer = match self.api.get(&path, None).await {
                    Ok(answer)
                        if answer.get("results").is_some_and(serde_json::Value::is_array) =>
                    {
                        answer
                    }
                    Ok(_) => {
                        let error = self.api.unavailable("the list has no results".to_owned());
                        pages.gaps.push(self.api.gap(&format!("page {page} and after"), &error));
                        break;
                    }
                    Err(error) => {
                        pages.gaps.push(self.api.gap(&format!("page {page} and after"), &error));
                        break;
                    }
                };
                let documents = json::list(&answer, &["results"]);
                let before = pages.items.len();
                for document in documents {
                    match document::signature(document, &self.provider) {
                        Some(signature) => pages.take(signature),
                        None => {
                            let error = self.api.unavailable("it has no id".to_owned());
                            pages.gaps.push(self.api.gap(&format!("a row on page {page}"), &error));
                        }
                    }
                }
                if documents.len() < PAGE {
                    break;
                }
                if pages.items.len() == before {
                    let error = self.api.unavailable("a page came twice".to_owned());
                    pages.gaps.push(self.api.gap(&format!("page {page} and after"), &error));
                    break;
                }
            }
        }
        Evidence::new(pages.items, pages.gaps)
    }
}
