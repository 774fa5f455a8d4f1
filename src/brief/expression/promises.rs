//! Free text that holds a list: promises, risks, integrations.

use minijinja::value::Kwargs;
use minijinja::{Error, Value};

use super::filters::{finish, is_absent, text_of};
use crate::text::one_line;

/// The items of a text: one a line, or between semicolons. A list stays one.
fn split(value: &Value) -> Vec<String> {
    let texts: Vec<String> = if value.kind() == minijinja::value::ValueKind::Seq {
        value
            .try_iter()
            .map(|items| items.filter_map(|item| text_of(&item)).collect())
            .unwrap_or_default()
    } else {
        text_of(value).into_iter().collect()
    };
    texts
        .iter()
        .flat_map(|text| text.split(['\n', '\r', ';']))
        .map(|item| {
            let item = item.trim().trim_start_matches(['-', '*', '•', '–']).trim_start();
            // A numbered list: `1. SSO`, `2) SLA`.
            let rest = item.trim_start_matches(|c: char| c.is_ascii_digit());
            match rest.strip_prefix(['.', ')']) {
                Some(rest) if rest.len() < item.len() - 1 && rest.starts_with(' ') => {
                    one_line(rest)
                }
                _ => one_line(item),
            }
        })
        .filter(|item| !item.is_empty())
        .collect()
}

/// The word `none` where that is all the text says.
fn says_none(items: &[String]) -> bool {
    matches!(items, [only] if matches!(only.to_lowercase().trim_end_matches('.'), "none" | "nothing" | "no promises"))
}

/// `lines`: a text as a list, one item a line or between semicolons.
pub(super) fn lines(value: &Value) -> Option<Value> {
    let items = split(value);
    if says_none(&items) {
        return Some(Value::from("none"));
    }
    (!items.is_empty()).then(|| Value::from(items))
}

/// `each("risk", owner="…")`: each item of a text or list as a mapping.
pub(super) fn each(value: &Value, field: &str, kwargs: Kwargs) -> Result<Option<Value>, Error> {
    let more = extras(&kwargs)?;
    let items = split(value);
    if says_none(&items) {
        return Ok(Some(Value::from("none")));
    }
    let mappings: Vec<Value> = items
        .into_iter()
        .map(|item| {
            let mut fields = vec![(field.to_owned(), Value::from(item))];
            fields.extend(more.iter().cloned());
            Value::from_pairs(fields)
        })
        .collect();
    Ok((!mappings.is_empty()).then(|| Value::from(mappings)))
}

/// `promises(made_by=deal.owner.name)`: a text as promises. A promise may end
/// with what else is known of it, in brackets:
/// `SSO before go-live [owner: Platform team, due: 2027-01-15, stretch]`.
pub(super) fn promises(value: &Value, kwargs: Kwargs) -> Result<Option<Value>, Error> {
    let more = extras(&kwargs)?;
    let items = split(value);
    if says_none(&items) {
        return Ok(Some(Value::from("none")));
    }
    let promises: Vec<Value> = items.iter().map(|item| promise(item, &more)).collect();
    Ok((!promises.is_empty()).then(|| Value::from(promises)))
}

fn promise(item: &str, more: &[(String, Value)]) -> Value {
    let (text, noted) = bracketed(item).unwrap_or((item, Vec::new()));
    let mut fields = vec![("promise".to_owned(), Value::from(text))];
    for (name, value) in more {
        if !noted.iter().any(|(own, _)| own == name) {
            fields.push((name.clone(), value.clone()));
        }
    }
    fields.extend(noted);
    Value::from_pairs(fields)
}

/// The promise and what stands in brackets behind it, if all of that is known.
fn bracketed(item: &str) -> Option<(&str, Vec<(String, Value)>)> {
    let (text, inside) = item.strip_suffix(']')?.rsplit_once('[')?;
    let mut noted = Vec::new();
    for part in inside.split(',') {
        let part = part.trim();
        if part.eq_ignore_ascii_case("stretch") {
            noted.push(("stretch".to_owned(), Value::from(true)));
            continue;
        }
        if part.eq_ignore_ascii_case("in contract") {
            noted.push(("in_contract".to_owned(), Value::from("yes")));
            continue;
        }
        let (name, value) = part.split_once(':')?;
        let name = name.trim().to_lowercase().replace(' ', "_");
        if !["owner", "due", "on", "made_by", "made_to", "in_contract"].contains(&name.as_str()) {
            return None;
        }
        if name == "in_contract" {
            let value = value.trim().to_lowercase();
            if !["yes", "no", "unknown"].contains(&value.as_str()) {
                return None;
            }
            noted.push((name, Value::from(value)));
            continue;
        }
        noted.push((name, Value::from(value.trim())));
    }
    let text = text.trim();
    (!text.is_empty()).then_some((text, noted))
}

/// The keyword arguments that say something.
fn extras(kwargs: &Kwargs) -> Result<Vec<(String, Value)>, Error> {
    let mut more = Vec::new();
    let mut names: Vec<&str> = kwargs.args().collect();
    names.sort_unstable();
    for name in names {
        let value: Value = kwargs.get(name)?;
        if !is_absent(&value) {
            more.push((name.to_owned(), value));
        }
    }
    finish(kwargs)?;
    Ok(more)
}
