//! Adobe's notification: JSON without any signature. The client id in its
//! header is expected and echoed, and what it says is a hint until the API
//! confirms it.

use chrono::{DateTime, Utc};
use http::Method;
use serde_json::Value;

use super::api::AdobeSignApi;
use super::{AdobeSign, CLIENT_ID, TITLE, TOKEN, api};
use crate::esign::api::{FetchError, Fetcher};
use crate::esign::provider::{Authenticity, Provider, Received, Verified};
use crate::http::Limits;
use crate::model::{Secrets, SignatureEvent};
use crate::webhook::{
    self, DeliveryId, Malformed, Rejection, Reply, Request, Route, RouteNames, json, mac,
};

const HEADER: &str = "x-adobesign-clientid";

impl AdobeSign {
    fn events(&self, body: &Value) -> Result<Vec<SignatureEvent>, Malformed> {
        let agreement = body.get("agreement").unwrap_or(&Value::Null);
        let event = json::text(body, &["event"])
            .filter(|_| agreement.is_object() || body.get("webhookNotificationId").is_some());
        let Some(event) = event else {
            return Err(Malformed::NotMine {
                provider: TITLE,
                why: "it has no \"event\" with an \"agreement\"".to_owned(),
            });
        };
        let signature = || {
            api::signature(agreement, self)
                .ok_or(Malformed::Missing { provider: TITLE, field: "agreement.id" })
        };
        Ok(vec![match event {
            "AGREEMENT_WORKFLOW_COMPLETED" => {
                let status = json::text(agreement, &["status"]).unwrap_or_default();
                if BEFORE.iter().any(|start| status.starts_with(start)) {
                    let status = json::word(status);
                    return Err(Malformed::Contradicts { provider: TITLE, status });
                }
                let mut signature = signature()?;
                // The agreement itself does not say when.
                signature.signed_at = json::time_at(body, &["eventDate"]);
                SignatureEvent::Completed(signature)
            }
            "AGREEMENT_CREATED" if self.settings.drafts => SignatureEvent::Sent(signature()?),
            "AGREEMENT_RECALLED" | "AGREEMENT_REJECTED" | "AGREEMENT_EXPIRED" => {
                let what = event.trim_start_matches("AGREEMENT_").to_ascii_lowercase();
                SignatureEvent::Voided { signature: signature()?, what }
            }
            other => SignatureEvent::Ignored { what: json::word(other) },
        }])
    }
}

/// How the statuses begin of what nobody, or not everybody, has signed.
const BEFORE: &[&str] =
    &["OUT_FOR", "IN_", "WAITING", "AUTHORING", "DRAFT", "CANCEL", "ABORT", "EXPIRED", "REJECT"];

impl Route for AdobeSign {
    fn names(&self) -> RouteNames<'_> {
        RouteNames {
            name: "adobe-sign",
            title: TITLE,
            aliases: &["adobe_sign", "acrobat-sign"],
            secrets: &[CLIENT_ID],
        }
    }

    fn accepted(&self, request: &Request<'_>) -> Reply {
        // Without the echo every notification is sent again for 72 hours.
        let mut answer = Reply::ok();
        if let Some(id) = request.header(HEADER) {
            answer.headers.push(("x-adobesign-clientid", id.to_owned()));
        }
        answer
    }
}

impl Provider for AdobeSign {
    fn api_secret_names(&self) -> &[&'static str] {
        &[TOKEN]
    }

    fn authenticity(&self) -> Authenticity {
        Authenticity::HintOnly
    }

    fn recognises(&self, body: &[u8]) -> bool {
        json::read(body).is_ok_and(|body| {
            let agreement = body.get("agreement").is_some_and(Value::is_object);
            body.get("event").is_some_and(Value::is_string)
                && (agreement || body.get("webhookNotificationId").is_some())
        })
    }

    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        _: DateTime<Utc>,
    ) -> Result<Received, Rejection> {
        let handshake = request.method == Method::GET;
        let expected = if handshake {
            // The verification of intent is the one GET that is answered.
            let post = Request { method: &Method::POST, ..*request };
            webhook::check(self, &post, secrets)?
        } else {
            webhook::check(self, request, secrets)?
        };
        let Some(given) = request.header(HEADER) else {
            return Err(Rejection::Unsigned {
                what: "X-AdobeSign-ClientId header",
                help: "Acrobat Sign always sends one",
            });
        };
        if !mac::any_equals(&expected, given.as_bytes()) {
            return Err(Rejection::BadSignature {
                what: "client id in the header",
                secret: CLIENT_ID,
                provider: TITLE,
            });
        }
        if handshake {
            return Ok(Received::Handshake);
        }
        webhook::expect_content_type(self, request, "application/json")?;
        let body = json::read(request.body)?;
        let events = self.events(&body)?;
        let part = |path: &[&str]| json::text(&body, path).unwrap_or_default().as_bytes();
        let id = DeliveryId::of(&[
            part(&["webhookNotificationId"]),
            part(&["agreement", "id"]),
            part(&["event"]),
            part(&["eventDate"]),
        ]);
        Ok(Received::Notification(Verified::new(self.name(), id, events, self.authenticity())))
    }

    fn parse(&self, body: &[u8], _: Option<&str>) -> Result<Vec<SignatureEvent>, Malformed> {
        self.events(&json::read(body)?)
    }

    fn fetcher(
        &self,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Option<Box<dyn Fetcher>>, FetchError> {
        Ok(Some(Box::new(AdobeSignApi::new(self.clone(), secrets, limits)?)))
    }
}
