//! DocuSign Connect's message: `{event, data}`, signed over the raw body with
//! one base64 HMAC-SHA256 for each active key.

use base64::Engine as _;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::envelope;
use super::settings::Settings;
use crate::esign::fetch::{self, FetchError, Fetcher};
use crate::esign::port::{Authenticity, Provider, Received, Verified};
use crate::model::{Secrets, SignatureEvent};
use crate::webhook::{self, DeliveryId, Malformed, Rejection, Request, Route, json, mac};

const TITLE: &str = "DocuSign";
const KEY: &str = "DOCUSIGN_HMAC_KEY";
const LEGACY: Malformed = Malformed::Legacy {
    provider: TITLE,
    what: "this is a message of Connect's legacy aggregate format",
    help: "set the Connect configuration's data format to \"REST v2.1\" with JSON and SIM events",
};
/// DocuSign allows 100 keys.
const MOST_SIGNATURES: usize = 100;

/// DocuSign Connect.
#[derive(Debug, Clone)]
pub struct DocuSign {
    settings: Settings,
}

impl DocuSign {
    /// DocuSign with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

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
        let signature = || envelope::signature(id, summary, &self.settings);
        // SIM reports the event; a summary's status may be ahead of it.
        Ok(vec![match event {
            "envelope-completed" => {
                let mut signature = signature();
                signature.signed_at =
                    signature.signed_at.or_else(|| json::time_at(&message, &["generatedDateTime"]));
                SignatureEvent::Completed(signature)
            }
            "envelope-sent" if self.settings.drafts => SignatureEvent::Sent(signature()),
            "envelope-voided" | "envelope-declined" | "envelope-deleted" => {
                SignatureEvent::Voided {
                    signature: signature(),
                    what: event.trim_start_matches("envelope-").to_owned(),
                }
            }
            // Among them `recipient-completed`: one person, not the envelope.
            other => SignatureEvent::Ignored { what: json::word(other) },
        }])
    }
}

fn is_xml(body: &[u8]) -> bool {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start().starts_with(b"<")
}

fn is_legacy_json(message: &Value) -> bool {
    message.get("envelopeId").is_some() && message.get("status").is_some()
}

impl Route for DocuSign {
    fn name(&self) -> &'static str {
        "docusign"
    }

    fn title(&self) -> &'static str {
        TITLE
    }

    fn secret_names(&self) -> &'static [&'static str] {
        &[KEY]
    }
}

impl Provider for DocuSign {
    fn api_secret_names(&self) -> &'static [&'static str] {
        &[fetch::DOCUSIGN_TOKEN]
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
        let given: Vec<Vec<u8>> = request
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-docusign-signature-"))
            .take(MOST_SIGNATURES)
            .filter_map(|(_, value)| {
                base64::engine::general_purpose::STANDARD.decode(value.as_bytes()).ok()
            })
            .collect();
        if given.is_empty() {
            return Err(Rejection::Unsigned {
                what: "X-DocuSign-Signature header",
                help: "switch on \"Include HMAC Signature\" in the Connect configuration",
            });
        }
        if !mac::any_matches(&keys, request.body, &given) {
            return Err(Rejection::BadSignature {
                what: "signature in the headers",
                secret: KEY,
                provider: TITLE,
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

    fn fetcher(&self, secrets: &Secrets) -> Result<Option<Box<dyn Fetcher>>, FetchError> {
        Ok(Some(Box::new(fetch::DocuSignApi::new(self.settings.clone(), secrets)?)))
    }
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
