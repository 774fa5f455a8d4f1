//! Slack: the message in the channel, by a bot or an incoming webhook.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::http_answer;
use super::incoming_webhook::{Chat, IncomingWebhook};
use super::message_kind::{MessageKind, Reminder};
use super::messages::{Audience, Messages, answer};
use super::row::{Made, SinkRow, SinkSettings, Sinks};
use super::sink::{DeliveryError, Handoff, Mark, Notice, Sink};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::http::{BaseUrl, Client, Schedule, Semantics};
use crate::model::{Check, Secrets};
use crate::settings::SettingsReader;
use crate::text;

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
    notice: |notice| blocks(&notice.title, &Medium::Slack.harmless(&notice.body)),
};

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

    fn draft_notice(&self, secrets: &Secrets, messages: &Messages) -> Made<dyn Sink> {
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

// Customer text stands in plain text objects or escaped; nothing in it can
// mention, link or format.

/// `deliver.slack`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SlackSettings {
    /// The channel, `#name` or id; needed for a bot, a webhook has its own.
    pub channel: Option<String>,
    /// Whether a webhook's message is sent again after an unclear outcome.
    #[serde(default)]
    pub repeat: bool,
    /// Another place of the Web API, for tests.
    #[schemars(with = "Option<String>")]
    pub base_url: Option<BaseUrl>,
}

/// Slack takes 150 characters in a heading and 3,000 in a section.
const HEADING: usize = 150;
const SECTION: usize = 2_900;

/// The message; `mention` is a user id that the text addresses.
fn message(
    messages: &Messages,
    handoff: &Handoff,
    kind: &MessageKind,
    mention: Option<&str>,
) -> Result<Value, DeliveryError> {
    let mention = mention.map(|id| format!("<@{id}>"));
    let message = messages.again(handoff, kind, Medium::Slack, Audience::Shared, mention)?;
    Ok(blocks(&message.title, &message.body))
}

/// A message of a heading and a text, which is harmless already.
fn blocks(title: &str, body: &str) -> Value {
    let section = if body.is_empty() { "-".to_owned() } else { cut(body) };
    json!({
        "text": Medium::Slack.harmless(title),
        "blocks": [
            {"type": "header",
             "text": {"type": "plain_text", "text": text::shorten(title, HEADING), "emoji": false}},
            {"type": "section", "text": {"type": "mrkdwn", "text": section, "verbatim": true}},
        ],
        "unfurl_links": false,
        "unfurl_media": false,
    })
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

/// The kind of metadata that marks handoff's own messages.
const EVENT_TYPE: &str = "handoff_posted";
const STEP: &str = "notice";

/// Posts one message for each handoff.
#[derive(Clone)]
struct SlackBot {
    client: Arc<Client>,
    channel: String,
    channel_id: Arc<OnceCell<String>>,
    messages: Messages,
    kind: MessageKind,
}

impl SlackBot {
    fn new(
        settings: &SlackSettings,
        token: &SecretString,
        messages: Messages,
        kind: MessageKind,
    ) -> Result<Self, String> {
        let channel = settings.channel.as_deref().map(str::trim).unwrap_or_default();
        if channel.is_empty() {
            return Err(
                "channel: a bot must be told where to post, such as \"#cs-handoffs\"".into()
            );
        }
        let base = settings.base_url.clone().unwrap_or_else(|| {
            BaseUrl::parse("https://slack.com/api").expect("a constant URL is valid")
        });
        let headers = http_answer::authorization("Bearer", token, "SLACK_BOT_TOKEN")?;
        Ok(Self {
            client: Arc::new(Client::new(base, headers, Schedule::interactive())),
            channel: channel.to_owned(),
            channel_id: Arc::default(),
            messages,
            kind,
        })
    }

    async fn ask(
        &self,
        semantics: Semantics,
        method: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> Result<Value, DeliveryError> {
        let sent = self.client.send_bytes(semantics, Method::POST, method, body).await;
        let response = http_answer::answered(sent)?;
        judge(method, http_answer::json(&format!("Slack's {method}"), &response, HELP)?)
    }

    /// Reads; the reading methods take forms, not JSON.
    async fn read(&self, method: &str, form: &[(&str, &str)]) -> Result<Value, DeliveryError> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish()
            .into_bytes();
        let form = Some(("application/x-www-form-urlencoded", body));
        self.ask(Semantics::Idempotent, method, form).await
    }

    /// The channel's id: the history is read by id only.
    async fn channel_id(&self) -> Result<&str, DeliveryError> {
        let id = self
            .channel_id
            .get_or_try_init(|| async {
                let Some(name) = self.channel.strip_prefix('#') else {
                    return Ok(self.channel.clone());
                };
                let mut cursor = String::new();
                loop {
                    let mut form = vec![("limit", "200"), ("exclude_archived", "true")];
                    form.push(("types", "public_channel,private_channel"));
                    if !cursor.is_empty() {
                        form.push(("cursor", &cursor));
                    }
                    let page = self.read("conversations.list", &form).await?;
                    let channels = page["channels"].as_array().into_iter().flatten();
                    let found =
                        channels.filter(|c| c["name"] == name).find_map(|c| c["id"].as_str());
                    if let Some(id) = found {
                        return Ok(id.to_owned());
                    }
                    cursor = next_cursor(&page);
                    if cursor.is_empty() {
                        return Err(DeliveryError::permanent(
                            format!("Slack shows the bot no channel #{name}"),
                            "invite the bot to the channel, or give the channel's id",
                        ));
                    }
                }
            })
            .await?;
        Ok(id)
    }

    /// The first message about the handoff, below which the later ones go.
    fn thread<'a>(&self, handoff: &'a Handoff, channel: &str) -> Option<&'a str> {
        if !matches!(self.kind, MessageKind::Changed | MessageKind::Reminder(_)) {
            return None;
        }
        let first = handoff.timeline.last_via(EventKind::Notified, "slack");
        let (at, ts) = first?.reference.as_deref()?.split_once('/')?;
        (at == channel && ts.bytes().all(|b| b.is_ascii_digit() || b == b'.')).then_some(ts)
    }

    /// The user id of whom the message is for; one without mention is better
    /// than none.
    async fn mention(&self, handoff: &Handoff) -> Option<String> {
        let who = match &self.kind {
            MessageKind::Returned | MessageKind::Drafted => "deal.owner",
            MessageKind::Signed | MessageKind::Changed => "first_action.owner",
            MessageKind::Reminder(reminder) => {
                let person = reminder.to.first()?;
                return self.user(person.slack.clone(), person.email.clone()).await;
            }
        };
        let of = |name: &str| answer(&handoff.brief, &format!("{who}.{name}"));
        self.user(of("slack"), of("email")).await
    }

    /// The user of this id, else of this address.
    async fn user(&self, id: Option<String>, email: Option<String>) -> Option<String> {
        let plain =
            |id: &str| id.starts_with(['U', 'W']) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if let Some(id) = id {
            return Some(id).filter(|id| plain(id));
        }
        let email = email?;
        let user = self.read("users.lookupByEmail", &[("email", &email)]).await.ok()?;
        user["user"]["id"].as_str().filter(|id| plain(id)).map(str::to_owned)
    }
}

