//! Moments of the command line: one grammar for every option that takes one.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::error::CliError;
use crate::config::Config;
use crate::time::{Edge, MomentError, read_moment};
use crate::workflow;

/// What every option that takes a moment says of it.
pub(super) const HELP: &str = "A TIME is a day (2026-11-20), a month (2026-11), a quarter (2026-Q4), a year (2026), \
     a moment (2026-11-20T17:00:00Z), how long ago (30d, 12h) or a word (yesterday, today, now). \
     Days are the company's: `timezone` in handoff.yaml.";

/// A moment as it was written; where a day begins is known once the settings
/// are read.
#[derive(Debug, Clone)]
pub(super) struct When(String);

impl FromStr for When {
    type Err = MomentError;

    /// Refuses at once what is no moment in any zone.
    fn from_str(text: &str) -> Result<Self, MomentError> {
        let some_day = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap_or_default();
        match read_moment(text, Tz::UTC, Edge::Start, some_day) {
            Err(error @ MomentError::NotUnderstood { .. }) => Err(error),
            Err(error @ MomentError::NoSuchDay { .. }) => Err(error),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl When {
    /// Its first moment, in the company's zone. `option` is where it was given.
    ///
    /// # Errors
    /// When the clock of that zone shows the time twice or never.
    pub(super) fn start(
        &self,
        option: &str,
        config: &Config,
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, CliError> {
        let zone = workflow::company_zone(config).unwrap_or(Tz::UTC);
        read_moment(&self.0, zone, Edge::Start, now)
            .map_err(|error| CliError::usage(format!("{option}: {error}")))
    }

    /// The moment that an act is told for: of a day its beginning, and never
    /// later than now.
    ///
    /// # Errors
    /// As for [`When::start`].
    pub(super) fn of_act(
        option: &str,
        given: Option<&Self>,
        config: &Config,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, CliError> {
        given.map(|given| given.start(option, config, now)).transpose()
    }
}
