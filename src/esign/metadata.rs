//! What senders put on a document, flattened to name and value.

use serde_json::{Map, Value};

use crate::webhook::json;

/// Ends of names whose values open something or say where somebody was; they
/// never leave the provider's file.
const NEVER_KEPT: &[&str] = &[
    "accesscode",
    "accesstoken",
    "apikey",
    "ipaddress",
    "passcode",
    "password",
    "sharedlink",
    "signinglink",
    "signingurl",
    "signurl",
];

/// Adds a value under a name unless the name is taken, blank or one that must
/// not be kept. Texts, numbers, flags and lists of them are kept; other values
/// are not.
pub(super) fn add(metadata: &mut Map<String, Value>, name: &str, value: &Value) {
    let name = name.trim();
    if name.is_empty() || metadata.contains_key(name) || is_private(name) {
        return;
    }
    if let Some(value) = plain(value) {
        metadata.insert(name.to_owned(), value);
    }
}

/// Adds a text, when there is one.
pub(super) fn add_text(metadata: &mut Map<String, Value>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        add(metadata, name, &Value::from(text));
    }
}

/// Adds all members of an object.
pub(super) fn add_object(metadata: &mut Map<String, Value>, object: Option<&Value>) {
    for (name, value) in object.and_then(Value::as_object).into_iter().flatten() {
        add(metadata, name, value);
    }
}

/// Adds the values of a list of `{name, value}`, under whichever of the keys
/// gives a name.
pub(super) fn add_named(metadata: &mut Map<String, Value>, items: &[Value], keys: &[&str]) {
    for item in items {
        let Some(value) = item.get("value") else { continue };
        for key in keys {
            if let Some(name) = json::text(item, &[key]) {
                add(metadata, name, value);
            }
        }
    }
}

fn is_private(name: &str) -> bool {
    let folded: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    NEVER_KEPT.iter().any(|part| folded.ends_with(part))
}

fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| Value::from(text))
        }
        Value::Number(_) | Value::Bool(_) => Some(value.clone()),
        Value::Array(values) => {
            let values: Vec<Value> = values.iter().filter_map(plain).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        Value::Null | Value::Object(_) => None,
    }
}
