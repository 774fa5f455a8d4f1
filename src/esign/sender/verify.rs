//! How a sender's request is proved.

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey};
use secrecy::{ExposeSecret as _, SecretString};
use standardwebhooks::Webhook;
use subtle::ConstantTimeEq as _;

use super::settings::{Encoding, HmacSettings, KeyForm, Place, Verify};
use super::{Sender, at};
use crate::webhook::{Rejection, Request, json, mac};

/// How far a Standard Webhooks timestamp may be off, both ways; the reference
/// library's value.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// More signatures than any sender gives at once.
const MOST_SIGNATURES: usize = 20;

impl Sender {
    /// Verifies a request; gives the delivery's id where it is signed.
    pub(super) fn verify(
        &self,
        keys: &[SecretString],
        request: &Request<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, Rejection> {
        match &self.settings.verify {
            Some(Verify::StandardWebhooks) => self.standard_webhooks(keys, request, now).map(Some),
            Some(Verify::Hmac(hmac)) => self.hmac(hmac, keys, request, now).map(|()| None),
            Some(Verify::Secret(place)) => {
                let given = found(request, place);
                if given.is_empty() {
                    return Err(unsigned(place));
                }
                if given.iter().take(4).any(|given| mac::any_equals(keys, given.as_bytes())) {
                    return Ok(None);
                }
                Err(self.wrong("secret in the request"))
            }
            // Refused when the settings are read; nothing is accepted unproved.
            None => Err(Rejection::Unsigned {
                what: "way to be proved",
                help: "set `verify` for this sender in handoff.yaml",
            }),
        }
    }

    fn wrong(&self, what: &'static str) -> Rejection {
        Rejection::BadSignature { what, secret: self.secret[0], provider: self.title }
    }

    fn hmac(
        &self,
        hmac: &HmacSettings,
        keys: &[SecretString],
        request: &Request<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), Rejection> {
        let given = found(request, &hmac.place);
        if given.is_empty() {
            return Err(unsigned(&hmac.place));
        }
        let mut parts = Parts::default();
        for value in given.iter().take(4) {
            parts.read(&hmac.pattern, value);
        }
        let signatures: Vec<Vec<u8>> =
            parts.signatures.iter().filter_map(|text| hmac.encoding.decode(text)).collect();
        if signatures.is_empty() {
            return Err(Rejection::MalformedSignature {
                what: "signature in the request",
                expected: match hmac.encoding {
                    Encoding::Hex => "hexadecimal in the pattern that the settings give",
                    Encoding::Base64 => "base64 in the pattern that the settings give",
                    Encoding::Base64url => "base64url in the pattern that the settings give",
                },
                provider: self.title,
            });
        }
        let time = parts.time.clone().or_else(|| {
            hmac.time.as_ref().and_then(|place| found(request, place).into_iter().next())
        });
        let message = message(hmac, request, time.as_deref(), parts.id.as_deref())
            .ok_or_else(|| self.wrong("signature in the request"))?;
        let keys: Vec<Vec<u8>> =
            keys.iter().map(|key| self.key(hmac.key, key)).collect::<Result<_, _>>()?;
        if !hmac.algorithm.any_matches(&keys, &message, &signatures) {
            return Err(self.wrong("signature in the request"));
        }
        let Some(tolerance) = hmac.tolerance else { return Ok(()) };
        let sent = time
            .and_then(|time| json::time(&time.into()))
            .ok_or_else(|| self.wrong("time in the request"))?;
        if (now - sent).abs() > tolerance.plain() {
            return Err(Rejection::Stale { sent, now });
        }
        Ok(())
    }

    fn key(&self, form: KeyForm, key: &SecretString) -> Result<Vec<u8>, Rejection> {
        let key = key.expose_secret();
        let (decoded, expected) = match form {
            KeyForm::Text => return Ok(key.as_bytes().to_vec()),
            KeyForm::Hex => (hex::decode(key).ok(), "it is not hexadecimal"),
            KeyForm::Base64 => (Encoding::Base64.decode(key), "it is not base64"),
        };
        decoded.filter(|key| !key.is_empty()).ok_or_else(|| Rejection::UnusableSecret {
            secret: self.secret[0],
            why: expected.to_owned(),
        })
    }

    fn standard_webhooks(
        &self,
        keys: &[SecretString],
        request: &Request<'_>,
        now: DateTime<Utc>,
    ) -> Result<String, Rejection> {
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
        let wrong = || self.wrong("signature in the headers");
        let seconds: i64 = stamp.parse().map_err(|_| wrong())?;
        let sent = DateTime::from_timestamp(seconds, 0).ok_or_else(wrong)?;
        if !self.any_version(keys, id, seconds, request.body, given)? {
            return Err(wrong());
        }
        if (now - sent).abs() > TOLERANCE {
            return Err(Rejection::Stale { sent, now });
        }
        // The id is signed and stays the same over retries; a retry's
        // timestamp does not.
        Ok(id.to_owned())
    }

    /// Whether one of the signatures (`v1,<base64> v1a,<base64> …`, other
    /// versions skipped) fits one of the keys: `whsec_…` for `v1`, `whpk_…`
    /// for `v1a`.
    fn any_version(
        &self,
        keys: &[SecretString],
        id: &str,
        seconds: i64,
        body: &[u8],
        given: &str,
    ) -> Result<bool, Rejection> {
        let unusable =
            |why: &str| Rejection::UnusableSecret { secret: self.secret[0], why: why.to_owned() };
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
}

impl Encoding {
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        let lenient =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let text = text.trim();
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => GeneralPurpose::new(&alphabet::STANDARD, lenient).decode(text).ok(),
            Self::Base64url => GeneralPurpose::new(&alphabet::URL_SAFE, lenient).decode(text).ok(),
        }
        .filter(|bytes| !bytes.is_empty())
    }
}

