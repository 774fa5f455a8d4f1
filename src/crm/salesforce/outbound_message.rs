//! The SOAP envelope of an Outbound Message. Entities are not expanded, a
//! document type is refused, depth and number are bounded.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::webhook::TITLE;
use crate::webhook::{Malformed, json};

/// Salesforce sends at most so many notifications together.
const MOST_NOTIFICATIONS: usize = 100;
/// A message is seven levels deep.
const DEEPEST: usize = 16;
/// Every id has 18 characters at most; what is longer is no id.
const LONGEST_VALUE: usize = 200;

/// What a message says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// The organization, as it writes its id.
    pub(super) organization_id: String,
    /// The records it tells of.
    pub(super) notifications: Vec<Notification>,
}

/// One record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notification {
    /// The notification's id, the same over retries.
    pub(super) id: String,
    /// The kind of record, such as `Opportunity`.
    pub(super) object: String,
    /// The record's id.
    pub(super) record_id: String,
    /// Whether it is won, where the message holds that field.
    pub(super) is_won: Option<bool>,
}

/// Where the values stand, from the outermost element.
const ORGANIZATION: &[&str] = &["Envelope", "Body", "notifications", "OrganizationId"];
const NOTIFICATION: &[&str] = &["Envelope", "Body", "notifications", "Notification"];
const ID: &[&str] = &["Envelope", "Body", "notifications", "Notification", "Id"];
const OBJECT: &[&str] = &["Envelope", "Body", "notifications", "Notification", "sObject"];
const RECORD: &[&str] = &["Envelope", "Body", "notifications", "Notification", "sObject", "Id"];
const IS_WON: &[&str] = &["Envelope", "Body", "notifications", "Notification", "sObject", "IsWon"];

/// Reads a message.
///
/// # Errors
/// When it is no XML, or not this message.
pub(super) fn read(body: &[u8]) -> Result<Message, Malformed> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Malformed::Empty);
    }
    let mut reader = Reader::from_reader(body);
    let mut place: Vec<String> = Vec::new();
    let mut value = String::new();
    let mut message = Message::default();
    loop {
        let at = reader.buffer_position();
        let bad = |why: &str| Malformed::NotXml { at, why: why.to_owned() };
        match reader.read_event().map_err(|error| bad(&json::word(&error.to_string())))? {
            Event::Start(start) => {
                if place.len() >= DEEPEST {
                    return Err(bad("it is nested too deep"));
                }
                place.push(name_of(start.local_name().as_ref()));
                value.clear();
                begin(&place, &start, &mut message, bad)?;
            }
            Event::End(_) => {
                take(&place, value.trim(), &mut message);
                value.clear();
                place.pop();
            }
            Event::Text(text) => {
                let text = text.decode().map_err(|_| bad("its text is not UTF-8"))?;
                let fits = value.len() + text.len() <= LONGEST_VALUE;
                value.push_str(if fits { &text } else { "\u{fffd}" });
            }
            Event::DocType(_) => return Err(bad("a document type is not accepted")),
            Event::Eof if place.is_empty() => break,
            Event::Eof => return Err(bad("it is cut off")),
            // No id holds an entity or a CDATA section; the texts of others are not read.
            Event::GeneralRef(_) | Event::CData(_) => value.push('\u{fffd}'),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    checked(message)
}

fn begin(
    place: &[String],
    start: &BytesStart<'_>,
    message: &mut Message,
    bad: impl Fn(&str) -> Malformed,
) -> Result<(), Malformed> {
    if place == NOTIFICATION {
        if message.notifications.len() >= MOST_NOTIFICATIONS {
            return Err(bad("it has more than 100 notifications"));
        }
        message.notifications.push(Notification::default());
    }
    if place == OBJECT
        && let Some(notification) = message.notifications.last_mut()
    {
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| bad(&json::word(&error.to_string())))?;
            if attribute.key.local_name().as_ref() == b"type" {
                let kind = name_of(&attribute.value);
                let kind = kind.rsplit(':').next().unwrap_or_default();
                notification.object = json::word(kind);
            }
        }
    }
    Ok(())
}

fn take(place: &[String], value: &str, message: &mut Message) {
    if place == ORGANIZATION {
        value.clone_into(&mut message.organization_id);
        return;
    }
    let Some(notification) = message.notifications.last_mut() else { return };
    if place == ID {
        value.clone_into(&mut notification.id);
    } else if place == RECORD {
        value.clone_into(&mut notification.record_id);
    } else if place == IS_WON {
        notification.is_won = match value {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
    }
}

fn checked(message: Message) -> Result<Message, Malformed> {
    if message.organization_id.is_empty() {
        let why = "it is no outbound message with an OrganizationId".to_owned();
        return Err(Malformed::NotMine { provider: TITLE, why });
    }
    let missing = |field| Malformed::Missing { provider: TITLE, field };
    for notification in &message.notifications {
        let id = &notification.record_id;
        let is_id = matches!(id.len(), 15 | 18) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_id {
            return Err(missing("Notification/sObject/Id of 15 or 18 characters"));
        }
        if notification.object.is_empty() {
            return Err(missing("xsi:type of Notification/sObject"));
        }
    }
    if message.notifications.is_empty() {
        return Err(missing("Notification"));
    }
    Ok(message)
}

fn name_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
