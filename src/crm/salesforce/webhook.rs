//! Salesforce's Outbound Message: its SOAP envelope, who may send it, and which
//! deals it names.

use chrono::{DateTime, Utc};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use schemars::JsonSchema;
use serde::Deserialize;

use super::SalesforceSettings;
use crate::crm::trigger::{DealNews, Told, Trigger};
use crate::model::{CrmName, DealId, Secrets, normalise_deal_id};
use crate::webhook;
use crate::webhook::{Malformed, Rejection, Reply, Request, Route, RouteNames, json, mac};

// The SOAP envelope of an Outbound Message. Entities are not expanded, a
// document type is refused, depth and number are bounded.

/// Salesforce sends at most so many notifications together.
const MOST_NOTIFICATIONS: usize = 100;
/// A message is seven levels deep.
const DEEPEST: usize = 16;
/// Every id has 18 characters at most; what is longer is no id.
const LONGEST_VALUE: usize = 200;

/// What a message says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OutboundMessage {
    /// The organization, as it writes its id.
    pub(super) organization_id: String,
    /// The records it reports.
    pub(super) notifications: Vec<Notification>,
}

/// One record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notification {
    /// The notification's id, the same over retries.
    pub(super) id: String,
    /// The kind of record, such as `Opportunity`.
    pub(super) object: String,
    /// The record's id.
    pub(super) record_id: String,
    /// Whether it is won, where the message holds that field.
    pub(super) is_won: Option<bool>,
}

/// Where the values stand, from the outermost element.
const ORGANIZATION: &[&str] = &["Envelope", "Body", "notifications", "OrganizationId"];
const NOTIFICATION: &[&str] = &["Envelope", "Body", "notifications", "Notification"];
const ID: &[&str] = &["Envelope", "Body", "notifications", "Notification", "Id"];
const OBJECT: &[&str] = &["Envelope", "Body", "notifications", "Notification", "sObject"];
const RECORD: &[&str] = &["Envelope", "Body", "notifications", "Notification", "sObject", "Id"];
const IS_WON: &[&str] = &["Envelope", "Body", "notifications", "Notification", "sObject", "IsWon"];

/// Reads a message.
///
/// # Errors
/// When it is no XML, or not this message.
pub(super) fn read(body: &[u8]) -> Result<OutboundMessage, Malformed> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Malformed::Empty);
    }
    let mut reader = Reader::from_reader(body);
    let mut place: Vec<String> = Vec::new();
    let mut value = String::new();
    let mut message = OutboundMessage::default();
    loop {
        let at = reader.buffer_position();
        let bad = |why: &str| Malformed::NotXml { at, why: why.to_owned() };
        match reader.read_event().map_err(|error| bad(&json::word(&error.to_string())))? {
            Event::Start(start) => {
                if place.len() >= DEEPEST {
                    return Err(bad("it is nested too deep"));
                }
                place.push(name_of(start.local_name().as_ref()));
                value.clear();
                begin(&place, &start, &mut message, bad)?;
            }
            Event::End(_) => {
                take(&place, value.trim(), &mut message);
                value.clear();
                place.pop();
            }
            Event::Text(text) => {
                let text = text.decode().map_err(|_| bad("its text is not UTF-8"))?;
                let fits = value.len() + text.len() <= LONGEST_VALUE;
                value.push_str(if fits { &text } else { "\u{fffd}" });
            }
            Event::DocType(_) => return Err(bad("a document type is not accepted")),
            Event::Eof if place.is_empty() => break,
            Event::Eof => return Err(bad("it is cut off")),
            // No id holds an entity or a CDATA section; the texts of others are not read.
            Event::GeneralRef(_) | Event::CData(_) => value.push('\u{fffd}'),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    checked(message)
}

fn begin(
    place: &[String],
    start: &BytesStart<'_>,
    message: &mut OutboundMessage,
    bad: impl Fn(&str) -> Malformed,
) -> Result<(), Malformed> {
    if place == NOTIFICATION {
        if message.notifications.len() >= MOST_NOTIFICATIONS {
            return Err(bad("it has more than 100 notifications"));
        }
        message.notifications.push(Notification::default());
    }
    if place == OBJECT
        && let Some(notification) = message.notifications.last_mut()
    {
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| bad(&json::word(&error.to_string())))?;
            if attribute.key.local_name().as_ref() == b"type" {
                let kind = name_of(&attribute.value);
                let kind = kind.rsplit(':').next().unwrap_or_default();
                notification.object = json::word(kind);
            }
        }
    }
    Ok(())
}

