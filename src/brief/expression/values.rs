//! The filters for days, times, numbers, money and months. They read a text as
//! the deal's own source writes it ([`Locale`]) and refuse it in the same words.

use chrono::{DateTime, SecondsFormat, Utc};
use minijinja::value::{Kwargs, Object};
use minijinja::{Error, ErrorKind, State, Value};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::arguments::{finish, is_absent, refuse, text_of};
use crate::model::{AmountFault, Locale, Money};
use crate::text::quoted;

/// The name under which an expression's context holds the deal's locale.
pub(crate) const LOCALE: &str = "__locale";

#[derive(Debug)]
struct DealLocale(Locale);

impl Object for DealLocale {}

/// A deal's locale for the context.
pub(crate) fn locale_value(locale: Locale) -> Value {
    Value::from_object(DealLocale(locale))
}

fn locale(state: &State<'_, '_>) -> Locale {
    state
        .get_temp(LOCALE)
        .and_then(|value| value.downcast_object_ref::<DealLocale>().map(|held| held.0))
        .unwrap_or_default()
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Milliseconds since 1970, as CRMs give them; a smaller number is not a time.
fn epoch(value: &Value) -> Option<DateTime<Utc>> {
    let milliseconds = value.as_i64().filter(|_| value.is_number())?;
    (100_000_000_000..10_000_000_000_000)
        .contains(&milliseconds)
        .then(|| DateTime::from_timestamp_millis(milliseconds))
        .flatten()
}

/// `day`: the day alone, `YYYY-MM-DD`. `03/04/2026` is refused unless the
/// deal's source proves its order.
pub(super) fn day(state: &State<'_, '_>, value: &Value) -> Result<Option<String>, Error> {
    if is_absent(value) {
        return Ok(None);
    }
    let locale = locale(state);
    if let Some(time) = epoch(value) {
        return Ok(Some(locale.day_of(time).to_string()));
    }
    let text = text_of(value).unwrap_or_default();
    let day = locale.day(&text).map_err(|fault| refused(fault.words(&quoted(&text))))?;
    Ok(Some(day.to_string()))
}

/// `time`: RFC 3339 in UTC. A day alone is refused, and so is a time without a
/// zone where the deal's source has none.
pub(super) fn time(state: &State<'_, '_>, value: &Value) -> Result<Option<String>, Error> {
    if is_absent(value) {
        return Ok(None);
    }
    let told = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    if let Some(time) = epoch(value) {
        return Ok(Some(told(time)));
    }
    let locale = locale(state);
    let text = text_of(value).unwrap_or_default();
    let moment = locale.moment(&text).map_err(|fault| refused(fault.words(&quoted(&text))))?;
    if !moment.has_time {
        return Err(refuse(value, "a day, where a time is expected"));
    }
    if !moment.has_offset && locale.zone.is_none() {
        return Err(refuse(value, "a time without a zone"));
    }
    Ok(Some(told(moment.at)))
}

/// `dated("Go-live")`: a list with one critical date, `{date, what}`.
pub(super) fn dated(
    state: &State<'_, '_>,
    value: &Value,
    what: &str,
) -> Result<Option<Value>, Error> {
    Ok(day(state, value)?.map(|date| {
        Value::from(vec![Value::from_pairs([("date", Value::from(date)), ("what", what.into())])])
    }))
}

/// A number as a program writes it: JSON's own, or the amount of a deal or
/// signature, which has been read once already.
fn plain(text: &str) -> Option<Decimal> {
    if text.contains('_') {
        // `Decimal` takes `_` between digits; a CRM's text with one is not a number.
        return None;
    }
    text.parse().or_else(|_| Decimal::from_scientific(text)).ok()
}

/// Whether this text is the deal's amount, which has been read once already.
fn is_deal_amount(state: &State<'_, '_>, text: &str) -> bool {
    let amount = state.get_temp("deal").and_then(|deal| deal.get_attr("amount").ok());
    amount
        .and_then(|amount| amount.get_attr("amount").ok())
        .is_some_and(|amount| amount.as_str() == Some(text))
}

fn decimal(state: &State<'_, '_>, value: &Value) -> Result<Decimal, Error> {
    let text = text_of(value).unwrap_or_default();
    if (value.is_number() || is_deal_amount(state, &text))
        && let Some(number) = plain(&text)
    {
        return Ok(number);
    }
    locale(state).number(&text).map_err(|fault| {
        let fault = match fault {
            AmountFault::NotAnAmount => AmountFault::NotANumber,
            other => other,
        };
        refused(fault.words(&quoted(&text)))
    })
}

fn shortest(number: Decimal) -> Value {
    let whole = number.is_integer().then(|| number.to_i64()).flatten();
    match whole {
        Some(whole) => Value::from(whole),
        None => Value::from(number.to_f64().unwrap_or(f64::NAN)),
    }
}

/// `number`: a number, whole where it is whole: `40.0` is 40.
pub(super) fn number(state: &State<'_, '_>, value: &Value) -> Result<Option<Value>, Error> {
    if is_absent(value) {
        return Ok(None);
    }
    decimal(state, value).map(|number| Some(shortest(number)))
}

/// The quantity of a line, which was read with the deal.
pub(super) fn quantity(value: &Value) -> Result<Value, Error> {
    let text = text_of(value).unwrap_or_default();
    plain(&text).map(shortest).ok_or_else(|| refused(AmountFault::NotANumber.words(&quoted(&text))))
}

/// A number, or a text that is one wherever it comes from.
pub(super) fn read_number(value: &Value) -> Option<Value> {
    if value.is_number() {
        // Salesforce writes 10 per cent as 10.0.
        return plain(&value.to_string()).map(shortest).or_else(|| Some(value.clone()));
    }
    Locale::default().number(&text_of(value)?).ok().map(shortest)
}

/// The price of a line, which was read with the deal, in the deal's currency.
pub(super) fn money_in(value: &Value, currency: &str) -> Result<Value, Error> {
    let text = text_of(value).unwrap_or_default();
    let amount =
        plain(&text).ok_or_else(|| refused(AmountFault::NotAnAmount.words(&quoted(&text))))?;
    let currency =
        Money::parse("0", Some(currency)).map_err(|error| refused(error.to_string()))?.currency;
    Ok(as_value(Money::settled(amount, currency)))
}

fn as_value(money: Money) -> Value {
    let mut fields = vec![("amount", Value::from(money.amount.to_string()))];
    fields.extend(money.currency.map(|code| ("currency", Value::from(code))));
    Value::from_pairs(fields)
}

/// `money` or `money(currency="USD")`: `{amount, currency}` with at least the
/// decimals of the currency. Takes money as deals and signatures hold it, or a
/// text such as `1.500,50 €`.
pub(super) fn money(
    state: &State<'_, '_>,
    value: &Value,
    kwargs: Kwargs,
) -> Result<Option<Value>, Error> {
    let wanted: Option<Value> = kwargs.get("currency")?;
    finish(&kwargs)?;
    if is_absent(value) {
        return Ok(None);
    }
    let inside = value.get_attr("amount").ok().filter(|amount| !is_absent(amount));
    let own = value.get_attr("currency").ok().filter(|currency| !is_absent(currency));
    let read = inside.is_some() || value.is_number();
    let text = text_of(inside.as_ref().unwrap_or(value)).unwrap_or_default();
    let found = if read || is_deal_amount(state, &text) { plain(&text) } else { None };
    let (amount, mark) = match found {
        Some(amount) => (amount, None),
        None => {
            locale(state).amount(&text).map_err(|fault| refused(fault.words(&quoted(&text))))?
        }
    };
    let named = own.or(wanted).as_ref().and_then(text_of);
    let currency =
        Money::parse("0", named.as_deref()).map_err(|error| refused(error.to_string()))?;
    let currency = match (currency.currency, mark) {
        (Some(code), Some(mark)) if !mark.fits(&code) => {
            return Err(refused(format!("{} is not an amount in {code}", quoted(&text))));
        }
        (Some(code), _) => Some(code),
        (None, mark) => mark.and_then(crate::model::CurrencyMark::code).map(str::to_owned),
    };
    Ok(Some(as_value(Money::settled(amount, currency))))
}

/// `months`: `12`, `P12M`, `P1Y`, `12 months`, `3 Jahre` as a number of months.
pub(super) fn months(state: &State<'_, '_>, value: &Value) -> Result<Option<i64>, Error> {
    if is_absent(value) {
        return Ok(None);
    }
    let text = text_of(value).unwrap_or_default();
    let locale = if value.is_number() { Locale::default() } else { locale(state) };
    locale.months(&text).map(Some).map_err(|fault| refused(fault.words(&quoted(&text))))
}
