//! Dropbox Sign's event, and the form around it.

use std::convert::Infallible;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt as _, stream};
use serde_json::Value;

use super::api::DropboxSignApi;
use super::{DropboxSign, KEY, TITLE, api};
use crate::esign::api::{FetchError, Fetcher};
use crate::esign::metadata;
use crate::esign::provider::{Authenticity, Provider, Received, Verified};
use crate::http::Limits;
use crate::model::{Secrets, SignatureEvent};
use crate::text;
use crate::webhook;
use crate::webhook::{
    DeliveryId, Malformed, Rejection, Reply, Request, Route, RouteNames, essence, json, mac,
};

// The form around Dropbox Sign's JSON: `multipart/form-data` as it is sent,
// `application/x-www-form-urlencoded` as one of its pages may be read, and
// nothing else.

const FIELD: &str = "json";
/// More parts than a notification ever has.
const MOST_PARTS: usize = 16;

/// The JSON in the form, when the content type is one that Dropbox Sign sends.
pub(super) fn json_of(body: &[u8], content_type: &str) -> Option<Result<Vec<u8>, Malformed>> {
    match essence(content_type).as_str() {
        "multipart/form-data" => Some(match multer::parse_boundary(content_type) {
            Ok(boundary) => multipart(body, boundary),
            Err(error) => Err(bad(error.to_string())),
        }),
        "application/x-www-form-urlencoded" => Some(urlencoded(body)),
        _ => None,
    }
}

/// The JSON in a body whose content type nobody kept: a multipart form begins
/// with its boundary, an urlencoded one with a name.
pub(super) fn json_of_file(body: &[u8]) -> Option<Result<Vec<u8>, Malformed>> {
    if let Some(rest) = body.strip_prefix(b"--") {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
        let boundary = std::str::from_utf8(&rest[..end]).ok()?.trim_end().to_owned();
        let plausible = (1..=70).contains(&boundary.len());
        return plausible.then(|| multipart(body, boundary));
    }
    body.starts_with(b"json=").then(|| urlencoded(body))
}

fn urlencoded(body: &[u8]) -> Result<Vec<u8>, Malformed> {
    url::form_urlencoded::parse(body)
        .find(|(name, _)| name == FIELD)
        .map(|(_, value)| value.into_owned().into_bytes())
        .ok_or_else(|| bad("there is no such field".to_owned()))
}

fn multipart(body: &[u8], boundary: String) -> Result<Vec<u8>, Malformed> {
    let whole = stream::once(std::future::ready(Ok::<_, Infallible>(Bytes::copy_from_slice(body))));
    let mut form = multer::Multipart::new(whole, boundary);
    let read = async {
        for _ in 0..MOST_PARTS {
            let Some(field) = form.next_field().await? else { break };
            if field.name() == Some(FIELD) {
                return field.bytes().await.map(Some);
            }
        }
        Ok(None)
    };
    // All bytes are here, so there is nothing the future could wait for.
    match read.now_or_never() {
        Some(Ok(Some(json))) => Ok(json.to_vec()),
        Some(Ok(None)) => Err(bad("there is no such field".to_owned())),
        Some(Err(error)) => Err(bad(crate::text::shorten(&error.to_string(), 120))),
        None => Err(bad("it ends in the middle of a part".to_owned())),
    }
}

fn bad(why: String) -> Malformed {
    Malformed::BadForm { provider: super::TITLE, why }
}

// Dropbox Sign's event: JSON in a form field. Its hash covers the event's
// time and type alone, so everything else is a hint until the API confirms it.

/// Retries go on for about three days; what is older is a replay.
const OLDEST: TimeDelta = TimeDelta::days(4);
/// How far a clock may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

impl DropboxSign {
    fn events(&self, body: &Value) -> Result<Vec<SignatureEvent>, Malformed> {
        let kind = json::text(body, &["event", "event_type"]).ok_or_else(|| {
            Malformed::NotMine { provider: TITLE, why: "it has no event.event_type".to_owned() }
        })?;
        let request = body.get("signature_request").unwrap_or(&Value::Null);
        let signature = || {
            api::signature(request, self).ok_or(Malformed::Missing {
                provider: TITLE,
                field: "signature_request.signature_request_id",
            })
        };
        let what = kind.trim_start_matches("signature_request_");
        Ok(vec![match what {
            "all_signed" => {
                let flag = |name: &str| request.get(name).and_then(Value::as_bool);
                if flag("is_complete") == Some(false) || flag("is_declined") == Some(true) {
                    let status = "not complete".to_owned();
                    return Err(Malformed::Contradicts { provider: TITLE, status });
                }
                let mut signature = signature()?;
                signature.signed_at =
                    signature.signed_at.or_else(|| json::time_at(body, &["event", "event_time"]));
                SignatureEvent::Completed(signature)
            }
            "sent" if self.settings.drafts => SignatureEvent::Sent(signature()?),
            "declined" | "canceled" | "expired" | "destroyed" => {
                SignatureEvent::Voided { signature: signature()?, what: what.to_owned() }
            }
            // Among them `signed` (one person) and `downloadable` (the same
            // completion again, its files ready).
            _ => SignatureEvent::Ignored { what: json::word(kind) },
        }])
    }
}

