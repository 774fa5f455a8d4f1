//! Durations as people write and read them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::quoted;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Ten years: beyond that a duration is a slip of the pen.
const LONGEST_DAYS: u64 = 3660;

/// A duration as it is configured: `24h`, `1h30m`, `3d`. Days are kept apart
/// from hours, because with a business calendar a day is a working day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct HumanDuration {
    days: u32,
    seconds: u64,
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing is there.
    #[error("the duration is empty; write 24h, 90m or 2d")]
    Empty,
    /// A number has no unit.
    #[error(
        "{text} has no unit behind {number}; write {number}h for hours, {number}m for minutes or {number}d for days"
    )]
    NoUnit {
        /// What was written.
        text: String,
        /// The number without a unit.
        number: u64,
    },
    /// A unit is not known, or something else is in the way.
    #[error(
        "{text} is not a duration{}; write days, hours, minutes and seconds as in 2d, 24h, 1h30m or 45s",
        if text == part { String::new() } else { format!(": {part} is not understood") }
    )]
    NotUnderstood {
        /// What was written.
        text: String,
        /// The part that was not understood.
        part: String,
    },
    /// A unit is there twice, or a smaller one comes first.
    #[error("{text} is not a duration: write each unit once, the largest first, as in 1d2h30m")]
    Order {
        /// What was written.
        text: String,
    },
    /// More than ten years.
    #[error("{text} is longer than ten years")]
    TooLong {
        /// What was written.
        text: String,
    },
}

impl HumanDuration {
    /// So many days: working days where a calendar is used, else 24 hours each.
    #[must_use]
    pub const fn days(days: u32) -> Self {
        Self { days, seconds: 0 }
    }

    /// So many hours.
    #[must_use]
    pub const fn hours(hours: u32) -> Self {
        Self { days: 0, seconds: hours as u64 * HOUR }
    }

    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self { days: 0, seconds: seconds as u64 }
    }

    /// The length in seconds when a day is so many seconds long: 24 hours, or
    /// the opening hours of a working day.
    #[must_use]
    pub fn in_seconds(self, day: u64) -> i64 {
        let seconds = u64::from(self.days).saturating_mul(day).saturating_add(self.seconds);
        i64::try_from(seconds).unwrap_or(i64::MAX)
    }

    /// The length in plain time, a day being 24 hours.
    #[must_use]
    pub fn plain(self) -> chrono::TimeDelta {
        chrono::TimeDelta::seconds(self.in_seconds(DAY))
    }

    /// Whether it is no time at all.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.days == 0 && self.seconds == 0
    }
}

impl FromStr for HumanDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(DurationError::Empty);
        }
        let shown = || quoted(text);
        let mut total = Self::default();
        let mut last_unit = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let not_understood = |part: &str| DurationError::NotUnderstood {
                text: shown(),
                part: quoted(part.split_whitespace().next().unwrap_or(part)),
            };
            if number.is_empty() {
                return Err(not_understood(rest));
            }
            let Ok(number) = number.parse::<u64>() else {
                return Err(DurationError::TooLong { text: shown() });
            };
            let tail = tail.trim_start();
            let letters = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
            let (word, tail) = tail.split_at(letters);
            let unit = match word.to_ascii_lowercase().as_str() {
                "" if tail.is_empty() => {
                    return Err(DurationError::NoUnit { text: shown(), number });
                }
                "" => return Err(not_understood(tail)),
                "d" | "day" | "days" => DAY,
                "h" | "hour" | "hours" => HOUR,
                "m" | "min" | "minute" | "minutes" => MINUTE,
                "s" | "sec" | "second" | "seconds" => 1,
                _ => return Err(not_understood(word)),
            };
            if unit >= last_unit {
                return Err(DurationError::Order { text: shown() });
            }
            last_unit = unit;
            if number.checked_mul(unit).is_none_or(|seconds| seconds > LONGEST_DAYS * DAY) {
                return Err(DurationError::TooLong { text: shown() });
            }
            if unit == DAY {
                total.days = u32::try_from(number).expect("at most LONGEST_DAYS");
            } else {
                total.seconds += number * unit;
            }
            rest = tail.trim_start();
        }
        if total.in_seconds(DAY).unsigned_abs() > LONGEST_DAYS * DAY {
            return Err(DurationError::TooLong { text: shown() });
        }
        Ok(total)
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0s");
        }
        let parts = [
            (u64::from(self.days), 'd'),
            (self.seconds / HOUR, 'h'),
            (self.seconds % HOUR / MINUTE, 'm'),
            (self.seconds % MINUTE, 's'),
        ];
        for (number, unit) in parts {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = HumanDuration;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 24h, 90m or 2d")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<HumanDuration, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<HumanDuration, E> {
                number.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "a duration such as 24h, 90m or 2d",
            "description": "A duration such as 24h, 90m or 2d: days, hours, minutes and seconds, the largest first. With a calendar a day is a working day.",
            "pattern": "^\\s*[0-9]+\\s*[A-Za-z]",
        })
    }
}

/// Seconds in the two largest units that say something: `2 d 3 h`, `5 min`, `0 s`.
#[must_use]
pub fn describe_seconds(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let length = seconds.unsigned_abs();
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (1, "s")];
    let largest = units.iter().position(|(unit, _)| length >= *unit).unwrap_or(units.len() - 1);
    let (unit, name) = units[largest];
    let mut text = format!("{sign}{} {name}", length / unit);
    if let Some((smaller, name)) = units.get(largest + 1) {
        let rest = length % unit / smaller;
        if rest > 0 {
            text.push_str(&format!(" {rest} {name}"));
        }
    }
    text
}
