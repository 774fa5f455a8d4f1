//! What every sink can do.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::brief::{ChangedAnswer, EventKind, Timeline};
use crate::model::{Check, Key};

/// One answer a brief does not have yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The question, 1 to 7.
    pub question: u8,
    /// The field, dotted: `success.primary_goal`.
    pub field: String,
    /// Whom to ask, such as the rep's name.
    pub ask: Option<String>,
    /// A good answer, on one line.
    pub example: Option<String>,
}

/// A signed brief as the sinks see it. Everything in `brief` is customer text
/// and must be made harmless for the medium it goes to (`crate::text`).
#[derive(Debug, Clone, Serialize)]
pub struct Handoff {
    /// The handoff.
    pub key: Key,
    /// Its folder in the ledger, `briefs/2026/11/acme-corp--hubspot-1`.
    pub folder: String,
    /// The brief as JSON, after DESIGN.md §3.
    pub brief: Value,
    /// The brief rendered for people: the folder's README.md.
    pub readme: String,
    /// The bytes of brief.yaml.
    pub brief_yaml: String,
    /// What happened so far.
    pub timeline: Timeline,
    /// What is missing.
    pub missing: Vec<Missing>,
    /// What changed since the CSM returned it, where it came again.
    pub changes: Vec<ChangedAnswer>,
    /// A link to the folder on the forge, where the remote is known.
    pub url: Option<String>,
    /// The commit that holds it, hex.
    pub commit: String,
}

/// What can be found again of a delivery that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// A URL or id.
    pub reference: String,
    /// When it was made by the target's clock, if that is known.
    pub at: Option<DateTime<Utc>>,
    /// What a person should know: `assigned to nobody: samlee may not be assigned`.
    pub remark: Option<String>,
}

/// Why a delivery was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeliveryError {
    /// Trying again will not help: bad credentials, a refused field, a bad address.
    #[error("{message}")]
    Permanent {
        /// What was refused, in the target's words, without secrets.
        message: String,
        /// What to do.
        help: String,
    },
    /// Not made, and later may work.
    #[error("{message}")]
    Transient {
        /// What happened.
        message: String,
        /// How long the target asks to wait.
        retry_after: Option<Duration>,
    },
    /// It may or may not have been made: look before trying again.
    #[error("{message}")]
    Unclear {
        /// What happened.
        message: String,
    },
}

/// One target of deliveries.
#[async_trait]
pub trait Sink: Send + Sync {
    /// The event recorded when it is done; with `via` it identifies the delivery.
    fn event(&self) -> EventKind;

    /// The sink's name in timelines, `github`, `slack`, `outbox`.
    fn via(&self) -> &'static str;

    /// Whether an earlier delivery can be found again. Where it cannot, an
    /// unclear outcome is settled by [`Sink::repeats_when_unclear`].
    fn can_look_up(&self) -> bool {
        true
    }

    /// For sinks that cannot look: whether to send again after an unclear
    /// outcome (at least once) or not (at most once).
    fn repeats_when_unclear(&self) -> bool {
        false
    }

    /// How long after an unclear outcome the target's own index may lag, so
    /// that looking sooner would see nothing.
    fn look_lag(&self) -> Duration {
        Duration::ZERO
    }

    /// One line for `--dry-run`: what would be made.
    fn describe(&self, handoff: &Handoff) -> String;

    /// Looks for the mark of an earlier delivery of this handoff.
    ///
    /// # Errors
    /// When the target cannot be asked; then nothing is made.
    async fn look_up(&self, handoff: &Handoff) -> Result<Option<Mark>, DeliveryError>;

    /// Makes the delivery and leaves a mark that [`Sink::look_up`] finds.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    async fn act(&self, handoff: &Handoff) -> Result<Mark, DeliveryError>;

    /// Brings what was made in line with a brief that has changed since, where
    /// that is no delivery of its own; one line where something was done.
    ///
    /// # Errors
    /// See [`DeliveryError`]; nothing is lost, the next run tries again.
    async fn keep_up(&self, handoff: &Handoff) -> Result<Option<String>, DeliveryError> {
        let _ = handoff;
        Ok(None)
    }

    /// Secret, permission, channel, template, …, for `doctor`. Offline, only
    /// what can be said without asking the target.
    async fn checks(&self, offline: bool) -> Vec<Check> {
        let _ = offline;
        Vec::new()
    }
}
