//! PandaDoc's webhook: an array of `{event, data}`, signed over the raw body
//! with a hex HMAC-SHA256 in the query parameter `signature`.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::api::PandaDocApi;
use super::{API_KEY, PandaDoc, TITLE, WEBHOOK_KEY, api};
use crate::esign::api::{FetchError, Fetcher};
use crate::esign::provider::{Authenticity, Provider, Received, Verified};
use crate::http::Limits;
use crate::model::{Secrets, SignatureEvent};
use crate::webhook::{
    self, DeliveryId, Malformed, Rejection, Request, Route, RouteNames, json, mac,
};

impl PandaDoc {
    fn event(&self, notification: &Value) -> Option<SignatureEvent> {
        let event = json::text(notification, &["event"])?;
        let data = notification.get("data")?;
        match event {
            "document_state_changed" => api::event(data, self),
            "document_deleted" => {
                let signature = api::signature(data, self)?;
                Some(SignatureEvent::Voided { signature, what: "deleted".to_owned() })
            }
            // Among them `recipient_completed` (one person, not the document) and
            // `document_completed_pdf_ready` (the same completion again).
            other => Some(SignatureEvent::Ignored { what: json::word(other) }),
        }
    }

    fn events(&self, body: &Value) -> Result<Vec<SignatureEvent>, Malformed> {
        let notifications = notifications(body);
        if !notifications.is_empty() && !notifications.iter().any(is_notification) {
            return Err(Malformed::NotMine {
                provider: TITLE,
                why: "its notifications are an array of {\"event\": …, \"data\": {…}}".to_owned(),
            });
        }
        let events: Vec<SignatureEvent> =
            notifications.iter().filter_map(|notification| self.event(notification)).collect();
        // One that cannot be told does not hold back the others in its batch.
        if events.is_empty() && !notifications.is_empty() {
            return Err(Malformed::Missing { provider: TITLE, field: "data.id" });
        }
        Ok(events)
    }
}

fn notifications(body: &Value) -> &[Value] {
    match body {
        Value::Array(items) => items,
        lone => std::slice::from_ref(lone),
    }
}

/// `{event, data}` and not DocuSign's, whose events are named with hyphens and
/// whose data hold an `envelopeId`.
fn is_notification(item: &Value) -> bool {
    item.get("event").is_some_and(Value::is_string)
        && item
            .get("data")
            .and_then(Value::as_object)
            .is_some_and(|data| !data.contains_key("envelopeId"))
}

/// Whether the event is named as PandaDoc names its own; others, too, send an
/// event with data.
fn is_known(item: &Value) -> bool {
    let event = json::text(item, &["event"]).unwrap_or_default();
    ["document_", "recipient_", "quote_", "template_", "content_library_"]
        .iter()
        .any(|start| event.starts_with(start))
}

impl Route for PandaDoc {
    fn names(&self) -> RouteNames<'_> {
        RouteNames { name: "pandadoc", title: TITLE, aliases: &[], secrets: &[WEBHOOK_KEY] }
    }
}

impl Provider for PandaDoc {
    fn told_by_api(&self) -> &'static [&'static str] {
        &["folder"]
    }

    fn api_secret_names(&self) -> &[&'static str] {
        &[API_KEY]
    }

    fn recognises(&self, body: &[u8]) -> bool {
        json::read(body).is_ok_and(|body| {
            let items = notifications(&body);
            !items.is_empty() && items.iter().all(|item| is_notification(item) && is_known(item))
        })
    }

    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        _: DateTime<Utc>,
    ) -> Result<Received, Rejection> {
        let keys = webhook::check(self, request, secrets)?;
        webhook::expect_content_type(self, request, "application/json")?;
        let (given, malformed) = signatures(request);
        if given.is_empty() && malformed {
            return Err(Rejection::MalformedSignature {
                what: "signature in the query",
                expected: "hexadecimal",
                provider: TITLE,
            });
        }
        if given.is_empty() {
            return Err(Rejection::Unsigned {
                what: "signature in its query",
                help: "PandaDoc always sends one: check that the proxy in front keeps the query",
            });
        }
        if !mac::any_matches(&keys, request.body, &given) {
            return Err(Rejection::BadSignature {
                what: "signature in the query",
                secret: WEBHOOK_KEY,
                provider: TITLE,
            });
        }
        let events = self.events(&json::read(request.body)?)?;
        // The header is not signed, so the body is part of the identity: a
        // replay under another delivery's name must not hide that delivery.
        let event_id = request.header("x-pandadoc-webhook-event-id").unwrap_or_default();
        let id = DeliveryId::of(&[event_id.as_bytes(), b"pandadoc", request.body]);
        Ok(Received::Notification(Verified::new(self.name(), id, events, Authenticity::Body)))
    }

    fn parse(&self, body: &[u8], _: Option<&str>) -> Result<Vec<SignatureEvent>, Malformed> {
        self.events(&json::read(body)?)
    }

    fn fetcher(
        &self,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Option<Box<dyn Fetcher>>, FetchError> {
        Ok(Some(Box::new(PandaDocApi::new(self.clone(), secrets, limits)?)))
    }
}

/// The signatures of the query, else the one in the header that some
/// integrations see, though PandaDoc's pages do not name it; and whether
/// something else stood there.
fn signatures(request: &Request<'_>) -> (Vec<Vec<u8>>, bool) {
    let mut texts: Vec<String> =
        url::form_urlencoded::parse(request.query.unwrap_or_default().as_bytes())
            .filter(|(name, value)| name == "signature" && !value.trim().is_empty())
            .map(|(_, value)| value.trim().to_owned())
            .take(4)
            .collect();
    if texts.is_empty() {
        texts.extend(request.header("x-pandadoc-signature").map(str::to_owned));
    }
    let given: Vec<Vec<u8>> = texts.iter().filter_map(|text| hex::decode(text).ok()).collect();
    let malformed = given.len() < texts.len();
    (given, malformed)
}
