//! Expressions and templates: compiled once, analysed once, bounded. The CRM's
//! text is data and is never compiled.
//!
//! `syntax` reads them, `analysis` says what they read, `shapes` what there is
//! to read, `evaluate` and `compare` what they give, `template` fills pages in;
//! the other files are the filters.

#![expect(
    clippy::needless_pass_by_value,
    reason = "minijinja hands filters their arguments by value"
)]

mod analysis;
mod arguments;
mod compare;
mod evaluate;
mod filters;
mod objects;
mod shapes;
mod syntax;
mod template;
mod values;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

use self::analysis::Analysis;
use self::evaluate::Run;
use self::syntax::ExprNode;
use super::schema::{Outline, Shape};
use crate::model::Properties;
use crate::text::{did_you_mean, nearest};

pub use evaluate::Decision;
pub(crate) use filters::{fold_property, folded_property};
pub use shapes::{Holds, RECORDS};
pub use template::{Print, Template, TemplateFault};
pub(super) use values::{LOCALE, locale_value};

/// Steps that one evaluation may take; the longest default takes under 200.
const STEPS: usize = 50_000;

/// The longest expression that is compiled, in bytes.
const LONGEST: usize = 4_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    filters::register(&mut environment);
    environment
});

/// A compiled expression, in minijinja's syntax.
#[derive(Debug)]
pub struct Expression {
    source: String,
    node: ExprNode,
    analysis: Analysis,
}

impl Expression {
    /// Compiles an expression: its grammar, and that every filter, test and
    /// function in it exists.
    ///
    /// # Errors
    /// When it is no expression, or uses a filter that is not there.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        if source.len() > LONGEST {
            return Err(ExpressionError::new(format!(
                "the expression has {} bytes; at most {LONGEST} fit",
                source.len()
            )));
        }
        if source.contains("{{") || source.contains("{%") {
            return Err(ExpressionError::with_help(
                "this is a template; expected an expression",
                "write the expression alone, without `{{ }}`: `deal.properties.account_tier`",
            ));
        }
        let node =
            syntax::expression(source).map_err(|fault| ExpressionError::new(fault.message))?;
        if let Some(problem) = filter_or_test_problem(&node, &ENVIRONMENT) {
            return Err(problem);
        }
        if let Some(problem) = function_problem(&node) {
            return Err(problem);
        }
        let analysis = Analysis::of(&node);
        Ok(Self { source: source.to_owned(), node, analysis })
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What cannot be right over the records `known` (names of [`RECORDS`]):
    /// names that are not there, attributes that a record does not have,
    /// comparisons of a text with a number.
    #[must_use]
    pub fn problems(&self, known: &[&str]) -> Vec<ExpressionError> {
        let names: BTreeSet<&str> = self
            .analysis
            .paths
            .iter()
            .filter_map(|path| path.first())
            .map(String::as_str)
            .collect();
        let unknown = names.into_iter().filter(|name| !known.contains(name)).map(|name| {
            let help = nearest(name, known.iter().copied()).map_or_else(
                || format!("names here: {}", known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            ExpressionError::with_help(format!("nothing here is called `{name}`"), help)
        });
        unknown.chain(self.analysis.problems.iter().cloned()).collect()
    }

    /// What it reads of a brief that the ledger's schema does not have. The
    /// brief's sections are names of their own (`customer.tier`), or stand
    /// under `root` (`brief.customer.tier`).
    #[must_use]
    pub fn problems_in_brief(&self, outline: &Outline, root: Option<&str>) -> Vec<ExpressionError> {
        let paths = self.analysis.paths.iter().filter_map(|path| match root {
            None => Some(&path[..]),
            Some(root) => path.strip_prefix(&[root.to_owned()][..]),
        });
        paths.filter_map(|path| absent_field(outline, path, root)).collect()
    }

    /// Whether it reads something below this name.
    pub(super) fn reads(&self, name: &str) -> bool {
        self.analysis.paths.iter().any(|path| path.first().is_some_and(|first| first == name))
    }

    /// Whether it reads this path, something below it, or all that it is in.
    #[must_use]
    pub fn reads_path(&self, path: &[&str]) -> bool {
        self.analysis
            .paths
            .iter()
            .any(|read| read.iter().zip(path).all(|(one, other)| one == other))
    }

    /// Every path that it reads: `["deal", "owner", "email"]`.
    pub(super) fn paths(&self) -> &BTreeSet<Vec<String>> {
        &self.analysis.paths
    }

    /// The properties it reads of a deal and of the records beside it.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        &self.analysis.properties
    }

    /// The properties of the deal it reads; `None` where it reads more than
    /// the deal's own fields, its properties by name and the company's own
    /// fields: `deal` as a whole, contacts.
    #[must_use]
    pub fn deal_properties(&self) -> Option<BTreeSet<String>> {
        (!self.analysis.reads_more).then(|| self.analysis.properties.deal.clone())
    }

    pub(super) fn eval(&self, context: Value) -> Result<Value, ExpressionError> {
        Run::new(&ENVIRONMENT, context, STEPS).eval(&self.node)
    }

    /// What it gives over a context, such as `{"signature": …}`; `None` where
    /// that is nothing.
    ///
    /// # Errors
    /// When the evaluation fails, takes too long or makes too much.
    pub fn value(
        &self,
        context: impl Serialize,
    ) -> Result<Option<serde_json::Value>, ExpressionError> {
        let value = self.eval(Value::from(Serde(context)))?;
        if value.is_undefined() || value.is_none() {
            return Ok(None);
        }
        serde_json::to_value(&value)
            .map(Some)
            .map_err(|_| ExpressionError::new("the expression gives no value that can be kept"))
    }

    /// What it says as a rule over a context: `deal` and its parts for
    /// `scope.exclude.when`, the brief's sections for `team.assign.when`. What
    /// has no value, or cannot be compared, leaves it undecided.
    ///
    /// # Errors
    /// When the evaluation fails, takes too long or makes too much.
    pub fn decide(&self, context: impl Serialize) -> Result<Decision, ExpressionError> {
        Run::new(&ENVIRONMENT, Value::from(Serde(context)), STEPS).decide(&self.node)
    }

    /// Whether it is decided, and holds.
    ///
    /// # Errors
    /// As for [`Self::decide`].
    pub fn is_true(&self, context: impl Serialize) -> Result<bool, ExpressionError> {
        Ok(self.decide(context)? == Decision::Holds)
    }
}

