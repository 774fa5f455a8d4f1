//! Days and times out of what CRMs and exports hold.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use minijinja::{Error, Value};

use super::filters::{is_absent, refuse, text_of};

/// What a text says about time.
enum When {
    Day(NaiveDate),
    Instant(DateTime<Utc>),
    /// A day and an hour without a zone.
    Local(NaiveDateTime),
}

fn read(value: &Value) -> Option<When> {
    if let Some(number) = value.as_i64().filter(|_| value.is_number()) {
        return epoch(number);
    }
    let text = text_of(value)?;
    if let Ok(day) = NaiveDate::parse_from_str(&text, "%Y-%m-%d") {
        return Some(When::Day(day));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(&text)
        .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .or_else(|_| DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f%z"))
    {
        return Some(When::Instant(time.to_utc()));
    }
    for form in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(&text, form) {
            return Some(When::Local(time));
        }
    }
    let digits = text.len() >= 12 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { epoch(text.parse().ok()?) } else { None }
}

/// Milliseconds since 1970, as CRMs give them; a smaller number is no time.
fn epoch(milliseconds: i64) -> Option<When> {
    if !(100_000_000_000..10_000_000_000_000).contains(&milliseconds) {
        return None;
    }
    DateTime::from_timestamp_millis(milliseconds).map(When::Instant)
}

/// `day`: the day alone, `YYYY-MM-DD`. A time in UTC gives its day in UTC. A
/// day such as `03/04/2026` is refused: nobody can tell which it is.
pub(super) fn day(value: &Value) -> Result<Option<String>, Error> {
    if is_absent(value) {
        return Ok(None);
    }
    let day = match read(value) {
        Some(When::Day(day)) => day,
        Some(When::Instant(time)) => time.date_naive(),
        Some(When::Local(time)) => time.date(),
        None => return Err(refuse(value, "not a day such as 2026-11-20")),
    };
    Ok(Some(day.to_string()))
}

/// `time`: RFC 3339 in UTC. A day alone, or a time without a zone, is refused.
pub(super) fn time(value: &Value) -> Result<Option<String>, Error> {
    if is_absent(value) {
        return Ok(None);
    }
    match read(value) {
        Some(When::Instant(time)) => Ok(Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
        Some(When::Day(_)) => Err(refuse(value, "a day, and a time is wanted")),
        Some(When::Local(_)) => Err(refuse(value, "a time without a zone")),
        None => Err(refuse(value, "not a time such as 2026-11-20T15:01:58Z")),
    }
}

/// `dated("Go-live")`: a list with one critical date, `{date, what}`.
pub(super) fn dated(value: &Value, what: &str) -> Result<Option<Value>, Error> {
    Ok(day(value)?.map(|date| {
        Value::from(vec![Value::from_pairs([("date", Value::from(date)), ("what", what.into())])])
    }))
}
