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
use crate::brief::{Event, EventKind};
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

/// The events that the receiver does not have yet, and how many there are with
/// them. Where an event came in between what was sent before (two clones were
/// merged), all are sent again; the receiver knows a repeat by its id.
pub(super) fn unsent(events: &[Event]) -> (Vec<&Event>, usize) {
    let is_own = |event: &&Event| event.event == EventKind::EventsSent;
    let tellable = |events: &[Event]| events.iter().filter(|it| !is_own(it)).count();
    let all = tellable(events);
    let from = events
        .iter()
        .rposition(|event| is_own(&event))
        .filter(|at| {
            let sent = events.get(*at).and_then(|it| it.reference.as_deref()?.parse().ok());
            sent == Some(tellable(events.get(..*at).unwrap_or_default()))
        })
        .map_or(0, |at| at + 1);
    let unsent = events.get(from..).unwrap_or_default().iter().filter(|it| !is_own(it));
    (unsent.collect(), all)
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

    /// The receiver knows a repeat by its id.
    fn repeats_when_unclear(&self) -> bool {
        true
    }

    fn describe(&self, handoff: &Handoff) -> String {
        let count = unsent(&handoff.timeline.events).0.len();
        let things = if count == 1 { "event" } else { "events" };
        format!("send {count} {things} to {}", self.target.host())
    }

    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError> {
        let (unsent, all) = unsent(&handoff.timeline.events);
        for event in unsent {
            let told = serde_json::to_value(event).unwrap_or_default();
            let body = self.body(handoff, event, &told).to_string();
            let id = id_of(&handoff.key, &told);
            self.target.send(&id, body, (self.messages.context().clock)()).await?;
        }
        Ok(Mark::new(all.to_string(), None, &[]))
    }

    async fn checks(&self, offline: bool) -> Vec<Check> {
        vec![self.target.check(offline).await]
    }
}
