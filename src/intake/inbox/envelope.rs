//! One event of the inbox as it stands in its file.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use crate::model::{DealId, DocumentId, DocumentKind, HeldDocument, ProviderName, Signature};
use crate::webhook::DeliveryId;

/// The version of the file's form.
const VERSION: u32 = 1;
/// So many errors are kept, the newest ones.
const ERRORS_KEPT: usize = 10;

/// Where an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventState {
    /// It waits: for its turn, or for its next try.
    New,
    /// A process has it in hand.
    Work,
    /// It is genuine, and what it means is not certain: it waits for a person
    /// or for new facts, and is looked at again from time to time.
    Held,
    /// It was given up and waits for a person.
    Failed,
    /// It was processed, or dropped.
    Done,
}

impl EventState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::New, Self::Work, Self::Held, Self::Failed, Self::Done];

    /// The word for it, which is also the name of its folder.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Work => "work",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    /// For people, where the folder's name is no word for it.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Work => "being processed",
            other => other.word(),
        }
    }
}

/// What the body of an event is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventContent {
    /// A provider's notification, byte for byte.
    #[default]
    Notification,
    /// A completed signature as catch-up learned it from the provider's API.
    Signature,
    /// The ids of deals that a CRM's webhook named, as a JSON list.
    Deals,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub message: String,
}

/// Why an event is held, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// When it was held first.
    pub since: DateTime<Utc>,
    /// What is not certain, and what to do.
    pub reason: String,
    /// The deals it names: news of one of them is a reason to look again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deals: Vec<DealId>,
    /// How often it was looked at.
    pub looks: u32,
}

/// The document that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDocument {
    /// Its id at its provider.
    pub id: DocumentId,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl EventDocument {
    /// The document of a signature.
    #[must_use]
    pub fn of(signature: &Signature) -> Self {
        let (id, name) = (signature.document_id.clone(), signature.document_name.clone());
        Self { id, name }
    }
}

/// A body: readable in the file where it is text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "encoding", content = "body", rename_all = "snake_case")]
pub enum EventBody {
    /// UTF-8.
    Text(String),
    /// Other bytes, as base64.
    Base64(String),
}

impl EventBody {
    /// A body of these bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes)
            .map_or_else(|error| Self::Base64(STANDARD.encode(error.as_bytes())), Self::Text)
    }

    /// The bytes as they were received.
    ///
    /// # Errors
    /// When somebody has damaged the base64.
    pub fn bytes(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::Base64(text) => {
                STANDARD.decode(text).map_err(|error| format!("its body is not base64: {error}"))
            }
        }
    }
}

/// One event of the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    version: u32,
    /// Who sent it.
    pub provider: ProviderName,
    delivery_id: String,
    /// What the body is.
    #[serde(default)]
    pub content: EventContent,
    /// The content type it came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// When it arrived.
    pub received_at: DateTime<Utc>,
    /// How often it was tried and failed.
    #[serde(default)]
    pub attempts: u32,
    /// When it is due again; absent: at once. In a folder the file's
    /// modification time decides, which is set to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// Why it is held, for one that is or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Hold>,
    /// The document it is about, for one that is or was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<EventDocument>,
    /// The documents that it says were voided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub voided: Vec<DocumentId>,
    /// When somebody was told that its document is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<DateTime<Utc>>,
    /// By which sinks somebody was told, until all were.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<String>,
    /// What kind of document a person said it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<DocumentKind>,
    /// Why nothing came of it, or of a part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
    /// What went wrong, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Trouble>,
    /// What was received.
    #[serde(flatten)]
    pub body: EventBody,
}

impl Envelope {
    /// An event that has just arrived.
    #[must_use]
    pub fn new(
        provider: ProviderName,
        delivery_id: &DeliveryId,
        content_type: Option<String>,
        received_at: DateTime<Utc>,
        body: Vec<u8>,
    ) -> Self {
        Self {
            version: VERSION,
            provider,
            delivery_id: delivery_id.as_str().to_owned(),
            content: EventContent::Notification,
            content_type,
            received_at,
            attempts: 0,
            not_before: None,
            held: None,
            document: None,
            voided: Vec::new(),
            told_at: None,
            told: BTreeSet::new(),
            decided: None,
            ignored: None,
            errors: Vec::new(),
            body: EventBody::new(body),
        }
    }

