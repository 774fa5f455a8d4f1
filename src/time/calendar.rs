//! A business calendar: as it is written in the configuration, and which moments
//! are working time.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::HumanDuration;
use super::moment::{first_instant, last_instant, parse_day};
use crate::text::{did_you_mean, nearest, quoted};

/// Business hours: when the time of a deadline runs. A day is a working day,
/// an hour is an hour within the opening hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "timezone": "America/New_York", "days": ["mon", "tue", "wed", "thu", "fri"],
    "hours": "09:00-17:00", "holidays": ["2026-11-26"]
}))]
pub struct CalendarConfig {
    /// The IANA time zone of the hours, such as `Europe/Berlin`. Absent: the
    /// company's `timezone`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(min = 1))]
    pub timezone: String,
    /// The working days.
    #[serde(default = "monday_to_friday")]
    #[schemars(schema_with = "weekdays", length(min = 1))]
    pub days: Vec<String>,
    /// The opening hours, `09:00-17:00`; several spans with commas between
    /// them, `24:00` for the end of the day, `22:00-06:00` over midnight.
    #[serde(default = "nine_to_five")]
    pub hours: String,
    /// Days without work, `2026-11-26`.
    #[serde(default)]
    pub holidays: Vec<String>,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn weekdays(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "string", "enum": DAYS}})
}

/// An IANA time zone such as `America/New_York`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct ZoneName(pub Tz);

impl TryFrom<String> for ZoneName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.trim().parse().map(Self).map_err(|_| unknown_zone(&text))
    }
}

fn monday_to_friday() -> Vec<String> {
    ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned).to_vec()
}

fn nine_to_five() -> String {
    "09:00-17:00".to_owned()
}

/// One thing that is wrong with a calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CalendarProblem {
    /// The field: `timezone`, `days`, `hours` or `holidays`.
    pub field: &'static str,
    /// The entry of the list, counted from 0, for `days` and `holidays`.
    pub index: Option<usize>,
    /// What is wrong and what to write.
    pub message: String,
}

impl CalendarConfig {
    /// Checks what is written.
    ///
    /// # Errors
    /// All problems at once.
    pub fn check(&self) -> Result<Calendar, Vec<CalendarProblem>> {
        let mut problems = Vec::new();
        let mut problem = |field, index, message: String| {
            problems.push(CalendarProblem { field, index, message });
        };

        let zone = self.timezone.trim().parse::<Tz>();
        if zone.is_err() {
            problem("timezone", None, unknown_zone(&self.timezone));
        }

        let mut days = [false; 7];
        for (index, text) in self.days.iter().enumerate() {
            match text.trim().parse::<Weekday>() {
                Ok(day) if days[day.num_days_from_monday() as usize] => {
                    problem("days", Some(index), format!("{} is there twice.", quoted(text)));
                }
                Ok(day) => days[day.num_days_from_monday() as usize] = true,
                Err(_) => problem(
                    "days",
                    Some(index),
                    format!("{} is not a day; {}", quoted(text), did_you_mean(text, DAYS)),
                ),
            }
        }
        if self.days.is_empty() {
            problem("days", None, "There is no working day; name at least one.".to_owned());
        }

        let hours = parse_hours(&self.hours);
        if let Err(message) = &hours {
            problem("hours", None, message.clone());
        }

        let mut holidays = Vec::with_capacity(self.holidays.len());
        for (index, text) in self.holidays.iter().enumerate() {
            match parse_day(text) {
                Some(day) if holidays.contains(&day) => {
                    problem("holidays", Some(index), format!("{} is there twice.", quoted(text)));
                }
                Some(day) => holidays.push(day),
                None => problem(
                    "holidays",
                    Some(index),
                    format!("{} is not a day; write it as 2026-11-26.", quoted(text)),
                ),
            }
        }

        match (zone, hours) {
            (Ok(zone), Ok(hours)) if problems.is_empty() => {
                Ok(Calendar::new(zone, days, hours, holidays.into_iter().collect()))
            }
            _ => Err(problems),
        }
    }
}

fn unknown_zone(text: &str) -> String {
    let zones = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    match nearest(text.trim(), zones) {
        Some(name) => {
            format!("{} is not a known time zone; did you mean `{name}`?", quoted(text))
        }
        None => format!(
            "{} is not a known time zone; write an IANA name such as America/New_York or UTC.",
            quoted(text)
        ),
    }
}

