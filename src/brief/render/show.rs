//! One value of a brief as Markdown in one line, escaped, after what the schema
//! says about it.

use chrono_tz::Tz;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value as Jinja};
use rust_decimal::Decimal;
use serde_json::Value;
use url::Url;

use crate::brief::answer::{is_blank, unknown};
use crate::brief::schema::{Field, humanise};
use crate::model::grouped;
use crate::text;
use crate::text::markdown;

/// The value of a field; `None` where there is none.
pub(super) fn show(field: Option<&Field>, value: &Value, zone: Tz) -> Option<String> {
    if is_blank(value) {
        return None;
    }
    if let Some(gap) = unknown(value) {
        return Some(show_unknown(gap));
    }
    let shown = match value {
        Value::Null => return None,
        Value::Bool(flag) => (if *flag { "yes" } else { "no" }).to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => show_text(field, text, zone),
        Value::Array(items) => {
            let item = field.and_then(|field| field.child("0"));
            items.iter().filter_map(|value| show(item, value, zone)).collect::<Vec<_>>().join("; ")
        }
        Value::Object(fields) => {
            if let Some(pattern) = field.and_then(|field| field.show.as_deref())
                && let Some(line) = after_pattern(pattern, field, value, zone)
            {
                return Some(line);
            }
            let parts = fields.iter().filter_map(|(name, value)| {
                let child = field.and_then(|field| field.child(name));
                let shown = show(child, value, zone)?;
                let title = child.map_or_else(|| humanise(name), |child| child.title.clone());
                Some(format!("{} {shown}", markdown(&title.to_lowercase())))
            });
            parts.collect::<Vec<_>>().join(", ")
        }
    };
    (!shown.is_empty()).then_some(shown)
}

fn show_text(field: Option<&Field>, text: &str, zone: Tz) -> String {
    match field.and_then(|field| field.format.as_deref()) {
        Some("date") => day(text),
        Some("date-time") => instant(text, zone),
        Some("email") => email(text),
        Some("url") => link(text, None),
        Some("decimal") => decimal(text),
        _ => isolated(markdown(text)),
    }
}

/// Text from right to left keeps its own order beside labels and punctuation
/// that run from left to right.
fn isolated(markdown: String) -> String {
    let is_from_right = |c: char| matches!(u32::from(c), 0x0590..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFF | 0x1_0800..=0x1_0FFF | 0x1_E800..=0x1_EFFF);
    match markdown.chars().any(is_from_right) {
        true => format!("\u{2068}{markdown}\u{2069}"),
        false => markdown,
    }
}

fn show_unknown(gap: &Value) -> String {
    let text = |name: &str| gap.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut shown = "_unknown".to_owned();
    if let Some(why) = text("why") {
        shown.push_str(": ");
        shown.push_str(&markdown(why));
    }
    shown.push('_');
    match (text("owner"), text("resolve_by")) {
        (Some(owner), Some(by)) => {
            shown.push_str(&format!(" ({} finds out by {})", markdown(owner), day(by)));
        }
        (Some(owner), None) => shown.push_str(&format!(" ({} finds out)", markdown(owner))),
        (None, Some(by)) => shown.push_str(&format!(" (due {})", day(by))),
        (None, None) => {}
    }
    shown
}

/// Fills `{months} months[ from {starts}]`. A part in brackets is left out
/// when a field in it has no value; `None` when one outside has none.
fn after_pattern(pattern: &str, field: Option<&Field>, value: &Value, zone: Tz) -> Option<String> {
    let mut line = String::new();
    let mut rest = pattern;
    while let Some(open) = rest.find('[') {
        line.push_str(&fill(&rest[..open], field, value, zone)?);
        let close = open + rest[open..].find(']')?;
        if let Some(part) = fill(&rest[open + 1..close], field, value, zone) {
            line.push_str(&part);
        }
        rest = &rest[close + 1..];
    }
    line.push_str(&fill(rest, field, value, zone)?);
    Some(line)
}

fn fill(part: &str, field: Option<&Field>, value: &Value, zone: Tz) -> Option<String> {
    let mut filled = String::new();
    let mut rest = part;
    while let Some(open) = rest.find('{') {
        let close = open + rest[open..].find('}')?;
        let name = &rest[open + 1..close];
        let child = field.and_then(|field| field.child(name));
        filled.push_str(&markdown_between(&rest[..open]));
        filled.push_str(&show(child, value.get(name)?, zone)?);
        rest = &rest[close + 1..];
    }
    filled.push_str(&markdown_between(rest));
    Some(filled)
}

/// The pattern's own words, which come from the company's schema: spaces and
/// parentheses stay, whatever could act does not.
fn markdown_between(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            ' ' | '(' | ')' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => out.push_str(&markdown(&c.to_string())),
        }
    }
    out
}

// The environment of brief templates: escaping that cannot be turned off,
// and the filters that a page needs.

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
pub(super) fn harmless(value: &Jinja) -> String {
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
    environment.add_filter("escape", |value: &Jinja| safe(text::markdown(&plain(value))));
    environment.add_filter("code", |value: &Jinja| safe(text::code(&plain(value))));
    environment.add_filter("cell", |value: &Jinja| safe(text::markdown_block(&plain(value))));
    environment.add_filter("date", |value: &Jinja| safe(day(&plain(value))));
    environment.add_filter("datetime", move |value: &Jinja| safe(instant(&plain(value), zone)));
    environment.add_filter("email", |value: &Jinja| safe(email(&plain(value))));
    environment.add_filter("link", link_filter);
    environment.add_filter("decimal", |value: &Jinja| safe(decimal(&plain(value))));
    environment
}

fn safe(markdown: String) -> Jinja {
    Jinja::from_safe_string(markdown)
}

fn plain(value: &Jinja) -> String {
    if value.is_undefined() || value.is_none() { String::new() } else { value.to_string() }
}

fn link_filter(value: &Jinja, label: Option<&str>) -> Jinja {
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
