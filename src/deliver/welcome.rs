//! The customer's welcome sequence: one signed request for each handoff.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::messages::Messages;
use super::row::{SinkRow, SinkSettings, Sinks};
use super::signed_webhook::SignedWebhook;
use super::sink::{DeliveryError, Handoff, Mark, Sink};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::model::{Check, Secrets};
use crate::settings::SettingsReader;

/// `deliver.welcome`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WelcomeSettings {
    /// Where the request goes; `https`, with path and query as the receiver gave it.
    #[schemars(with = "String")]
    pub url: Url,
    /// Whether it may be an address of a private network or of this machine.
    #[serde(default)]
    pub allow_private: bool,
}

/// Sends one signed request for each handoff.
struct Welcome {
    target: SignedWebhook,
    messages: Messages,
}

pub(super) const ROW: SinkRow = SinkRow {
    name: "welcome",
    title: "the welcome webhook",
    secrets: &["WELCOME_SECRET"],
    events: &[EventKind::Welcomed],
    medium: Medium::Plain,
    settings: SettingsReader::<dyn SinkSettings>::of::<WelcomeSettings>(),
};

impl SinkSettings for WelcomeSettings {
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let named = ("the welcome webhook", "deliver.welcome", "WELCOME_SECRET");
        let target = SignedWebhook::new(&self.url, self.allow_private, secrets, named)?;
        Ok(vec![Box::new(Welcome { target, messages: messages.clone() })])
    }
}

#[async_trait]
impl Sink for Welcome {
    fn event(&self) -> EventKind {
        EventKind::Welcomed
    }

    fn via(&self) -> &'static str {
        "welcome"
    }

    fn can_look_up(&self) -> bool {
        false
    }

    /// The receiver knows a repeat by its id.
    fn repeats_when_unclear(&self) -> bool {
        true
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("ask {} for the welcome sequence", self.target.host())
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        // An id may hold no dot, a key no tilde.
        let id = format!("hnd_{}_welcome", handoff.key.as_str().replace('.', "~"));
        let body = self.messages.welcome(handoff).to_string();
        self.target.send(&id, body, (self.messages.context().clock)()).await?;
        Ok(Mark::new(id, None, &[]))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        vec![self.target.check(offline).await]
    }
}
