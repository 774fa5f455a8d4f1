//! Pipedrive's webhook, version 2: one change of a record, with basic
//! authentication and no signature. Facts: pipedrive.readme.io, `guide-for-webhooks-v2`.

use base64::Engine as _;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::PipedriveSettings;
use crate::crm::trigger::{DealNews, Told, Trigger};
use crate::model::{DealId, Secrets};
use crate::webhook::{self, Malformed, Rejection, Reply, Request, Route, RouteNames, json, mac};

const TITLE: &str = "Pipedrive";
pub(super) const SECRET: &str = "PIPEDRIVE_WEBHOOK_LOGIN";

/// Pipedrive's webhook; user and password as they were given when it was made
/// are `PIPEDRIVE_WEBHOOK_LOGIN`, `user:password`.
#[derive(Debug, Clone)]
pub(super) struct PipedriveWebhook(pub(super) PipedriveSettings);

impl Route for PipedriveWebhook {
    fn names(&self) -> RouteNames<'_> {
        RouteNames { name: "pipedrive", title: TITLE, aliases: &[], secrets: &[SECRET] }
    }

    fn rejected(&self, rejection: &Rejection) -> Reply {
        let mut answer = Reply::refusal(rejection);
        if answer.status == 401 {
            answer.headers.push(("www-authenticate", "Basic realm=\"handoff\"".to_owned()));
        }
        answer
    }
}

impl Trigger for PipedriveWebhook {
    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        _: DateTime<Utc>,
    ) -> Result<Told, Rejection> {
        let logins = webhook::check(self, request, secrets)?;
        if logins.iter().any(|login| !login.expose_secret().contains(':')) {
            let why = "write user and password with a colon between: user:password".to_owned();
            return Err(Rejection::UnusableSecret { secret: SECRET, why });
        }
        let Some(given) = request.header("authorization").and_then(basic) else {
            return Err(Rejection::Unsigned {
                what: "user and password (HTTP basic authentication)",
                help: "give the webhook http_auth_user and http_auth_password, and check that the proxy in front keeps the Authorization header",
            });
        };
        if !mac::any_equals(&logins, &given) {
            return Err(Rejection::BadSignature {
                what: "user and password",
                secret: SECRET,
                provider: TITLE,
            });
        }
        webhook::expect_content_type(self, request, "application/json")?;
        let body = json::read(request.body)?;
        let company = json::at(&body, &["meta", "company_id"]).and_then(json::scalar);
        if let (Some(expected), Some(got)) = (self.0.company_id, company)
            && expected.to_string() != got
        {
            return Err(Rejection::OtherAccount {
                provider: TITLE,
                setting: "crm.pipedrive.company_id",
                got: crate::text::quoted(&got),
            });
        }
        Ok(Told::new(vec![read(&body)?]))
    }
}

/// User and password of an `Authorization` header.
fn basic(header: &str) -> Option<Vec<u8>> {
    let (scheme, text) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    base64::engine::general_purpose::STANDARD.decode(text.trim()).ok()
}

fn read(body: &Value) -> Result<DealNews, Malformed> {
    let meta = |name: &str| json::at(body, &["meta", name]).and_then(json::scalar);
    let (Some(action), Some(entity)) = (meta("action"), meta("entity")) else {
        return Err(if body.get("event").is_some() || body.get("current").is_some() {
            Malformed::Legacy {
                provider: TITLE,
                what: "this is a webhook of version 1",
                help: "create it again with \"version\": \"2.0\"",
            }
        } else {
            Malformed::NotMine {
                provider: TITLE,
                why: "it has no meta.action and meta.entity".to_owned(),
            }
        });
    };
    let now_won = json::text(body, &["data", "status"]) == Some("won");
    let newly_won = match action.as_str() {
        "create" => now_won,
        // `previous` holds what has changed, and nothing else.
        "change" => {
            let before = json::text(body, &["previous", "status"]);
            now_won && before.is_some_and(|before| before != "won")
        }
        // A merge is a `delete`, and a `change` of the deal that stays.
        _ => false,
    };
    let is_change = matches!(action.as_str(), "change" | "delete");
    if entity != "deal" || !(newly_won || is_change) {
        return Ok(DealNews::Ignored { what: json::word(&format!("{action} of a {entity}")) });
    }
    let id = json::at(body, &["data", "id"]).and_then(json::scalar).or_else(|| meta("entity_id"));
    let id = id.ok_or(Malformed::Missing { provider: TITLE, field: "data.id" })?;
    // `attempt` differs between retries.
    let names = ["company_id", "webhook_id", "id", "correlation_id", "timestamp"];
    let mut mark: Vec<String> = names.iter().map(|name| meta(name).unwrap_or_default()).collect();
    mark.push(id.clone());
    let (id, mark) = (DealId::new(id), mark.join("\u{1f}"));
    Ok(if newly_won { DealNews::MayBeWon { id, mark } } else { DealNews::Changed { id, mark } })
}
