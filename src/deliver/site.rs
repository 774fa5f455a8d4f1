//! What every sink is given beside its settings and secrets.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::Templates;

/// The clock as a value.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The business calendar as a value: so many working days after a moment.
pub type WorkingDays = Arc<dyn Fn(DateTime<Utc>, u32) -> NaiveDate + Send + Sync>;

/// The surroundings of the sinks: texts, clock, calendar, folders.
#[derive(Clone)]
pub struct Site {
    /// The texts that leave.
    pub templates: Templates,
    /// The time zone in which deadlines are told.
    pub timezone: Tz,
    /// Tells the time when a request is signed or a mail dated.
    pub clock: Clock,
    /// Counts working days for the onboarding tasks.
    pub working_days: WorkingDays,
    /// The ledger's folder, from which relative folders are meant.
    pub folder: PathBuf,
}

impl Site {
    /// A deadline in words, with its zone: `Saturday 21 November 2026, 10:01
    /// EST (America/New_York)`.
    #[must_use]
    pub fn in_words(&self, moment: DateTime<Utc>) -> String {
        let local = moment.with_timezone(&self.timezone);
        let words = local.format("%A %-d %B %Y, %H:%M %Z").to_string();
        match self.timezone.name() {
            "UTC" | "Etc/UTC" => words,
            zone => format!("{words} ({zone})"),
        }
    }
}
