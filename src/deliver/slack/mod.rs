//! Slack: the message in the channel, by a bot or an incoming webhook.

mod bot;
mod message;

use bot::SlackBot;
use message::{SlackSettings, message};

use super::incoming_webhook::{Chat, IncomingWebhook};
use super::message_kind::MessageKind;
use super::messages::Messages;
use super::row::{SinkRow, SinkSettings, Sinks};
use super::sink::Sink;
use super::templates::Medium;
use crate::brief::EventKind;
use crate::model::Secrets;
use crate::settings::SettingsReader;

pub(super) const ROW: SinkRow = SinkRow {
    name: "slack",
    title: "Slack",
    secrets: &["SLACK_BOT_TOKEN", "SLACK_WEBHOOK_URL"],
    events: &[EventKind::Notified, EventKind::RepTold, EventKind::CsmTold],
    medium: Medium::Slack,
    settings: SettingsReader::<dyn SinkSettings>::of::<SlackSettings>(),
};

/// An incoming webhook: says `ok` and nothing more.
const WEBHOOK: Chat = Chat {
    via: "slack",
    what: "the Slack webhook",
    secret: "SLACK_WEBHOOK_URL",
    has_query: false,
    better: "use a bot (SLACK_BOT_TOKEN) to have each message exactly once",
    body: |messages, handoff, kind| message(messages, handoff, kind, None),
};

impl From<SlackSettings> for Box<dyn SinkSettings> {
    fn from(settings: SlackSettings) -> Self {
        Box::new(settings)
    }
}

impl SinkSettings for SlackSettings {
    /// One for each kind of message: a bot where there is a token, else a
    /// webhook.
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        MessageKind::ALL
            .into_iter()
            .map(|kind| sink(self, secrets, messages.clone(), kind))
            .collect::<Result<_, String>>()
            .map_err(|problem| vec![problem])
    }

    fn draft_notice(
        &self,
        secrets: &Secrets,
        messages: &Messages,
    ) -> Result<Option<Box<dyn Sink>>, Vec<String>> {
        let made = sink(self, secrets, messages.clone(), MessageKind::Drafted);
        made.map(Some).map_err(|problem| vec![problem])
    }
}

fn sink(
    settings: &SlackSettings,
    secrets: &Secrets,
    messages: Messages,
    kind: MessageKind,
) -> Result<Box<dyn Sink>, String> {
    if let Some(token) = secrets.get("SLACK_BOT_TOKEN") {
        return Ok(Box::new(SlackBot::new(settings, &token, messages, kind)?));
    }
    let Some(url) = secrets.get("SLACK_WEBHOOK_URL") else {
        return Err("set SLACK_BOT_TOKEN, or SLACK_WEBHOOK_URL".to_owned());
    };
    Ok(Box::new(IncomingWebhook::new(WEBHOOK, settings.repeat, &url, messages, kind)?))
}
