//! One way to tell an amount, whichever CRM it came from: HubSpot says
//! `48000`, its export `48000.0`, Salesforce `48000.00`; a brief says one.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::model::Money;

/// Currencies whose smallest unit is the unit itself (ISO 4217, exponent 0).
const WITHOUT_DECIMALS: [&str; 10] =
    ["CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"];

/// The amount with the decimals of its currency: two, none for currencies
/// without a smaller unit, more only where more are given.
pub(super) fn settle(amount: Decimal, currency: Option<String>) -> Money {
    let least = match currency.as_deref() {
        Some(code) if WITHOUT_DECIMALS.contains(&code) => 0,
        _ => 2,
    };
    let mut amount = if amount.scale() > least { amount.normalize() } else { amount };
    if amount.scale() < least {
        amount.rescale(least);
    }
    Money { amount, currency }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_amount_is_told_the_same_way() {
        for (text, currency, told) in [
            ("48000", Some("USD"), "48000.00"),
            ("48000.0", Some("USD"), "48000.00"),
            ("48000.000", None, "48000.00"),
            ("0.125", Some("USD"), "0.125"),
            ("48000", Some("JPY"), "48000"),
            ("48000.00", Some("JPY"), "48000"),
            ("0", None, "0.00"),
        ] {
            let amount = text.parse().expect("decimal");
            let money = settle(amount, currency.map(str::to_owned));
            assert_eq!(money.amount.to_string(), told, "{text} {currency:?}");
        }
    }
}