/// The first filter or test that does not exist.
fn filter_or_test_problem(
    node: &ExprNode,
    environment: &Environment<'_>,
) -> Option<ExpressionError> {
    let named: Vec<(&str, &str)> = match node {
        ExprNode::Filter { name, arguments, .. } => {
            // `map("upper")`, `select("defined")`: named in a text.
            let at = usize::from(name.ends_with("attr"));
            let inner =
                arguments.get(at).filter(|a| a.name.is_none()).and_then(|a| a.value.as_text());
            let kind = match name.as_str() {
                "map" => Some("filter"),
                "select" | "reject" | "selectattr" | "rejectattr" => Some("test"),
                _ => None,
            };
            std::iter::once((name.as_str(), "filter")).chain(inner.zip(kind)).collect()
        }
        ExprNode::Test { name, .. } => vec![(name, "test")],
        _ => Vec::new(),
    };
    for (name, kind) in named {
        let known = environment.empty_state().perform_test(kind, &[Value::from(name)]);
        if !known.unwrap_or(false) {
            let message = format!("there is no {kind} `{name}`");
            return Some(match nearest(name, filters::likely_names()) {
                Some(near) => {
                    ExpressionError::with_help(message, format!("did you mean `{near}`?"))
                }
                None => ExpressionError::new(message),
            });
        }
    }
    node.parts().into_iter().find_map(|part| filter_or_test_problem(part, environment))
}

/// The first function that does not exist.
fn function_problem(node: &ExprNode) -> Option<ExpressionError> {
    if let ExprNode::Call { what, .. } = node
        && let ExprNode::Name(name) = &**what
        && !ENVIRONMENT.globals().any(|(global, _)| global == name)
    {
        let message = format!("there is no function `{name}`");
        let names = ENVIRONMENT.globals().map(|(global, _)| global);
        return Some(match nearest(name, names) {
            Some(near) => ExpressionError::with_help(message, format!("did you mean `{near}`?")),
            None => ExpressionError::new(message),
        });
    }
    node.parts().into_iter().find_map(function_problem)
}

/// What a path of a brief names that the schema does not have.
fn absent_field(outline: &Outline, path: &[String], root: Option<&str>) -> Option<ExpressionError> {
    let mut fields = outline.fields();
    let mut other = None;
    for (at, name) in path.iter().enumerate() {
        if name == "unknown" {
            return None;
        }
        let found = fields.iter().find(|field| field.name == *name).or(other);
        let Some(found) = found else {
            let above = root.into_iter().chain(path[..at].iter().map(String::as_str));
            let above: Vec<&str> = above.collect();
            let names = fields.iter().map(|field| field.name.as_str());
            let whole: Vec<&str> = above.iter().copied().chain([name.as_str()]).collect();
            let message = format!("the brief's schema has no `{}`", whole.join("."));
            let help = match nearest(name, names.clone()) {
                Some(near) => {
                    let whole: Vec<&str> = above.iter().copied().chain([near]).collect();
                    format!("did you mean `{}`?", whole.join("."))
                }
                None => did_you_mean(name, names),
            };
            return Some(ExpressionError::with_help(message, help));
        };
        match &found.shape {
            Shape::Mapping { fields: inside, other: further, closed }
                if *closed || further.is_some() =>
            {
                fields = inside;
                other = further.as_deref();
            }
            // A list, a value, or a mapping that takes anything: nothing to check.
            _ => return None,
        }
    }
    None
}

// Why an expression cannot be used, in words.

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

    fn with_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }

    /// What is wrong and the way out, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.help {
            Some(help) => format!("{}; {help}", self.message),
            None => self.message.clone(),
        }
    }
}

/// What minijinja says.
fn in_words(error: &minijinja::Error) -> String {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match std::error::Error::source(error) {
        Some(cause) if error.detail().is_none() => format!("{detail}: {cause}"),
        _ => crate::text::shorten(&detail, 300),
    }
}
