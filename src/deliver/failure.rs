//! A failed delivery as the timeline keeps it: `via` is the sink, `ref` the
//! event that is missing, and `reason` begins with the class of the failure.

use chrono::{DateTime, Utc};

use super::DeliveryError;
use crate::brief::{Event, EventKind};
use crate::text;

const UNCLEAR: &str = "unclear: ";

/// What a `delivery_failed` event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) event: EventKind,
    pub(super) via: String,
    /// `refused: …`, `unavailable: …` or `unclear: …`.
    pub(super) reason: String,
}

impl Failure {
    /// Reads a `delivery_failed` event; `None` for any other.
    pub(super) fn read(event: &Event) -> Option<Self> {
        if event.event != EventKind::DeliveryFailed {
            return None;
        }
        let missing = event.reference.as_deref()?;
        let kind = serde_json::from_value(serde_json::Value::from(missing)).ok()?;
        let reason = event.reason.clone().unwrap_or_default();
        Some(Self { event: kind, via: event.via.clone(), reason })
    }

    /// Whether it may have been made all the same.
    pub(super) fn is_unclear(&self) -> bool {
        self.reason.starts_with(UNCLEAR)
    }
}

/// The event that records a failure.
pub(super) fn event(
    at: DateTime<Utc>,
    missing: EventKind,
    via: &str,
    error: &DeliveryError,
) -> Event {
    let reason = match error {
        DeliveryError::Permanent { message, help } if help.is_empty() => {
            format!("refused: {message}")
        }
        DeliveryError::Permanent { message, help } => format!("refused: {message} ({help})"),
        DeliveryError::Transient { message, .. } => format!("unavailable: {message}"),
        DeliveryError::Unclear { message } => format!("{UNCLEAR}{message}"),
    };
    let mut event = Event::new(at, EventKind::DeliveryFailed, via);
    event.reference = Some(missing.to_string());
    event.reason = Some(text::shorten(&text::one_line(&reason), 500));
    event
}
