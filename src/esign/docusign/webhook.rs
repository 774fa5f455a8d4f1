//! DocuSign Connect's message: `{event, data}`, signed over the raw body with
//! one base64 HMAC-SHA256 for each active key.

use base64::Engine as _;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::api::DocuSignApi;
use super::{DocuSign, HMAC_KEY, TITLE, TOKEN, api};
use crate::esign::api::{FetchError, Fetcher};
use crate::esign::metadata;
use crate::esign::provider::{Authenticity, Provider, Received, Verified};
use crate::http::Limits;
use crate::model::{Secrets, SignatureEvent};
use crate::webhook::{
    self, DeliveryId, Malformed, Rejection, Request, Route, RouteNames, json, mac,
};

const LEGACY: Malformed = Malformed::Legacy {
    provider: TITLE,
    what: "this is a message of Connect's legacy aggregate format",
    help: "set the Connect configuration's data format to \"REST v2.1\" with JSON and SIM events",
};
/// DocuSign allows 100 keys.
const MOST_SIGNATURES: usize = 100;

impl DocuSign {
    fn events(&self, body: &[u8]) -> Result<Vec<SignatureEvent>, Malformed> {
        if is_xml(body) {
            return Err(LEGACY);
        }
        let message = json::read(body)?;
        let Some(event) = json::text(&message, &["event"]) else {
            return Err(if is_legacy_json(&message) {
                LEGACY
            } else {
                Malformed::NotMine {
                    provider: TITLE,
                    why: "it has no \"event\", such as \"envelope-completed\"".to_owned(),
                }
            });
        };
        if !message.get("data").is_some_and(Value::is_object) {
            return Err(Malformed::NotMine {
                provider: TITLE,
                why: "it has no \"data\"".to_owned(),
            });
        }
        let id = json::text(&message, &["data", "envelopeId"])
            .ok_or(Malformed::Missing { provider: TITLE, field: "data.envelopeId" })?;
        let summary = json::at(&message, &["data", "envelopeSummary"]).filter(|s| s.is_object());
        let signature = || {
            let mut signature = api::signature(id, summary, self);
            if api::names_demo(&message) {
                api::mark_demo(&mut signature);
            }
            let objects = [Some(&message), message.get("data")];
            let objects: Vec<&Value> = objects.into_iter().flatten().collect();
            metadata::read_test_words(&mut signature, &objects);
            signature
        };
        // SIM reports the event; a summary's status may be ahead of it.
        Ok(vec![match event {
            "envelope-completed" => {
                let status = summary.and_then(|it| json::text(it, &["status"])).unwrap_or_default();
                if BEFORE.contains(&status.to_ascii_lowercase().as_str()) {
                    let status = json::word(status);
                    return Err(Malformed::Contradicts { provider: TITLE, status });
                }
                if let Some(status) = contradiction(&message) {
                    return Err(Malformed::Contradicts { provider: TITLE, status });
                }
                let mut signature = signature();
                signature.signed_at =
                    signature.signed_at.or_else(|| json::time_at(&message, &["generatedDateTime"]));
                SignatureEvent::Completed(signature)
            }
            "envelope-sent" if self.settings.drafts => SignatureEvent::Sent(signature()),
            "envelope-voided" | "envelope-declined" | "envelope-deleted" => {
                let what = event.trim_start_matches("envelope-");
                SignatureEvent::Voided {
                    signature: signature(),
                    what: api::with_reason(what, summary.unwrap_or(&Value::Null)),
                }
            }
            // Among them `recipient-completed`: one person, not the envelope.
            other => SignatureEvent::Ignored { what: json::word(other) },
        }])
    }
}

/// What an envelope is that nobody, or not everybody, has signed.
const BEFORE: &[&str] =
    &["created", "sent", "delivered", "correct", "declined", "voided", "deleted", "timedout"];

/// What a completed envelope cannot be: another one than the event's, or one that
/// a signer has declined.
fn contradiction(message: &Value) -> Option<String> {
    let summary = |name: &str| json::at(message, &["data", "envelopeSummary", name]);
    let own = json::text(message, &["data", "envelopeId"])?;
    let inner = summary("envelopeId").and_then(Value::as_str).map(str::trim);
    if let Some(inner) = inner.filter(|inner| !inner.eq_ignore_ascii_case(own)) {
        return Some(format!("another one, {}", json::word(inner)));
    }
    let signers = summary("recipients").map(|it| json::list(it, &["signers"])).unwrap_or_default();
    let declined = signers.iter().find(|signer| {
        json::text(signer, &["status"]).is_some_and(|it| it.eq_ignore_ascii_case("declined"))
    })?;
    let name = json::text(declined, &["name"]).unwrap_or("a signer");
    Some(format!("declined by {}", json::word(name)))
}

