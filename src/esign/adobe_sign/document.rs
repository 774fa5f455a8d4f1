//! Adobe's agreement, from a webhook or from the API, as a signature.

use serde_json::{Map, Value};

use super::AdobeSign;
use crate::esign::{blank, deal_refs, metadata};
use crate::model::{Signature, Signer};
use crate::webhook::json;

/// Whether this status means that everybody has done their part.
pub(super) fn is_final(status: &str) -> bool {
    ["SIGNED", "APPROVED", "ACCEPTED", "DELIVERED", "FORM_FILLED"].contains(&status)
}

/// The agreement's facts; nothing when it has no id. When it was completed is
/// not among them.
pub(super) fn signature(agreement: &Value, provider: &AdobeSign) -> Option<Signature> {
    let id = json::text(agreement, &["id"])?;
    let mut signature = blank("adobe-sign", id);
    signature.document_name =
        json::text(agreement, &["name"]).and_then(metadata::document_name).map(str::to_owned);
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
        signature.test = true;
        signature.remarks.push("sent from Adobe Acrobat Sign's sandbox".to_owned());
    }
    signature.metadata = flatten(agreement);
    let external = json::text(agreement, &["externalId", "id"]);
    let crm = provider.settings.deal.crm.as_deref();
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
