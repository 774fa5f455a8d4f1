//! Evaluating, bounded in steps, bytes and depth, and deciding rules that may be
//! undecided.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, State, Value};

use super::arguments::is_absent;
use super::compare::{Undecided, compared, flag_of};
use super::objects::{Loop, Namespace};
use super::syntax::{Argument, Comparison, ExprNode, Macro, Operator};
use super::{ExpressionError, compare, in_words};

// Rules, which may be undecided.

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

impl Run<'_> {
    /// Three answers, after Kleene: what is undecided stays undecided unless
    /// the other side decides alone.
    pub(super) fn decide(&mut self, node: &ExprNode) -> Result<Decision, ExpressionError> {
        self.step()?;
        self.deeper(|run| run.decide_node(node))
    }

    fn decide_node(&mut self, node: &ExprNode) -> Result<Decision, ExpressionError> {
        Ok(match node {
            ExprNode::Not(of) => match self.decide(of)? {
                Decision::Holds => Decision::DoesNot,
                Decision::DoesNot => Decision::Holds,
                undecided @ Decision::Undecided { .. } => undecided,
            },
            ExprNode::And(left, right) => match self.decide(left)? {
                Decision::DoesNot => Decision::DoesNot,
                Decision::Holds => self.decide(right)?,
                undecided @ Decision::Undecided { .. } => match self.decide(right)? {
                    Decision::DoesNot => Decision::DoesNot,
                    _ => undecided,
                },
            },
            ExprNode::Or(left, right) => match self.decide(left)? {
                Decision::Holds => Decision::Holds,
                Decision::DoesNot => self.decide(right)?,
                undecided @ Decision::Undecided { .. } => match self.decide(right)? {
                    Decision::Holds => Decision::Holds,
                    _ => undecided,
                },
            },
            ExprNode::Choice { test, yes, no } => {
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
            ExprNode::Compared { first, rest } => self.decide_comparison(first, rest)?,
            ExprNode::Test { name, of, .. }
                if !matches!(name.as_str(), "defined" | "undefined" | "none") =>
            {
                let of_value = self.eval(of)?;
                if is_absent(&of_value) {
                    return Ok(absent(of));
                }
                truth(self.eval(node)?.is_true())
            }
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
        first: &ExprNode,
        rest: &[(Comparison, ExprNode)],
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

fn absent(node: &ExprNode) -> Decision {
    Decision::Undecided { why: format!("{} has no value", told(node)) }
}

/// What an expression names, as it is written.
fn told(node: &ExprNode) -> String {
    fn path(node: &ExprNode) -> Option<String> {
        match node {
            ExprNode::Name(name) => Some(name.clone()),
            ExprNode::Attribute { of, name } => Some(format!("{}.{name}", path(of)?)),
            ExprNode::Item { of, key } => match &**key {
                ExprNode::Constant(key) => Some(match key.as_str() {
                    Some(key) => format!("{}['{key}']", path(of)?),
                    None => format!("{}[{key}]", path(of)?),
                }),
                _ => None,
            },
            ExprNode::Filter { name, of: Some(of), arguments } if name == "property" => {
                let named = arguments.iter().find_map(|argument| match &argument.value {
                    ExprNode::Constant(name) => name.as_str().map(str::to_owned),
                    _ => None,
                });
                Some(format!("{} | property('{}')", path(of)?, named?))
            }
            ExprNode::Filter { of: Some(of), .. } => path(of),
            ExprNode::Or(left, right) => Some(format!("{} or {}", path(left)?, path(right)?)),
            _ => None,
        }
    }
    path(node).map_or_else(|| "something it reads".to_owned(), |path| format!("`{path}`"))
}

// How large a value is.

/// The largest value that is made, in bytes: text, or everything in a list.
pub(super) const LARGEST: usize = 4 << 20;

/// Values in values in values; a template's macros and parts in each other.
pub(super) const DEEPEST: usize = 64;

/// Whether a value fits into what is left.
pub(super) fn weigh(value: &Value, depth: usize, left: &mut usize) -> bool {
    let mut take = |size: usize| match left.checked_sub(size) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    };
    if depth > DEEPEST {
        return false;
    }
    match value.kind() {
        ValueKind::String => take(16 + value.as_str().map_or(0, str::len)),
        ValueKind::Bytes => take(16 + value.as_bytes().map_or(0, <[u8]>::len)),
        ValueKind::Seq | ValueKind::Iterable => {
            take(16)
                && value
                    .try_iter()
                    .is_ok_and(|mut items| items.all(|item| weigh(&item, depth + 1, left)))
        }
        ValueKind::Map => {
            take(16)
                && value.try_iter().is_ok_and(|mut keys| {
                    keys.all(|key| {
                        weigh(&key, depth + 1, left)
                            && value
                                .get_item(&key)
                                .is_ok_and(|inside| weigh(&inside, depth + 1, left))
                    })
                })
        }
        _ => take(16),
    }
}

/// A text that refuses to become too large.
pub(super) struct Bounded(pub String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > LARGEST {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

// Evaluating, bounded: every step and every byte that is made counts, so that
// no expression or template of a ledger can hang handoff or exhaust memory.
// minijinja's own fuel counts steps alone, and sixty times `x ~ x` is few.

/// All that one evaluation may make or go through, in bytes.
const TOTAL: usize = 32 << 20;

/// One evaluation and what it may still use.
pub(super) struct Run<'e> {
    state: State<'e, 'e>,
    context: Value,
    /// The names that were set, innermost scope last.
    pub(super) scopes: Vec<BTreeMap<String, Value>>,
    pub(super) macros: BTreeMap<String, Arc<Macro>>,
    /// What is being written, innermost capture last.
    pub(super) out: Vec<String>,
    pub(super) print: Option<&'e (dyn Fn(&Value) -> String + Send + Sync)>,
    steps: usize,
    bytes: usize,
    depth: usize,
    /// Whether comparing a text with a number is an error, as in expressions.
    pub(super) strict: bool,
}

impl<'e> Run<'e> {
    pub(super) fn new(environment: &'e Environment<'e>, context: Value, steps: usize) -> Self {
        let mut state = environment.empty_state();
        // What filters look up beside their arguments.
        for name in [super::LOCALE, "deal"] {
            state.set_temp(name, attribute(&context, name));
        }
        Self {
            state,
            context,
            scopes: vec![BTreeMap::new()],
            macros: BTreeMap::new(),
            out: Vec::new(),
            print: None,
            steps,
            bytes: TOTAL,
            depth: 0,
            strict: true,
        }
    }

    pub(super) fn step(&mut self) -> Result<(), ExpressionError> {
        self.steps = self.steps.checked_sub(1).ok_or_else(|| {
            ExpressionError::with_help("it takes too many steps", "make it simpler")
        })?;
        Ok(())
    }

    /// Takes bytes from what may be made.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), ExpressionError> {
        if bytes > LARGEST {
            return Err(too_large());
        }
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| {
            ExpressionError::with_help(
                format!("it makes more than {} MiB of text", TOTAL >> 20),
                "make it simpler",
            )
        })?;
        Ok(())
    }

    /// Runs something one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<T, ExpressionError>,
    ) -> Result<T, ExpressionError> {
        self.depth += 1;
        if self.depth > DEEPEST * 4 {
            return Err(ExpressionError::with_help(
                "it is nested too deeply",
                "make it simpler; a macro must not call itself without an end",
            ));
        }
        let result = run(self);
        self.depth -= 1;
        result
    }

    pub(super) fn eval(&mut self, node: &ExprNode) -> Result<Value, ExpressionError> {
        self.step()?;
        self.deeper(|run| run.node(node))
    }

    fn node(&mut self, node: &ExprNode) -> Result<Value, ExpressionError> {
        match node {
            ExprNode::Name(name) => Ok(self.lookup(name)),
            ExprNode::Constant(value) => Ok(value.clone()),
            ExprNode::Slice { of, bounds } => {
                let mut values = vec![self.eval(of)?];
                for bound in bounds {
                    values.push(bound.as_ref().map_or(Ok(Value::from(())), |b| self.eval(b))?);
                }
                if is_nothing(&values[0]) {
                    return Ok(Value::UNDEFINED);
                }
                self.builtin(&SLICE, &values)
            }
            ExprNode::Not(of) => Ok(Value::from(!self.eval(of)?.is_true())),
            ExprNode::Minus(of) => {
                let value = self.eval(of)?;
                self.builtin(&MINUS, &[value])
            }
            ExprNode::And(left, right) => {
                let value = self.eval(left)?;
                if value.is_true() { self.eval(right) } else { Ok(value) }
            }
            ExprNode::Or(left, right) => {
                let value = self.eval(left)?;
                if value.is_true() { Ok(value) } else { self.eval(right) }
            }
            ExprNode::Joined(left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                let joined = format!("{}{}", self.text(&left)?, self.text(&right)?);
                self.charge(joined.len())?;
                Ok(Value::from(joined))
            }
            ExprNode::Calculated { operator, left, right } => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                self.calculate(*operator, left, right)
            }
            ExprNode::Compared { first, rest } => {
                let mut left = self.eval(first)?;
                for (comparison, right) in rest {
                    let right = self.eval(right)?;
                    if !self.compare(*comparison, &left, &right)? {
                        return Ok(Value::from(false));
                    }
                    left = right;
                }
                Ok(Value::from(true))
            }
            ExprNode::Choice { test, yes, no } => match (self.eval(test)?.is_true(), no) {
                (true, _) => self.eval(yes),
                (false, Some(no)) => self.eval(no),
                (false, None) => Ok(Value::UNDEFINED),
            },
            ExprNode::Filter { name, of, arguments } => {
                let of = of.as_ref().map_or(Ok(Value::UNDEFINED), |of| self.eval(of))?;
                let arguments = self.arguments(arguments)?;
                self.filter(name, of, arguments)
            }
            ExprNode::Test { name, of, arguments } => {
                let mut values = vec![self.eval(of)?];
                values.extend(self.arguments(arguments)?);
                self.charge_inputs(&values)?;
                let passed = self.state.perform_test(name, &values);
                passed.map(Value::from).map_err(|error| ExpressionError::new(in_words(&error)))
            }
            ExprNode::Attribute { of, name } => {
                let of = self.eval(of)?;
                Ok(attribute(&of, name))
            }
            ExprNode::Item { of, key } => {
                let (of, key) = (self.eval(of)?, self.eval(key)?);
                if is_nothing(&of) {
                    return Ok(Value::UNDEFINED);
                }
                Ok(of.get_item(&key).unwrap_or(Value::UNDEFINED))
            }
            ExprNode::Call { what, arguments } => self.call(what, arguments),
            ExprNode::List(items) => {
                let items: Vec<Value> =
                    items.iter().map(|item| self.eval(item)).collect::<Result<_, _>>()?;
                self.made(Value::from(items))
            }
            ExprNode::Map(entries) => {
                let mut made = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    made.push((self.eval(key)?, self.eval(value)?));
                }
                self.made(Value::from_pairs(made))
            }
        }
    }

    fn lookup(&self, name: &str) -> Value {
        for scope in self.scopes.iter().rev() {
            if let Some(value) = scope.get(name) {
                return value.clone();
            }
        }
        let value = attribute(&self.context, name);
        if value.is_undefined() { self.state.lookup(name).unwrap_or_default() } else { value }
    }

    /// The text of a value, within what may be made.
    pub(super) fn text(&mut self, value: &Value) -> Result<String, ExpressionError> {
        if value.is_undefined() {
            return Ok(String::new());
        }
        let mut text = Bounded(String::new());
        write!(text, "{value}").map_err(|_| too_large())?;
        self.charge(text.0.len())?;
        Ok(text.0)
    }

    /// Accounts for a value that was made: its size and depth.
    pub(super) fn made(&mut self, value: Value) -> Result<Value, ExpressionError> {
        let value = if value.kind() == ValueKind::Iterable {
            let mut items = Vec::new();
            for item in value.try_iter().map_err(|error| fault(&error))? {
                self.charge(16)?;
                items.push(item);
            }
            Value::from(items)
        } else {
            value
        };
        let mut left = LARGEST;
        if !weigh(&value, 0, &mut left) {
            return Err(too_large());
        }
        self.charge(LARGEST - left)?;
        Ok(value)
    }

    fn charge_inputs(&mut self, values: &[Value]) -> Result<(), ExpressionError> {
        let size = |value: &Value| {
            value.as_str().map_or_else(|| value.len().unwrap_or_default(), str::len)
        };
        values.iter().try_for_each(|value| self.charge(size(value)))
    }

    pub(super) fn arguments(&mut self, given: &[Argument]) -> Result<Vec<Value>, ExpressionError> {
        let mut values = Vec::with_capacity(given.len());
        let mut named = Vec::new();
        for argument in given {
            let value = self.eval(&argument.value)?;
            match &argument.name {
                Some(name) => named.push((name.clone(), value)),
                None => values.push(value),
            }
        }
        if !named.is_empty() {
            values.push(Value::from(named.into_iter().collect::<Kwargs>()));
        }
        Ok(values)
    }

    pub(super) fn filter(
        &mut self,
        name: &str,
        of: Value,
        arguments: Vec<Value>,
    ) -> Result<Value, ExpressionError> {
        // `map("replace", …)` is as many filters as there are items.
        if name == "map"
            && let Some((Some(inner), rest)) =
                arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
        {
            if is_nothing(&of) {
                return Ok(Value::from(Vec::<Value>::new()));
            }
            let mut items = Vec::new();
            for item in of.try_iter().map_err(|error| fault(&error))? {
                self.step()?;
                items.push(self.deeper(|run| run.filter(inner, item, rest.to_vec()))?);
            }
            return self.made(Value::from(items));
        }
        let mut values = vec![of];
        values.extend(arguments);
        self.charge_inputs(&values)?;
        self.check_growth(name, &values)?;
        let result = self.state.apply_filter(name, &values).map_err(|error| fault(&error))?;
        self.made(result)
    }

    /// Refuses what would make a value too large, before it is made.
    fn check_growth(&mut self, name: &str, values: &[Value]) -> Result<(), ExpressionError> {
        let text = |at: usize| values.get(at).and_then(Value::as_str).unwrap_or_default();
        let numbers = values[1..].iter().flat_map(|value| {
            let inside = (value.is_kwargs()).then(|| value.try_iter().ok()).flatten();
            let inside: Vec<Value> =
                inside.into_iter().flatten().filter_map(|key| value.get_item(&key).ok()).collect();
            std::iter::once(value.clone()).chain(inside)
        });
        let largest = numbers.filter_map(|value| value.as_usize()).max().unwrap_or_default();
        let would_be = match name {
            "replace" => {
                let matches = match text(1) {
                    "" => text(0).len() + 1,
                    from => text(0).matches(from).count(),
                };
                matches.saturating_mul(text(2).len())
            }
            "join" => values[0].len().unwrap_or_default().saturating_mul(text(1).len()),
            "indent" => text(0).lines().count().saturating_add(1).saturating_mul(largest),
            "tojson" | "json" | "batch" | "slice" if largest > 1_000 => usize::MAX,
            "format" => {
                let digits = text(0).split(|c: char| !c.is_ascii_digit());
                let widest = digits.filter_map(|d| {
                    if d.is_empty() { None } else { Some(d.parse().unwrap_or(usize::MAX)) }
                });
                let star = if text(0).contains('*') { largest } else { 0 };
                widest.max().unwrap_or_default().max(star)
            }
            _ => 0,
        };
        if would_be > LARGEST { Err(too_large()) } else { self.charge(would_be) }
    }

    pub(super) fn call(
        &mut self,
        what: &ExprNode,
        given: &[Argument],
    ) -> Result<Value, ExpressionError> {
        match what {
            ExprNode::Name(name) => {
                if let Some(found) = self.macros.get(name).cloned() {
                    let arguments = self.arguments(given)?;
                    return self.call_macro(&found, &arguments);
                }
                let arguments = self.arguments(given)?;
                if name == "namespace" {
                    return Ok(Namespace::of(arguments.first()));
                }
                let function = self.lookup(name);
                if function.is_undefined() {
                    return Err(ExpressionError::new(format!("there is no function `{name}`")));
                }
                self.charge_inputs(&arguments)?;
                let result =
                    function.call(&mut self.state, &arguments).map_err(|error| fault(&error))?;
                self.made(result)
            }
            ExprNode::Attribute { of, name } => {
                let of = self.eval(of)?;
                let arguments = self.arguments(given)?;
                if name == "cycle" && of.downcast_object_ref::<Loop>().is_some() {
                    let index = attribute(&of, "index0").as_usize().unwrap_or_default();
                    let at = index.checked_rem(arguments.len()).unwrap_or_default();
                    return Ok(arguments.get(at).cloned().unwrap_or_default());
                }
                Err(ExpressionError::with_help(
                    format!("nothing here has a method `{name}`"),
                    format!("write it as a filter, if there is one: `… | {name}`"),
                ))
            }
            _ => Err(ExpressionError::new("only a name can be called")),
        }
    }

    pub(super) fn compare(
        &mut self,
        comparison: Comparison,
        left: &Value,
        right: &Value,
    ) -> Result<bool, ExpressionError> {
        self.charge_inputs(&[left.clone(), right.clone()])?;
        if self.strict {
            return match compare::compared(comparison, left, right) {
                Ok(holds) => Ok(holds),
                // What is absent is unlike everything.
                Err(compare::Undecided::Absent) => {
                    Ok(matches!(comparison, Comparison::NotEqual | Comparison::NotIn))
                }
                Err(compare::Undecided::Because(error)) => Err(error),
            };
        }
        Ok(match comparison {
            Comparison::In => compare::contains(right, left),
            Comparison::NotIn => !compare::contains(right, left),
            _ => compare::ordered(comparison, left.cmp(right), left == right),
        })
    }

    fn calculate(
        &mut self,
        operator: Operator,
        left: Value,
        right: Value,
    ) -> Result<Value, ExpressionError> {
        if operator == Operator::Multiply {
            // A text or list, repeated.
            for (what, times) in [(&left, &right), (&right, &left)] {
                let size = match what.kind() {
                    ValueKind::String => what.as_str().map_or(0, str::len),
                    ValueKind::Seq | ValueKind::Iterable => what.len().unwrap_or(LARGEST),
                    _ => continue,
                };
                let times = times.as_usize().unwrap_or_default();
                if size.saturating_mul(times) > LARGEST {
                    return Err(too_large());
                }
            }
        }
        self.charge_inputs(&[left.clone(), right.clone()])?;
        let expression = match operator {
            Operator::Add => &ADD,
            Operator::Subtract => &SUBTRACT,
            Operator::Multiply => &MULTIPLY,
            Operator::Divide => &DIVIDE,
            Operator::DivideWhole => &DIVIDE_WHOLE,
            Operator::Remainder => &REMAINDER,
            Operator::Power => &POWER,
        };
        self.builtin(expression, &[left, right])
    }

    /// One of minijinja's own operators over `a`, `b`, `c`, `d`.
    fn builtin(&mut self, operator: &Builtin, values: &[Value]) -> Result<Value, ExpressionError> {
        let names = ["a", "b", "c", "d"];
        let context = Value::from_pairs(names.into_iter().zip(values.iter().cloned()));
        let result = operator.eval(context).map_err(|error| fault(&error))?;
        self.made(result)
    }
}