fn parse_hours(text: &str) -> Result<Vec<OpenHours>, String> {
    let mut spans: Vec<OpenHours> = Vec::new();
    for part in text.split(',') {
        let span = parse_span(part.trim()).ok_or_else(|| {
            format!(
                "{} are not opening hours; write them as 09:00-17:00, several with commas between them.",
                quoted(text)
            )
        })?;
        if span.length_s() == 0 {
            return Err(format!(
                "{} opens and closes at the same time; write 00:00-24:00 for the whole day.",
                quoted(part.trim())
            ));
        }
        if let Some(before) = spans.last()
            && (before.crosses_midnight() || before.close > span.open)
        {
            return Err(format!(
                "{}: {} begins before the hours in front of it have ended; write them in order, and hours over midnight last.",
                quoted(text),
                quoted(part.trim())
            ));
        }
        spans.push(span);
    }
    if let (Some(first), Some(last)) = (spans.first(), spans.last())
        && last.crosses_midnight()
        && first.open < last.close.saturating_sub(OpenHours::DAY)
    {
        return Err(format!(
            "{}: the hours over midnight run into the first hours of the next day.",
            quoted(text)
        ));
    }
    Ok(spans)
}

fn parse_span(text: &str) -> Option<OpenHours> {
    let (open, close) = text.split_once(['-', '–'])?;
    let open = parse_time(open)?;
    let close = parse_time(close)?;
    if open == OpenHours::DAY {
        return None;
    }
    Some(OpenHours { open, close: if close < open { close + OpenHours::DAY } else { close } })
}

/// Seconds since midnight of `09:00`, `9:00` or `24:00`.
fn parse_time(text: &str) -> Option<u32> {
    use chrono::Timelike as _;
    let text = text.trim();
    if text == "24:00" {
        return Some(OpenHours::DAY);
    }
    NaiveTime::parse_from_str(text, "%H:%M").ok().map(|time| time.num_seconds_from_midnight())
}

// A business calendar: which moments are working time.

/// A span of opening hours, in seconds since midnight of the day it begins on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenHours {
    pub(super) open: u32,
    /// Past [`OpenHours::DAY`] when the span ends on the next day.
    pub(super) close: u32,
}

impl OpenHours {
    pub(super) const DAY: u32 = 24 * 3600;

    pub(super) fn length_s(self) -> u32 {
        self.close - self.open
    }

    pub(super) fn crosses_midnight(self) -> bool {
        self.close > Self::DAY
    }
}

/// Working days, opening hours and holidays in one time zone.
///
/// A span of opening hours begins when the clock on the wall first shows its
/// opening time and ends when it last shows its closing time. In the night
/// when an hour happens twice, both count; an hour that does not exist does
/// not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    zone: Tz,
    /// From Monday.
    days: [bool; 7],
    hours: Vec<OpenHours>,
    holidays: BTreeSet<NaiveDate>,
}

impl Calendar {
    /// A calendar; `CalendarConfig::check` has seen that there is a working
    /// day and that the hours are in order and not empty.
    pub(super) fn new(
        zone: Tz,
        days: [bool; 7],
        hours: Vec<OpenHours>,
        holidays: BTreeSet<NaiveDate>,
    ) -> Self {
        Self { zone, days, hours, holidays }
    }

    /// The time zone.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The opening hours of an ordinary working day, in seconds: what `1d` of
    /// a configured duration means.
    #[must_use]
    pub fn day_s(&self) -> u64 {
        self.hours.iter().map(|span| u64::from(span.length_s())).sum()
    }

    /// The moment when so much working time has passed since `start`. A start
    /// outside the opening hours counts from the next opening. Only the years
    /// from 1900 to 2299 have working time.
    #[must_use]
    pub fn add(&self, start: DateTime<Utc>, within: HumanDuration) -> DateTime<Utc> {
        let mut left = within.in_seconds(self.day_s());
        for (open, close) in self.openings(start) {
            let open = open.max(start);
            let length = (close - open).num_seconds();
            if length <= 0 {
                continue;
            }
            if left <= length {
                return open + TimeDelta::seconds(left);
            }
            left -= length;
        }
        DateTime::<Utc>::MAX_UTC
    }

