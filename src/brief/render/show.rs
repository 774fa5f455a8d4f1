//! One value of a brief as Markdown in one line, after what the schema says
//! of its field.

use chrono_tz::Tz;
use serde_json::Value;

use super::filters::{day, decimal, email, instant, link};
use crate::brief::answer::{is_blank, unknown};
use crate::brief::schema::{Field, humanise};
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
