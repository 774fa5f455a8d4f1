//! Slack: the message in the channel, by a bot or an incoming webhook.

mod bot;
mod message;
mod webhook;

use serde::Deserialize;

use super::{MessageKind, Messages, Sink};
use crate::http::BaseUrl;
use crate::model::Secrets;

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

/// The sinks, one for each occasion: a bot where there is a token, else a
/// webhook.
///
/// # Errors
/// When neither secret is set, or a value cannot be used.
pub(super) fn sinks(
    settings: &SlackSettings,
    secrets: &Secrets,
    letters: &Messages,
) -> Result<Vec<Box<dyn Sink>>, Vec<String>> {
    MessageKind::ALL
        .into_iter()
        .map(|occasion| sink(settings, secrets, letters.clone(), occasion))
        .collect::<Result<_, String>>()
        .map_err(|problem| vec![problem])
}

fn sink(
    settings: &SlackSettings,
    secrets: &Secrets,
    letters: Messages,
    occasion: MessageKind,
) -> Result<Box<dyn Sink>, String> {
    if let Some(token) = secrets.get("SLACK_BOT_TOKEN") {
        return Ok(Box::new(bot::SlackBot::new(settings, &token, letters, occasion)?));
    }
    let Some(url) = secrets.get("SLACK_WEBHOOK_URL") else {
        return Err("set SLACK_BOT_TOKEN, or SLACK_WEBHOOK_URL".to_owned());
    };
    Ok(Box::new(webhook::SlackWebhook::new(settings, &url, letters, occasion)?))
}
