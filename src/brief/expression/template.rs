//! Templates: pages and messages, bounded as expressions are.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value};

use super::evaluate::{LARGEST, Run};
use super::objects::{Loop, Namespace};
use super::syntax::{AssignTarget, ExprNode, Macro, Statement, StatementKind};
use super::{ExpressionError, filter_or_test_problem, in_words, syntax};

/// Steps that one page may take; a brief with 500 promises takes under a tenth.
const STEPS: usize = 1_000_000;

/// The longest template, in bytes.
const LONGEST: usize = 256 << 10;

/// Makes a value harmless for the medium that a template writes.
pub type Print = dyn Fn(&Value) -> String + Send + Sync;

/// Why a template cannot be used, or gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TemplateFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

/// A compiled template: `{{ … }}`, `if`, `for`, `set`, `with`, `macro`,
/// `call`, `filter`. It stands alone; `include` and `extends` are refused.
#[derive(Debug)]
pub struct Template {
    body: Vec<Statement>,
}

impl Template {
    /// Compiles a template, and checks that every filter and test in it
    /// exists in the environment.
    ///
    /// # Errors
    /// When it is no template, is too long, or names a filter that is not there.
    pub fn compile(
        name: &str,
        source: &str,
        syntax: SyntaxConfig,
        environment: &Environment<'_>,
    ) -> Result<Self, TemplateFault> {
        if source.len() > LONGEST {
            let message = format!(
                "the template has {} KiB; at most {} KiB are read",
                source.len() >> 10,
                LONGEST >> 10
            );
            return Err(TemplateFault { line: 1, message });
        }
        let body = syntax::template(source, name, syntax)
            .map_err(|fault| TemplateFault { line: fault.line, message: fault.message })?;
        check(&body, environment)?;
        Ok(Self { body })
    }

    /// Fills it in. `print` makes each value harmless that is not marked as
    /// safe; what a template says about escaping changes nothing.
    ///
    /// # Errors
    /// When it fails on these values, takes too long or makes too much.
    pub fn render(
        &self,
        environment: &Environment<'_>,
        context: Value,
        print: &Print,
    ) -> Result<String, TemplateFault> {
        let mut run = Run::new(environment, context, STEPS);
        run.strict = false;
        run.print = Some(print);
        run.out.push(String::new());
        let mut line = 1;
        let done = run.statements(&self.body, &mut line);
        done.map_err(|error| TemplateFault { line, message: error.sentence() })?;
        Ok(run.out.pop().unwrap_or_default())
    }
}

/// Whether every filter and test exists: a misspelt one would be noticed only
/// by the first brief that comes by it.
fn check(body: &[Statement], environment: &Environment<'_>) -> Result<(), TemplateFault> {
    for statement in body {
        let mut nodes: Vec<&ExprNode> = Vec::new();
        let mut inside: Vec<&[Statement]> = Vec::new();
        match &statement.kind {
            StatementKind::Text(_) => {}
            StatementKind::Print(node) => nodes.push(node),
            StatementKind::Set { value, .. } => nodes.push(value),
            StatementKind::For { over, only, body, otherwise, .. } => {
                nodes.push(over);
                nodes.extend(only);
                inside.extend([&body[..], &otherwise[..]]);
            }
            StatementKind::If { test, body, otherwise } => {
                nodes.push(test);
                inside.extend([&body[..], &otherwise[..]]);
            }
            StatementKind::With { set, body } => {
                nodes.extend(set.iter().map(|(_, value)| value));
                inside.push(body);
            }
            StatementKind::Capture { filter, body, .. } => {
                nodes.extend(filter);
                inside.push(body);
            }
            StatementKind::Filtered { filter, body } => {
                nodes.push(filter);
                inside.push(body);
            }
            StatementKind::Group(body) => inside.push(body),
            StatementKind::Macro(declared) => {
                nodes.extend(declared.parameters.iter().filter_map(|(_, d)| d.as_ref()));
                inside.push(&declared.body);
            }
            StatementKind::CallBlock { arguments, caller, .. } => {
                nodes.extend(arguments.iter().map(|argument| &argument.value));
                inside.push(&caller.body);
            }
        }
        for node in nodes {
            if let Some(problem) = filter_or_test_problem(node, environment) {
                let message = problem.sentence();
                return Err(TemplateFault { line: statement.line, message });
            }
        }
        inside.into_iter().try_for_each(|body| check(body, environment))?;
    }
    Ok(())
}

