//! PandaDoc's API, and its document as a signature.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{API_KEY, PandaDoc, TITLE};
use crate::esign::api::{FetchError, Fetcher, Listing, ProviderApi, encoded, moment, rows_of};
use crate::esign::metadata::total;
use crate::esign::{blank, deal_refs, metadata};
use crate::http::{BaseUrl, Limits, Page};
use crate::model::{DocumentId, Evidence, Money, Secrets, Signature, SignatureEvent, Signer};
use crate::text;
use crate::webhook::json;

// PandaDoc's document, from a webhook or from the details call, as a
// signature. The two differ in places; both forms are read.

/// What a document's status says, with the document's facts.
pub(super) fn event(document: &Value, provider: &PandaDoc) -> Option<SignatureEvent> {
    let signature = signature(document, provider)?;
    let status = json::text(document, &["status"]).unwrap_or("unknown");
    let state = status.trim_start_matches("document.");
    Some(match state {
        _ if provider.settings.is_trigger(status) => SignatureEvent::Completed(signature),
        "sent" if provider.settings.drafts => SignatureEvent::Sent(signature),
        "voided" | "declined" | "cancelled" | "expired" | "deleted" => {
            SignatureEvent::Voided { signature, what: state.to_owned() }
        }
        _ => SignatureEvent::Ignored { what: format!("document {}", json::word(state)) },
    })
}

/// The document's facts; nothing when it has no id.
pub(super) fn signature(document: &Value, provider: &PandaDoc) -> Option<Signature> {
    let id = document.get("id").and_then(json::scalar)?;
    let mut signature = blank("pandadoc", &id);
    if let Some(name) = json::text(document, &["name"]) {
        metadata::set_name(&mut signature, name);
    }
    metadata::read_test_words(&mut signature, &[document]);
    // The address people use is known for PandaDoc's default host only.
    signature.url = provider
        .settings
        .base_url
        .is_none()
        .then(|| format!("https://app.pandadoc.com/a/#/documents/{}", encoded_id(&id)));
    signers(document, &mut signature);
    signature.signed_at = json::time_at(document, &["date_completed"])
        .or_else(|| signature.signers.iter().filter_map(|signer| signer.signed_at).max());
    match total(
        json::at(document, &["grand_total", "amount"]),
        json::text(document, &["grand_total", "currency"]),
    ) {
        Ok(amount) => signature.total = amount,
        Err(remark) => signature.remarks.push(remark),
    }
    if signature.total.is_none() {
        signature.total = priced(document);
    }
    signature.template = json::text(document, &["template", "name"]).map(str::to_owned);
    signature.template_id =
        document.get("template").and_then(|t| t.get("id")).and_then(json::scalar);
    // The folder's name is asked for apart; its id is what a document holds.
    signature.folder = json::text(document, &["folder", "name"])
        .or_else(|| json::text(document, &["folder_uuid"]))
        .map(str::to_owned);
    signature.tags = json::list(document, &["tags"]).iter().filter_map(json::scalar).collect();
    let sender = document.get("sent_by").filter(|by| by.is_object());
    signature.sender = sender
        .or_else(|| document.get("owner").filter(|by| by.is_object()))
        .or_else(|| document.get("created_by").filter(|by| by.is_object()))
        .map(signer)
        .and_then(|by| metadata::person(by.name.as_deref(), by.email.as_deref()));
    signature.metadata = flatten(document, &signature);
    linked_deals(json::list(document, &["linked_objects"]), &mut signature, 0);
    provider.deals.find(&mut signature);
    let companies: Vec<(Option<&str>, &str)> = json::list(document, &["recipients"])
        .iter()
        .filter_map(|person| {
            let company = json::text(person, &["company"])?;
            Some((json::text(person, &["email"]), company))
        })
        .collect();
    signature.customer = metadata::customer(&signature, &companies);
    Some(signature)
}

