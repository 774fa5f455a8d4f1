//! Adobe's agreement, from a webhook or from the API, as a signature.

use serde_json::{Map, Value};

use super::settings::Settings;
use crate::esign::{blank, deal_refs, metadata};
use crate::model::{Signature, Signer};
use crate::webhook::json;

/// Whether this status means that everybody has done their part.
pub(in crate::esign) fn is_final(status: &str) -> bool {
    ["SIGNED", "APPROVED", "ACCEPTED", "DELIVERED", "FORM_FILLED"].contains(&status)
}

/// The agreement's facts; nothing when it has no id. When it was completed is
/// not among them.
pub(in crate::esign) fn signature(agreement: &Value, settings: &Settings) -> Option<Signature> {
    let id = json::text(agreement, &["id"])?;
    let mut signature = blank("adobe-sign", id);
    signature.document_name = json::text(agreement, &["name"]).map(str::to_owned);
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
    signature.metadata = flatten(agreement);
    let external = json::text(agreement, &["externalId", "id"]);
    if let Some(reference) =
        external.and_then(|text| deal_refs::from_text(text, settings.deal.crm.as_deref()))
    {
        deal_refs::add(&mut signature.deal_refs, reference);
    }
    deal_refs::find(&mut signature, &settings.deal);
    Some(signature)
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
    let companies = json::list(agreement, &["participantSetsInfo", "participantSets"])
        .iter()
        .flat_map(|set| json::list(set, &["memberInfos"]))
        .filter_map(|member| json::text(member, &["company"]).map(Value::from))
        .collect();
    metadata::add(&mut flat, "document.companies", &Value::Array(companies));
    flat
}
