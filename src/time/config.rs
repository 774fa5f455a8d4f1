//! The calendar as it is written in the configuration, and its check.

use chrono::{NaiveDate, NaiveTime, Weekday};
use chrono_tz::Tz;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Calendar;
use super::calendar::OpenHours;
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

/// A day as `2026-11-26` and in no other form.
pub(super) fn parse_day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, c)| match at {
            4 | 7 => c == b'-',
            _ => c.is_ascii_digit(),
        });
    if shape { text.parse().ok() } else { None }
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
