//! Every event of every timeline as a signed request, for Zapier, Make, n8n and
//! customer-success platforms.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::messages::{Messages, answer, customer};
use super::row::{SinkRow, SinkSettings, Sinks};
use super::signed_webhook::SignedWebhook;
use super::sink::{DeliveryError, Handoff, Mark, Sink};
use super::templates::{Medium, web_address};
use crate::brief::{Event, EventKind, Timeline};
use crate::model::{Check, Key, Secrets};
use crate::settings::SettingsReader;
use crate::text;

/// `deliver.events`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsSettings {
    /// Where the requests go; `https`, with path and query as the receiver gave it.
    #[schemars(with = "String")]
    pub url: Url,
    /// Whether each request holds the whole brief.
    #[serde(default)]
    pub brief: bool,
    /// Whether it may be an address of a private network or of this machine.
    #[serde(default)]
    pub allow_private: bool,
}

/// Sends what has happened since it was last sent.
struct EventsSink {
    target: SignedWebhook,
    with_brief: bool,
    messages: Messages,
}

pub(super) const ROW: SinkRow = SinkRow {
    name: "events",
    title: "the event webhook",
    secrets: &["EVENTS_SECRET"],
    events: &[EventKind::EventsSent],
    medium: Medium::Plain,
    settings: SettingsReader::<dyn SinkSettings>::of::<EventsSettings>(),
};

impl SinkSettings for EventsSettings {
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let named = ("the event webhook", "deliver.events", "EVENTS_SECRET");
        let target = SignedWebhook::new(&self.url, self.allow_private, secrets, named)?;
        let (with_brief, messages) = (self.brief, messages.clone());
        Ok(vec![Box::new(EventsSink { target, with_brief, messages })])
    }
}

/// The events that the receiver does not have yet. The mark of an earlier run
/// says how many events it covers and what they were: what came later is what is
/// left, also where another process recorded something in between. Where two
/// clones were merged and the order is another one, all are sent again; the
/// receiver knows a repeat by its id.
pub(super) fn unsent(timeline: &Timeline) -> Vec<&Event> {
    let (own, tellable) = told_apart(timeline);
    let covered = |event: &&Event| {
        let reference = event.reference.as_deref()?;
        let (count, digest) = reference.split_once('-').unwrap_or((reference, ""));
        let events = tellable.get(..count.parse().ok()?)?;
        let is_covered = match digest {
            // An older mark is a count alone.
            "" => events.len() == tellable.len(),
            digest => digest_of(&timeline.key, events) == digest,
        };
        is_covered.then_some(events.len())
    };
    let from = own.iter().rev().find_map(covered).unwrap_or_default();
    tellable.into_iter().skip(from).collect()
}

/// What was sent before, and what is to be sent once.
fn told_apart(timeline: &Timeline) -> (Vec<&Event>, Vec<&Event>) {
    timeline.events.iter().partition(|it| it.event == EventKind::EventsSent)
}

/// What these events are, in short.
fn digest_of(key: &Key, events: &[&Event]) -> String {
    let mut digest = Sha256::new();
    for event in events {
        digest.update(id_of(key, &told(event)));
    }
    hex::encode(digest.finalize().get(..4).unwrap_or_default())
}

/// An event as it stands in the timeline.
fn told(event: &Event) -> Value {
    serde_json::to_value(event).unwrap_or_default()
}

/// Known by what happened, not by its place, which a merge may change.
fn id_of(key: &Key, event: &Value) -> String {
    let digest = Sha256::digest(event.to_string());
    let short = hex::encode(digest.get(..12).unwrap_or_default());
    // An id may hold no dot, a key no tilde.
    format!("evt_{}_{short}", key.as_str().replace('.', "~"))
}

impl EventsSink {
    fn body(&self, handoff: &Handoff, event: &Event, told: &Value) -> Value {
        let word = |path: &str| answer(&handoff.brief, path).map(|it| text::shorten(&it, 500));
        let mut body = json!({
            "type": format!("handoff.{}", event.event),
            "timestamp": event.at,
            "data": {
                "handoff_id": handoff.key,
                "event": told,
                "customer": {"name": customer(handoff)},
                "csm": {"name": word("first_action.owner.name"), "email": word("first_action.owner.email")},
                "deal": {"crm": word("deal.crm"), "id": word("deal.id")},
                "url": handoff.url.as_deref().and_then(web_address),
            },
        });
        if self.with_brief {
            body["data"]["brief"] = handoff.brief.clone();
        }
        body
    }
}

#[async_trait]
impl Sink for EventsSink {
    fn event(&self) -> EventKind {
        EventKind::EventsSent
    }

    fn via(&self) -> &'static str {
        "events"
    }

    fn can_look_up(&self) -> bool {
        false
    }

    /// What the timeline does not have yet is not sent: an event's moment and
    /// so its id are known once it is recorded.
    fn reports_what_is_recorded(&self) -> bool {
        true
    }

    /// The receiver knows a repeat by its id.
    fn repeats_when_unclear(&self) -> bool {
        true
    }

    fn describe(&self, handoff: &Handoff) -> String {
        let count = unsent(&handoff.timeline).len();
        let things = if count == 1 { "event" } else { "events" };
        format!("send {count} {things} to {}", self.target.host())
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        for event in unsent(&handoff.timeline) {
            let told = told(event);
            let body = self.body(handoff, event, &told).to_string();
            let id = id_of(&handoff.key, &told);
            self.target.send(&id, body, (self.messages.context().clock)()).await?;
        }
        let (_, sent) = told_apart(&handoff.timeline);
        let mark = format!("{}-{}", sent.len(), digest_of(&handoff.key, &sent));
        Ok(Mark::new(mark, None, &[]))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        vec![self.target.check(offline).await]
    }
}
