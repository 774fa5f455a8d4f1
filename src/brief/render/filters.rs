//! The environment of brief templates: escaping that cannot be turned off,
//! and the filters that a page needs.

use chrono_tz::Tz;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};
use rust_decimal::Decimal;
use url::Url;

use crate::model::grouped;
use crate::text;

/// How templates are written.
pub(super) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .expect("the default delimiters are valid")
}

/// What a template prints as it is printed: only what the filters below made
/// is Markdown already.
pub(super) fn harmless(value: &Value) -> String {
    text::markdown(&plain(value))
}

/// The filters of a page.
pub(super) fn environment(zone: Tz) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    // What would mark customer text as harmless without making it so.
    for name in ["safe", "escape", "e", "tojson", "urlencode", "indent"] {
        environment.remove_filter(name);
    }
    environment.add_filter("escape", |value: &Value| safe(text::markdown(&plain(value))));
    environment.add_filter("code", |value: &Value| safe(text::code(&plain(value))));
    environment.add_filter("cell", |value: &Value| safe(text::markdown_block(&plain(value))));
    environment.add_filter("date", |value: &Value| safe(day(&plain(value))));
    environment.add_filter("datetime", move |value: &Value| safe(instant(&plain(value), zone)));
    environment.add_filter("email", |value: &Value| safe(email(&plain(value))));
    environment.add_filter("link", link_filter);
    environment.add_filter("decimal", |value: &Value| safe(decimal(&plain(value))));
    environment
}

fn safe(markdown: String) -> Value {
    Value::from_safe_string(markdown)
}

fn plain(value: &Value) -> String {
    if value.is_undefined() || value.is_none() { String::new() } else { value.to_string() }
}

fn link_filter(value: &Value, label: Option<&str>) -> Value {
    safe(link(&plain(value), label))
}

/// A day with its weekday: `Fri 2026-11-20`.
pub(super) fn day(text: &str) -> String {
    match chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(day) => day.format("%a %Y-%m-%d").to_string(),
        Err(_) => text::markdown(text),
    }
}

/// A time with its weekday and the zone's short name: `Fri 2026-11-20 10:01 EST`.
pub(super) fn instant(text: &str, zone: Tz) -> String {
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.with_timezone(&zone).format("%a %Y-%m-%d %H:%M %Z").to_string(),
        Err(_) => text::markdown(text),
    }
}

/// An address that can be clicked and copied; what is no plain address is text.
pub(super) fn email(text: &str) -> String {
    if text::is_address(text) {
        let shown = text.replace('_', "\\_");
        format!("[{shown}](mailto:{text})")
    } else {
        text::markdown(text)
    }
}

/// A web link, shown as its host unless there is a label; what is none is text.
pub(super) fn link(text: &str, label: Option<&str>) -> String {
    let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some((url, host)) = parsed.and_then(|url| {
        let host = url.host_str()?.to_owned();
        (url.username().is_empty() && url.password().is_none()).then_some((url, host))
    }) else {
        return text::markdown(label.unwrap_or(text));
    };
    let mut target = String::new();
    for c in url.as_str().chars() {
        match c {
            // Percent-encoded they mean the same and cannot end the link or the table cell.
            '(' => target.push_str("%28"),
            ')' => target.push_str("%29"),
            '|' => target.push_str("%7C"),
            '<' => target.push_str("%3C"),
            '>' => target.push_str("%3E"),
            '\\' => target.push_str("%5C"),
            '`' => target.push_str("%60"),
            '*' => target.push_str("%2A"),
            '_' => target.push_str("%5F"),
            '&' => target.push_str("&amp;"),
            c => target.push(c),
        }
    }
    let label = text::markdown(label.unwrap_or_else(|| host.strip_prefix("www.").unwrap_or(&host)));
    format!("[{label}]({target})")
}

/// A decimal with commas between thousands: `48,000.00`.
pub(super) fn decimal(text: &str) -> String {
    if text.parse::<Decimal>().is_err() || text.contains('_') {
        return text::markdown(text);
    }
    grouped(text)
}
