//! DocuSign's eSignature API, and its envelope as a signature.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{DocuSign, TITLE, TOKEN};
use crate::esign::api::{FetchError, Fetcher, Listing, ProviderApi, encoded, moment, rows_of};
use crate::esign::provider::signature_of_mut;
use crate::esign::{blank, metadata};
use crate::http::{Limits, Page};
use crate::model::{DocumentId, Evidence, Secrets, Signature, SignatureEvent, Signer};
use crate::text;
use crate::webhook::json;

// DocuSign's envelope, from `envelopeSummary` or from the API, as a signature.
// Numbers and flags inside are texts.

/// The kinds of tabs that hold what a signer filled in. Signatures, initials
/// and social security numbers are not among them.
const TABS: &[&str] = &[
    "textTabs",
    "numberTabs",
    "numericalTabs",
    "dateTabs",
    "listTabs",
    "emailTabs",
    "companyTabs",
    "titleTabs",
    "formulaTabs",
    "noteTabs",
    "zipTabs",
];

/// What an envelope's status in the API says.
pub(super) fn event(envelope: &Value, provider: &DocuSign) -> Option<SignatureEvent> {
    let id = json::text(envelope, &["envelopeId"])?;
    let status = json::text(envelope, &["status"]).unwrap_or("unknown").to_ascii_lowercase();
    let signature = signature(id, Some(envelope), provider);
    Some(match status.as_str() {
        "completed" => SignatureEvent::Completed(signature),
        "sent" | "delivered" if provider.settings.drafts => SignatureEvent::Sent(signature),
        "voided" | "declined" | "deleted" => {
            SignatureEvent::Voided { signature, what: with_reason(&status, envelope) }
        }
        _ => SignatureEvent::Ignored { what: format!("envelope {status}") },
    })
}

/// How an envelope ended, with the words of who voided or declined it.
pub(super) fn with_reason(what: &str, envelope: &Value) -> String {
    let signers = json::list(envelope, &["recipients", "signers"]);
    let declined = || signers.iter().find_map(|signer| json::text(signer, &["declinedReason"]));
    match json::text(envelope, &["voidedReason"]).or_else(declined) {
        Some(reason) => format!("{what}: {}", text::one_line(reason)),
        None => what.to_owned(),
    }
}

/// The envelope's facts; without a summary nothing but its id.
pub(super) fn signature(id: &str, envelope: Option<&Value>, provider: &DocuSign) -> Signature {
    let mut signature = blank("docusign", id);
    let is_demo = metadata::is_test_host(provider.settings.base_url.as_ref(), DEMO_HOSTS);
    if is_demo || envelope.is_some_and(names_demo) {
        mark_demo(&mut signature);
    } else {
        signature.url = Some(format!("https://app.docusign.com/documents/details/{}", encoded(id)));
    }
    let Some(envelope) = envelope else { return signature };
    let documents: Vec<&str> = json::list(envelope, &["envelopeDocuments"])
        .iter()
        // The certificate is DocuSign's own audit summary.
        .filter(|document| json::text(document, &["documentId"]) != Some("certificate"))
        .filter_map(|document| json::text(document, &["name"]))
        .collect();
    for name in json::text(envelope, &["emailSubject"]).iter().chain(documents.first()) {
        if signature.document_name.is_none() {
            metadata::set_name(&mut signature, name);
        }
    }
    metadata::read_test_words(&mut signature, &[envelope]);
    for group in ["signers", "inPersonSigners"] {
        let people = json::list(envelope, &["recipients", group]);
        signature.signers.extend(people.iter().map(signer));
    }
    signature.signed_at = json::time_at(envelope, &["completedDateTime"])
        .or_else(|| signature.signers.iter().filter_map(|signer| signer.signed_at).max());
    if let Some(reason) = json::text(envelope, &["voidedReason"]) {
        signature.remarks.push(format!("voided with the reason {}", text::quoted(reason)));
    }
    let sender = |name| json::text(envelope, &["sender", name]);
    signature.sender = metadata::person(sender("userName"), sender("email"));
    // Templates come from a call of their own; the API's answer has them put in.
    let template = json::list(envelope, &["templates"]).first();
    let power_form = envelope.get("powerForm");
    let of = |from: Option<&Value>, name: &str| {
        from.and_then(|from| json::text(from, &[name])).map(str::to_owned)
    };
    signature.template = of(template, "name").or_else(|| of(power_form, "name"));
    signature.template_id = of(template, "templateId").or_else(|| of(power_form, "powerFormId"));
    signature.folder = json::list(envelope, &["folders"])
        .iter()
        .find_map(|folder| json::text(folder, &["name"]))
        .map(str::to_owned);
    signature.metadata = flatten(envelope, &documents, provider);
    metadata::add_text(&mut signature.metadata, "document.template", signature.template.as_deref());
    provider.deals.find(&mut signature);
    signature.customer = metadata::customer(&signature, &companies(envelope, provider));
    signature
}

