//! The moments of the command line: `--from`, `--to`, `--as-of`, and from the
//! clock on the wall to an instant.

use chrono::{
    DateTime, Days, MappedLocalTime, Months, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat,
    TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Tz;

use super::HumanDuration;
use crate::model::Window;
use crate::text::quoted;

// From the clock on the wall to an instant, on nights when the clock jumps.

/// The first instant at which the clock shows this time or, where it jumps
/// over it, a later one.
pub(super) fn first_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(moment) | MappedLocalTime::Ambiguous(moment, _) => {
            moment.with_timezone(&Utc)
        }
        MappedLocalTime::None => after_jump(zone, local),
    }
}

/// The last instant at which the clock shows this time or, where it jumps
/// over it, the instant of the jump.
pub(super) fn last_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(moment) | MappedLocalTime::Ambiguous(_, moment) => {
            moment.with_timezone(&Utc)
        }
        MappedLocalTime::None => after_jump(zone, local),
    }
}

/// The instant at which the clock jumped over a time. No zone is further than
/// 26 hours from UTC, and no jump longer than a day (Samoa skipped
/// 2011-12-30), so the instant lies within this reach.
fn after_jump(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    const REACH: i64 = 52 * 3600;
    let middle = local.and_utc();
    let at = |offset: i64| middle.checked_add_signed(TimeDelta::seconds(offset));
    let reached = |offset: i64| {
        at(offset).is_none_or(|moment| moment.with_timezone(&zone).naive_local() >= local)
    };
    let (mut before, mut after) = (-REACH, REACH);
    while after - before > 1 {
        let half = before + (after - before) / 2;
        if reached(half) {
            after = half;
        } else {
            before = half;
        }
    }
    at(after).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

// The moments of the command line: `--from`, `--to`, `--as-of`.

/// Which end of a day, month or quarter is meant where only that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Its first moment: for `--from`.
    Start,
    /// The first moment after it: for `--to` and `--as-of`, so that `--to 2026-11-30` includes that day.
    End,
}

/// Why a text is no moment, or two of them no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It has no known form.
    #[error(
        "{text} is not a moment; write a day (2026-11-30), a month (2026-11), a quarter (2026-Q4), a year (2026), a time (2026-11-30T15:00:00Z), how long ago (30d) or a word (yesterday)"
    )]
    NotUnderstood {
        /// What was written.
        text: String,
    },
    /// It has the form of a day or time, and there is no such one.
    #[error(
        "{text} does not exist in the calendar; write a day such as 2026-11-30, or a month such as 2026-11"
    )]
    NoSuchDay {
        /// What was written.
        text: String,
    },
    /// The clock in this zone shows it twice.
    #[error("{text} happens twice in {zone}; write {first} or {second}")]
    Twice {
        /// What was written.
        text: String,
        /// The zone.
        zone: String,
        /// The earlier of the two with its offset.
        first: String,
        /// The later of the two with its offset.
        second: String,
    },
    /// The clock in this zone jumps over it.
    #[error(
        "{text} does not exist in {zone}: the clock is put forward over it; write the time with its offset, as in 2026-11-30T15:00:00Z"
    )]
    Skipped {
        /// What was written.
        text: String,
        /// The zone.
        zone: String,
    },
    /// One of the two that a window is made of.
    #[error("{option}: {error}")]
    InWindow {
        /// The option that has it.
        option: &'static str,
        /// What is wrong.
        error: Box<MomentError>,
    },
    /// The window ends before it begins.
    #[error(
        "the window is empty: it begins with {from} and ends with {to}; --from must come before --to"
    )]
    EmptyWindow {
        /// Where it begins.
        from: String,
        /// Where it ends.
        to: String,
    },
}

