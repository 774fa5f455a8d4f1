//! What people did about a delivery, read back from its target.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{DeliveryError, Handoff};
use crate::brief::EventKind;

/// Something a person did at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// What it is for the handoff: touched, accepted or returned.
    pub kind: EventKind,
    /// When, by the target's clock.
    pub at: DateTime<Utc>,
    /// The person's login at the target.
    pub by: String,
    /// Where it can be seen; the same at every reading, so that it is
    /// recorded once.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Why, in their words; for a return.
    pub reason: Option<String>,
}

/// A deadline of the first touch that a person set at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedDeadline {
    /// The deadline; of a day its end.
    pub due: DateTime<Utc>,
    /// When it was set, by the target's clock, where the target says so.
    pub at: Option<DateTime<Utc>>,
    /// Who set it, where the target says so.
    pub by: Option<String>,
    /// Where it can be seen.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// What one reading came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadBack {
    /// The task is there, and this is what people did, oldest first.
    Seen {
        /// What they did. Of the touches only the first.
        observed: Vec<Observed>,
        /// The deadline that stands there now, where a person has set it.
        deadline: Option<MovedDeadline>,
        /// What was seen, was not counted, and should be known.
        remarks: Vec<String>,
    },
    /// The task is not where it was. What people did is not known; it is not
    /// known to be nothing.
    Unknown {
        /// What became of the task.
        why: String,
        /// What to do.
        help: String,
    },
}

impl ReadBack {
    /// Of what is not where it was, or may not be seen.
    pub(super) fn gone(why: String, what: &str) -> Self {
        let help = format!(
            "check the account's access; if {what} is gone, record what was done with `handoff touch`, `accept` or `return`"
        );
        Self::Unknown { why, help }
    }
}

/// One target that what people did is read back from.
#[async_trait]
pub trait Reader: Send + Sync {
    /// The event whose reference names the task, `task_opened`.
    fn event(&self) -> EventKind;

    /// The sink's name in timelines; what is read is recorded under it.
    fn via(&self) -> &'static str;

    /// Reads what people did about the task that a reference names.
    ///
    /// # Errors
    /// When the target cannot be asked, or what it says cannot be read.
    async fn read_back(
        &self,
        handoff: &Handoff,
        reference: &str,
    ) -> Result<ReadBack, DeliveryError>;
}