/// What stands at a place, blank values left out.
fn found(request: &Request<'_>, place: &Place) -> Vec<String> {
    let mut values: Vec<String> = match place {
        Place::Header(name) => request
            .headers
            .get_all(name.as_str())
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
            .collect(),
        Place::Query(name) => {
            url::form_urlencoded::parse(request.query.unwrap_or_default().as_bytes())
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .collect()
        }
        Place::Field(path) => field(request, path).into_iter().collect(),
    };
    values.iter_mut().for_each(|value| *value = value.trim().to_owned());
    values.retain(|value| !value.is_empty());
    values
}

fn field(request: &Request<'_>, path: &str) -> Option<String> {
    let body = json::read(request.body).ok()?;
    at(&body, path).into_iter().find_map(json::scalar)
}

fn unsigned(place: &Place) -> Rejection {
    let (what, help) = match place {
        Place::Header(_) => (
            "proof in the header that the settings name",
            "set the secret at the sender; docs/esign.md says where",
        ),
        Place::Query(_) => (
            "secret in its query",
            "put it into the webhook's URL, and check that the proxy in front keeps the query",
        ),
        Place::Field(_) => (
            "proof in the field that the settings name",
            "set the secret at the sender; docs/esign.md says where",
        ),
    };
    Rejection::Unsigned { what, help }
}

/// What a pattern finds in a value.
#[derive(Debug, Default)]
struct Parts {
    signatures: Vec<String>,
    time: Option<String>,
    id: Option<String>,
}

impl Parts {
    /// Takes a value apart: both are lists, and each part of the value is what
    /// one part of the pattern says.
    fn read(&mut self, pattern: &str, value: &str) {
        for part in value.split(',').map(str::trim).take(MOST_SIGNATURES * 2) {
            for shape in pattern.split(',').map(str::trim) {
                self.read_part(shape, part);
            }
        }
    }

    fn read_part(&mut self, shape: &str, part: &str) {
        let mut named: Vec<(&str, &str)> = Vec::new();
        let (mut shape, mut rest) = (shape, part);
        while let Some((before, after)) = shape.split_once('{') {
            let (Some(behind), Some((name, next))) =
                (rest.strip_prefix(before), after.split_once('}'))
            else {
                return;
            };
            let until = next.split('{').next().unwrap_or_default();
            let end = if until.is_empty() { Some(behind.len()) } else { behind.find(until) };
            let Some(end) = end else { return };
            named.push((name, &behind[..end]));
            (shape, rest) = (next, &behind[end..]);
        }
        if shape != rest {
            return;
        }
        for (name, text) in named {
            match name {
                "signature" if self.signatures.len() < MOST_SIGNATURES => {
                    self.signatures.push(text.to_owned());
                }
                "time" => self.time = Some(text.to_owned()),
                "id" => self.id = Some(text.to_owned()),
                _ => {}
            }
        }
    }
}

/// The text that was signed; nothing when a part of it is not there.
fn message(
    hmac: &HmacSettings,
    request: &Request<'_>,
    time: Option<&str>,
    id: Option<&str>,
) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut shape = hmac.signed.as_str();
    while let Some((before, after)) = shape.split_once('{') {
        message.extend_from_slice(before.as_bytes());
        let (name, next) = after.split_once('}')?;
        match name.split_once(':').unwrap_or((name, "")) {
            ("body", _) => message.extend_from_slice(request.body),
            ("time", _) => message.extend_from_slice(time?.as_bytes()),
            ("id", _) => message.extend_from_slice(id?.as_bytes()),
            ("url", _) => message.extend_from_slice(hmac.url.as_ref()?.as_bytes()),
            ("header", name) => message.extend_from_slice(request.header(name)?.as_bytes()),
            ("field", path) => message.extend_from_slice(field(request, path)?.as_bytes()),
            _ => return None,
        }
        shape = next;
    }
    message.extend_from_slice(shape.as_bytes());
    Some(message)
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
