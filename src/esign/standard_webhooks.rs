//! Any sender that follows Standard Webhooks (standardwebhooks.com): signed
//! over id, timestamp and raw body. Svix's own header names are read as well.

use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use standardwebhooks::Webhook;
use subtle::ConstantTimeEq as _;

use super::deal_refs::{self, DealSettings};
use super::port::{Authenticity, Provider, Received, Verified};
use super::total::total;
use super::{blank, metadata};
use crate::model::{Secrets, Signature, SignatureEvent, Signer};
use crate::webhook::{self, DeliveryId, Malformed, Rejection, Request, Route, json};

const TITLE: &str = "Standard Webhooks";
const SECRET: &str = "STANDARD_WEBHOOKS_SECRET";
/// How far the timestamp may be off, both ways; the reference library's value.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// `esign.standard_webhooks` in `handoff.yaml`: how the sender's words fit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The values of `type` that mean "everybody has signed".
    pub completed: Vec<String>,
    /// Those that mean "went out for signature".
    pub sent: Vec<String>,
    /// Those that mean "will not be signed".
    pub voided: Vec<String>,
    /// Whether a document that goes out makes a draft.
    pub drafts: bool,
    /// Where the sender keeps what is asked for, as dotted paths from the top
    /// of the payload.
    pub fields: Fields,
    /// Where the deal's id is, besides `data.crm` and well-known names.
    pub deal: DealSettings,
}

/// Dotted paths from the top of the payload.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// The document's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When the last signature was made.
    pub signed_at: String,
    /// The total.
    pub amount: String,
    /// The total's currency.
    pub currency: String,
    /// A link for people.
    pub url: String,
    /// The list of people who sign.
    pub signers: String,
}

impl Default for Settings {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            completed: words(&["contract.signed", "contract.completed"]),
            sent: words(&["contract.sent"]),
            voided: words(&["contract.voided", "contract.declined", "contract.expired"]),
            drafts: false,
            fields: Fields::default(),
            deal: DealSettings::default(),
        }
    }
}

impl Default for Fields {
    fn default() -> Self {
        let path = |path: &str| path.to_owned();
        Self {
            id: path("data.id"),
            name: path("data.name"),
            signed_at: path("data.signed_at"),
            amount: path("data.amount.value"),
            currency: path("data.amount.currency"),
            url: path("data.url"),
            signers: path("data.signers"),
        }
    }
}

/// Any sender that follows Standard Webhooks.
#[derive(Debug, Clone)]
pub struct StandardWebhooks {
    settings: Settings,
}

impl StandardWebhooks {
    /// The general form with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn events(&self, body: &Value) -> Result<Vec<SignatureEvent>, Malformed> {
        let Some(kind) = json::text(body, &["type"]) else {
            return Err(Malformed::NotMine {
                provider: TITLE,
                why: "it has no \"type\", such as \"contract.signed\"".to_owned(),
            });
        };
        let is = |kinds: &[String]| kinds.iter().any(|known| known.eq_ignore_ascii_case(kind));
        let settings = &self.settings;
        let event = if is(&settings.completed) {
            let mut signature = self.signature(body)?;
            // The event's own time is that of the signature unless data say otherwise.
            signature.signed_at =
                signature.signed_at.or_else(|| json::time_at(body, &["timestamp"]));
            SignatureEvent::Completed(signature)
        } else if is(&settings.sent) && settings.drafts {
            SignatureEvent::Sent(self.signature(body)?)
        } else if is(&settings.voided) {
            let what = kind.rsplit('.').next().unwrap_or(kind).to_owned();
            SignatureEvent::Voided { signature: self.signature(body)?, what }
        } else {
            SignatureEvent::Ignored { what: json::word(kind) }
        };
        Ok(vec![event])
    }

    fn signature(&self, body: &Value) -> Result<Signature, Malformed> {
        let fields = &self.settings.fields;
        let found = |path: &str| path.split('.').try_fold(body, |value, key| value.get(key));
        let text = |path: &str| found(path).and_then(json::scalar);
        let id = text(&fields.id).ok_or(Malformed::Missing {
            provider: TITLE,
            field: "document id (data.id, or fields.id in the settings)",
        })?;
        let mut signature = blank("standard-webhooks", &id);
        signature.document_name = text(&fields.name);
        signature.signed_at = found(&fields.signed_at).and_then(json::time);
        signature.url = text(&fields.url).filter(|url| url.starts_with("https://"));
        match total(found(&fields.amount), text(&fields.currency).as_deref()) {
            Ok(amount) => signature.total = amount,
            Err(remark) => signature.remarks.push(remark),
        }
        signature.signers = found(&fields.signers)
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |signers| signers.iter().map(signer).collect());
        signature.metadata = flatten(body);
        if let Some(crm) = json::at(body, &["data", "crm"]) {
            let id = crm.get("entity_id").or_else(|| crm.get("id")).and_then(json::scalar);
            let kind = json::text(crm, &["entity_type"]).unwrap_or("deal");
            let is_deal =
                ["deal", "opportunity"].iter().any(|known| kind.eq_ignore_ascii_case(known));
            let reference =
                id.and_then(|id| deal_refs::reference(json::text(crm, &["provider"]), &id));
            if let Some(reference) = reference.filter(|_| is_deal) {
                deal_refs::add(&mut signature.deal_refs, reference);
            }
        }
        deal_refs::find(&mut signature, &self.settings.deal);
        Ok(signature)
    }
}

