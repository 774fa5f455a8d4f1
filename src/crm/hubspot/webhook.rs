//! HubSpot's webhooks: an app's array of events, signed (version 3) over
//! method, URL, raw body and time; and a workflow's "Send a webhook", one
//! object, signed (version 2) over secret, method, URL and body. Facts:
//! developers.hubspot.com, `request-validation` and the webhooks guide.

use base64::Engine as _;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::Url;

use super::HubSpotSettings;
use crate::crm::connector::is_number;
use crate::crm::trigger::{DealNews, Told, Trigger};
use crate::http::BaseUrl;
use crate::model::{DealId, Secrets};
use crate::webhook::{self, Malformed, Rejection, Request, Route, RouteNames, json, mac};

const TITLE: &str = "HubSpot";
pub(super) const SECRET: &str = "HUBSPOT_CLIENT_SECRET";
/// How far the time may be off, both ways; HubSpot's own value.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// The type of deals in events of the general form, `object.propertyChange`:
/// developers.hubspot.com/changelog/public-beta-generic-webhook-subscriptions.
const DEAL: &str = "0-3";
/// What HubSpot decodes of a URL before it signs it, and nothing else.
const DECODED: [(&str, char); 12] = [
    ("3A", ':'),
    ("2F", '/'),
    ("3F", '?'),
    ("40", '@'),
    ("21", '!'),
    ("24", '$'),
    ("27", '\''),
    ("28", '('),
    ("29", ')'),
    ("2A", '*'),
    ("2C", ','),
    ("3B", ';'),
];

/// `crm.hubspot.webhook` in `handoff.yaml`; the app's client secret is
/// `HUBSPOT_CLIENT_SECRET`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubSpotWebhookSettings {
    /// The target URL as HubSpot has it, in front of the proxy. It is part of what is signed.
    pub url: TargetUrl,
}

/// A target URL exactly as it was entered at HubSpot, without a query.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct TargetUrl(String);

impl TryFrom<String> for TargetUrl {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        BaseUrl::parse(&text).map_err(|error| error.to_string())?;
        let path = Url::parse(&text).map_err(|error| error.to_string())?.path().len();
        if path > 1 {
            return Ok(Self(text));
        }
        Err("give the whole target URL, such as https://handoff.example.com/webhooks/hubspot"
            .to_owned())
    }
}

/// HubSpot's webhook.
#[derive(Debug, Clone)]
pub(super) struct HubSpotWebhook(pub(super) HubSpotSettings);

impl HubSpotWebhook {
    fn url(&self) -> Option<&TargetUrl> {
        self.0.webhook.as_ref().map(|webhook| &webhook.url)
    }
}

impl Route for HubSpotWebhook {
    fn names(&self) -> RouteNames<'_> {
        RouteNames { name: "hubspot", title: TITLE, aliases: &[], secrets: &[SECRET] }
    }

    fn missing_setting(&self) -> Option<&'static str> {
        self.url().is_none().then_some("crm.hubspot.webhook.url")
    }
}

