//! An event as a message: its body byte for byte, all else in one header.

use async_nats::HeaderMap;
use async_nats::header::{HeaderValue, NATS_MESSAGE_ID};

use super::streams::Lane;
use crate::intake::inbox::envelope::{Envelope, EventName};

/// The header that holds the envelope without its body, as JSON.
const ENVELOPE: &str = "Handoff-Envelope";

/// The headers and the body of an event's message. With `first`, the server
/// itself recognises the same event when it is published again soon.
pub(super) fn write(envelope: &Envelope, first: bool) -> Result<(HeaderMap, Vec<u8>), String> {
    let (line, body) = envelope.split()?;
    let value: HeaderValue = line.parse().map_err(|error| format!("it fits no header: {error}"))?;
    let mut headers = HeaderMap::new();
    headers.insert(ENVELOPE, value);
    if first {
        headers.insert(NATS_MESSAGE_ID, envelope.name().as_str());
    }
    Ok((headers, body))
}

/// Reads a message under a subject.
pub(super) fn read(
    subject: &str,
    headers: Option<&HeaderMap>,
    body: &[u8],
) -> Result<Envelope, String> {
    let header = headers
        .and_then(|headers| headers.get(ENVELOPE))
        .ok_or_else(|| format!("it has no header {ENVELOPE}"))?;
    let envelope = Envelope::join(header.as_str(), body.to_vec())?;
    match name(subject) {
        Some(name) if name == envelope.name() => Ok(envelope),
        _ => Err("its subject is another event's".to_owned()),
    }
}

/// The name of the event under a subject.
pub(super) fn name(subject: &str) -> Option<EventName> {
    Lane::of_subject(subject).and_then(|(_, event)| EventName::parse(event))
}
