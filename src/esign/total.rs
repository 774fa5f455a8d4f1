//! What a document is worth.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::model::Money;
use crate::webhook::json;

/// An amount with its currency. `Ok(None)` when there is none or it is zero:
/// a document without prices has the total 0.00 and is not worth nothing.
///
/// # Errors
/// With a remark for people when it is no amount.
pub(super) fn total(
    amount: Option<&Value>,
    currency: Option<&str>,
) -> Result<Option<Money>, String> {
    let text = match amount {
        Some(Value::Number(number)) => number.to_string(),
        Some(value) => match json::scalar(value) {
            Some(text) => text,
            None => return Ok(None),
        },
        None => return Ok(None),
    };
    match Money::parse(&text, currency) {
        Ok(money) if money.amount == Decimal::ZERO => Ok(None),
        Ok(money) => Ok(Some(money)),
        Err(error) => Err(format!("the document's total was left out: {error}")),
    }
}
