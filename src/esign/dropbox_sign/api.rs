//! Dropbox Sign's API, and its signature request as a signature.

use async_trait::async_trait;
use base64::Engine as _;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{DropboxSign, KEY, TITLE};
use crate::esign::api::{FetchError, Fetcher, Listing, ProviderApi, encoded, rows_of};
use crate::esign::provider::signature_of_mut;
use crate::esign::{blank, metadata};
use crate::http::{BaseUrl, Limits, Page};
use crate::model::{DocumentId, Evidence, Secrets, Signature, SignatureEvent, Signer};
use crate::webhook::json;

// Dropbox Sign's signature request, from an event or from the API, as a signature.

/// What a signature request's flags in the API say.
pub(super) fn event(request: &Value, provider: &DropboxSign) -> Option<SignatureEvent> {
    let signature = signature(request, provider)?;
    let is = |flag: &str| metadata::is_set(request.get(flag));
    Some(if is("is_declined") {
        SignatureEvent::Voided { signature, what: "declined".to_owned() }
    } else if is("is_complete") {
        SignatureEvent::Completed(signature)
    } else if provider.settings.drafts {
        SignatureEvent::Sent(signature)
    } else {
        SignatureEvent::Ignored { what: "signature request waiting for signatures".to_owned() }
    })
}

/// The request's facts; nothing when it has no id.
pub(super) fn signature(request: &Value, provider: &DropboxSign) -> Option<Signature> {
    let id = json::text(request, &["signature_request_id"])?;
    let mut signature = blank("dropbox-sign", id);
    let name = json::text(request, &["title"]).or_else(|| json::text(request, &["subject"]));
    if let Some(name) = name {
        metadata::set_name(&mut signature, name);
    }
    signature.template_id = json::list(request, &["template_ids"]).first().and_then(json::scalar);
    // The API's answer for the template is put in beside the ids.
    signature.template = json::text(request, &["template", "title"]).map(str::to_owned);
    signature.sender = metadata::person(None, json::text(request, &["requester_email_address"]));
    // For people who log in; the files' and the signing addresses are not kept.
    signature.url = json::text(request, &["details_url"])
        .filter(|url| url.starts_with("https://"))
        .map(str::to_owned);
    signature.signers = json::list(request, &["signatures"]).iter().map(signer).collect();
    signature.signed_at = signature.signers.iter().filter_map(|signer| signer.signed_at).max();
    if metadata::is_set(request.get("test_mode")) {
        let why = "signed in test mode, which has no legal value";
        metadata::mark_test(&mut signature, why.to_owned());
    }
    metadata::read_test_words(&mut signature, &[request]);
    signature.metadata = flatten(request);
    let template = signature.template.as_deref();
    metadata::add_text(&mut signature.metadata, "document.template", template);
    provider.deals.find(&mut signature);
    signature.customer = metadata::customer(&signature, &[]);
    Some(signature)
}

fn signer(person: &Value) -> Signer {
    let text = |name: &str| json::text(person, &[name]).map(str::to_owned);
    Signer {
        name: text("signer_name"),
        email: text("signer_email_address"),
        role: text("signer_role"),
        signed_at: json::time_at(person, &["signed_at"]),
        signed: text("status_code").map(|status| status == "signed"),
    }
}

fn flatten(request: &Value) -> Map<String, Value> {
    let mut flat = Map::new();
    metadata::add_object(&mut flat, request.get("metadata"));
    metadata::add_named(&mut flat, json::list(request, &["custom_fields"]), &["name", "api_id"]);
    let filled: Vec<Value> = json::list(request, &["response_data"])
        .iter()
        .filter(|field| !matches!(json::text(field, &["type"]), Some("signature" | "initials")))
        .cloned()
        .collect();
    metadata::add_named(&mut flat, &filled, &["name", "api_id"]);
    let sender = json::text(request, &["requester_email_address"]);
    metadata::add_text(&mut flat, "document.sender_email", sender);
    flat
}

// Dropbox Sign's API: `api.hellosign.com/v3`.

/// Dropbox Sign's API.
#[derive(Debug, Clone)]
pub(super) struct DropboxSignApi {
    api: ProviderApi,
    provider: DropboxSign,
}

impl DropboxSignApi {
    /// The API with the key `DROPBOX_SIGN_API_KEY`, the first when there are
    /// several.
    ///
    /// # Errors
    /// When there is no key.
    pub(super) fn new(
        provider: DropboxSign,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Self, FetchError> {
        let base = provider.settings.base_url.clone().unwrap_or_else(|| {
            BaseUrl::parse("https://api.hellosign.com/v3").expect("a valid address")
        });
        let api = ProviderApi::new(TITLE, KEY, base, secrets, limits, |key| {
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
        let mut unread = None;
        if let (Some(template), Some(request)) = (template, request.as_object_mut()) {
            let path = format!("template/{}", encoded(&template));
            match self.api.get(&path, Some(&DocumentId::new(template))).await {
                Ok(answer) => {
                    let template = answer.get("template").cloned();
                    request.extend(template.map(|it| ("template".to_owned(), it)));
                }
                Err(error) => unread = Some(error.unread("template")),
            }
        }
        let mut event = event(&request, &self.provider).ok_or_else(|| {
            self.api.unavailable("the answer has no signature request".to_owned())
        })?;
        if let Some(signature) = signature_of_mut(&mut event) {
            signature.unread.extend(unread);
        }
        Ok(event)
    }

    async fn completed(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Evidence<Signature> {
        let at = |page: usize| {
            format!(
                "signature_request/list?query={}&page={page}&page_size=100",
                encoded("complete:true")
            )
        };
        let mut list = Listing::new(&self.api, at(1));
        let read = |mut answer: Value, page: usize, _| {
            let last = json::at(&answer, &["list_info", "num_pages"]).and_then(Value::as_u64);
            let last = last.ok_or("the list does not say how long it is")?;
            let records = rows_of(&mut answer, "signature_requests")
                .ok_or("the list has no signature_requests")?;
            let next = ((page as u64) < last).then(|| at(page + 1));
            Ok(Page { records, next, ..Page::default() })
        };
        while let Some(requests) = list.rows(read).await {
            for request in &requests {
                match event(request, &self.provider) {
                    // The search cannot ask for the time of completion.
                    Some(SignatureEvent::Completed(signature))
                        if signature
                            .signed_at
                            .is_none_or(|time| (since..until).contains(&time)) =>
                    {
                        list.take(signature);
                    }
                    Some(_) => {}
                    None => list.lost_row(),
                }
            }
        }
        list.finish()
    }
}