/// `data.metadata`, then the plain values of `data` itself.
fn flatten(body: &Value) -> Map<String, Value> {
    let mut flat = Map::new();
    metadata::add_object(&mut flat, json::at(body, &["data", "metadata"]));
    for (name, value) in body.get("data").and_then(Value::as_object).into_iter().flatten() {
        let known = matches!(name.as_str(), "id" | "name" | "signed_at" | "url" | "amount");
        if !known {
            metadata::add(&mut flat, name, value);
        }
    }
    flat
}

fn signer(value: &Value) -> Signer {
    let text = |name: &str| json::text(value, &[name]).map(str::to_owned);
    let signed_at = json::time_at(value, &["signed_at"]);
    Signer {
        name: text("name"),
        email: text("email"),
        role: text("role"),
        signed_at,
        signed: value.get("signed").and_then(Value::as_bool).or(signed_at.map(|_| true)),
    }
}

impl Route for StandardWebhooks {
    fn name(&self) -> &'static str {
        "standard-webhooks"
    }

    fn title(&self) -> &'static str {
        TITLE
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["generic"]
    }

    fn secret_names(&self) -> &'static [&'static str] {
        &[SECRET]
    }
}

impl Provider for StandardWebhooks {
    fn recognises(&self, body: &[u8]) -> bool {
        json::read(body).is_ok_and(|body| {
            json::text(&body, &["type"]).is_some() && body.get("data").is_some_and(Value::is_object)
        })
    }

    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        now: DateTime<Utc>,
    ) -> Result<Received, Rejection> {
        let keys = webhook::check(self, request, secrets)?;
        webhook::expect_content_type(self, request, "application/json")?;
        let header = |name: &str| {
            request
                .header(&format!("webhook-{name}"))
                .or_else(|| request.header(&format!("svix-{name}")))
                .filter(|value| !value.is_empty())
        };
        let (Some(id), Some(stamp), Some(given)) =
            (header("id"), header("timestamp"), header("signature"))
        else {
            return Err(Rejection::Unsigned {
                what: "complete set of webhook-id, webhook-timestamp and webhook-signature headers",
                help: "the sender must follow Standard Webhooks",
            });
        };
        let wrong = || Rejection::BadSignature {
            what: "signature in the headers",
            secret: SECRET,
            provider: TITLE,
        };
        let seconds: i64 = stamp.parse().map_err(|_| wrong())?;
        let sent = DateTime::from_timestamp(seconds, 0).ok_or_else(wrong)?;
        if !verify(&keys, id, seconds, request.body, given)? {
            return Err(wrong());
        }
        if (now - sent).abs() > TOLERANCE {
            return Err(Rejection::Stale { sent, now });
        }
        let events = self.events(&json::read(request.body)?)?;
        // The id is signed and stays the same over retries; a retry's
        // timestamp does not.
        let id = DeliveryId::of(&[id.as_bytes(), b"standard-webhooks"]);
        Ok(Received::Notification(Verified::new(self.name(), id, events, Authenticity::Body)))
    }

    fn parse(&self, body: &[u8], _: Option<&str>) -> Result<Vec<SignatureEvent>, Malformed> {
        self.events(&json::read(body)?)
    }
}

/// Whether one of the signatures (`v1,<base64> v1a,<base64> …`, other versions
/// skipped) fits one of the keys: `whsec_…` for `v1`, `whpk_…` for `v1a`.
fn verify(
    keys: &[SecretString],
    id: &str,
    seconds: i64,
    body: &[u8],
    given: &str,
) -> Result<bool, Rejection> {
    let unusable = |why: &str| Rejection::UnusableSecret { secret: SECRET, why: why.to_owned() };
    let of = |version: &'static str| {
        given
            .split(' ')
            .filter_map(move |one| one.split_once(','))
            .filter(move |(v, _)| *v == version)
            .map(|(_, text)| text)
    };
    let mut found = false;
    for key in keys {
        let key = key.expose_secret();
        if let Some(public) = key.strip_prefix("whpk_") {
            let key = public_key(public)
                .ok_or_else(|| unusable("whpk_ must be followed by the base64 of 32 bytes"))?;
            let message = [format!("{id}.{seconds}.").as_bytes(), body].concat();
            for text in of("v1a") {
                found |= ed25519_signature(text)
                    .is_some_and(|signature| key.verify_strict(&message, &signature).is_ok());
            }
            continue;
        }
        let webhook = Webhook::new(key)
            .map_err(|_| unusable("it is not base64, with or without whsec_ before it"))?;
        // Signing fails for a body that is not UTF-8, which no sender signs.
        let Ok(expected) = webhook.sign(id, seconds, body) else { return Ok(false) };
        let expected = expected.strip_prefix("v1,").unwrap_or(&expected);
        for text in of("v1") {
            found |= bool::from(text.as_bytes().ct_eq(expected.as_bytes()));
        }
    }
    Ok(found)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()
}

fn public_key(text: &str) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(&decode(text)?.try_into().ok()?).ok()
}

fn ed25519_signature(text: &str) -> Option<Ed25519Signature> {
    Ed25519Signature::from_slice(&decode(text)?).ok()
}
