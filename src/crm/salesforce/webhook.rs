//! Salesforce's Outbound Message, which a flow sends: SOAP without any
//! signature. A token in the endpoint's URL and the organization's id are
//! expected. Facts: the Outbound Messaging chapter of the SOAP API guide.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use super::SalesforceSettings;
use super::outbound_message::{self, Notification};
use crate::crm::trigger::{DealNews, Told, Trigger};
use crate::model::{CrmName, DealId, Secrets, normalise_deal_id};
use crate::webhook::{self, Answer, Rejection, Request, Route, mac};

pub(super) const TITLE: &str = "Salesforce";
pub(super) const SECRET: &str = "SALESFORCE_WEBHOOK_TOKEN";
const ORGANIZATION: &str = "crm.salesforce.webhook.organization_id";
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
pub struct WebhookSettings {
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
            format!("{text:?} is no organization id such as 00DHs000002AbCdMAK (Setup, Company Information)")
        })
    }
}

/// All ids of Salesforce have the two forms, whatever they are of.
fn in_full(id: &str) -> String {
    normalise_deal_id(&CrmName::new("salesforce"), &DealId::new(id)).as_str().to_owned()
}

/// Salesforce's Outbound Message.
#[derive(Debug, Clone)]
pub struct Webhook {
    settings: Option<SalesforceSettings>,
}

impl Webhook {
    /// The messages of the org that is connected, if one is.
    #[must_use]
    pub fn new(settings: Option<SalesforceSettings>) -> Self {
        Self { settings }
    }

    fn organization(&self) -> Option<&OrganizationId> {
        self.settings.as_ref()?.webhook.as_ref().map(|webhook| &webhook.organization_id)
    }
}

impl Route for Webhook {
    fn name(&self) -> &'static str {
        "salesforce"
    }

    fn title(&self) -> &'static str {
        TITLE
    }

    fn secret_names(&self) -> &'static [&'static str] {
        &[SECRET]
    }

    fn missing_setting(&self) -> Option<&'static str> {
        self.organization().is_none().then_some(ORGANIZATION)
    }

    fn accepted(&self, _: &Request<'_>) -> Answer {
        Answer { content_type: "text/xml; charset=utf-8", ..Answer::text(200, ACK) }
    }
}

impl Trigger for Webhook {
    fn is_connected(&self) -> bool {
        self.settings.is_some()
    }

    fn is_configured(&self) -> bool {
        self.organization().is_some()
    }

    fn receive(
        &self,
        request: &Request<'_>,
        secrets: &Secrets,
        _: DateTime<Utc>,
    ) -> Result<Told, Rejection> {
        if self.settings.is_none() {
            return Err(Rejection::NotConnected { provider: TITLE, setting: "crm.salesforce" });
        }
        let tokens = webhook::check(self, request, secrets)?;
        let Some(given) = token(request) else {
            return Err(Rejection::Unsigned {
                what: "token in its query",
                help: "put ?token=… at the end of the endpoint URL of the outbound message, and see that the proxy in front keeps the query",
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
        let message = outbound_message::read(request.body)?;
        if OrganizationId::parse(&message.organization_id).as_ref() != self.organization() {
            return Err(Rejection::OtherAccount {
                provider: TITLE,
                setting: ORGANIZATION,
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