#[async_trait]
impl Sink for SlackBot {
    fn event(&self) -> EventKind {
        self.kind.event(EventKind::Notified)
    }

    fn via(&self) -> &'static str {
        "slack"
    }

    fn subject(&self) -> &str {
        self.kind.subject()
    }

    fn for_reminder(&self, reminder: &Arc<Reminder>) -> Option<Box<dyn Sink>> {
        let kind = self.kind.reminding(reminder)?;
        Some(Box::new(Self { kind, ..self.clone() }))
    }

    /// Once: a message that an unclear outcome has left is found by its mark.
    async fn notify(&self, notice: &Notice) -> Result<bool, DeliveryError> {
        if self.kind != MessageKind::Signed || notice.post != Some(self.via()) {
            return Ok(false);
        }
        let channel = self.channel_id().await?.to_owned();
        let form = [("channel", &*channel), ("include_all_metadata", "true"), ("limit", "200")];
        let page = self.read("conversations.history", &form).await?;
        let mut messages = page["messages"].as_array().into_iter().flatten();
        let is_posted = messages.any(|message| {
            let metadata = &message["metadata"];
            metadata["event_type"] == EVENT_TYPE
                && metadata["event_payload"]["id"] == notice.id.as_str()
        });
        if !is_posted {
            let mut body = blocks(&notice.title, &Medium::Slack.harmless(&notice.body));
            body["channel"] = json!(channel);
            body["metadata"] = json!({
                "event_type": EVENT_TYPE,
                "event_payload": {"id": notice.id, "step": STEP},
            });
            let body = Some(("application/json; charset=utf-8", body.to_string().into_bytes()));
            self.ask(Semantics::Creates, "chat.postMessage", body).await?;
        }
        Ok(true)
    }

    fn describe(&self, _: &Handoff) -> String {
        format!("post a message to {}", self.channel)
    }

    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError> {
        let channel = self.channel_id().await?.to_owned();
        // Nothing about this handoff was posted before its first event.
        let first = handoff.timeline.events.iter().map(|event| event.at).min();
        let oldest = first
            .and_then(|at| at.checked_sub_signed(TimeDelta::hours(1)))
            .map_or_else(|| "0".to_owned(), |at| at.timestamp().to_string());
        let mut cursor = String::new();
        loop {
            let mut form = vec![("channel", channel.as_str()), ("oldest", oldest.as_str())];
            form.extend([("include_all_metadata", "true"), ("limit", "200")]);
            if !cursor.is_empty() {
                form.push(("cursor", &cursor));
            }
            let step = self.kind.step(&handoff.timeline, STEP);
            // What changed and what is due is told in the thread of the first message.
            let thread = self.thread(handoff, &channel);
            let method = match thread {
                Some(ts) => {
                    form.push(("ts", ts));
                    "conversations.replies"
                }
                None => "conversations.history",
            };
            let page = self.read(method, &form).await?;
            let mut messages = page["messages"].as_array().into_iter().flatten();
            let ours = messages.find(|message| {
                let metadata = &message["metadata"];
                metadata["event_type"] == EVENT_TYPE
                    && metadata["event_payload"]["id"] == handoff.key.as_str()
                    && metadata["event_payload"]["step"] == step.as_str()
            });
            if let Some(ts) = ours.and_then(|message| message["ts"].as_str()) {
                return Ok(Some(mark(&channel, ts)));
            }
            cursor = next_cursor(&page);
            if cursor.is_empty() {
                return Ok(None);
            }
        }
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let mention = self.mention(handoff).await;
        let mut body = message(&self.messages, handoff, &self.kind, mention.as_deref())?;
        body["channel"] = json!(self.channel_id().await?);
        body["metadata"] = json!({
            "event_type": EVENT_TYPE,
            "event_payload": {"id": handoff.key, "step": self.kind.step(&handoff.timeline, STEP)},
        });
        if let Some(ts) = self.thread(handoff, self.channel_id().await?) {
            body["thread_ts"] = json!(ts);
        }
        let body = Some(("application/json; charset=utf-8", body.to_string().into_bytes()));
        let posted = self.ask(Semantics::Creates, "chat.postMessage", body).await?;
        match (posted["channel"].as_str(), posted["ts"].as_str()) {
            (Some(channel), Some(ts)) => Ok(mark(channel, ts)),
            _ => Err(DeliveryError::unclear("Slack's chat.postMessage names no message")),
        }
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        // The same bot and channel for all of them.
        if self.kind != MessageKind::Signed {
            return Vec::new();
        }
        let what = format!("slack: {}", self.channel);
        if offline {
            return vec![Check::ok(what, "SLACK_BOT_TOKEN is set, Slack was not asked")];
        }
        let asked = async {
            let channel = self.channel_id().await?;
            self.read("conversations.history", &[("channel", channel), ("limit", "1")]).await
        };
        vec![match asked.await {
            Ok(_) => {
                Check::ok(what, "the bot can read the channel, so it finds its messages again")
            }
            Err(error) => error.as_check(what, "check the network and try again"),
        }]
    }
}

