//! Slack: the message in the channel, by a bot or an incoming webhook.

mod bot;
mod message;
mod webhook;

use serde::Deserialize;

use super::{Letters, Sink};
use crate::facts::Secrets;
use crate::net::BaseUrl;

/// `deliver.slack`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackSettings {
    /// The channel, `#name` or id; needed for a bot, a webhook has its own.
    #[serde(default)]
    pub channel: Option<String>,
    /// Whether a webhook's message is sent again after an unclear outcome.
    #[serde(default)]
    pub repeat: bool,
    /// Another place of the Web API, for tests.
    #[serde(default)]
    pub base_url: Option<BaseUrl>,
}

/// The sink: a bot where there is a token, else a webhook.
///
/// # Errors
/// When neither secret is set, or a value cannot be used.
pub(super) fn sink(
    settings: &SlackSettings,
    secrets: &Secrets,
    letters: Letters,
) -> Result<Box<dyn Sink>, Vec<String>> {
    if let Some(token) = secrets.get("SLACK_BOT_TOKEN") {
        return bot::SlackBot::new(settings, &token, letters)
            .map(|sink| Box::new(sink) as Box<dyn Sink>)
            .map_err(|problem| vec![problem]);
    }
    let Some(url) = secrets.get("SLACK_WEBHOOK_URL") else {
        return Err(vec!["set SLACK_BOT_TOKEN, or SLACK_WEBHOOK_URL".to_owned()]);
    };
    webhook::SlackWebhook::new(settings, &url, letters)
        .map(|sink| Box::new(sink) as Box<dyn Sink>)
        .map_err(|problem| vec![problem])
}
