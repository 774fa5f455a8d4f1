//! A number as a CRM's API gives it.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::model::Money;

/// [`Money::settled`].
pub(super) fn settle(amount: Decimal, currency: Option<String>) -> Money {
    Money::settled(amount, currency)
}

/// A number in JSON, or in a text, with all its digits.
pub(super) fn number(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
}
