//! Dropbox Sign's signature request, from an event or from the API, as a signature.

use serde_json::{Map, Value};

use super::DropboxSign;
use crate::esign::{blank, metadata};
use crate::model::{Signature, SignatureEvent, Signer};
use crate::webhook::json;

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
    signature.document_name = json::text(request, &["title"])
        .or_else(|| json::text(request, &["subject"]))
        .and_then(metadata::document_name)
        .map(str::to_owned);
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
        signature.test = true;
        signature.remarks.push("signed in test mode, which has no legal value".to_owned());
    }
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
