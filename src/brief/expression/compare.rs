//! Comparing like with like, and rules that may be undecided.

use std::cmp::Ordering;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::ExpressionError;
use super::evaluate::Run;
use super::filters::is_absent;
use super::syntax::{Comparison, Node};
use super::values::read_number;
use crate::text::quoted;

/// What a rule says about one deal or brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It holds.
    Holds,
    /// It does not hold.
    DoesNot,
    /// What it asks about is not there or cannot be compared.
    Undecided {
        /// Why, for people: "`deal.pipeline` has no value".
        why: String,
    },
}

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
enum Kind {
    Flag(bool),
    Number(Value),
    Text(String),
    /// Money: its amount, and its currency where it has one.
    Money(Value, Option<String>),
    Other,
}

fn kind(value: &Value) -> Kind {
    match value.kind() {
        ValueKind::Bool => Kind::Flag(value.is_true()),
        ValueKind::Number => Kind::Number(value.clone()),
        ValueKind::String => Kind::Text(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Map => {
            let inside = |name: &str| value.get_attr(name).ok().filter(|value| !is_absent(value));
            if let Some(amount) = inside("amount").and_then(|amount| number_of(&amount)) {
                let currency = inside("currency").and_then(|c| c.as_str().map(str::to_owned));
                return Kind::Money(amount, currency);
            }
            // An option as a CRM gives it: `{label: Enterprise, value: ent}`.
            let label = ["label", "name", "value"].into_iter().find_map(inside);
            match label.as_ref().and_then(Value::as_str) {
                Some(label) => Kind::Text(label.to_owned()),
                None => Kind::Other,
            }
        }
        _ => Kind::Other,
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
        (Kind::Flag(a), Kind::Flag(b)) => ordered(comparison, a.cmp(&b), a == b),
        (Kind::Flag(flag), Kind::Text(text)) | (Kind::Text(text), Kind::Flag(flag)) => {
            let Some(said) = flag_of(&text).filter(|_| !comparison.is_order()) else {
                return Err(mixed(comparison, left, right).into());
            };
            ordered(comparison, Ordering::Equal, said == flag)
        }
        (Kind::Number(a), Kind::Number(b)) => by(&a, &b),
        (Kind::Text(a), Kind::Text(b)) => match (number_of(left), number_of(right)) {
            // `'9' < '60'` are two numbers in an export's cells.
            (Some(a), Some(b)) if comparison.is_order() => by(&a, &b),
            _ => ordered(comparison, a.cmp(&b), a == b),
        },
        (Kind::Money(a, ours), Kind::Money(b, theirs)) => match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                return Err(ExpressionError::with_help(
                    format!("one amount is in {ours} and the other in {theirs}"),
                    "compare amounts of one currency, or say which: `deal.amount.currency == 'USD' and deal.amount < 60`",
                )
                .into());
            }
            _ => by(&a, &b),
        },
        (Kind::Money(amount, _), Kind::Number(number)) => by(&amount, &number),
        (Kind::Number(number), Kind::Money(amount, _)) => by(&number, &amount),
        (Kind::Text(_), Kind::Number(number)) => match number_of(left) {
            Some(left) => by(&left, &number),
            None => return Err(mixed(comparison, left, right).into()),
        },
        (Kind::Number(number), Kind::Text(_)) => match number_of(right) {
            Some(right) => by(&number, &right),
            None => return Err(mixed(comparison, left, right).into()),
        },
        (Kind::Money(amount, _), Kind::Text(_)) => match number_of(right) {
            Some(right) => by(&amount, &right),
            None => return Err(mixed(comparison, left, right).into()),
        },
        (Kind::Text(_), Kind::Money(amount, _)) => match number_of(left) {
            Some(left) => by(&left, &amount),
            None => return Err(mixed(comparison, left, right).into()),
        },
        (Kind::Other, Kind::Other) if left.kind() == right.kind() && !comparison.is_order() => {
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

fn flag_of(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn in_a_word(value: &Value) -> String {
    match kind(value) {
        Kind::Flag(_) => "true or false".to_owned(),
        Kind::Number(_) => format!("the number {value}"),
        Kind::Text(text) => format!("the text {}", quoted(&text)),
        Kind::Money(..) => "an amount of money".to_owned(),
        Kind::Other if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) => {
            "a list".to_owned()
        }
        Kind::Other => "a record".to_owned(),
    }
}

fn mixed(comparison: Comparison, left: &Value, right: &Value) -> ExpressionError {
    let sign = comparison.sign();
    let message = format!("`{sign}` cannot compare {} with {}", in_a_word(left), in_a_word(right));
    let is_text = |value: &Value| matches!(kind(value), Kind::Text(_));
    let is_number = |value: &Value| matches!(kind(value), Kind::Number(_) | Kind::Money(..));
    let help = match (left, right) {
        (l, r) if is_text(l) && is_number(r) => number_help(sign, r),
        (l, r) if is_number(l) && is_text(r) => number_help(sign, l),
        _ => "compare values of one kind".to_owned(),
    };
    ExpressionError::with_help(message, help)
}

fn number_help(sign: &str, number: &Value) -> String {
    let example = match kind(number) {
        Kind::Number(number) => number.to_string(),
        _ => "60".to_owned(),
    };
    format!("compare with a number: `… | number {sign} {example}`")
}

impl Run<'_> {
    /// Three answers, after Kleene: what is undecided stays undecided unless
    /// the other side decides alone.
    pub(super) fn decide(&mut self, node: &Node) -> Result<Decision, ExpressionError> {
        self.step()?;
        self.deeper(|run| run.decide_node(node))
    }

    fn decide_node(&mut self, node: &Node) -> Result<Decision, ExpressionError> {
        Ok(match node {
            Node::Not(of) => match self.decide(of)? {
                Decision::Holds => Decision::DoesNot,
                Decision::DoesNot => Decision::Holds,
                undecided @ Decision::Undecided { .. } => undecided,
            },
            Node::And(left, right) => match self.decide(left)? {
                Decision::DoesNot => Decision::DoesNot,
                Decision::Holds => self.decide(right)?,
                undecided @ Decision::Undecided { .. } => match self.decide(right)? {
                    Decision::DoesNot => Decision::DoesNot,
                    _ => undecided,
                },
            },
            Node::Or(left, right) => match self.decide(left)? {
                Decision::Holds => Decision::Holds,
                Decision::DoesNot => self.decide(right)?,
                undecided @ Decision::Undecided { .. } => match self.decide(right)? {
                    Decision::Holds => Decision::Holds,
                    _ => undecided,
                },
            },
            Node::Choice { test, yes, no } => {
                let otherwise = |run: &mut Self| match no {
                    Some(no) => run.decide(no),
                    None => Ok(Decision::DoesNot),
                };
                match self.decide(test)? {
                    Decision::Holds => self.decide(yes)?,
                    Decision::DoesNot => otherwise(self)?,
                    undecided @ Decision::Undecided { .. } => {
                        let (yes, no) = (self.decide(yes)?, otherwise(self)?);
                        if yes == no { yes } else { undecided }
                    }
                }
            }
            Node::Compared { first, rest } => self.decide_comparison(first, rest)?,
            Node::Test { name, of, .. }
                if !matches!(name.as_str(), "defined" | "undefined" | "none") =>
            {
                let of_value = self.eval(of)?;
                if is_absent(&of_value) {
                    return Ok(absent(of));
                }
                truth(self.eval(node)?.is_true())
            }
            Node::Test { .. } => truth(self.eval(node)?.is_true()),
            _ => {
                let value = self.eval(node)?;
                if is_absent(&value) && !matches!(value.kind(), ValueKind::Seq | ValueKind::Map) {
                    return Ok(absent(node));
                }
                // HubSpot writes its check boxes as texts.
                truth(value.as_str().and_then(flag_of).unwrap_or_else(|| value.is_true()))
            }
        })
    }

    fn decide_comparison(
        &mut self,
        first: &Node,
        rest: &[(Comparison, Node)],
    ) -> Result<Decision, ExpressionError> {
        let mut decision = Decision::Holds;
        let mut left_node = first;
        let mut left = self.eval(first)?;
        for (comparison, right_node) in rest {
            let right = self.eval(right_node)?;
            match compared(*comparison, &left, &right) {
                Ok(true) => {}
                Ok(false) => return Ok(Decision::DoesNot),
                Err(Undecided::Absent) => {
                    decision = absent(if is_absent(&left) { left_node } else { right_node });
                }
                Err(Undecided::Because(error)) => {
                    decision = Decision::Undecided { why: error.sentence() };
                }
            }
            left_node = right_node;
            left = right;
        }
        Ok(decision)
    }
}

fn truth(holds: bool) -> Decision {
    if holds { Decision::Holds } else { Decision::DoesNot }
}

fn absent(node: &Node) -> Decision {
    Decision::Undecided { why: format!("{} has no value", told(node)) }
}

/// What an expression names, as it is written.
fn told(node: &Node) -> String {
    fn path(node: &Node) -> Option<String> {
        match node {
            Node::Name(name) => Some(name.clone()),
            Node::Attribute { of, name } => Some(format!("{}.{name}", path(of)?)),
            Node::Item { of, key } => match &**key {
                Node::Constant(key) => Some(match key.as_str() {
                    Some(key) => format!("{}['{key}']", path(of)?),
                    None => format!("{}[{key}]", path(of)?),
                }),
                _ => None,
            },
            Node::Filter { name, of: Some(of), arguments } if name == "property" => {
                let named = arguments.iter().find_map(|argument| match &argument.value {
                    Node::Constant(name) => name.as_str().map(str::to_owned),
                    _ => None,
                });
                Some(format!("{} | property('{}')", path(of)?, named?))
            }
            Node::Filter { of: Some(of), .. } => path(of),
            Node::Or(left, right) => Some(format!("{} or {}", path(left)?, path(right)?)),
            _ => None,
        }
    }
    path(node).map_or_else(|| "something it reads".to_owned(), |path| format!("`{path}`"))
}
