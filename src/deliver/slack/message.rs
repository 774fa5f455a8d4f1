//! The settings, and the message in Slack's blocks. Customer text stands in plain text objects
//! or escaped; nothing in it can mention, link or format.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::deliver::message_kind::MessageKind;
use crate::deliver::messages::{Audience, Messages};
use crate::deliver::sink::{DeliveryError, Handoff};
use crate::deliver::templates::Medium;
use crate::http::BaseUrl;
use crate::text;

/// `deliver.slack`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
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
    #[schemars(with = "Option<String>")]
    pub base_url: Option<BaseUrl>,
}

/// Slack takes 150 characters in a heading and 3,000 in a section.
const HEADING: usize = 150;
const SECTION: usize = 2_900;

/// The message; `mention` is a user id that the text addresses.
pub(super) fn message(
    messages: &Messages,
    handoff: &Handoff,
    kind: &MessageKind,
    mention: Option<&str>,
) -> Result<Value, DeliveryError> {
    let mention = mention.map(|id| format!("<@{id}>"));
    let message = messages.again(handoff, kind, Medium::Slack, Audience::Shared, mention)?;
    let section = if message.body.is_empty() { "-".to_owned() } else { cut(&message.body) };
    Ok(json!({
        "text": Medium::Slack.harmless(&message.title),
        "blocks": [
            {"type": "header",
             "text": {"type": "plain_text", "text": text::shorten(&message.title, HEADING), "emoji": false}},
            {"type": "section", "text": {"type": "mrkdwn", "text": section, "verbatim": true}},
        ],
        "unfurl_links": false,
        "unfurl_media": false,
    }))
}

/// At most so many characters, whole lines where that is possible.
fn cut(body: &str) -> String {
    if body.chars().count() <= SECTION {
        return body.to_owned();
    }
    let mut kept = String::new();
    for line in body.split_inclusive('\n') {
        if kept.chars().count() + line.chars().count() > SECTION {
            break;
        }
        kept.push_str(line);
    }
    if kept.is_empty() {
        // One line longer than all: an entity or link must not be halved.
        let short = text::shorten(body, SECTION);
        let safe = short.rfind(['&', '<']).map_or(short.as_str(), |at| &short[..at]);
        kept = safe.to_owned();
    }
    format!("{}\n…", kept.trim_end())
}