type Builtin = LazyLock<minijinja::Expression<'static, 'static>>;

fn builtin(source: &'static str) -> minijinja::Expression<'static, 'static> {
    static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(Environment::new);
    PLAIN.compile_expression(source).expect("a constant expression compiles")
}

static ADD: Builtin = LazyLock::new(|| builtin("a + b"));
static SUBTRACT: Builtin = LazyLock::new(|| builtin("a - b"));
static MULTIPLY: Builtin = LazyLock::new(|| builtin("a * b"));
static DIVIDE: Builtin = LazyLock::new(|| builtin("a / b"));
static DIVIDE_WHOLE: Builtin = LazyLock::new(|| builtin("a // b"));
static REMAINDER: Builtin = LazyLock::new(|| builtin("a % b"));
static POWER: Builtin = LazyLock::new(|| builtin("a ** b"));
static MINUS: Builtin = LazyLock::new(|| builtin("-a"));
static SLICE: Builtin = LazyLock::new(|| builtin("a[b:c:d]"));

fn fault(error: &minijinja::Error) -> ExpressionError {
    ExpressionError::new(in_words(error))
}

fn too_large() -> ExpressionError {
    ExpressionError::with_help(
        format!("it makes a text or list of more than {} MiB", LARGEST >> 20),
        "make it simpler",
    )
}

fn is_nothing(value: &Value) -> bool {
    value.is_undefined() || value.is_none()
}

/// What is inside a value; undefined where there is nothing, at any depth.
pub(super) fn attribute(of: &Value, name: &str) -> Value {
    if is_nothing(of) {
        return Value::UNDEFINED;
    }
    of.get_attr(name).unwrap_or_default()
}