    /// The name of its file, without folder and ending.
    #[must_use]
    pub fn name(&self) -> EventName {
        EventName(format!("{}--{}", self.provider, self.delivery_id))
    }

    /// The delivery's identity.
    ///
    /// # Errors
    /// When somebody has damaged it.
    pub fn delivery_id(&self) -> Result<DeliveryId, String> {
        DeliveryId::from_stored(&self.delivery_id)
            .ok_or_else(|| "its delivery_id is not valid".to_owned())
    }

    /// When it is due.
    #[must_use]
    pub fn due(&self) -> DateTime<Utc> {
        self.not_before.unwrap_or(self.received_at)
    }

    /// Notes an attempt that failed, and when the next one is due; where the
    /// event belongs now. Without `backoff`, or when no more tries are due, it
    /// waits for a person.
    pub(super) fn failed(
        &mut self,
        now: DateTime<Utc>,
        why: &str,
        backoff: Option<&Backoff>,
    ) -> EventState {
        self.attempts += 1;
        self.note(now, why);
        let wait = backoff.and_then(|backoff| backoff.wait(self.attempts, fastrand::f64()));
        self.not_before = wait.map(|wait| now + wait);
        if wait.is_some() { EventState::New } else { EventState::Failed }
    }

    /// Where it is put first: one that whoever puts it has looked at is held.
    pub(super) fn first_state(&self) -> EventState {
        if self.held.is_some() { EventState::Held } else { EventState::New }
    }

    /// Notes why it is held, and when it is looked at again: soon at first,
    /// every six hours at last.
    pub fn hold(&mut self, now: DateTime<Utc>, why: &str, deals: Vec<DealId>) {
        let minutes = [1, 5, 30, 120];
        let (since, looks) = self.held.as_ref().map_or((now, 0), |held| (held.since, held.looks));
        let wait = minutes.get(looks as usize).copied().unwrap_or(6 * 60);
        let reason = crate::text::shorten(&crate::text::one_line(why), 1_000);
        self.held = Some(Hold { since, reason, deals, looks: looks.saturating_add(1) });
        self.not_before = Some(now + chrono::TimeDelta::minutes(wait));
    }

    /// Whether something is kept of it when it is done that did not come with it.
    pub(super) fn says_more_when_done(&self) -> bool {
        !self.voided.is_empty() || self.ignored.is_some()
    }

    /// Notes why nothing comes of it.
    pub(in crate::intake) fn ignore(&mut self, why: &str) {
        self.ignored = Some(crate::text::shorten(&crate::text::one_line(why), 1_000));
    }

    /// What is reported where it is held.
    #[must_use]
    pub fn held_document(&self) -> Option<HeldDocument> {
        let held = self.held.as_ref()?;
        Some(HeldDocument {
            event: self.name().as_str().to_owned(),
            provider: self.provider.clone(),
            document_id: self.document.as_ref().map(|document| document.id.clone()),
            document_name: self.document.as_ref().and_then(|document| document.name.clone()),
            since: held.since,
            reason: held.reason.clone(),
            deals: held.deals.clone(),
        })
    }

    /// Makes it due at once, as if it had never been tried.
    pub(super) fn begin_anew(&mut self, now: DateTime<Utc>, decided: Option<DocumentKind>) {
        self.attempts = 0;
        self.ignored = None;
        self.decided = decided.or(self.decided);
        self.not_before = Some(now);
    }

    /// Notes that a person dropped it.
    pub(super) fn drop_by_hand(&mut self, now: DateTime<Utc>, state: EventState) {
        self.note(now, &format!("dropped by hand; it was {}", state.word()));
        self.not_before = Some(now);
    }