impl Route for DropboxSign {
    fn names(&self) -> RouteNames<'_> {
        RouteNames {
            name: "dropbox-sign",
            title: TITLE,
            aliases: &["dropbox_sign", "hellosign"],
            secrets: &[KEY],
        }
    }

    fn accepted(&self, _: &Request<'_>) -> Reply {
        // Anything else counts as a failure: app.hellosign.com/api/eventsAndCallbacksWalkthrough
        Reply { content_type: "text/plain", ..Reply::text(200, "Hello API Event Received") }
    }
}

impl Provider for DropboxSign {
    fn api_secret_names(&self) -> &[&'static str] {
        &[KEY]
    }

    fn authenticity(&self) -> Authenticity {
        Authenticity::HintOnly
    }

    fn recognises(&self, body: &[u8]) -> bool {
        match json_of_file(body) {
            Some(Ok(json)) => is_event(&json),
            Some(Err(_)) => false,
            None => is_event(body),
        }
    }

    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        now: DateTime<Utc>,
    ) -> Result<Received, Rejection> {
        let keys = webhook::check(self, request, secrets)?;
        let content_type = request.content_type().unwrap_or_default();
        let json =
            json_of(request.body, content_type).ok_or_else(|| Rejection::WrongContentType {
                provider: TITLE,
                expected: "multipart/form-data",
                got: text::quoted(content_type),
            })??;
        let body = json::read(&json)?;
        let field = |name: &str| {
            json::at(&body, &["event", name]).and_then(json::scalar).unwrap_or_default()
        };
        let (time, kind, hash) = (field("event_time"), field("event_type"), field("event_hash"));
        let given: Vec<Vec<u8>> =
            hex::decode(&hash).into_iter().filter(|hash| !hash.is_empty()).collect();
        if time.is_empty() || kind.is_empty() || given.is_empty() {
            return Err(Rejection::Unsigned {
                what: "event_time, event_type and event_hash",
                help: "Dropbox Sign always sends them",
            });
        }
        if !mac::any_matches(&keys, format!("{time}{kind}").as_bytes(), &given) {
            return Err(Rejection::BadSignature {
                what: "event_hash",
                secret: KEY,
                provider: TITLE,
            });
        }
        let sent = json::time_at(&body, &["event", "event_time"]).unwrap_or(DateTime::UNIX_EPOCH);
        if now - sent > OLDEST || sent - now > AHEAD {
            return Err(Rejection::Stale { sent, now });
        }
        if kind == "callback_test" {
            return Ok(Received::Handshake);
        }
        let events = self.events(&body)?;
        let document = json::text(&body, &["signature_request", "signature_request_id"]);
        let document = document.unwrap_or_default();
        let id = DeliveryId::of(&[document.as_bytes(), kind.as_bytes(), time.as_bytes()]);
        Ok(Received::Notification(Verified::new(self.name(), id, events, self.authenticity())))
    }

    fn parse(
        &self,
        body: &[u8],
        content_type: Option<&str>,
    ) -> Result<Vec<SignatureEvent>, Malformed> {
        // What was redacted keeps the content type of its form.
        let form = content_type
            .filter(|_| !is_event(body))
            .and_then(|content_type| json_of(body, content_type))
            .or_else(|| json_of_file(body));
        match form {
            Some(json) => self.events(&json::read(&json?)?),
            // The JSON part by itself, as somebody may have saved it.
            None => self.events(&json::read(body)?),
        }
    }

    fn redact(&self, body: &[u8]) -> Vec<u8> {
        match json_of_file(body) {
            Some(Ok(json)) => metadata::redacted(&json, &[]),
            _ => metadata::redacted(body, &[]),
        }
    }

    fn fetcher(
        &self,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Option<Box<dyn Fetcher>>, FetchError> {
        Ok(Some(Box::new(DropboxSignApi::new(self.clone(), secrets, limits)?)))
    }
}

fn is_event(json: &[u8]) -> bool {
    json::read(json).is_ok_and(|body| json::text(&body, &["event", "event_type"]).is_some())
}