fn take(place: &[String], value: &str, message: &mut OutboundMessage) {
    if place == ORGANIZATION {
        value.clone_into(&mut message.organization_id);
        return;
    }
    let Some(notification) = message.notifications.last_mut() else { return };
    if place == ID {
        value.clone_into(&mut notification.id);
    } else if place == RECORD {
        value.clone_into(&mut notification.record_id);
    } else if place == IS_WON {
        notification.is_won = match value {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
    }
}

fn checked(message: OutboundMessage) -> Result<OutboundMessage, Malformed> {
    if message.organization_id.is_empty() {
        let why = "it is not an outbound message with an OrganizationId".to_owned();
        return Err(Malformed::NotMine { provider: TITLE, why });
    }
    let missing = |field| Malformed::Missing { provider: TITLE, field };
    for notification in &message.notifications {
        let id = &notification.record_id;
        let is_id = matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_id {
            return Err(missing("Notification/sObject/Id of 15 or 18 characters"));
        }
        if notification.object.is_empty() {
            return Err(missing("xsi:type of Notification/sObject"));
        }
    }
    if message.notifications.is_empty() {
        return Err(missing("Notification"));
    }
    Ok(message)
}

fn name_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

// Salesforce's Outbound Message, which a flow sends: SOAP without any
// signature. A token in the endpoint's URL and the organization's id are
// expected. Facts: the Outbound Messaging chapter of the SOAP API guide.

pub(super) const TITLE: &str = "Salesforce";
pub(super) const SECRET: &str = "SALESFORCE_WEBHOOK_TOKEN";
const ORGANIZATION_SETTING: &str = "crm.salesforce.webhook.organization_id";
/// The one answer that ends the retries.
const ACK: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">
  <soapenv:Body>
    <notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound">
      <Ack>true</Ack>
    </notificationsResponse>
  </soapenv:Body>
</soapenv:Envelope>
"#;

/// `crm.salesforce.webhook` in `handoff.yaml`; the token in the endpoint's URL
/// is `SALESFORCE_WEBHOOK_TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SalesforceWebhookSettings {
    /// The organization that messages must come from.
    pub organization_id: OrganizationId,
}

/// An organization's id: 15 or 18 characters that begin with `00D`, kept as
/// the 18.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct OrganizationId(String);

impl OrganizationId {
    /// The id in its one form; nothing when it is none.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = matches!(text.len(), 15 | 18)
            && text.starts_with("00D")
            && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Self(in_full(text)))
    }
}

impl TryFrom<String> for OrganizationId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| {
            format!("{text:?} is not an organization id such as 00DHs000002AbCdMAK (Setup, Company Information)")
        })
    }
}

/// All ids of Salesforce have the two forms, whatever they are of.
fn in_full(id: &str) -> String {
    normalise_deal_id(&CrmName::new("salesforce"), &DealId::new(id)).as_str().to_owned()
}

/// Salesforce's Outbound Message.
#[derive(Debug, Clone)]
pub(super) struct SalesforceWebhook(pub(super) SalesforceSettings);

impl SalesforceWebhook {
    fn organization(&self) -> Option<&OrganizationId> {
        self.0.webhook.as_ref().map(|webhook| &webhook.organization_id)
    }
}

impl Route for SalesforceWebhook {
    fn names(&self) -> RouteNames<'_> {
        RouteNames { name: "salesforce", title: TITLE, aliases: &[], secrets: &[SECRET] }
    }

    fn missing_setting(&self) -> Option<&'static str> {
        self.organization().is_none().then_some(ORGANIZATION_SETTING)
    }

    fn accepted(&self, _: &Request<'_>) -> Reply {
        Reply { content_type: "text/xml; charset=utf-8", ..Reply::text(200, ACK) }
    }
}

impl Trigger for SalesforceWebhook {
    fn is_configured(&self) -> bool {
        self.organization().is_some()
    }

    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        _: DateTime<Utc>,
    ) -> Result<Told, Rejection> {
        let tokens = webhook::check(self, request, secrets)?;
        let Some(given) = token(request) else {
            return Err(Rejection::Unsigned {
                what: "token in its query",
                help: "put ?token=… at the end of the endpoint URL of the outbound message, and check that the proxy in front keeps the query",
            });
        };
        if !mac::any_equals(&tokens, given.as_bytes()) {
            return Err(Rejection::BadSignature {
                what: "token in the query",
                secret: SECRET,
                provider: TITLE,
            });
        }
        webhook::expect_content_type(self, request, "text/xml")?;
        let message = read(request.body)?;
        if OrganizationId::parse(&message.organization_id).as_ref() != self.organization() {
            return Err(Rejection::OtherAccount {
                provider: TITLE,
                setting: ORGANIZATION_SETTING,
                got: crate::text::quoted(&message.organization_id),
            });
        }
        Ok(Told::new(message.notifications.into_iter().map(news).collect()))
    }
}

fn token(request: &Request<'_>) -> Option<String> {
    url::form_urlencoded::parse(request.query.unwrap_or_default().as_bytes())
        .find(|(name, value)| name == "token" && !value.is_empty())
        .map(|(_, value)| value.into_owned())
}

fn news(notification: Notification) -> DealNews {
    let Notification { id, object, record_id, is_won } = notification;
    if object != "Opportunity" {
        return DealNews::Ignored { what: format!("a message of a {object}") };
    }
    let record = in_full(&record_id);
    // The notification's id stays the same over retries; the batches may not.
    let (mark, id) = (format!("{id}\u{1f}{record}"), DealId::new(record));
    match is_won {
        Some(false) => DealNews::Changed { id, mark },
        _ => DealNews::MayBeWon { id, mark },
    }
}
