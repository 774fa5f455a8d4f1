//! Adobe Acrobat Sign's API, and its agreement as a signature.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::{AdobeSign, TITLE, TOKEN};
use crate::esign::api::{FetchError, Fetcher, Listing, ProviderApi, encoded, rows_of};
use crate::esign::{blank, deal_refs, metadata};
use crate::http::{Limits, Page};
use crate::model::{DocumentId, Evidence, Secrets, Signature, SignatureEvent, Signer, UnreadFact};
use crate::webhook::json;

// Adobe's agreement, from a webhook or from the API, as a signature.

/// Whether this status means that everybody has done their part.
pub(super) fn is_final(status: &str) -> bool {
    ["SIGNED", "APPROVED", "ACCEPTED", "DELIVERED", "FORM_FILLED"].contains(&status)
}

/// The agreement's facts; nothing when it has no id. When it was completed is
/// not among them.
pub(super) fn signature(agreement: &Value, provider: &AdobeSign) -> Option<Signature> {
    let id = json::text(agreement, &["id"])?;
    let mut signature = blank("adobe-sign", id);
    if let Some(name) = json::text(agreement, &["name"]) {
        metadata::set_name(&mut signature, name);
    }
    for set in json::list(agreement, &["participantSetsInfo", "participantSets"]) {
        let role = json::text(set, &["role"]).unwrap_or("SIGNER");
        if matches!(role, "SENDER" | "CERTIFIED_RECIPIENT" | "SHARE") {
            continue;
        }
        let done = json::text(set, &["status"]).map(|status| status == "COMPLETED");
        for member in json::list(set, &["memberInfos"]) {
            if json::text(member, &["status"]) == Some("REPLACED") {
                continue;
            }
            signature.signers.push(Signer {
                name: json::text(member, &["name"]).map(str::to_owned),
                email: json::text(member, &["email"]).map(str::to_owned),
                role: Some(role.to_ascii_lowercase().replace('_', " ")),
                signed_at: None,
                signed: done,
            });
        }
    }
    signature.sender = metadata::person(
        json::text(agreement, &["senderName"]),
        json::text(agreement, &["senderEmail"]),
    );
    // The API's answers for the names are put in beside the ids.
    let library = json::list(agreement, &["fileInfos"])
        .iter()
        .find_map(|file| json::text(file, &["libraryDocumentId"]));
    signature.template_id = library.map(str::to_owned);
    signature.template = json::text(agreement, &["libraryDocumentName"]).map(str::to_owned);
    signature.folder = json::text(agreement, &["workflowName"])
        .or_else(|| json::text(agreement, &["workflowId"]))
        .map(str::to_owned);
    if metadata::is_test_host(provider.settings.base_url.as_ref(), &["adobesignsandbox.com"]) {
        let why = "sent from Adobe Acrobat Sign's sandbox";
        metadata::mark_test(&mut signature, why.to_owned());
    }
    metadata::read_test_words(&mut signature, &[agreement]);
    signature.metadata = flatten(agreement);
    let external = json::text(agreement, &["externalId", "id"]);
    let crm = provider.settings.deal.crm();
    if let Some(reference) = external.and_then(|text| provider.deals.in_text(text, crm)) {
        deal_refs::add(&mut signature.deal_refs, reference);
    }
    provider.deals.find(&mut signature);
    signature.customer = metadata::customer(&signature, &companies(agreement));
    Some(signature)
}

/// The companies of those who sign, with their addresses.
fn companies(agreement: &Value) -> Vec<(Option<&str>, &str)> {
    json::list(agreement, &["participantSetsInfo", "participantSets"])
        .iter()
        .flat_map(|set| json::list(set, &["memberInfos"]))
        .filter_map(|member| {
            Some((json::text(member, &["email"]), json::text(member, &["company"])?))
        })
        .collect()
}

fn flatten(agreement: &Value) -> Map<String, Value> {
    let mut flat = Map::new();
    metadata::add_text(&mut flat, "external_id", json::text(agreement, &["externalId", "id"]));
    metadata::add_text(&mut flat, "document.message", json::text(agreement, &["message"]));
    metadata::add_text(&mut flat, "document.sender_email", json::text(agreement, &["senderEmail"]));
    let files = json::list(agreement, &["documentsInfo", "documents"])
        .iter()
        .filter_map(|document| json::text(document, &["name"]).map(Value::from))
        .collect();
    metadata::add(&mut flat, "document.files", &Value::Array(files));
    let companies =
        companies(agreement).into_iter().map(|(_, company)| Value::from(company)).collect();
    metadata::add(&mut flat, "document.companies", &Value::Array(companies));
    flat
}

