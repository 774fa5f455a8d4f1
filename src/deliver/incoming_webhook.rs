//! An incoming webhook of a chat: takes a message and says nothing that could
//! be looked up, and its address is a secret.

use async_trait::async_trait;
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::http_answer;
use super::message_sink::{MessageChannel, Outgoing};
use super::messages::Messages;
use super::sink::{DeliveryError, Mark, Notice};
use crate::http::{ApiRequest, BaseUrl, Client, NetError, Schedule};
use crate::model::Check;
use crate::text;

/// One product's incoming webhooks.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChatProduct {
    /// The `via` of its events.
    pub via: &'static str,
    /// In messages: `the Slack webhook`.
    pub what: &'static str,
    /// The secret that holds the address.
    pub secret: &'static str,
    /// Whether the address has a query.
    pub has_query: bool,
    /// For `doctor`: what gives each message exactly once, if anything does.
    pub better: &'static str,
    /// The body of a message.
    pub body: fn(Outgoing<'_>) -> Result<Value, DeliveryError>,
    /// The body of a message that belongs to no handoff.
    pub notice: fn(&Notice) -> Value,
}

/// Posts each message, at most once unless told to repeat.
pub(super) struct IncomingWebhook {
    chat: ChatProduct,
    client: Client,
    /// The path and query of the URL; the client is for its host alone.
    path: String,
    repeat: bool,
}

impl IncomingWebhook {
    pub(super) fn new(chat: ChatProduct, repeat: bool, url: &SecretString) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", chat.secret);
        let mut host = Url::parse(url.expose_secret()).map_err(|error| told(&error))?;
        let mut path = host.path().to_owned();
        if chat.has_query {
            if let Some(query) = host.query() {
                path = format!("{path}?{query}");
            }
            host.set_query(None);
        }
        // Checked whole first: no user, query or fragment is lost below.
        BaseUrl::parse(host.as_str()).map_err(|error| told(&error))?;
        host.set_path("");
        let base = BaseUrl::parse(host.as_str()).map_err(|error| told(&error))?;
        let client = Client::new(base, HeaderMap::new(), Schedule::interactive());
        Ok(Self { chat, client, path, repeat })
    }

    async fn post(&self, body: &Value) -> Result<Mark, DeliveryError> {
        let what = self.chat.what;
        // Errors of the client name the URL, which is a secret here.
        let response = match self.client.send(&ApiRequest::create(&self.path, body)).await {
            Ok(response) => response,
            Err(NetError::NotReached { why, .. }) => {
                let message = format!("{what} was not reached: {why}");
                return Err(DeliveryError::transient(message));
            }
            Err(NetError::Unclear { why, .. }) => {
                let message = format!("no complete answer came from {what}: {why}");
                return Err(DeliveryError::unclear(message));
            }
        };
        if response.status.is_success() {
            return Ok(Mark::new("incoming-webhook", None, &[]));
        }
        let words = text::quoted(&String::from_utf8_lossy(&response.body));
        let help = match response.status.as_u16() {
            401 | 403 | 404 | 410 => {
                format!(
                    "the webhook or its channel is gone; make a new one and set {}",
                    self.chat.secret
                )
            }
            _ => "see what the answer says".to_owned(),
        };
        Err(http_answer::fault(what, &response, &words, &help))
    }
}

#[async_trait]
impl MessageChannel for IncomingWebhook {
    fn via(&self) -> &'static str {
        self.chat.via
    }

    fn repeats_when_unclear(&self) -> bool {
        self.repeat
    }

    fn describe(&self, _: Outgoing<'_>) -> String {
        format!("post a message through {}", self.chat.what)
    }

    async fn send(&self, message: Outgoing<'_>) -> Result<Mark, DeliveryError> {
        self.post(&(self.chat.body)(message)?).await
    }

    /// At most once, unless it repeats: the inbox lists what is held all the same.
    async fn notify(&self, notice: &Notice, _: &Messages) -> Result<bool, DeliveryError> {
        if notice.post != Some(self.chat.via) {
            return Ok(false);
        }
        match self.post(&(self.chat.notice)(notice)).await {
            Ok(_) => Ok(true),
            Err(DeliveryError::Unclear { .. }) if !self.repeat => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn checks(&self, _offline: bool) -> Vec<Check> {
        let ChatProduct { via, secret, better, .. } = self.chat;
        vec![Check::warning(
            format!("{via}: webhook"),
            format!(
                "{secret} is set; a webhook can only be tried by posting, and its messages cannot be found again"
            ),
            better,
        )]
    }
}
