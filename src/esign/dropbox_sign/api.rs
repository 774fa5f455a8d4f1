//! Dropbox Sign's API: `api.hellosign.com/v3`.

use async_trait::async_trait;
use base64::Engine as _;
use chrono::{DateTime, Utc};

use super::{DropboxSign, KEY, TITLE, document};
use crate::esign::api::{Api, FetchError, Fetcher, MOST_PAGES, Pages, encoded};
use crate::http::BaseUrl;
use crate::model::{DocumentId, Evidence, Secrets, Signature, SignatureEvent};
use crate::webhook::json;

/// Dropbox Sign's API.
#[derive(Debug, Clone)]
pub(super) struct DropboxSignApi {
    api: Api,
    provider: DropboxSign,
}

impl DropboxSignApi {
    /// The API with the key `DROPBOX_SIGN_API_KEY`, the first when there are
    /// several.
    ///
    /// # Errors
    /// When there is no key.
    pub(super) fn new(provider: DropboxSign, secrets: &Secrets) -> Result<Self, FetchError> {
        let base = provider.settings.base_url.clone().unwrap_or_else(|| {
            BaseUrl::parse("https://api.hellosign.com/v3").expect("a valid address")
        });
        let api = Api::new(TITLE, KEY, base, secrets, |key| {
            // The key is the user's name, and the password is empty.
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{key}:"));
            format!("Basic {pair}")
        })?;
        Ok(Self { api, provider })
    }
}

#[async_trait]
impl Fetcher for DropboxSignApi {
    async fn document(&self, id: &DocumentId) -> Result<SignatureEvent, FetchError> {
        let path = format!("signature_request/{}", encoded(id.as_str()));
        let answer = self.api.get(&path, Some(id)).await?;
        let mut request = answer.get("signature_request").cloned().ok_or_else(|| {
            self.api.unavailable("the answer has no signature request".to_owned())
        })?;
        // A request holds the ids of its templates and not their names.
        let template = json::list(&request, &["template_ids"]).first().and_then(json::scalar);
        if let (Some(template), Some(request)) = (template, request.as_object_mut()) {
            let path = format!("template/{}", encoded(&template));
            let answer = self.api.get(&path, None).await.ok();
            if let Some(template) = answer.as_ref().and_then(|answer| answer.get("template")) {
                request.insert("template".to_owned(), template.clone());
            }
        }
        document::event(&request, &self.provider)
            .ok_or_else(|| self.api.unavailable("the answer has no signature request".to_owned()))
    }

    async fn completed(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Evidence<Signature> {
        let mut pages = Pages::default();
        for page in 1..=MOST_PAGES {
            let path = format!(
                "signature_request/list?query={}&page={page}&page_size=100",
                encoded("complete:true")
            );
            let what = || format!("page {page} and after");
            let answer = match self.api.get(&path, None).await {
                Ok(answer) => answer,
                Err(error) => {
                    pages.gaps.push(self.api.gap(&what(), &error));
                    break;
                }
            };
            for request in json::list(&answer, &["signature_requests"]) {
                match document::event(request, &self.provider) {
                    // The search cannot ask for the time of completion.
                    Some(SignatureEvent::Completed(signature))
                        if signature
                            .signed_at
                            .is_none_or(|time| (since..until).contains(&time)) =>
                    {
                        pages.take(signature);
                    }
                    Some(_) => {}
                    None => {
                        let error = self.api.unavailable("one has no id".to_owned());
                        pages.gaps.push(self.api.gap(&format!("a row on page {page}"), &error));
                    }
                }
            }
            let Some(last) =
                json::at(&answer, &["list_info", "num_pages"]).and_then(serde_json::Value::as_u64)
            else {
                let error = self.api.unavailable("the list does not say how long it is".to_owned());
                pages.gaps.push(self.api.gap(&what(), &error));
                break;
            };
            if page as u64 >= last {
                break;
            }
        }
        Evidence::new(pages.items, pages.gaps)
    }
}
