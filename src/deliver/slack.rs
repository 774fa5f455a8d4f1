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

use super::http_answer::{self, JsonApi, TargetPages};
use super::incoming_webhook::{ChatProduct, IncomingWebhook};
use super::message_kind::MessageKind;
use super::message_sink::{MessageChannel, MessageSink, Outgoing};
use super::messages::{Audience, Messages, answer};
use super::row::{Made, SinkRow, SinkSettings, Sinks};
use super::sink::{DeliveryError, Mark, Notice, Sink};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::http::{ApiRequest, BaseUrl, Page, Semantics};
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
const WEBHOOK: ChatProduct = ChatProduct {
    via: "slack",
    what: "the Slack webhook",
    secret: "SLACK_WEBHOOK_URL",
    has_query: false,
    better: "use a bot (SLACK_BOT_TOKEN) to have each message exactly once",
    body: |outgoing| message(outgoing, None),
    notice: notice_blocks,
};

impl SinkSettings for SlackSettings {
    /// One for each kind of message: a bot where there is a token, else a
    /// webhook.
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        Ok(MessageSink::all(&self.channel(secrets)?, messages))
    }

    fn draft_notice(&self, secrets: &Secrets, messages: &Messages) -> Made<dyn Sink> {
        let kind = MessageKind::Drafted;
        Ok(Some(MessageSink::of(self.channel(secrets)?, messages, kind)))
    }
}