    /// Notes what went wrong.
    fn note(&mut self, at: DateTime<Utc>, message: &str) {
        self.errors.push(Trouble {
            at,
            message: crate::text::shorten(&crate::text::one_line(message), 1_000),
        });
        let surplus = self.errors.len().saturating_sub(ERRORS_KEPT);
        self.errors.drain(..surplus);
    }

    /// All but the body, as one line of JSON, and the body's bytes.
    ///
    /// # Errors
    /// When somebody has damaged the body.
    #[cfg(feature = "jetstream")]
    pub(super) fn split(&self) -> Result<(String, Vec<u8>), String> {
        let head = Self { body: EventBody::Text(String::new()), ..self.clone() };
        let line = serde_json::to_string(&head).expect("an envelope is plain data");
        Ok((line, self.body.bytes()?))
    }

    /// An event of what [`Envelope::split`] gave.
    ///
    /// # Errors
    /// When the line is none of its.
    #[cfg(feature = "jetstream")]
    pub(super) fn join(head: &str, body: Vec<u8>) -> Result<Self, String> {
        Ok(Self { body: EventBody::new(body), ..Self::parse(head.as_bytes())? })
    }

    /// The bytes of its file.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("an envelope is plain data");
        bytes.push(b'\n');
        bytes
    }

    /// The same on one line.
    pub(super) fn to_line(&self) -> Vec<u8> {
        let (EventBody::Text(body) | EventBody::Base64(body)) = &self.body;
        // Quotes of JSON in JSON are escaped, and the rest is short.
        let mut line = Vec::with_capacity(body.len() + body.len() / 4 + 512);
        serde_json::to_writer(&mut line, self).expect("an envelope is plain data");
        line
    }

    /// Reads what [`Envelope::to_json`] or [`Envelope::to_line`] gave.
    #[expect(
        clippy::disallowed_methods,
        reason = "its fields are typed: one that stands twice is refused"
    )]
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let envelope: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if envelope.version != VERSION {
            return Err(format!(
                "it has version {}, and this program reads version {VERSION}",
                envelope.version
            ));
        }
        envelope.delivery_id()?;
        if !is_provider(envelope.provider.as_str()) {
            return Err("its provider is not a provider's name".to_owned());
        }
        Ok(envelope)
    }
}

fn is_provider(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// What an event's file is called: provider and delivery id. The same for
/// every retry of one delivery, and safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName(String);

impl EventName {
    /// The name of a file in the inbox; nothing for files that are none of it.
    #[must_use]
    pub fn of_file(file_name: &str) -> Option<Self> {
        Self::parse(file_name.strip_suffix(".json")?)
    }

    /// The name that [`EventName::as_str`] gave; nothing for other text.
    #[must_use]
    pub fn parse(stem: &str) -> Option<Self> {
        let (provider, id) = stem.split_once("--")?;
        (is_provider(provider) && DeliveryId::from_stored(id).is_some())
            .then(|| Self(stem.to_owned()))
    }

    /// The file's name.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}.json", self.0)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.0.split_once("--").map_or(self.0.as_str(), |(provider, _)| provider)
    }

    /// The delivery's identity.
    #[must_use]
    pub fn delivery(&self) -> &str {
        self.0.split_once("--").map_or("", |(_, id)| id)
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_survives_its_file_byte_for_byte() {
        for bytes in [b"{\"a\": \"\xc3\xa9\"}\r\n".to_vec(), vec![0, 255, 10, 13], Vec::new()] {
            let id = DeliveryId::of(&[b"x"]);
            let envelope = Envelope::new(
                ProviderName::new("pandadoc"),
                &id,
                None,
                DateTime::UNIX_EPOCH,
                bytes.clone(),
            );
            let read = Envelope::parse(&envelope.to_json()).unwrap();
            assert_eq!(read, envelope);
            assert_eq!(read.body.bytes().unwrap(), bytes);
            assert_eq!(EventName::of_file(&read.name().file()), Some(read.name()));
        }
        assert_eq!(EventName::of_file("../../x--y.json"), None);
    }
}
