//! Microsoft Teams: an Adaptive Card through a workflow with the trigger "When
//! a Teams webhook request is received".
//! <https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::incoming_webhook::{ChatProduct, IncomingWebhook};
use super::message_kind::MessageKind;
use super::message_sink::{MessageChannel, MessageSink, Outgoing};
use super::messages::{Audience, Messages};
use super::row::{Made, SinkRow, SinkSettings, Sinks};
use super::sink::{DeliveryError, Sink};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::model::Secrets;
use crate::settings::SettingsReader;
use crate::text;

/// `deliver.teams`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TeamsSettings {
    /// Whether a message is sent again after an unclear outcome.
    #[serde(default)]
    pub repeat: bool,
}

const SECRET: &str = "TEAMS_WEBHOOK_URL";

pub(super) const ROW: SinkRow = SinkRow {
    name: "teams",
    title: "Microsoft Teams",
    secrets: &[SECRET],
    events: &[EventKind::Notified, EventKind::RepTold, EventKind::CsmTold],
    medium: Medium::Markdown,
    settings: SettingsReader::<dyn SinkSettings>::of::<TeamsSettings>(),
};

const CHAT: ChatProduct = ChatProduct {
    via: "teams",
    what: "the Teams workflow",
    secret: SECRET,
    has_query: true,
    better: "give the workflow a co-owner: it ends with the account of the person who made it",
    body: card,
    notice: |notice| card_of(&notice.title, &notice.body, &[]),
};

impl SinkSettings for TeamsSettings {
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let unset = "to the address that the workflow shows when it is saved";
        let channel = self.channel(secrets)?.ok_or_else(|| vec![format!("set {SECRET} {unset}")]);
        Ok(MessageSink::all(&channel?, messages))
    }

    fn draft_notice(&self, secrets: &Secrets, messages: &Messages) -> Made<dyn Sink> {
        let channel = self.channel(secrets)?;
        Ok(channel.map(|channel| MessageSink::of(channel, messages, MessageKind::Drafted)))
    }
}

impl TeamsSettings {
    fn channel(&self, secrets: &Secrets) -> Result<Option<Arc<dyn MessageChannel>>, Vec<String>> {
        let Some(url) = secrets.get(SECRET) else { return Ok(None) };
        let webhook = IncomingWebhook::new(CHAT, self.repeat, &url);
        Ok(Some(Arc::new(webhook.map_err(|problem| vec![problem])?)))
    }
}

/// Teams takes 28 KB; of text so many characters leave room for the rest.
const LONGEST: usize = 5_000;

/// The card: customer text stands in text runs alone, which know no markup, and
/// links are buttons.
fn card(message: Outgoing<'_>) -> Result<Value, DeliveryError> {
    let Outgoing { messages, handoff, kind } = message;
    let message = messages.again(handoff, kind, Medium::Markdown, Audience::Shared, None)?;
    let plain = text::markdown_to_plain(&message.body);
    let buttons = messages.buttons(handoff, kind, Audience::Shared).into_iter();
    let actions: Vec<Value> = buttons
        .map(|(title, url)| json!({"type": "Action.OpenUrl", "title": title, "url": url}))
        .collect();
    Ok(card_of(&message.title, &plain, &actions))
}

fn card_of(title: &str, plain: &str, actions: &[Value]) -> Value {
    let run = |text: &str, more: Value| {
        let mut run = json!({"type": "TextRun", "text": text});
        for (name, value) in more.as_object().into_iter().flatten() {
            run[name] = value.clone();
        }
        json!({"type": "RichTextBlock", "inlines": [run]})
    };
    // Titles hold zero-width spaces for GitHub.
    let title = text::one_line(title);
    let mut body = vec![run(&title, json!({"weight": "Bolder", "size": "Large"}))];
    let plain = text::shorten(plain, LONGEST);
    // A line of links is what the buttons are.
    let lines = plain.lines().map(str::trim).filter(|it| !it.is_empty() && !it.contains("<http"));
    body.extend(lines.map(|line| run(line, Value::Null)));
    let content = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": actions,
    });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": content,
        }],
    })
}
