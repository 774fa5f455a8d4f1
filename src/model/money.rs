//! An amount in a currency: a decimal, never a float.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A decimal amount and its ISO 4217 code, `{amount: "48000.00", currency: USD}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The amount; its scale is kept as it was given.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount: Decimal,
    /// Three capital letters; absent when the source names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// Why a text is no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The amount is not a decimal number.
    #[error("{0:?} is not a decimal amount such as 48000.00")]
    Amount(String),
    /// The currency is not three letters.
    #[error("{0:?} is not an ISO 4217 currency code such as USD")]
    Currency(String),
}

impl Money {
    /// Builds money from a plain decimal text (no thousands separators, no
    /// symbol: recognising those belongs to the reader of a locale's file).
    ///
    /// # Errors
    /// When the amount is no decimal or the currency no three-letter code.
    pub fn parse(amount: &str, currency: Option<&str>) -> Result<Self, MoneyError> {
        let decimal = Decimal::from_str(amount.trim())
            .map_err(|_| MoneyError::Amount(amount.chars().take(40).collect()))?;
        let currency = match currency.map(str::trim).filter(|c| !c.is_empty()) {
            None => None,
            Some(code) if code.len() == 3 && code.bytes().all(|c| c.is_ascii_alphabetic()) => {
                Some(code.to_ascii_uppercase())
            }
            Some(other) => {
                return Err(MoneyError::Currency(other.chars().take(40).collect()));
            }
        };
        Ok(Self { amount: decimal, currency })
    }
}