fn is_xml(body: &[u8]) -> bool {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start().starts_with(b"<")
}

fn is_legacy_json(message: &Value) -> bool {
    message.get("envelopeId").is_some() && message.get("status").is_some()
}

impl Route for DocuSign {
    fn names(&self) -> RouteNames<'_> {
        RouteNames { name: "docusign", title: TITLE, aliases: &[], secrets: &[HMAC_KEY] }
    }
}

impl Provider for DocuSign {
    fn told_by_api(&self) -> &'static [&'static str] {
        &["template"]
    }

    fn api_secret_names(&self) -> &[&'static str] {
        &[TOKEN]
    }

    fn recognises(&self, body: &[u8]) -> bool {
        if is_xml(body) {
            let start = &body[..body.len().min(400)];
            return String::from_utf8_lossy(start).contains("DocuSign");
        }
        json::read(body).is_ok_and(|message| {
            let sim = message.get("event").is_some_and(Value::is_string)
                && json::at(&message, &["data", "envelopeId"]).is_some();
            sim || is_legacy_json(&message)
        })
    }

    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        _: DateTime<Utc>,
    ) -> Result<Received, Rejection> {
        let keys = webhook::check(self, request, secrets)?;
        if is_xml(request.body) {
            return Err(LEGACY.into());
        }
        webhook::expect_content_type(self, request, "application/json")?;
        let headers: Vec<&[u8]> = request
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-docusign-signature-"))
            .take(MOST_SIGNATURES)
            .map(|(_, value)| value.as_bytes())
            .collect();
        if headers.is_empty() {
            return Err(Rejection::Unsigned {
                what: "X-DocuSign-Signature header",
                help: "switch on \"Include HMAC Signature\" in the Connect configuration",
            });
        }
        let base64 = base64::engine::general_purpose::STANDARD;
        let given: Vec<Vec<u8>> =
            headers.iter().filter_map(|value| base64.decode(value.trim_ascii()).ok()).collect();
        if given.is_empty() {
            return Err(Rejection::MalformedSignature {
                what: "signature in the headers",
                expected: "base64",
                provider: TITLE,
            });
        }
        if !mac::any_matches(&keys, request.body, &given) {
            return Err(match mistyped(&keys, request.body, &given) {
                Some(why) => Rejection::UnusableSecret { secret: HMAC_KEY, why: why.to_owned() },
                None => Rejection::BadSignature {
                    what: "signature in the headers",
                    secret: HMAC_KEY,
                    provider: TITLE,
                },
            });
        }
        let events = self.events(request.body)?;
        Ok(Received::Notification(Verified::new(
            self.name(),
            delivery_id(request.body)?,
            events,
            Authenticity::Body,
        )))
    }

    fn parse(&self, body: &[u8], _: Option<&str>) -> Result<Vec<SignatureEvent>, Malformed> {
        self.events(body)
    }

    fn fetcher(
        &self,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Option<Box<dyn Fetcher>>, FetchError> {
        Ok(Some(Box::new(DocuSignApi::new(self.clone(), secrets, limits)?)))
    }
}

/// Whether one of the keys would fit with the `=` at its end that people leave
/// out when they copy it, or without white space or quotes around it.
fn mistyped(keys: &[SecretString], body: &[u8], given: &[Vec<u8>]) -> Option<&'static str> {
    let fits = |changed: &dyn Fn(&str) -> String| {
        let keys: Vec<SecretString> =
            keys.iter().map(|key| SecretString::from(changed(key.expose_secret()))).collect();
        mac::any_matches(&keys, body, given)
    };
    let bare = |key: &str| key.trim_matches(['"', '\'', '=', ' ']).to_owned();
    let ends = ["", "=", "=="];
    let lacks_end = ends[1..].iter().any(|end| fits(&|key| format!("{key}{end}")));
    if lacks_end {
        return Some(
            "the `=` at the end of the key is missing; copy the whole key that DocuSign shows",
        );
    }
    ends.iter().any(|end| fits(&|key| format!("{}{end}", bare(key)))).then_some(
        "it holds more than the key, such as quotes; keep only the key that DocuSign shows",
    )
}

/// DocuSign gives deliveries no id. A retry differs in `retryCount` alone, so
/// the identity is what stays.
fn delivery_id(body: &[u8]) -> Result<DeliveryId, Malformed> {
    let message = json::read(body)?;
    let part = |path: &[&str]| json::at(&message, path).and_then(json::scalar).unwrap_or_default();
    let parts = [
        part(&["data", "envelopeId"]),
        part(&["configurationId"]),
        part(&["event"]),
        part(&["generatedDateTime"]),
        part(&["data", "recipientId"]),
    ];
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    Ok(DeliveryId::of(&parts))
}
