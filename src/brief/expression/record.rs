//! Records: properties by name, products, websites.

use minijinja::value::{Kwargs, Rest};
use minijinja::{Error, Value};

use super::filters::{finish, is_absent, text_of};
use super::values::{money_in, quantity, read_number};

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

/// `line_items | products(billing="recurringbillingfrequency", …)`: every line
/// with name, plan, quantity, price, discount, billing period and SKU. The
/// arguments name the properties in which a CRM keeps what a line has no field
/// for: `plan`, `billing`, `discount_percent`, `discount_amount`,
/// `discount_type` (which says whether the amount is one) and `currency`, a
/// currency itself.
pub(super) fn products(line_items: &Value, kwargs: Kwargs) -> Result<Option<Value>, Error> {
    let named: Vec<(&str, Value)> =
        ["plan", "billing", "discount_percent", "discount_amount", "discount_type", "currency"]
            .into_iter()
            .map(|name| Ok((name, kwargs.get::<Option<Value>>(name)?.unwrap_or_default())))
            .collect::<Result<_, Error>>()?;
    finish(&kwargs)?;
    if is_absent(line_items) {
        return Ok(None);
    }
    let argument =
        |name: &str| named.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let currency = argument("currency").as_ref().and_then(text_of);
    let mut products = Vec::new();
    for item in line_items.try_iter()? {
        let attr = |name: &str| item.get_attr(name).ok().filter(|value| !is_absent(value));
        let held = |name: &str| {
            let names = argument(name)?;
            let names: Vec<String> = match names.as_str() {
                Some(name) => vec![name.to_owned()],
                None => names.try_iter().ok()?.filter_map(|name| text_of(&name)).collect(),
            };
            property(&item, Rest(names))
        };
        let sku = attr("sku").as_ref().and_then(text_of);
        let Some(name) = attr("name").as_ref().and_then(text_of).or_else(|| sku.clone()) else {
            continue;
        };
        let mut fields = vec![("name", Value::from(name))];
        if let Some(plan) = held("plan").as_ref().and_then(text_of) {
            fields.push(("plan", Value::from(plan)));
        }
        if let Some(quantity) = attr("quantity").map(|text| quantity(&text)).transpose()? {
            fields.push(("quantity", quantity));
        }
        // A price in no currency says too little.
        if let (Some(price), Some(currency)) = (attr("price"), &currency) {
            fields.push(("unit_price", money_in(&price, currency)?));
        }
        let discount = discount(
            held("discount_percent"),
            held("discount_amount"),
            held("discount_type").as_ref().and_then(text_of),
            currency.as_deref(),
        );
        fields.extend(discount.map(|discount| ("discount", Value::from(discount))));
        if let Some(billing) = held("billing").as_ref().and_then(text_of) {
            fields.push(("billing", Value::from(billing.replace('_', " "))));
        }
        fields.extend(sku.map(|sku| ("sku", Value::from(sku))));
        products.push(Value::from_pairs(fields));
    }
    Ok((!products.is_empty()).then(|| Value::from(products)))
}

/// `10%` or `USD 100.00`; what is no number stays as it is written.
fn discount(
    percent: Option<Value>,
    amount: Option<Value>,
    kind: Option<String>,
    currency: Option<&str>,
) -> Option<String> {
    let says_something = |value: &Value| read_number(value).is_none_or(|number| number.is_true());
    let is_amount = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("amount"));
    let (percent, amount) = match (percent, amount) {
        (Some(value), None) if is_amount => (None, Some(value)),
        other => other,
    };
    if let Some(percent) = percent.filter(says_something) {
        let text = text_of(&percent)?;
        return Some(match read_number(&percent) {
            Some(number) => format!("{number}%"),
            None => text,
        });
    }
    let amount = amount.filter(says_something)?;
    let text = text_of(&amount)?;
    Some(match currency {
        Some(currency) if read_number(&amount).is_some() => format!("{currency} {text}"),
        _ => text,
    })
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
