//! An incoming webhook: says `ok` and nothing more, so nothing can be looked
//! up, and its URL is a secret.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, Method};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::message::{SlackSettings, message};
use crate::brief::EventKind;
use crate::deliver::http_answer;
use crate::deliver::message_kind::{MessageKind, Reminder};
use crate::deliver::messages::Messages;
use crate::deliver::sink::{DeliveryError, Handoff, Mark, Sink};
use crate::http::{BaseUrl, Client, NetError, Schedule, Semantics};
use crate::model::Check;
use crate::text;

/// Posts one message for each handoff, at most once unless told to repeat.
#[derive(Clone)]
pub(super) struct SlackWebhook {
    client: Arc<Client>,
    /// The path of the URL; the client is for its host alone.
    path: String,
    repeat: bool,
    messages: Messages,
    kind: MessageKind,
}

impl SlackWebhook {
    pub(super) fn new(
        settings: &SlackSettings,
        url: &SecretString,
        messages: Messages,
        kind: MessageKind,
    ) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("SLACK_WEBHOOK_URL: {error}");
        // Checked whole first: no user, query or fragment is lost below.
        BaseUrl::parse(url.expose_secret()).map_err(|error| told(&error))?;
        let mut host = Url::parse(url.expose_secret()).map_err(|error| told(&error))?;
        let path = host.path().to_owned();
        host.set_path("");
        let base = BaseUrl::parse(host.as_str()).map_err(|error| told(&error))?;
        let client = Arc::new(Client::new(base, HeaderMap::new(), Schedule::interactive()));
        Ok(Self { client, path, repeat: settings.repeat, messages, kind })
    }
}

#[async_trait]
impl Sink for SlackWebhook {
    fn event(&self) -> EventKind {
        self.kind.event(EventKind::Notified)
    }

    fn via(&self) -> &'static str {
        "slack"
    }

    fn can_look_up(&self) -> bool {
        false
    }

    fn repeats_when_unclear(&self) -> bool {
        self.repeat
    }

    fn subject(&self) -> &str {
        self.kind.subject()
    }

    fn for_reminder(&self, reminder: &Arc<Reminder>) -> Option<Box<dyn Sink>> {
        let kind = MessageKind::Reminder(reminder.clone());
        (self.kind == MessageKind::Signed)
            .then(|| Box::new(Self { kind, ..self.clone() }) as Box<dyn Sink>)
    }

    fn describe(&self, _: &Handoff) -> String {
        "post a message through the incoming webhook".to_owned()
    }

    async fn look_up(&self, _: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        Ok(None)
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let body = message(&self.messages, handoff, &self.kind, None)?;
        // Errors of the client name the URL, which is a secret here.
        let sent =
            self.client.send(Semantics::Creates, Method::POST, &self.path, Some(&body)).await;
        let response = match sent {
            Ok(response) => response,
            Err(NetError::NotReached { why, .. }) => {
                let message = format!("the Slack webhook was not reached: {why}");
                return Err(DeliveryError::Transient { message, retry_after: None });
            }
            Err(NetError::Unclear { why, .. }) => {
                let message = format!("no complete answer came from the Slack webhook: {why}");
                return Err(DeliveryError::Unclear { message });
            }
        };
        if response.status.is_success() {
            return Ok(Mark { reference: "incoming-webhook".to_owned(), at: None, remark: None });
        }
        let words = text::quoted(&String::from_utf8_lossy(&response.body));
        let help = match response.status.as_u16() {
            403 | 404 | 410 => {
                "the webhook or its channel is gone; make a new one and set SLACK_WEBHOOK_URL"
            }
            _ => "see what Slack says",
        };
        Err(http_answer::fault("the Slack webhook", &response, &words, help))
    }

    async fn checks(&self, _offline: bool) -> Vec<Check> {
        if self.kind != MessageKind::Signed {
            return Vec::new();
        }
        vec![Check::warning(
            "slack: webhook",
            "SLACK_WEBHOOK_URL is set; a webhook can only be tried by posting, and its messages cannot be found again",
            "use a bot (SLACK_BOT_TOKEN) to have each message exactly once",
        )]
    }
}