fn encoded_id(id: &str) -> String {
    percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The people who were to sign; a group counts as one that any member signs for.
fn signers(document: &Value, signature: &mut Signature) {
    let mut open: Vec<String> = Vec::new();
    for recipient in json::list(document, &["recipients"]) {
        let kind = json::text(recipient, &["recipient_type"]).unwrap_or("signer");
        if !kind.eq_ignore_ascii_case("signer") {
            continue;
        }
        let group = signer(recipient);
        let members: Vec<Signer> = json::list(recipient, &["members"])
            .iter()
            .map(|member| {
                let mut member = signer(member);
                member.role = member.role.or_else(|| group.role.clone());
                member
            })
            .collect();
        let done = if members.is_empty() {
            group.signed
        } else {
            let any = members.iter().any(|member| member.signed == Some(true));
            any.then_some(true).or(group.signed)
        };
        if done == Some(false) {
            let who = group.name.as_deref().or(group.email.as_deref()).unwrap_or("a signer");
            open.push(text::quoted(who));
        }
        if members.is_empty() {
            signature.signers.push(group);
        } else {
            signature.signers.extend(members);
        }
    }
    // Anybody with the right can set a document to completed by hand, from a
    // draft even: the status is no proof of signatures.
    let completed = json::text(document, &["status"]) == Some("document.completed");
    if completed && !open.is_empty() {
        signature.remarks.push(format!(
            "PandaDoc calls this document completed, and {} {} not signed: it may have been marked completed by hand",
            open.join(", "),
            if open.len() == 1 { "has" } else { "have" }
        ));
    }
}

fn signer(recipient: &Value) -> Signer {
    let words = [json::text(recipient, &["first_name"]), json::text(recipient, &["last_name"])];
    let full: Vec<&str> = words.into_iter().flatten().collect();
    let name = if full.is_empty() {
        json::text(recipient, &["name"]).map(str::to_owned)
    } else {
        Some(full.join(" "))
    };
    let role = json::text(recipient, &["role"])
        .map(str::to_owned)
        .or_else(|| json::list(recipient, &["roles"]).first().and_then(json::scalar));
    Signer {
        name,
        email: json::text(recipient, &["email"]).map(str::to_owned),
        role,
        signed_at: json::time_at(recipient, &["signature_date"]),
        signed: recipient.get("has_completed").and_then(Value::as_bool),
    }
}

/// Metadata first, then tokens, then filled fields, then what PandaDoc itself
/// says of the document, under `document.…`.
fn flatten(document: &Value, signature: &Signature) -> Map<String, Value> {
    let mut flat = Map::new();
    metadata::add_object(&mut flat, document.get("metadata"));
    for token in json::list(document, &["tokens"]) {
        // Details give {"name": …, "value": …}, webhooks {"Client.Company": …}.
        match (json::text(token, &["name"]), token.get("value")) {
            (Some(name), Some(value)) => metadata::add(&mut flat, name, value),
            _ => metadata::add_object(&mut flat, Some(token)),
        }
    }
    metadata::add_named(&mut flat, json::list(document, &["fields"]), &["field_id", "name"]);
    metadata::add_text(&mut flat, "document.template", signature.template.as_deref());
    if let Some(tags) = document.get("tags") {
        metadata::add(&mut flat, "document.tags", tags);
    }
    metadata::add_text(&mut flat, "document.number", json::text(document, &["ref_number"]));
    if let Some(sender) = &signature.sender {
        metadata::add_text(&mut flat, "document.sender_name", sender.name.as_deref());
        metadata::add_text(&mut flat, "document.sender_email", sender.email.as_deref());
    }
    let items = line_items(document);
    if !items.is_empty() {
        flat.entry("line_items").or_insert(Value::Array(items));
    }
    flat
}

/// The rows of the pricing tables that count towards the total.
fn line_items(document: &Value) -> Vec<Value> {
    let mut rows = Vec::new();
    for table in json::list(document, &["pricing", "tables"]) {
        if table.get("is_included_in_total") == Some(&Value::Bool(false)) {
            continue;
        }
        for item in json::list(table, &["items"]) {
            let flag = |name| json::at(item, &["options", name]) == Some(&Value::Bool(true));
            if flag("optional") && !flag("optional_selected") {
                continue;
            }
            let field = |name: &str| item.get(name).and_then(json::scalar);
            let mut properties = Map::new();
            for own in ["custom_fields", "custom_columns"] {
                metadata::add_object(&mut properties, item.get(own));
            }
            let discount = json::at(item, &["discount", "value"]).and_then(json::scalar);
            metadata::add_text(&mut properties, "discount", discount.as_deref());
            let kind = json::text(item, &["discount", "type"]).map(|kind| match kind {
                "absolute" => "amount",
                kind => kind,
            });
            metadata::add_text(&mut properties, "discount_type", kind);
            rows.push(json!({
                "name": field("name"),
                "sku": field("sku"),
                "quantity": field("qty"),
                "price": field("price"),
                "description": field("description"),
                "properties": properties,
            }));
        }
    }
    rows
}

/// The total of the pricing tables, for documents without a grand total.
fn priced(document: &Value) -> Option<Money> {
    let amount = json::at(document, &["pricing", "total"]);
    let currency = json::list(document, &["pricing", "tables"])
        .iter()
        .find_map(|table| json::text(table, &["currency"]));
    total(amount, currency).ok().flatten()
}

/// PandaDoc's own links to CRM records and to what hangs below them, the best
/// evidence there is.
fn linked_deals(links: &[Value], signature: &mut Signature, depth: usize) {
    for link in links {
        if deal_refs::is_deal(json::text(link, &["entity_type"]).unwrap_or_default()) {
            let reference = link
                .get("entity_id")
                .and_then(json::scalar)
                .and_then(|id| deal_refs::reference(json::text(link, &["provider"]), &id));
            if let Some(reference) = reference {
                deal_refs::add(&mut signature.deal_refs, reference);
            }
        }
        if depth < 4 {
            linked_deals(json::list(link, &["children"]), signature, depth + 1);
        }
    }
}

// PandaDoc's API: `api.pandadoc.com/public/v1`.

const PAGE: usize = 100;
/// So many pages of folders are looked through for one of them.
const MOST_FOLDER_PAGES: usize = 50;

/// PandaDoc's API.
#[derive(Debug, Clone)]
pub(super) struct PandaDocApi {
    api: ProviderApi,
    provider: PandaDoc,
    /// Names of folders that were found, by their ids.
    folders: Arc<Mutex<BTreeMap<String, String>>>,
}

impl PandaDocApi {
    /// The API with the key `PANDADOC_API_KEY`.
    ///
    /// # Errors
    /// When there is no key.
    pub(super) fn new(
        provider: PandaDoc,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Self, FetchError> {
        let base = provider.settings.base_url.clone().unwrap_or_else(|| {
            BaseUrl::parse("https://api.pandadoc.com").expect("a valid address")
        });
        let api = ProviderApi::new(TITLE, API_KEY, base, secrets, limits, |key| {
            format!("API-Key {key}")
        })?;
        Ok(Self { api, provider, folders: Arc::default() })
    }

    /// The folder's name; nothing where it is among none of the folders that the
    /// key sees. The API lists what lies in one folder at a time, and has no call for one by
    /// its id.
    async fn folder(&self, id: &str) -> Result<Option<String>, FetchError> {
        let known = |names: &Mutex<BTreeMap<String, String>>| {
            names.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
        };
        if let Some(name) = known(&self.folders) {
            return Ok(Some(name));
        }
        let (mut within, mut seen) = (VecDeque::from([String::new()]), BTreeSet::new());
        let mut asked = 0;
        while let Some(parent) = within.pop_front() {
            for page in 1.. {
                asked += 1;
                if asked > MOST_FOLDER_PAGES {
                    return Err(self.api.unavailable(format!(
                        "the folder is not among those of the first {MOST_FOLDER_PAGES} pages"
                    )));
                }
                let below = match parent.as_str() {
                    "" => String::new(),
                    parent => format!("&parent_uuid={}", encoded(parent)),
                };
                let path = format!("public/v1/documents/folders?count={PAGE}&page={page}{below}");
                let folders = self.api.get(&path, None).await?;
                let listed = json::list(&folders, &["results"]);
                for folder in listed {
                    let Some(uuid) = json::text(folder, &["uuid"]) else { continue };
                    if let Some(name) = json::text(folder, &["name"]) {
                        let mut names = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
                        names.insert(uuid.to_owned(), name.to_owned());
                    }
                    let has_folders = folder.get("has_folders") != Some(&Value::Bool(false));
                    if seen.insert(uuid.to_owned()) && has_folders {
                        within.push_back(uuid.to_owned());
                    }
                }
                if let Some(name) = known(&self.folders) {
                    return Ok(Some(name));
                }
                if listed.len() < PAGE {
                    break;
                }
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Fetcher for PandaDocApi {
    async fn document(&self, id: &DocumentId) -> Result<SignatureEvent, FetchError> {
        let path = format!("public/v1/documents/{}/details", encoded(id.as_str()));
        let document = self.api.get(&path, Some(id)).await?;
        let mut event = event(&document, &self.provider)
            .ok_or_else(|| self.api.unavailable("the document came without its id".to_owned()))?;
        if let (
            Some(id),
            SignatureEvent::Completed(signature)
            | SignatureEvent::Sent(signature)
            | SignatureEvent::Voided { signature, .. },
        ) = (json::text(&document, &["folder_uuid"]), &mut event)
        {
            match self.folder(id).await {
                Ok(name) => signature.folder = name.or_else(|| signature.folder.take()),
                Err(error) => {
                    signature.folder = None;
                    signature.unread.push(error.unread("folder"));
                }
            }
        }
        Ok(event)
    }

    fn adds_to(&self, signature: &Signature) -> bool {
        // Notifications do not tell the folder.
        signature.folder.is_none()
    }

    async fn completed(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Evidence<Signature> {
        let mut list = Listing::new(&self.api, "");
        // The API filters by one status at a time.
        for code in self.provider.settings.status_codes() {
            let at = |page: usize| {
                format!(
                    "public/v1/documents?status={code}&completed_from={}&completed_to={}&count={PAGE}&page={page}&order_by=date_completed",
                    moment(since),
                    moment(until)
                )
            };
            list.go_on(at(1));
            let read = |mut answer: Value, page: usize, _| {
                let records = rows_of(&mut answer, "results").ok_or("the list has no results")?;
                let next = (records.len() >= PAGE).then(|| at(page + 1));
                Ok(Page { records, next, ..Page::default() })
            };
            while let Some(documents) = list.rows(read).await {
                for document in &documents {
                    match signature(document, &self.provider) {
                        Some(signature) => list.take(signature),
                        None => list.lost_row(),
                    }
                }
            }
        }
        list.finish()
    }
}