impl Trigger for HubSpotWebhook {
    fn is_configured(&self) -> bool {
        self.url().is_some()
    }

    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        now: DateTime<Utc>,
    ) -> Result<Told, Rejection> {
        let keys = webhook::check(self, request, secrets)?;
        let TargetUrl(url) = self.url().expect("the check asks for the setting");
        webhook::expect_content_type(self, request, "application/json")?;
        let v3 = request.header("x-hubspot-signature-v3");
        let version = request.header("x-hubspot-signature-version").map(str::trim);
        if let (None, Some(version), Some(given)) =
            (v3, version, request.header("x-hubspot-signature"))
            && version.eq_ignore_ascii_case("v2")
        {
            if !is_signed_v2(&keys, request, url, given) {
                return Err(Rejection::BadSignature {
                    what: "signature of version 2 (over secret, method, crm.hubspot.webhook.url and body)",
                    secret: SECRET,
                    provider: TITLE,
                });
            }
            // Version 2 signs no time; the deal is asked for anyway, and a
            // repetition changes nothing.
            return read(request, self.0.portal_id);
        }
        let (Some(given), Some(stamp)) = (v3, request.header("x-hubspot-request-timestamp")) else {
            return Err(Rejection::Unsigned {
                what: "X-HubSpot-Signature-v3 header with its X-HubSpot-Request-Timestamp",
                help: "HubSpot sends both: check that the proxy in front keeps them",
            });
        };
        let wrong = || Rejection::BadSignature {
            what: "signature (over method, crm.hubspot.webhook.url, body and time)",
            secret: SECRET,
            provider: TITLE,
        };
        let sent = stamp.parse().ok().and_then(DateTime::from_timestamp_millis);
        let (Some(sent), Ok(given)) =
            (sent, base64::engine::general_purpose::STANDARD.decode(given))
        else {
            return Err(wrong());
        };
        let message = message(request, url, stamp);
        if !mac::any_matches(&keys, &message, &[given]) {
            return Err(wrong());
        }
        if (now - sent).abs() > TOLERANCE {
            return Err(Rejection::Stale { sent, now });
        }
        read(request, self.0.portal_id)
    }
}

/// Version 2: `hex(SHA-256(client secret + method + URL + body))`, with the URL
/// as it is, nothing decoded.
fn is_signed_v2(keys: &[SecretString], request: &Request<'_>, url: &str, given: &str) -> bool {
    let Ok(given) = hex::decode(given.trim()) else { return false };
    let message =
        [request.method.as_str().as_bytes(), with_query(request, url).as_bytes(), request.body]
            .concat();
    keys.iter().fold(false, |found, key| {
        let digest = Sha256::new()
            .chain_update(key.expose_secret().as_bytes())
            .chain_update(&message)
            .finalize();
        found | bool::from(digest[..].ct_eq(&given))
    })
}

/// The URL as it was entered, with the query of the request.
fn with_query(request: &Request<'_>, url: &str) -> String {
    match request.query.filter(|query| !query.is_empty()) {
        Some(query) => format!("{url}?{query}"),
        None => url.to_owned(),
    }
}

/// What is signed: method, URL as it was entered with the query of the
/// request, body, time.
fn message(request: &Request<'_>, url: &str, stamp: &str) -> Vec<u8> {
    let full = with_query(request, url);
    let method = request.method.as_str().as_bytes();
    [method, decoded(&full).as_bytes(), request.body, stamp.as_bytes()].concat()
}

fn decoded(url: &str) -> String {
    let mut parts = url.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let known = part
            .get(..2)
            .and_then(|code| DECODED.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)));
        match known {
            Some((_, character)) => {
                text.push(*character);
                text.push_str(&part[2..]);
            }
            None => {
                text.push('%');
                text.push_str(part);
            }
        }
    }
    text
}

fn read(request: &Request<'_>, portal: Option<u64>) -> Result<Told, Rejection> {
    let body = json::read(request.body)?;
    if body.is_object() {
        return of_workflow(&body, request, portal);
    }
    let events = body.as_array().filter(|events| events.iter().all(Value::is_object));
    let Some(events) = events else {
        return Err(Malformed::NotMine {
            provider: TITLE,
            why: "its notifications are an array of events, or a workflow's object".to_owned(),
        }
        .into());
    };
    // One that cannot be told does not hold back the others in its batch.
    let news: Vec<DealNews> = events.iter().filter_map(|event| of_event(event, portal)).collect();
    if news.is_empty() && !events.is_empty() {
        return Err(Malformed::Missing { provider: TITLE, field: "objectId" }.into());
    }
    Ok(Told::new(news))
}