    /// The latest moment from which so much working time passes until `end`.
    #[must_use]
    pub fn before(&self, end: DateTime<Utc>, within: HumanDuration) -> DateTime<Utc> {
        let seconds = within.in_seconds(self.day_s());
        // Weeks suffice for all but the strangest calendars.
        for reach in [Days::new(30), Days::new(400), Days::new(4_000)] {
            let Some(from) = end.checked_sub_days(reach) else { break };
            let spans: Vec<_> = self
                .openings(from)
                .take_while(|(open, _)| *open < end)
                .map(|(open, close)| (open.max(from), close.min(end)))
                .collect();
            let mut left = seconds;
            for (open, close) in spans.into_iter().rev() {
                let length = (close - open).num_seconds().max(0);
                if left <= length {
                    return close - TimeDelta::seconds(left);
                }
                left -= length;
            }
        }
        DateTime::<Utc>::MIN_UTC
    }

    /// The working seconds between two moments; negative when `end` comes first.
    #[must_use]
    pub fn between(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> i64 {
        if end < start {
            return -self.between(end, start);
        }
        let mut seconds = 0;
        for (open, close) in self.openings(start) {
            if open >= end {
                break;
            }
            seconds += (close.min(end) - open.max(start)).num_seconds().max(0);
        }
        seconds
    }

    fn is_working_day(&self, day: NaiveDate) -> bool {
        self.days[day.weekday().num_days_from_monday() as usize] && !self.holidays.contains(&day)
    }

    /// The openings from two days before a moment on (hours over midnight and
    /// the zone's distance from UTC reach back that far), in order and never
    /// overlapping.
    fn openings(
        &self,
        from: DateTime<Utc>,
    ) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> {
        // A year that nobody meant (`262000-01-01`) must not be walked to day by day.
        let reach = |year| NaiveDate::from_ymd_opt(year, 1, 1).expect("a first of January exists");
        let today = from.date_naive().clamp(reach(1900), reach(2300));
        let first = today - Days::new(2);
        let mut closed_until = DateTime::<Utc>::MIN_UTC;
        first
            .iter_days()
            .take_while(move |day| *day < reach(2300))
            .filter(|day| self.is_working_day(*day))
            .flat_map(move |day| {
                self.hours.iter().filter_map(move |span| self.instants(day, *span))
            })
            .map(move |(open, close)| {
                // On the night that happens twice, one span may still be open
                // when the clock first shows the opening time of the next.
                let open = open.max(closed_until);
                let close = close.max(open);
                closed_until = close;
                (open, close)
            })
    }

    /// When a span opens and closes on a day; nothing at the end of all dates.
    fn instants(&self, day: NaiveDate, span: OpenHours) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let midnight = day.and_time(NaiveTime::MIN);
        let at = |seconds: u32| midnight.checked_add_signed(TimeDelta::seconds(seconds.into()));
        Some((first_instant(self.zone, at(span.open)?), last_instant(self.zone, at(span.close)?)))
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let days: Vec<&str> =
            NAMES.iter().zip(self.days).filter(|(_, open)| *open).map(|(name, _)| *name).collect();
        let clock = |seconds: u32| {
            let shown = if seconds > OpenHours::DAY { seconds - OpenHours::DAY } else { seconds };
            format!("{:02}:{:02}", shown / 3600, shown % 3600 / 60)
        };
        let hours: Vec<String> = self
            .hours
            .iter()
            .map(|span| format!("{}-{}", clock(span.open), clock(span.close)))
            .collect();
        write!(f, "{} {} {}", days.join(" "), hours.join(", "), self.zone.name())?;
        match self.holidays.len() {
            0 => Ok(()),
            1 => f.write_str(", 1 holiday"),
            more => write!(f, ", {more} holidays"),
        }
    }
}

/// When something that starts now and may take so long is due: in working
/// time where there is a calendar, else in plain hours.
#[must_use]
pub fn deadline(
    start: DateTime<Utc>,
    within: HumanDuration,
    calendar: Option<&Calendar>,
) -> DateTime<Utc> {
    match calendar {
        Some(calendar) => calendar.add(start, within),
        None => start.checked_add_signed(within.plain()).unwrap_or(DateTime::<Utc>::MAX_UTC),
    }
}
