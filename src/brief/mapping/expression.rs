//! One expression: compiled once, evaluated over data, bounded.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

use super::{filters, reads};
use crate::model::Properties;

/// Instructions that one evaluation may take; the longest default takes under 200.
const FUEL: u64 = 50_000;

/// The longest expression that is compiled, in bytes.
const LONGEST: usize = 4_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(60);
    filters::register(&mut environment);
    environment
});

/// Why an expression cannot be used, or gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong, without the data.
    pub message: String,
    /// A way out, such as `did you mean …?`.
    pub help: Option<String>,
}

impl ExpressionError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }
}

/// A compiled minijinja expression.
#[derive(Debug)]
pub struct Expression {
    source: String,
    compiled: minijinja::Expression<'static, 'static>,
}

impl Expression {
    /// Compiles an expression: its grammar, and that every filter, test and
    /// function in it exists.
    ///
    /// # Errors
    /// When it is no expression, or uses a filter that is not there.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        if source.len() > LONGEST {
            let message =
                format!("the expression has {} bytes; at most {LONGEST} fit", source.len());
            return Err(ExpressionError::new(message));
        }
        if source.contains("{{") || source.contains("{%") {
            return Err(ExpressionError {
                message: "this is a template, and an expression is wanted".to_owned(),
                help: Some(
                    "write the expression alone, without `{{ }}`: `deal.properties.account_tier`"
                        .to_owned(),
                ),
            });
        }
        let compiled = ENVIRONMENT
            .compile_expression_owned(source.to_owned())
            .map_err(|error| ExpressionError::new(in_words(&error)))?;
        for (name, test) in applied(source) {
            let exists = if test { "test" } else { "filter" };
            let asked = ENVIRONMENT.compile_expression_owned(format!("'{name}' is {exists}"));
            let known = asked.and_then(|asked| asked.eval(())).is_ok_and(|known| known.is_true());
            if !known {
                let help = nearest(&name, filters::likely_names());
                let message = format!("there is no {exists} `{name}`");
                return Err(ExpressionError { message, help });
            }
        }
        Ok(Self { source: source.to_owned(), compiled })
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names it takes from its context that are not among `known`.
    #[must_use]
    pub fn unknown_names(&self, known: &[&str]) -> Vec<ExpressionError> {
        let names: BTreeSet<String> =
            self.compiled.undeclared_variables(false).into_iter().collect();
        let is_function = |name: &str| ENVIRONMENT.globals().any(|(global, _)| global == name);
        names
            .into_iter()
            .filter(|name| !known.contains(&name.as_str()) && !is_function(name))
            .map(|name| ExpressionError {
                help: nearest(&name, known.iter().copied())
                    .or_else(|| Some(format!("names here: {}", known.join(", ")))),
                message: format!("nothing here is called `{name}`"),
            })
            .collect()
    }

    /// The dotted names it reads, `deal.properties.amount`.
    pub(super) fn reads(&self) -> BTreeSet<String> {
        self.compiled.undeclared_variables(true).into_iter().collect()
    }

    /// The properties it reads of a deal and of the records beside it.
    #[must_use]
    pub fn properties(&self) -> Properties {
        reads::properties(&self.source)
    }

    pub(super) fn eval(&self, context: Value) -> Result<Value, ExpressionError> {
        self.compiled.eval(context).map_err(|error| ExpressionError::new(in_words(&error)))
    }

    /// Whether it holds over a context: `deal` and its parts for
    /// `scope.exclude.when`, the brief's sections for `team.assign.when`.
    /// What is not there is false.
    ///
    /// # Errors
    /// When the evaluation fails or takes too long.
    pub fn is_true(&self, context: impl Serialize) -> Result<bool, ExpressionError> {
        Ok(self.eval(Value::from(Serde(context)))?.is_true())
    }
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .min()
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

fn in_words(error: &minijinja::Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "the expression takes too long; make it simpler".to_owned();
    }
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match std::error::Error::source(error) {
        Some(cause) if error.detail().is_none() => format!("{detail}: {cause}"),
        _ => detail,
    }
}

/// The names behind `|` and `is`, found outside of quotes: minijinja itself
/// would notice a misspelt one only when a deal comes by it. True for a test.
fn applied(source: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut chars = source.chars().peekable();
    let mut word = String::new();
    let mut expecting: Option<bool> = None;
    let mut quote: Option<char> = None;
    loop {
        let next = chars.next();
        let c = next.unwrap_or(' ');
        if let Some(open) = quote {
            if c == '\\' {
                chars.next();
            } else if c == open {
                quote = None;
            }
        } else if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            if !word.is_empty() {
                match expecting.take() {
                    Some(true) if word == "not" => expecting = Some(true),
                    Some(test) => found.push((word.clone(), test)),
                    None if word == "is" => expecting = Some(true),
                    None => {}
                }
                word.clear();
            }
            match c {
                '"' | '\'' => quote = Some(c),
                '|' => expecting = Some(false),
                c if !c.is_whitespace() => expecting = None,
                _ => {}
            }
        }
        if next.is_none() {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_tests_are_found_outside_of_quotes() {
        assert_eq!(
            applied("a|lower if b is not defined else 'x | y is z' | day"),
            [("lower".into(), false), ("defined".into(), true), ("day".into(), false)]
        );
    }

    #[test]
    fn a_misspelt_filter_is_known_before_any_deal_comes() {
        let error = Expression::compile("deal.properties.x | numbr").expect_err("misspelt");
        assert_eq!(error.help.as_deref(), Some("did you mean `number`?"), "{error}");
        assert!(Expression::compile("{{ deal.name }}").is_err());
        assert!(Expression::compile("deal.").is_err());
    }

    #[test]
    fn an_endless_expression_ends() {
        let long = Expression::compile("range(10000)|map('upper')|join|length").expect("compiles");
        let _ = long.eval(Value::from(Serde(()))).map(|value| value.to_string());
        let nested = Expression::compile("a.b.c.d == 'x'").expect("compiles");
        assert!(!nested.is_true(serde_json::json!({})).expect("absent is false"));
    }
}
