//! DocuSign's envelope, from `envelopeSummary` or from the API, as a signature.
//! Numbers and flags inside are texts.

use serde_json::{Map, Value};

use super::settings::Settings;
use crate::esign::{blank, deal_refs, metadata};
use crate::model::{Signature, SignatureEvent, Signer};
use crate::text;
use crate::webhook::json;

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
pub(in crate::esign) fn event(envelope: &Value, settings: &Settings) -> Option<SignatureEvent> {
    let id = json::text(envelope, &["envelopeId"])?;
    let status = json::text(envelope, &["status"]).unwrap_or("unknown").to_ascii_lowercase();
    let signature = signature(id, Some(envelope), settings);
    Some(match status.as_str() {
        "completed" => SignatureEvent::Completed(signature),
        "sent" | "delivered" if settings.drafts => SignatureEvent::Sent(signature),
        "voided" | "declined" | "deleted" => SignatureEvent::Voided { signature, what: status },
        _ => SignatureEvent::Ignored { what: format!("envelope {status}") },
    })
}

/// The envelope's facts; without a summary nothing but its id.
pub(in crate::esign) fn signature(
    id: &str,
    envelope: Option<&Value>,
    settings: &Settings,
) -> Signature {
    let mut signature = blank("docusign", id);
    let Some(envelope) = envelope else { return signature };
    let documents: Vec<&str> = json::list(envelope, &["envelopeDocuments"])
        .iter()
        // The certificate is DocuSign's own audit summary.
        .filter(|document| json::text(document, &["documentId"]) != Some("certificate"))
        .filter_map(|document| json::text(document, &["name"]))
        .collect();
    signature.document_name = json::text(envelope, &["emailSubject"])
        .or_else(|| documents.first().copied())
        .map(str::to_owned);
    for group in ["signers", "inPersonSigners"] {
        let people = json::list(envelope, &["recipients", group]);
        signature.signers.extend(people.iter().map(signer));
    }
    signature.signed_at = json::time_at(envelope, &["completedDateTime"])
        .or_else(|| signature.signers.iter().filter_map(|signer| signer.signed_at).max());
    if let Some(reason) = json::text(envelope, &["voidedReason"]) {
        signature.remarks.push(format!("voided with the reason {}", text::quoted(reason)));
    }
    signature.metadata = flatten(envelope, &documents, settings);
    deal_refs::find(&mut signature, &settings.deal);
    signature
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

fn flatten(envelope: &Value, documents: &[&str], settings: &Settings) -> Map<String, Value> {
    let mut flat = Map::new();
    for list in ["textCustomFields", "listCustomFields"] {
        metadata::add_named(&mut flat, json::list(envelope, &["customFields", list]), &["name"]);
    }
    if settings.tabs {
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
