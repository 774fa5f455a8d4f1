//! Comparing like with like.

use std::cmp::Ordering;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::ExpressionError;
use super::arguments::is_absent;
use super::syntax::Comparison;
use super::values::read_number;
use crate::text::quoted;

/// Why two values cannot be compared.
#[derive(Debug)]
pub(super) enum Undecided {
    Absent,
    Because(ExpressionError),
}

impl From<ExpressionError> for Undecided {
    fn from(error: ExpressionError) -> Self {
        Self::Because(error)
    }
}

/// A value as comparisons see it.
enum Compared {
    Flag(bool),
    Number(Value),
    Text(String),
    /// Money: its amount, and its currency where it has one.
    Money(Value, Option<String>),
    Other,
}

fn kind(value: &Value) -> Compared {
    match value.kind() {
        ValueKind::Bool => Compared::Flag(value.is_true()),
        ValueKind::Number => Compared::Number(value.clone()),
        ValueKind::String => Compared::Text(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Map => {
            let inside = |name: &str| value.get_attr(name).ok().filter(|value| !is_absent(value));
            if let Some(amount) = inside("amount").and_then(|amount| number_of(&amount)) {
                let currency = inside("currency").and_then(|c| c.as_str().map(str::to_owned));
                return Compared::Money(amount, currency);
            }
            // An option as a CRM gives it: `{label: Enterprise, value: ent}`.
            let label = ["label", "name", "value"].into_iter().find_map(inside);
            match label.as_ref().and_then(Value::as_str) {
                Some(label) => Compared::Text(label.to_owned()),
                None => Compared::Other,
            }
        }
        _ => Compared::Other,
    }
}

/// A number, or a text that is one in the file it comes from.
fn number_of(value: &Value) -> Option<Value> {
    read_number(value)
}

/// Compares two values; numbers in texts compare as numbers.
pub(super) fn compared(
    comparison: Comparison,
    left: &Value,
    right: &Value,
) -> Result<bool, Undecided> {
    match comparison {
        Comparison::In | Comparison::NotIn => {
            if is_absent(left) || right.is_undefined() || right.is_none() {
                return Err(Undecided::Absent);
            }
            return Ok(contains(right, left) == (comparison == Comparison::In));
        }
        // `x == ''` and `x is none` ask whether there is something.
        Comparison::Equal | Comparison::NotEqual if is_absent(left) && is_absent(right) => {
            return Ok(comparison == Comparison::Equal);
        }
        _ => {}
    }
    if is_absent(left) || is_absent(right) {
        return Err(Undecided::Absent);
    }
    let by = |left: &Value, right: &Value| ordered(comparison, left.cmp(right), left == right);
    Ok(match (kind(left), kind(right)) {
        (Compared::Flag(a), Compared::Flag(b)) => ordered(comparison, a.cmp(&b), a == b),
        (Compared::Flag(flag), Compared::Text(text))
        | (Compared::Text(text), Compared::Flag(flag)) => {
            let Some(said) = flag_of(&text).filter(|_| !comparison.is_order()) else {
                return Err(mixed(comparison, left, right).into());
            };
            ordered(comparison, Ordering::Equal, said == flag)
        }
        (Compared::Number(a), Compared::Number(b)) => by(&a, &b),
        // `'9' < '60'` are two numbers in an export's cells.
        (Compared::Text(_), Compared::Text(_))
            if comparison.is_order()
                && let (Some(a), Some(b)) = (number_of(left), number_of(right)) =>
        {
            by(&a, &b)
        }
        (Compared::Text(a), Compared::Text(b)) => ordered(comparison, a.cmp(&b), a == b),
        (Compared::Money(a, ours), Compared::Money(b, theirs)) => match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                return Err(ExpressionError::with_help(
                    format!("one amount is in {ours} and the other in {theirs}"),
                    "compare amounts of one currency, or say which: `deal.amount.currency == 'USD' and deal.amount < 60`",
                )
                .into());
            }
            _ => by(&a, &b),
        },
        (Compared::Money(amount, _), Compared::Number(number)) => by(&amount, &number),
        (Compared::Number(number), Compared::Money(amount, _)) => by(&number, &amount),
        (Compared::Text(_), Compared::Number(number)) => match number_of(left) {
            Some(left) => by(&left, &number),
            None => return Err(mixed(comparison, left, right).into()),
        },
        (Compared::Number(number), Compared::Text(_)) => match number_of(right) {
            Some(right) => by(&number, &right),
            None => return Err(mixed(comparison, left, right).into()),
        },
        (Compared::Money(amount, _), Compared::Text(_)) => match number_of(right) {
            Some(right) => by(&amount, &right),
            None => return Err(mixed(comparison, left, right).into()),
        },
        (Compared::Text(_), Compared::Money(amount, _)) => match number_of(left) {
            Some(left) => by(&left, &amount),
            None => return Err(mixed(comparison, left, right).into()),
        },
        (Compared::Other, Compared::Other)
            if left.kind() == right.kind() && !comparison.is_order() =>
        {
            ordered(comparison, Ordering::Equal, left == right)
        }
        _ => return Err(mixed(comparison, left, right).into()),
    })
}

pub(super) fn ordered(comparison: Comparison, order: Ordering, equal: bool) -> bool {
    match comparison {
        Comparison::Equal => equal,
        Comparison::NotEqual => !equal,
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
        Comparison::In | Comparison::NotIn => false,
    }
}

/// Whether a list, a text or a mapping has this in it.
pub(super) fn contains(outer: &Value, inner: &Value) -> bool {
    if let Some(text) = outer.as_str() {
        return inner.as_str().is_some_and(|inner| text.contains(inner));
    }
    outer.try_iter().is_ok_and(|mut items| items.any(|item| item == *inner))
}

pub(super) fn flag_of(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn in_a_word(value: &Value) -> String {
    match kind(value) {
        Compared::Flag(_) => "true or false".to_owned(),
        Compared::Number(_) => format!("the number {value}"),
        Compared::Text(text) => format!("the text {}", quoted(&text)),
        Compared::Money(..) => "an amount of money".to_owned(),
        Compared::Other if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) => {
            "a list".to_owned()
        }
        Compared::Other => "a record".to_owned(),
    }
}

fn mixed(comparison: Comparison, left: &Value, right: &Value) -> ExpressionError {
    let sign = comparison.sign();
    let message = format!("`{sign}` cannot compare {} with {}", in_a_word(left), in_a_word(right));
    let is_text = |value: &Value| matches!(kind(value), Compared::Text(_));
    let is_number =
        |value: &Value| matches!(kind(value), Compared::Number(_) | Compared::Money(..));
    let help = match (left, right) {
        (l, r) if is_text(l) && is_number(r) => number_help(sign, r),
        (l, r) if is_number(l) && is_text(r) => number_help(sign, l),
        _ => "compare values of one kind".to_owned(),
    };
    ExpressionError::with_help(message, help)
}

fn number_help(sign: &str, number: &Value) -> String {
    let example = match kind(number) {
        Compared::Number(number) => number.to_string(),
        _ => "60".to_owned(),
    };
    format!("compare with a number: `… | number {sign} {example}`")
}