/// What a workflow sends: the deal as HubSpot's API gives it, or properties
/// that the workflow's author chose. Whether it is won is asked of HubSpot.
fn of_workflow(
    body: &Value,
    request: &Request<'_>,
    portal: Option<u64>,
) -> Result<Told, Rejection> {
    let at = |path: &[&str]| json::at(body, path).and_then(json::scalar);
    let sent = at(&["portalId"]).or_else(|| at(&["portal-id"]));
    if let (Some(expected), Some(got)) = (portal, &sent)
        && expected.to_string() != *got
    {
        return Err(Rejection::OtherAccount {
            provider: TITLE,
            setting: "crm.hubspot.portal_id",
            got: crate::text::quoted(got),
        });
    }
    let kind = at(&["objectTypeId"]).or_else(|| at(&["objectType"]));
    if let Some(kind) = kind.filter(|kind| kind != DEAL && !kind.eq_ignore_ascii_case("deal")) {
        let what = json::word(&format!("a workflow's message of a {kind}"));
        return Ok(Told::new(vec![DealNews::Ignored { what }]));
    }
    let property = |name: &'static str| {
        // The older form has `{"value": …}`, the newer the value itself.
        at(&["properties", name])
            .or_else(|| at(&["properties", name, "value"]))
            .or_else(|| at(&[name]))
    };
    let id = property("hs_object_id").or_else(|| at(&["objectId"])).or_else(|| at(&["dealId"]));
    let id = id.filter(|id| is_number(id));
    let id = id.ok_or(Malformed::Missing { provider: TITLE, field: "hs_object_id" })?;
    // The object has no id of its own: the same text at the same time is one message.
    let sent = request.header("x-hubspot-request-timestamp").unwrap_or_default();
    let mark = format!("workflow\u{1f}{sent}\u{1f}{}", hex::encode(Sha256::digest(request.body)));
    Ok(Told::new(vec![DealNews::MayBeWon { id: DealId::new(id), mark }]))
}

/// What one event says; nothing when its deal cannot be told.
fn of_event(event: &Value, portal: Option<u64>) -> Option<DealNews> {
    let field = |name: &str| event.get(name).and_then(json::scalar);
    let text = |name: &str| json::text(event, &[name]);
    let kind = text("subscriptionType").unwrap_or("an event without subscriptionType");
    let ignored = |what: String| Some(DealNews::Ignored { what });
    let of_deals = |what: &str| {
        kind.strip_prefix("deal.") == Some(what)
            || (kind.strip_prefix("object.") == Some(what) && text("objectTypeId") == Some(DEAL))
    };
    let is_change = of_deals("propertyChange");
    if !is_change && !of_deals("deletion") {
        return ignored(json::word(kind));
    }
    if portal.is_some_and(|portal| field("portalId") != Some(portal.to_string())) {
        return ignored("an event of another account".to_owned());
    }
    let (property, value) = (text("propertyName"), field("propertyValue"));
    let may_be_won = match (property, value.as_deref()) {
        (Some("hs_is_closed_won"), won) => won == Some("true"),
        // Which stages are won is known to HubSpot alone, which is asked.
        (Some("dealstage"), Some(_)) => true,
        _ => false,
    };
    let id = DealId::new(field("objectId")?);
    // `attemptNumber` differs between retries; `eventId` alone is not unique.
    let names = ["portalId", "subscriptionId", "eventId", "occurredAt", "propertyName"];
    let mut mark: Vec<String> = names.iter().map(|name| field(name).unwrap_or_default()).collect();
    mark.extend([id.as_str().to_owned(), value.unwrap_or_default()]);
    let mark = mark.join("\u{1f}");
    let may_be_won = may_be_won && is_change;
    Some(if may_be_won { DealNews::MayBeWon { id, mark } } else { DealNews::Changed { id, mark } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_only_some_characters_are_decoded() {
        let cases = [
            (
                "https://x.example/a?b=c%40d&p=%2Fq&n=a%20b",
                "https://x.example/a?b=c@d&p=/q&n=a%20b",
            ),
            ("%3a%3A%2f%", "::/%"),
            ("%é%3", "%é%3"),
            ("%25%2540", "%25%2540"),
        ];
        for (url, signed) in cases {
            assert_eq!(decoded(url), signed, "{url}");
        }
    }
}