impl Run<'_> {
    fn statements(&mut self, body: &[Statement], line: &mut usize) -> Result<(), ExpressionError> {
        for statement in body {
            *line = statement.line;
            self.step()?;
            self.deeper(|run| run.statement(&statement.kind, line))?;
        }
        Ok(())
    }

    fn statement(&mut self, kind: &StatementKind, line: &mut usize) -> Result<(), ExpressionError> {
        match kind {
            StatementKind::Text(text) => self.write(text),
            StatementKind::Print(node) => {
                let value = self.eval(node)?;
                self.print(&value)
            }
            StatementKind::For { target, over, only, body, otherwise } => {
                self.for_loop(target, over, only.as_ref(), body, otherwise, line)
            }
            StatementKind::If { test, body, otherwise } => {
                let body = if self.eval(test)?.is_true() { body } else { otherwise };
                self.statements(body, line)
            }
            StatementKind::With { set, body } => {
                let mut values = Vec::with_capacity(set.len());
                for (target, value) in set {
                    values.push((target, self.eval(value)?));
                }
                self.scopes.push(BTreeMap::new());
                for (target, value) in values {
                    self.set(target, value)?;
                }
                let done = self.statements(body, line);
                self.scopes.pop();
                done
            }
            StatementKind::Set { target, value } => {
                let value = self.eval(value)?;
                self.set(target, value)
            }
            StatementKind::Capture { target, filter, body } => {
                let text = self.captured(body, line)?;
                let value = self.block_filter(filter.as_ref(), text)?;
                self.set(target, value)
            }
            StatementKind::Filtered { filter, body } => {
                let text = self.captured(body, line)?;
                let value = self.block_filter(Some(filter), text)?;
                self.print(&value)
            }
            StatementKind::Group(body) => self.statements(body, line),
            StatementKind::Macro(declared) => {
                self.macros.insert(declared.name.clone(), Arc::clone(declared));
                Ok(())
            }
            StatementKind::CallBlock { what, arguments, caller } => {
                let outer = self.macros.insert("caller".to_owned(), Arc::clone(caller));
                let value = self.call(what, arguments);
                match outer {
                    Some(outer) => self.macros.insert("caller".to_owned(), outer),
                    None => self.macros.remove("caller"),
                };
                let value = value?;
                self.print(&value)
            }
        }
    }

    fn for_loop(
        &mut self,
        target: &AssignTarget,
        over: &ExprNode,
        only: Option<&ExprNode>,
        body: &[Statement],
        otherwise: &[Statement],
        line: &mut usize,
    ) -> Result<(), ExpressionError> {
        let over = self.eval(over)?;
        let mut items = Vec::new();
        if !over.is_undefined() && !over.is_none() {
            let listed = over.try_iter().map_err(|e| ExpressionError::new(in_words(&e)))?;
            for item in listed {
                self.step()?;
                let taken = match only {
                    None => true,
                    Some(only) => {
                        self.scopes.push(BTreeMap::new());
                        let set = self.set(target, item.clone());
                        let taken = set.and_then(|()| self.eval(only));
                        self.scopes.pop();
                        taken?.is_true()
                    }
                };
                if taken {
                    items.push(item);
                }
            }
        }
        if items.is_empty() {
            return self.statements(otherwise, line);
        }
        let depth = self.scopes.iter().filter(|scope| scope.contains_key("loop")).count();
        for (index, item) in items.iter().enumerate() {
            let around = |at: Option<usize>| at.and_then(|at| items.get(at)).cloned();
            let own = Loop {
                index,
                length: items.len(),
                depth,
                before: around(index.checked_sub(1)).unwrap_or_default(),
                after: around(index.checked_add(1)).unwrap_or_default(),
            };
            let scope = [("loop".to_owned(), Value::from_object(own))];
            self.scopes.push(scope.into_iter().collect());
            let done = self.set(target, item.clone()).and_then(|()| self.statements(body, line));
            self.scopes.pop();
            done?;
        }
        Ok(())
    }

    fn set(&mut self, target: &AssignTarget, value: Value) -> Result<(), ExpressionError> {
        match target {
            AssignTarget::Name(name) => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(name.clone(), value);
                }
                Ok(())
            }
            AssignTarget::Attribute(namespace, name) => {
                let found = self.scopes.iter().rev().find_map(|scope| scope.get(namespace));
                match found.and_then(Value::downcast_object_ref::<Namespace>) {
                    // What holds a namespace in itself would never be dropped.
                    Some(_) if value.downcast_object_ref::<Namespace>().is_some() => {
                        Err(ExpressionError::new("a namespace cannot be put into a namespace"))
                    }
                    Some(namespace) => {
                        namespace.set(name, value);
                        Ok(())
                    }
                    None => Err(ExpressionError::with_help(
                        format!("`{namespace}` is not a namespace"),
                        format!("write `{{% set {namespace} = namespace() %}}` first"),
                    )),
                }
            }
            AssignTarget::Several(targets) => {
                let items: Vec<Value> =
                    value.try_iter().map(|items| items.take(100).collect()).unwrap_or_default();
                if items.len() != targets.len() {
                    let message = format!("{} names for {} values", targets.len(), items.len());
                    return Err(ExpressionError::new(message));
                }
                targets.iter().zip(items).try_for_each(|(target, item)| self.set(target, item))
            }
        }
    }

    fn captured(&mut self, body: &[Statement], line: &mut usize) -> Result<Value, ExpressionError> {
        self.out.push(String::new());
        let done = self.statements(body, line);
        let text = self.out.pop().unwrap_or_default();
        done?;
        // It went through `print` on its way here.
        Ok(Value::from_safe_string(text))
    }

    fn block_filter(
        &mut self,
        filter: Option<&ExprNode>,
        text: Value,
    ) -> Result<Value, ExpressionError> {
        match filter {
            None => Ok(text),
            Some(ExprNode::Filter { name, of, arguments }) => {
                let text = self.block_filter(of.as_deref(), text)?;
                let arguments = self.arguments(arguments)?;
                self.filter(name, text, arguments)
            }
            Some(_) => Err(ExpressionError::new("a block can only be given to filters")),
        }
    }

    pub(super) fn call_macro(
        &mut self,
        called: &Macro,
        arguments: &[Value],
    ) -> Result<Value, ExpressionError> {
        let (named, given) = match arguments.split_last() {
            Some((last, rest)) if last.is_kwargs() => (Some(last), rest),
            _ => (None, arguments),
        };
        if given.len() > called.parameters.len() {
            let message = format!("`{}` takes {} values", called.name, called.parameters.len());
            return Err(ExpressionError::new(message));
        }
        let mut scope = BTreeMap::new();
        for (at, (name, default)) in called.parameters.iter().enumerate() {
            let by_name = named.map(|named| super::evaluate::attribute(named, name));
            let value = match given.get(at).cloned().or(by_name.filter(|v| !v.is_undefined())) {
                Some(value) => value,
                None => default.as_ref().map_or(Ok(Value::UNDEFINED), |node| self.eval(node))?,
            };
            scope.insert(name.clone(), value);
        }
        // A macro sees what is set at the top, and nothing of whoever calls it.
        let outside = self.scopes.split_off(1);
        self.scopes.push(scope);
        let mut line = 1;
        let text = self.deeper(|run| run.captured(&called.body, &mut line));
        self.scopes.truncate(1);
        self.scopes.extend(outside);
        text
    }

    fn print(&mut self, value: &Value) -> Result<(), ExpressionError> {
        if value.is_undefined() || value.is_none() {
            return Ok(());
        }
        if let (true, Some(text)) = (value.is_safe(), value.as_str()) {
            return self.write(text);
        }
        let text = match value.as_str() {
            Some(_) => value.clone(),
            None => Value::from(self.text(value)?),
        };
        let Some(print) = self.print else { return Ok(()) };
        let harmless = print(&text);
        self.write(&harmless)
    }

    fn write(&mut self, text: &str) -> Result<(), ExpressionError> {
        self.charge(text.len())?;
        let Some(out) = self.out.last_mut() else { return Ok(()) };
        if out.len() + text.len() > LARGEST {
            return self.charge(usize::MAX);
        }
        out.push_str(text);
        Ok(())
    }
}
