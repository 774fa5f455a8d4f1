//! Records: properties by name, products, websites.

use minijinja::value::Rest;
use minijinja::{Error, Value};

use super::filters::{is_absent, text_of};
use super::values::quantity;

/// `deal | property("Handoff: success metric", "Success Criteria")`: the first
/// of these properties that has a value. Where no name fits exactly, case and
/// punctuation do not count, nor does a leading `Deal` or `Opportunity` or a
/// trailing `__c`: exports write one property in several ways.
pub(super) fn property(record: &Value, names: Rest<String>) -> Option<Value> {
    let properties = record.get_attr("properties").ok()?;
    let exact = |name: &String| properties.get_attr(name).ok().filter(|value| !is_absent(value));
    if let Some(found) = names.iter().find_map(exact) {
        return Some(found);
    }
    let keys: Vec<Value> = properties.try_iter().map(Iterator::collect).unwrap_or_default();
    let folded: Vec<(String, &Value)> =
        keys.iter().filter_map(|key| Some((fold(key.as_str()?), key))).collect();
    names.iter().find_map(|name| {
        let name = fold(name);
        let matching = folded.iter().filter(|(key, _)| *key == name);
        matching
            .filter_map(|(_, key)| properties.get_item(key).ok())
            .find(|value| !is_absent(value))
    })
}

/// A property's name as [`property`] compares it.
pub(crate) fn fold(name: &str) -> String {
    let name = name.strip_suffix("__c").or_else(|| name.strip_suffix("__C")).unwrap_or(name);
    let folded: String =
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let bare = folded.strip_prefix("deal").or_else(|| folded.strip_prefix("opportunity"));
    match bare {
        Some(bare) if !bare.is_empty() => bare.to_owned(),
        _ => folded,
    }
}

/// `line_items | products`: name, plan and quantity of each line.
pub(super) fn products(line_items: &Value) -> Result<Option<Value>, Error> {
    if is_absent(line_items) {
        return Ok(None);
    }
    let mut products = Vec::new();
    for item in line_items.try_iter()? {
        let attr = |name: &str| item.get_attr(name).ok().filter(|value| !is_absent(value));
        let Some(name) = attr("name").or_else(|| attr("sku")).as_ref().and_then(text_of) else {
            continue;
        };
        let mut fields = vec![("name", Value::from(name))];
        // No CRM has a plan of its own; where a company keeps one, it is a property of this name.
        let plan = attr("properties").and_then(|properties| {
            ["plan", "Plan"].iter().find_map(|name| text_of(&properties.get_attr(name).ok()?))
        });
        if let Some(plan) = plan {
            fields.push(("plan", Value::from(plan)));
        }
        if let Some(quantity) = attr("quantity").map(|text| quantity(&text)).transpose()? {
            fields.push(("quantity", quantity));
        }
        products.push(Value::from_pairs(fields));
    }
    Ok((!products.is_empty()).then(|| Value::from(products)))
}

/// `website`: a link, also from a bare domain such as `acme.example`.
pub(super) fn website(value: &Value) -> Option<String> {
    let text = text_of(value)?;
    let link = if text.starts_with("https://") || text.starts_with("http://") {
        text
    } else if text.contains('.') && !text.contains("://") {
        format!("https://{text}")
    } else {
        return None;
    };
    let parsed = url::Url::parse(&link).ok()?;
    parsed.host_str()?;
    // `Url` adds a final slash to a bare host; readers and other CRMs do not write it.
    Some(link.trim_end_matches('/').split_whitespace().collect::<String>())
}