/// Reads a moment of the command line: what [`parse_moment`] reads, and what
/// is counted from `now`: `30d` ago, `today`, `yesterday`.
///
/// # Errors
/// As for [`parse_moment`].
pub fn read_moment(
    text: &str,
    zone: Tz,
    edge: Edge,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, MomentError> {
    let word = text.trim().to_ascii_lowercase();
    let today = now.with_timezone(&zone).date_naive();
    let days_ago = match word.as_str() {
        "now" => return Ok(now),
        "today" => 0,
        "yesterday" => 1,
        _ => {
            let ago: Option<HumanDuration> = word.parse().ok();
            return match ago.and_then(|ago| now.checked_sub_signed(ago.plain())) {
                Some(moment) => Ok(moment),
                None => parse_moment(text, zone, edge),
            };
        }
    };
    let first = today.checked_sub_days(Days::new(days_ago)).unwrap_or(today);
    let after = first.checked_add_days(Days::new(1)).unwrap_or(first);
    let day = if edge == Edge::Start { first } else { after };
    Ok(first_instant(zone, day.and_time(NaiveTime::MIN)))
}

/// Reads a moment: RFC 3339, a time without offset (then on the clock of
/// `zone`), a day, a month, a quarter or a year.
///
/// # Errors
/// When the text has no such form, or the clock of `zone` shows the time
/// twice or never.
pub fn parse_moment(text: &str, zone: Tz, edge: Edge) -> Result<DateTime<Utc>, MomentError> {
    let trimmed = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(trimmed) {
        return Ok(moment.with_timezone(&Utc));
    }
    let no_such_day = || MomentError::NoSuchDay { text: quoted(text) };
    if let Some(period) = Period::recognise(trimmed) {
        let (first, after) = period.bounds().ok_or_else(no_such_day)?;
        let day = if edge == Edge::Start { first } else { after };
        return Ok(first_instant(zone, day.and_time(NaiveTime::MIN)));
    }
    let Some(local) = parse_local(trimmed) else {
        return Err(MomentError::NotUnderstood { text: quoted(text) });
    };
    match zone.from_local_datetime(&local.ok_or_else(no_such_day)?) {
        MappedLocalTime::Single(moment) => Ok(moment.with_timezone(&Utc)),
        MappedLocalTime::Ambiguous(first, second) => Err(MomentError::Twice {
            text: quoted(text),
            zone: zone.name().to_owned(),
            first: first.to_rfc3339_opts(SecondsFormat::Secs, true),
            second: second.to_rfc3339_opts(SecondsFormat::Secs, true),
        }),
        MappedLocalTime::None => {
            Err(MomentError::Skipped { text: quoted(text), zone: zone.name().to_owned() })
        }
    }
}

/// Reads `--from` and `--to`; each may be absent.
///
/// # Errors
/// As for [`parse_moment`], and when the window is empty.
pub fn parse_window(
    from: Option<&str>,
    to: Option<&str>,
    zone: Tz,
    now: DateTime<Utc>,
) -> Result<Window, MomentError> {
    let read = |option: &'static str, text: Option<&str>, edge| {
        let read = text.map(|text| read_moment(text, zone, edge, now)).transpose();
        read.map_err(|error| MomentError::InWindow { option, error: Box::new(error) })
    };
    let window =
        Window { from: read("--from", from, Edge::Start)?, to: read("--to", to, Edge::End)? };
    if let (Some(begins), Some(ends)) = (window.from, window.to)
        && begins >= ends
    {
        return Err(MomentError::EmptyWindow {
            from: quoted(from.unwrap_or_default()),
            to: quoted(to.unwrap_or_default()),
        });
    }
    Ok(window)
}

/// A stretch of whole days.
enum Period {
    Day(Option<NaiveDate>),
    Months { first: Option<NaiveDate>, count: u32 },
}

impl Period {
    fn recognise(text: &str) -> Option<Self> {
        let digits = |part: &str, count: usize| {
            (part.len() == count && part.bytes().all(|c| c.is_ascii_digit()))
                .then(|| part.parse::<u32>().ok())
                .flatten()
        };
        if let Some(year) = digits(text, 4) {
            let first = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, 1, 1);
            return Some(Self::Months { first, count: 12 });
        }
        let (year, rest) = text.split_once('-')?;
        let year_number = i32::try_from(digits(year, 4)?).ok()?;
        let month = |month| NaiveDate::from_ymd_opt(year_number, month, 1);
        if let Some(number) = digits(rest, 2) {
            return Some(Self::Months { first: month(number), count: 1 });
        }
        if let Some(number) = rest.strip_prefix(['Q', 'q']).and_then(|part| digits(part, 1)) {
            let first = (1..=4).contains(&number).then(|| month(number * 3 - 2)).flatten();
            return Some(Self::Months { first, count: 3 });
        }
        let (month, day) = rest.split_once('-')?;
        digits(month, 2)?;
        digits(day, 2)?;
        Some(Self::Day(parse_day(text)))
    }

    /// The first day, and the first one after it.
    fn bounds(&self) -> Option<(NaiveDate, NaiveDate)> {
        match self {
            Self::Day(day) => Some(((*day)?, (*day)?.checked_add_days(Days::new(1))?)),
            Self::Months { first, count } => {
                Some(((*first)?, (*first)?.checked_add_months(Months::new(*count))?))
            }
        }
    }
}

/// `2026-11-30T15:00`, with `T` or a space, with seconds or without. The
/// outer option says whether it has that form, the inner whether it exists.
fn parse_local(text: &str) -> Option<Option<NaiveDateTime>> {
    let (day, time) = text.split_once(['T', 't', ' '])?;
    let shape = day.len() == 10
        && matches!(time.len(), 5 | 8)
        && time.bytes().all(|c| c.is_ascii_digit() || c == b':');
    if !shape {
        return None;
    }
    let time = NaiveTime::parse_from_str(time, "%H:%M:%S")
        .or_else(|_| NaiveTime::parse_from_str(time, "%H:%M"));
    Some(parse_day(day).and_then(|day| time.ok().map(|time| day.and_time(time))))
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
