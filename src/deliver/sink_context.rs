//! What every sink is given beside its settings and secrets.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use super::Templates;

/// The clock as a value.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The business calendar as a value: so many working days after a moment.
pub type WorkingDays = Arc<dyn Fn(DateTime<Utc>, u32) -> NaiveDate + Send + Sync>;

/// The surroundings of the sinks: texts, clock, calendar, folders.
#[derive(Clone)]
pub struct SinkContext {
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

/// Turns the deadline of a target that knows days only into a moment, and
/// back, in the time zone in which deadlines are told.
#[derive(Debug, Clone, Copy)]
pub struct WholeDays(pub Tz);

impl WholeDays {
    /// The day of a moment.
    #[must_use]
    pub fn of(self, moment: DateTime<Utc>) -> NaiveDate {
        moment.with_timezone(&self.0).date_naive()
    }

    /// The last second of a day: who has a day has all of it.
    #[must_use]
    pub fn end(self, day: NaiveDate) -> DateTime<Utc> {
        let next = day.succ_opt().unwrap_or(day).and_time(NaiveTime::MIN);
        // At midnight a clock may be put forward; then the day ends an hour later.
        let local = self.0.from_local_datetime(&next).earliest();
        let local =
            local.or_else(|| self.0.from_local_datetime(&(next + TimeDelta::hours(1))).earliest());
        let end = local.map_or_else(|| next.and_utc(), |end| end.to_utc());
        end - TimeDelta::seconds(1)
    }

    /// Whether a day is the one that a moment was told as; the universal day
    /// counts too, as earlier versions wrote it.
    #[must_use]
    pub fn is_day_of(self, day: NaiveDate, moment: DateTime<Utc>) -> bool {
        day == self.of(moment) || day == moment.date_naive()
    }
}

impl SinkContext {
    /// Days as this place counts them.
    #[must_use]
    pub fn days(&self) -> WholeDays {
        WholeDays(self.timezone)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_people_are() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let new_york = WholeDays(chrono_tz::America::New_York);
        assert_eq!(new_york.of(time("2026-11-21T02:00:00Z")), day("2026-11-20"));
        assert_eq!(new_york.end(day("2026-11-20")), time("2026-11-21T04:59:59Z"));
        assert!(new_york.is_day_of(day("2026-11-21"), time("2026-11-21T02:00:00Z")));
        assert!(!new_york.is_day_of(day("2026-11-22"), time("2026-11-21T02:00:00Z")));
        // Midnight does not exist on the day when Santiago puts its clocks forward.
        let santiago = WholeDays(chrono_tz::America::Santiago);
        assert_eq!(santiago.end(day("2026-09-05")), time("2026-09-06T03:59:59Z"));
    }
}