// Adobe Acrobat Sign's API, `/api/rest/v6`.

/// The list tells a "display date" and not when an agreement was completed.
/// Agreements whose date is up to this long before the window are looked at
/// one by one.
const LONGEST_SIGNING: TimeDelta = TimeDelta::days(180);

/// Adobe Acrobat Sign's API.
#[derive(Debug, Clone)]
pub(super) struct AdobeSignApi {
    api: ProviderApi,
    provider: AdobeSign,
}

impl AdobeSignApi {
    /// The API with the token `ADOBE_SIGN_ACCESS_TOKEN`.
    ///
    /// # Errors
    /// When token or access point are missing.
    pub(super) fn new(
        provider: AdobeSign,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Self, FetchError> {
        let base = provider.settings.base_url.clone().ok_or(FetchError::NoSetting {
            provider: TITLE,
            setting: "esign.adobe_sign.base_url",
            help: "it is the apiAccessPoint that GET https://api.adobesign.com/api/rest/v6/baseUris gives, such as https://api.na1.adobesign.com",
        })?;
        let api = ProviderApi::new(TITLE, TOKEN, base, secrets, limits, |token| {
            format!("Bearer {token}")
        })?;
        Ok(Self { api, provider })
    }

    async fn part(&self, id: &DocumentId, part: &str) -> Result<Value, FetchError> {
        let path = format!("api/rest/v6/agreements/{}{part}", encoded(id.as_str()));
        self.api.get(&path, Some(id)).await
    }

    /// The names of the library document and the workflow it was made from, and
    /// those that could not be read.
    async fn names(&self, agreement: &Value) -> (Map<String, Value>, Vec<UnreadFact>) {
        let library = json::list(agreement, &["fileInfos"])
            .iter()
            .find_map(|file| json::text(file, &["libraryDocumentId"]));
        let workflow = json::text(agreement, &["workflowId"]);
        let (mut names, mut unread) = (Map::new(), Vec::new());
        for (id, kind, into, fact) in [
            (library, "libraryDocuments", "libraryDocumentName", "template"),
            (workflow, "workflows", "workflowName", "folder"),
        ] {
            let Some(id) = id else { continue };
            let path = format!("api/rest/v6/{kind}/{}", encoded(id));
            match self.api.get(&path, Some(&DocumentId::new(id))).await {
                Ok(answer) => {
                    let name = json::text(&answer, &["displayName"])
                        .or_else(|| json::text(&answer, &["name"]));
                    names.extend(name.map(|name| (into.to_owned(), Value::from(name))));
                }
                Err(error) => unread.push(error.unread(fact)),
            }
        }
        (names, unread)
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
        let (names, unread) = self.names(&agreement).await;
        if let Some(agreement) = agreement.as_object_mut() {
            agreement.insert("participantSetsInfo".to_owned(), members);
            agreement.extend(names);
        }
        let mut signature = signature(&agreement, &self.provider)
            .ok_or_else(|| self.api.unavailable("the agreement came without its id".to_owned()))?;
        signature.unread = unread;
        Ok(match status.as_str() {
            status if is_final(status) => {
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
        let first = "api/rest/v6/agreements?showHiddenAgreements=true&pageSize=100";
        let mut list = Listing::new(&self.api, first);
        let read = |mut answer: Value, _, _| {
            let next = json::text(&answer, &["page", "nextCursor"]);
            let next = next.map(|cursor| format!("{first}&cursor={}", encoded(cursor)));
            let records = rows_of(&mut answer, "userAgreementList")
                .ok_or("the list has no agreements in it")?;
            Ok(Page { records, next, ..Page::default() })
        };
        while let Some(rows) = list.rows(read).await {
            for row in &rows {
                let finished = json::text(row, &["status"]).is_some_and(is_final);
                let date = json::time_at(row, &["displayDate"]);
                if !finished || date.is_some_and(|date| date < since - LONGEST_SIGNING) {
                    continue;
                }
                let Some(mut signature) = signature(row, &self.provider) else {
                    list.lost_row();
                    continue;
                };
                match self.completed_at(&signature.document_id).await {
                    Ok(time) => {
                        signature.signed_at = time;
                        if time.is_none_or(|time| (since..until).contains(&time)) {
                            list.take(signature);
                        }
                    }
                    Err(error) => {
                        list.unread(&format!("agreement {}", signature.document_id), &error);
                    }
                }
            }
        }
        list.finish()
    }
}