const HELP: &str = "check SLACK_BOT_TOKEN";

fn next_cursor(page: &Value) -> String {
    page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned()
}

/// The channel and time stamp by which Slack knows a message; the stamp is
/// also when it was posted.
fn mark(channel: &str, ts: &str) -> Mark {
    let seconds = ts.split('.').next().and_then(|s| s.parse().ok());
    let at = seconds.and_then(|s| DateTime::<Utc>::from_timestamp(s, 0));
    Mark::new(format!("{channel}/{ts}"), at, &[])
}

/// Slack answers 200 and says in the body what went wrong.
fn judge(method: &str, body: Value) -> Result<Value, DeliveryError> {
    if body["ok"] == true {
        return Ok(body);
    }
    let error = body["error"].as_str().unwrap_or("no reason given");
    let message = format!("Slack's {method} answered {error}");
    let help = match error {
        "ratelimited" | "service_unavailable" | "request_timeout" => {
            return Err(DeliveryError::transient(message));
        }
        // "Some aspect of the operation may have succeeded."
        "fatal_error" | "internal_error" => return Err(DeliveryError::unclear(message)),
        "channel_not_found" | "not_in_channel" => "invite the bot to the channel, or fix its name",
        "is_archived" => "the channel is archived; choose another",
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            "SLACK_BOT_TOKEN is wrong or was revoked; install the app again"
        }
        "missing_scope" => {
            "add the scopes chat:write, channels:read and channels:history (groups:read and groups:history for a private channel), and install the app again"
        }
        _ => "see docs/deliveries.md and Slack's description of the method",
    };
    Err(DeliveryError::permanent(message, help.to_owned()))
}
