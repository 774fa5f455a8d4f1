//! Reading vendors' JSON: faults with their place, and fields that may be
//! missing, null, empty or of another type without stopping anything.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::rejection::Malformed;
use crate::model::read_json;

/// The body as JSON, a byte order mark at its start allowed. Half of a
/// surrogate pair, which senders leave when they cut a text in the middle of an
/// emoji, is read as the replacement character.
///
/// # Errors
/// When it is empty, cut off or no JSON, or says two things under one key.
pub fn read(body: &[u8]) -> Result<Value, Malformed> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Malformed::Empty);
    }
    let whole = read_json(body).or_else(|error| match with_whole_surrogates(body) {
        Some(fixed) => read_json(&fixed),
        None => Err(error),
    });
    whole.map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            return Malformed::Truncated { line, column };
        }
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default().to_owned();
        Malformed::NotJson { line, column, why }
    })
}

/// The body with each lone surrogate escape as `\ufffd`; nothing when there is
/// none. The length stays, and so do the places in messages.
fn with_whole_surrogates(body: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| {
        let escape = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()
    };
    let mut fixed = None;
    let mut at = 0;
    while at < body.len() {
        if body[at] != b'\\' {
            at += 1;
            continue;
        }
        match (unit(at), unit(at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                let body = fixed.get_or_insert_with(|| body.to_vec());
                body[at..at + 6].copy_from_slice(b"\\ufffd");
                at += 6;
            }
            // Skips the escaped character, so that `\\ud800` stays as it is.
            _ => at += 2,
        }
    }
    fixed
}

/// The text at a path of keys, trimmed, `None` when empty.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The value at a path of keys.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// The list at a path of keys, empty when there is none.
pub fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text or a number as text; vendors write ids both ways. Numbers that a
/// float may have rounded are not ids.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        }
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// A vendor's word as part of a message: one line, at most 60 characters.
pub fn word(text: &str) -> String {
    crate::text::shorten(&crate::text::one_line(text), 60)
}

/// A point in time: RFC 3339 with any number of fraction digits, or Unix time
/// as a number or as text, in seconds, or in milliseconds where seconds would
/// lie beyond the year 5000.
pub fn time(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            match text.parse::<i64>() {
                Ok(number) => unix(number),
                Err(_) => DateTime::parse_from_rfc3339(text)
                    // Adobe documents an offset without a colon.
                    .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
                    .ok()
                    .map(|time| time.with_timezone(&Utc)),
            }
        }
        Value::Number(number) => unix(number.as_i64()?),
        _ => None,
    }
}

fn unix(number: i64) -> Option<DateTime<Utc>> {
    if number.abs() < 100_000_000_000 {
        DateTime::from_timestamp(number, 0)
    } else {
        DateTime::from_timestamp_millis(number)
    }
}

/// The time at a path of keys.
pub fn time_at(value: &Value, path: &[&str]) -> Option<DateTime<Utc>> {
    at(value, path).and_then(time)
}
