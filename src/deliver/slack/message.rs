//! The message in Slack's blocks. Customer text stands in plain text objects
//! or escaped; nothing in it can mention, link or format.

use serde_json::{Value, json};

use crate::deliver::{DeliveryError, Handoff, Medium, MessageKind, Messages};
use crate::text;

/// Slack takes 150 characters in a heading and 3,000 in a section.
const HEADING: usize = 150;
const SECTION: usize = 2_900;

/// The message; `mention` is a user id that the text addresses.
pub(super) fn message(
    letters: &Messages,
    handoff: &Handoff,
    occasion: MessageKind,
    mention: Option<&str>,
) -> Result<Value, DeliveryError> {
    let mention = mention.map(|id| format!("<@{id}>"));
    let letter = letters.again(handoff, occasion, Medium::Slack, mention)?;
    let section = if letter.body.is_empty() { "-".to_owned() } else { cut(&letter.body) };
    Ok(json!({
        "text": Medium::Slack.harmless(&letter.title),
        "blocks": [
            {"type": "header",
             "text": {"type": "plain_text", "text": text::shorten(&letter.title, HEADING), "emoji": false}},
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