/// The hosts of DocuSign's demo environment, whose envelopes bind nobody.
const DEMO_HOSTS: &[&str] = &[
    "account-d.docusign.com",
    "admindemo.docusign.com",
    "appdemo.docusign.com",
    "apps-d.docusign.com",
    "demo.docusign.net",
    "demo.services.docusign.net",
    "powerforms-d.docusign.net",
];

/// Whether DocuSign's own addresses in a message, or in an envelope, are the demo
/// environment's: those whose names end in `uri` or `url`, at any depth. What people
/// wrote (recipients with their tabs, custom fields) is not among them.
pub(super) fn names_demo(message: &Value) -> bool {
    const OF_PEOPLE: &[&str] = &["customFields", "recipients", "tabs"];
    match message {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let ending = name.to_ascii_lowercase();
            let is_address = ending.ends_with("uri") || ending.ends_with("url");
            (is_address && value.as_str().is_some_and(is_at_demo_host))
                || (!OF_PEOPLE.contains(&name.as_str()) && names_demo(value))
        }),
        Value::Array(items) => items.iter().any(names_demo),
        _ => false,
    }
}

fn is_at_demo_host(address: &str) -> bool {
    let host = address.split("://").nth(1).and_then(|rest| rest.split(['/', ':', '?']).next());
    let host = host.unwrap_or_default().to_ascii_lowercase();
    DEMO_HOSTS.iter().any(|demo| host == *demo || host.ends_with(&format!(".{demo}")))
}

pub(super) fn mark_demo(signature: &mut Signature) {
    signature.url = None;
    metadata::mark_test(signature, "sent from DocuSign's demo environment".to_owned());
}

/// What signers wrote into company fields, with their addresses.
fn companies<'a>(envelope: &'a Value, provider: &DocuSign) -> Vec<(Option<&'a str>, &'a str)> {
    if !provider.settings.tabs {
        return Vec::new();
    }
    let signers = json::list(envelope, &["recipients", "signers"]).iter();
    signers
        .flat_map(|signer| {
            let email = json::text(signer, &["email"]);
            let tabs = json::list(signer, &["tabs", "companyTabs"]).iter();
            tabs.filter_map(move |tab| Some((email, json::text(tab, &["value"])?)))
        })
        .collect()
}

fn signer(recipient: &Value) -> Signer {
    let text = |name: &str| json::text(recipient, &[name]).map(str::to_owned);
    Signer {
        // Who signs in person has a name of their own beside the host's.
        name: text("signerName").or_else(|| text("name")),
        email: text("signerEmail").or_else(|| text("email")),
        role: text("roleName"),
        signed_at: json::time_at(recipient, &["signedDateTime"]),
        signed: text("status").map(|status| {
            status.eq_ignore_ascii_case("completed") || status.eq_ignore_ascii_case("signed")
        }),
    }
}

fn flatten(envelope: &Value, documents: &[&str], provider: &DocuSign) -> Map<String, Value> {
    let mut flat = Map::new();
    for list in ["textCustomFields", "listCustomFields"] {
        metadata::add_named(&mut flat, json::list(envelope, &["customFields", list]), &["name"]);
    }
    if provider.settings.tabs {
        for signer in json::list(envelope, &["recipients", "signers"]) {
            tabs(signer, &mut flat);
        }
    }
    let documents = documents.iter().map(|name| Value::from(*name)).collect();
    metadata::add(&mut flat, "document.files", &Value::Array(documents));
    let sender = |name| json::text(envelope, &["sender", name]);
    metadata::add_text(&mut flat, "document.sender_name", sender("userName"));
    metadata::add_text(&mut flat, "document.sender_email", sender("email"));
    flat
}