impl SlackSettings {
    fn channel(&self, secrets: &Secrets) -> Result<Arc<dyn MessageChannel>, Vec<String>> {
        let made = match (secrets.get("SLACK_BOT_TOKEN"), secrets.get("SLACK_WEBHOOK_URL")) {
            (Some(token), _) => SlackBot::new(self, &token).map(|it| Arc::new(it) as _),
            (None, Some(url)) => {
                IncomingWebhook::new(WEBHOOK, self.repeat, &url).map(|it| Arc::new(it) as _)
            }
            (None, None) => Err("set SLACK_BOT_TOKEN, or SLACK_WEBHOOK_URL".to_owned()),
        };
        made.map_err(|problem| vec![problem])
    }
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
fn message(outgoing: Outgoing<'_>, mention: Option<&str>) -> Result<Value, DeliveryError> {
    let Outgoing { messages, handoff, kind } = outgoing;
    let mention = mention.map(|id| format!("<@{id}>"));
    let message = messages.again(handoff, kind, Medium::Slack, Audience::Shared, mention)?;
    Ok(blocks(&message.title, &message.body))
}

/// A message that belongs to no handoff, line by line.
fn notice_blocks(notice: &Notice) -> Value {
    let lines: Vec<String> = notice.body.lines().map(|line| Medium::Slack.harmless(line)).collect();
    blocks(&notice.title, &lines.join("\n"))
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

/// Posts messages that it finds again.
struct SlackBot {
    api: JsonApi,
    channel: String,
    channel_id: OnceCell<String>,
}

impl SlackBot {
    fn new(settings: &SlackSettings, token: &SecretString) -> Result<Self, String> {
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
        let api = JsonApi::new(base, headers, "Slack", HELP);
        Ok(Self { api, channel: channel.to_owned(), channel_id: OnceCell::new() })
    }

    async fn ask(&self, request: &ApiRequest<'_>) -> Result<Value, DeliveryError> {
        let method = request.path();
        let response = self.api.send(request).await?;
        judge(method, http_answer::json(&format!("Slack's {method}"), &response, HELP)?)
    }

    /// Reads; the reading methods take forms, not JSON.
    async fn read(&self, method: &str, form: &[(&str, &str)]) -> Result<Value, DeliveryError> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = ApiRequest::new(Semantics::Idempotent, Method::POST, method);
        self.ask(&request.with_body("application/x-www-form-urlencoded", form)).await
    }

    async fn create(&self, body: &Value) -> Result<Value, DeliveryError> {
        let request = ApiRequest::new(Semantics::Creates, Method::POST, "chat.postMessage");
        self.ask(&request.with_body("application/json; charset=utf-8", body.to_string())).await
    }

    /// The channel's id: the history is read by id only.
    async fn channel_id(&self) -> Result<&str, DeliveryError> {
        let id = self
            .channel_id
            .get_or_try_init(|| async {
                let Some(name) = self.channel.strip_prefix('#') else {
                    return Ok(self.channel.clone());
                };
                let form = [
                    ("limit", "200"),
                    ("exclude_archived", "true"),
                    ("types", "public_channel,private_channel"),
                ];
                let is_it = |channel: &Value| channel["name"] == name && channel["id"].is_string();
                let found = self.first("conversations.list", "channels", &form, is_it).await?;
                match found.as_ref().and_then(|channel| channel["id"].as_str()) {
                    Some(id) => Ok(id.to_owned()),
                    None => Err(DeliveryError::permanent(
                        format!("Slack shows the bot no channel #{name}"),
                        "invite the bot to the channel, or give the channel's id",
                    )),
                }
            })
            .await?;
        Ok(id)
    }

    /// The first item of a list that is wanted; `items` is its name in the answers.
    async fn first(
        &self,
        method: &str,
        items: &str,
        form: &[(&str, &str)],
        wanted: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Result<Option<Value>, DeliveryError> {
        let mut pages = TargetPages::of("Slack");
        while let Some(cursor) = pages.next()? {
            let mut form = form.to_vec();
            if !cursor.is_empty() {
                form.push(("cursor", &cursor));
            }
            let mut answer = self.read(method, &form).await?;
            let records = pages.items(&mut answer, items)?;
            let next = answer["response_metadata"]["next_cursor"].as_str();
            let next = next.filter(|cursor| !cursor.is_empty()).map(str::to_owned);
            if next.is_none() && answer["has_more"] == true {
                return Err(pages.broken("there is more, and no cursor for it"));
            }
            let page = Page { records, next, ..Page::default() };
            if let Some(found) = pages.take(page).into_iter().find(&wanted) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first message about the handoff, below which the later ones go.
    fn thread<'a>(message: Outgoing<'a>, channel: &str) -> Option<&'a str> {
        if !matches!(message.kind, MessageKind::Changed | MessageKind::Reminder(_)) {
            return None;
        }
        let first = message.handoff.timeline.last_via(EventKind::Notified, "slack");
        let (at, ts) = first?.reference.as_deref()?.split_once('/')?;
        (at == channel && ts.bytes().all(|b| b.is_ascii_digit() || b == b'.')).then_some(ts)
    }

    /// The user id of whom the message is for; one without mention is better
    /// than none.
    async fn mention(&self, message: Outgoing<'_>) -> Option<String> {
        let who = match message.kind {
            MessageKind::Returned | MessageKind::Drafted => "deal.owner",
            MessageKind::Signed | MessageKind::Changed => "first_action.owner",
            MessageKind::Reminder(reminder) => {
                let person = reminder.to.first()?;
                return self.user(person.slack.clone(), person.email.clone()).await;
            }
        };
        let of = |name: &str| answer(&message.handoff.brief, &format!("{who}.{name}"));
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
impl MessageChannel for SlackBot {
    fn via(&self) -> &'static str {
        "slack"
    }

    fn can_look_up(&self) -> bool {
        true
    }

    fn describe(&self, _: Outgoing<'_>) -> String {
        format!("post a message to {}", self.channel)
    }

    async fn look_up(&self, message: Outgoing<'_>) -> Result<Option<Mark>, DeliveryError> {
        let handoff = message.handoff;
        let channel = self.channel_id().await?.to_owned();
        // Nothing about this handoff was posted before its first event.
        let first = handoff.timeline.events.iter().map(|event| event.at).min();
        let oldest = first
            .and_then(|at| at.checked_sub_signed(TimeDelta::hours(1)))
            .map_or_else(|| "0".to_owned(), |at| at.timestamp().to_string());
        let mut form = vec![("channel", channel.as_str()), ("oldest", oldest.as_str())];
        form.extend([("include_all_metadata", "true"), ("limit", "200")]);
        // What changed and what is due is told in the thread of the first message.
        let method = match Self::thread(message, &channel) {
            Some(ts) => {
                form.push(("ts", ts));
                "conversations.replies"
            }
            None => "conversations.history",
        };
        let step = message.step(STEP);
        let is_ours = |message: &Value| {
            let metadata = &message["metadata"];
            metadata["event_type"] == EVENT_TYPE
                && metadata["event_payload"]["id"] == handoff.key.as_str()
                && metadata["event_payload"]["step"] == step.as_str()
        };
        let ours = self.first(method, "messages", &form, is_ours).await?;
        let ts = ours.as_ref().and_then(|message| message["ts"].as_str());
        Ok(ts.map(|ts| mark(&channel, ts)))
    }

    /// Once: a message that an unclear outcome has left is found by its mark.
    async fn notify(&self, notice: &Notice, _: &Messages) -> Result<bool, DeliveryError> {
        if notice.post != Some(self.via()) {
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
            let mut body = notice_blocks(notice);
            body["channel"] = json!(channel);
            body["metadata"] = json!({
                "event_type": EVENT_TYPE,
                "event_payload": {"id": notice.id, "step": STEP},
            });
            self.create(&body).await?;
        }
        Ok(true)
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Mark, DeliveryError> {
        let mention = self.mention(outgoing).await;
        let mut body = message(outgoing, mention.as_deref())?;
        body["channel"] = json!(self.channel_id().await?);
        body["metadata"] = json!({
            "event_type": EVENT_TYPE,
            "event_payload": {"id": outgoing.handoff.key, "step": outgoing.step(STEP)},
        });
        if let Some(ts) = Self::thread(outgoing, self.channel_id().await?) {
            body["thread_ts"] = json!(ts);
        }
        let posted = self.create(&body).await?;
        match (posted["channel"].as_str(), posted["ts"].as_str()) {
            (Some(channel), Some(ts)) => Ok(mark(channel, ts)),
            _ => Err(DeliveryError::unclear("Slack's chat.postMessage names no message")),
        }
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
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
