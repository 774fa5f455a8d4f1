//! Reading vendors' JSON: faults with their place, and fields that may be
//! missing, null, empty or of another type without stopping anything.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::malformed::Malformed;

/// The body as JSON, a byte order mark at its start allowed.
///
/// # Errors
/// When it is empty, cut off or no JSON.
pub fn read(body: &[u8]) -> Result<Value, Malformed> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Malformed::Empty);
    }
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            return Malformed::Truncated { line, column };
        }
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default().to_owned();
        Malformed::NotJson { line, column, why }
    })
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

/// A point in time: RFC 3339 with any number of fraction digits, or Unix
/// seconds as a number or as text.
pub fn time(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            match text.parse::<i64>() {
                Ok(seconds) => DateTime::from_timestamp(seconds, 0),
                Err(_) => DateTime::parse_from_rfc3339(text)
                    // Adobe documents an offset without a colon.
                    .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
                    .ok()
                    .map(|time| time.with_timezone(&Utc)),
            }
        }
        Value::Number(number) => DateTime::from_timestamp(number.as_i64()?, 0),
        _ => None,
    }
}

/// The time at a path of keys.
pub fn time_at(value: &Value, path: &[&str]) -> Option<DateTime<Utc>> {
    at(value, path).and_then(time)
}
