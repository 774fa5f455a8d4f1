//! Numbers and money out of what CRMs and exports hold.

use minijinja::value::Kwargs;
use minijinja::{Error, Value};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::filters::{finish, is_absent, refuse, text_of};
use crate::model::Money;

/// Currencies whose smallest coin is the unit itself (ISO 4217).
const WITHOUT_CENTS: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF",
];

/// A plain decimal, or one with commas between groups of three: `48,000.00`.
/// Anything that another locale would read otherwise is refused.
fn decimal(value: &Value) -> Option<Decimal> {
    let text = text_of(value)?;
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let groups: Vec<&str> = whole.split(',').collect();
    let grouped = groups.len() == 1
        || (fraction.is_some() || groups.len() > 2)
            && groups[1..].iter().all(|group| group.len() == 3)
            && (1..=3).contains(&groups[0].len());
    if !grouped || whole.is_empty() {
        return text.parse().ok().filter(|_| whole.is_empty());
    }
    let plain = match fraction {
        Some(fraction) => format!("{sign}{}.{fraction}", groups.concat()),
        None => format!("{sign}{}", groups.concat()),
    };
    // `Decimal` itself takes `_` between digits; a CRM's text with one is no number.
    if plain.contains('_') {
        return None;
    }
    plain.parse().or_else(|_| Decimal::from_scientific(&plain)).ok()
}

/// A number, or a text that is one: how comparisons read a cell.
pub(super) fn read_number(value: &Value) -> Option<Value> {
    if value.is_number() { Some(value.clone()) } else { number(value).ok().flatten() }
}

/// `number`: a number, whole where it is whole: `40.0` is 40.
pub(super) fn number(value: &Value) -> Result<Option<Value>, Error> {
    if is_absent(value) {
        return Ok(None);
    }
    let number = decimal(value).ok_or_else(|| refuse(value, "not a number such as 48000.00"))?;
    let whole = number.is_integer().then(|| number.to_i64()).flatten();
    Ok(Some(match whole {
        Some(whole) => Value::from(whole),
        None => Value::from(number.to_f64().unwrap_or(f64::NAN)),
    }))
}

/// `money` or `money(currency="USD")`: `{amount, currency}` with at least the
/// cents of the currency. Takes money as deals and signatures hold it, or a
/// number.
pub(super) fn money(value: &Value, kwargs: Kwargs) -> Result<Option<Value>, Error> {
    let currency: Option<Value> = kwargs.get("currency")?;
    finish(&kwargs)?;
    if is_absent(value) {
        return Ok(None);
    }
    let inside = value.get_attr("amount").ok().filter(|amount| !is_absent(amount));
    let own = value.get_attr("currency").ok().filter(|currency| !is_absent(currency));
    let currency = own.or(currency).as_ref().and_then(text_of);
    let amount = decimal(inside.as_ref().unwrap_or(value))
        .ok_or_else(|| refuse(value, "not an amount such as 48000.00"))?;
    let money = Money::parse(&amount.to_string(), currency.as_deref())
        .map_err(|_| refuse(&Value::from(currency), "not a currency code such as USD"))?;
    let cents = match money.currency.as_deref() {
        Some(code) if WITHOUT_CENTS.contains(&code) => 0,
        _ => 2,
    };
    let mut amount = money.amount.normalize();
    if amount.scale() < cents {
        amount.rescale(cents);
    }
    let mut fields = vec![("amount", Value::from(amount.to_string()))];
    fields.extend(money.currency.map(|code| ("currency", Value::from(code))));
    Ok(Some(Value::from_pairs(fields)))
}

/// `months`: `12`, `P12M`, `P1Y`, `12 months`, `1 year` as a number of months.
pub(super) fn months(value: &Value) -> Result<Option<i64>, Error> {
    if is_absent(value) {
        return Ok(None);
    }
    let text = text_of(value).unwrap_or_default().to_lowercase();
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let compact = compact.strip_prefix('p').unwrap_or(&compact);
    let split = compact.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(compact.len());
    let (count, unit) = compact.split_at(split);
    let factor = match unit {
        "" | "m" | "mo" | "month" | "months" => Some(1),
        "y" | "yr" | "yrs" | "year" | "years" => Some(12),
        _ => None,
    };
    let count = count.parse::<Decimal>().ok();
    factor
        .zip(count)
        .and_then(|(factor, count)| {
            let months = count.checked_mul(Decimal::from(factor))?;
            months.is_integer().then(|| months.to_i64())?
        })
        .filter(|months| *months > 0)
        .map(Some)
        .ok_or_else(|| refuse(value, "not a number of months such as 12 or P1Y"))
}
