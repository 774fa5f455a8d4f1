//! Dropbox Sign's signature request, from an event or from the API, as a signature.

use serde_json::{Map, Value};

use super::settings::Settings;
use crate::esign::{blank, deal_refs, metadata};
use crate::model::{Signature, SignatureEvent, Signer};
use crate::webhook::json;

/// What a request that is only a test is ignored with.
pub(super) const TEST_MODE: &str = "signature request in test mode, which has no legal value";

/// Whether it is a test that is not to be handed off.
pub(super) fn is_unwanted_test(request: &Value, settings: &Settings) -> bool {
    !settings.accept_test_mode && request.get("test_mode") == Some(&Value::Bool(true))
}

/// What a signature request's flags in the API say.
pub(in crate::esign) fn event(request: &Value, settings: &Settings) -> Option<SignatureEvent> {
    let signature = signature(request, settings)?;
    let is = |flag: &str| request.get(flag) == Some(&Value::Bool(true));
    Some(if is_unwanted_test(request, settings) {
        SignatureEvent::Ignored { what: TEST_MODE.to_owned() }
    } else if is("is_declined") {
        SignatureEvent::Voided { signature, what: "declined".to_owned() }
    } else if is("is_complete") {
        SignatureEvent::Completed(signature)
    } else if settings.drafts {
        SignatureEvent::Sent(signature)
    } else {
        SignatureEvent::Ignored { what: "signature request waiting for signatures".to_owned() }
    })
}

/// The request's facts; nothing when it has no id.
pub(in crate::esign) fn signature(request: &Value, settings: &Settings) -> Option<Signature> {
    let id = json::text(request, &["signature_request_id"])?;
    let mut signature = blank("dropbox-sign", id);
    signature.document_name = json::text(request, &["title"])
        .or_else(|| json::text(request, &["subject"]))
        .map(str::to_owned);
    // For people who log in; the files' and the signing addresses are not kept.
    signature.url = json::text(request, &["details_url"])
        .filter(|url| url.starts_with("https://"))
        .map(str::to_owned);
    signature.signers = json::list(request, &["signatures"]).iter().map(signer).collect();
    signature.signed_at = signature.signers.iter().filter_map(|signer| signer.signed_at).max();
    if request.get("test_mode") == Some(&Value::Bool(true)) {
        signature.remarks.push("signed in test mode, which has no legal value".to_owned());
    }
    signature.metadata = flatten(request);
    deal_refs::find(&mut signature, &settings.deal);
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