fn tabs(signer: &Value, flat: &mut Map<String, Value>) {
    for kind in TABS {
        metadata::add_named(flat, json::list(signer, &["tabs", kind]), &["tabLabel"]);
    }
    for tab in json::list(signer, &["tabs", "checkboxTabs"]) {
        if let (Some(name), Some(ticked)) =
            (json::text(tab, &["tabLabel"]), json::text(tab, &["selected"]))
        {
            metadata::add(flat, name, &Value::Bool(ticked == "true"));
        }
    }
    for group in json::list(signer, &["tabs", "radioGroupTabs"]) {
        let chosen = json::list(group, &["radios"])
            .iter()
            .find(|radio| json::text(radio, &["selected"]) == Some("true"))
            .and_then(|radio| json::text(radio, &["value"]));
        if let Some(name) = json::text(group, &["groupName"]) {
            metadata::add_text(flat, name, chosen);
        }
    }
}

// DocuSign's eSignature API, `/restapi/v2.1`.

const PAGE: usize = 100;

/// DocuSign's API.
#[derive(Debug, Clone)]
pub(super) struct DocuSignApi {
    api: ProviderApi,
    provider: DocuSign,
    account: String,
}

impl DocuSignApi {
    /// The API with the token `DOCUSIGN_ACCESS_TOKEN`.
    ///
    /// # Errors
    /// When token, host or account are missing. The host is never taken from a
    /// message.
    pub(super) fn new(
        provider: DocuSign,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Self, FetchError> {
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
        let api = ProviderApi::new(TITLE, TOKEN, base, secrets, limits, |token| {
            format!("Bearer {token}")
        })?;
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
        let templates = self.api.get(&path, None).await;
        if let (Some(envelope), Ok(answer)) = (envelope.as_object_mut(), &templates)
            && let Some(templates) = answer.get("templates")
        {
            envelope.insert("templates".to_owned(), templates.clone());
        }
        let mut event = event(&envelope, &self.provider)
            .ok_or_else(|| self.api.unavailable("the envelope came without its id".to_owned()))?;
        if let (Some(signature), Err(error)) = (signature_of_mut(&mut event), templates) {
            signature.unread.extend(["template", "template_id"].map(|fact| error.unread(fact)));
        }
        Ok(event)
    }

    fn adds_to(&self, signature: &Signature) -> bool {
        // Messages do not hold the names of templates.
        signature.template.is_none()
    }

    async fn completed(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Evidence<Signature> {
        let at = |start: usize| {
            format!(
                "restapi/v2.1/accounts/{}/envelopes?from_date={}&to_date={}&from_to_status=completed&status=completed&include=custom_fields,recipients&count={PAGE}&start_position={start}",
                self.account,
                moment(since),
                moment(until)
            )
        };
        let mut list = Listing::new(&self.api, at(0));
        let read = |mut answer: Value, _, before: usize| {
            let total = number(&answer, "totalSetSize");
            // A list of none is left out.
            let records = rows_of(&mut answer, "envelopes");
            if total.is_none() && records.is_none() {
                return Err("the list does not say how long it is");
            }
            let records = records.unwrap_or_default();
            let start = before + records.len();
            let is_more =
                total.map_or(json::text(&answer, &["nextUri"]).is_some(), |total| start < total);
            let next = (is_more && !records.is_empty()).then(|| at(start));
            Ok(Page { records, total, next, ..Page::default() })
        };
        while let Some(envelopes) = list.rows(read).await {
            for envelope in &envelopes {
                let Some(id) = json::text(envelope, &["envelopeId"]) else {
                    list.lost_row();
                    continue;
                };
                let signature = signature(id, Some(envelope), &self.provider);
                // DocuSign says that its list may hold more than was asked for.
                let completed = json::text(envelope, &["status"]) == Some("completed");
                let inside = signature.signed_at.is_none_or(|time| (since..until).contains(&time));
                if completed && inside {
                    list.take(signature);
                }
            }
        }
        list.finish()
    }
}

/// DocuSign writes numbers as texts.
fn number(answer: &Value, name: &str) -> Option<usize> {
    answer.get(name).and_then(json::scalar)?.parse().ok()
}
