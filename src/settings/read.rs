//! A typed value out of a node, with every problem there is, and how a
//! connector's row reads and describes its own section.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::shape::{ConfigProblem, check_shape};
use crate::yaml::{Error, Located, Node, Value, from_node};

pub use crate::model::DocumentKind;

/// One rule for completed documents; the first that applies decides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "when": "signature.document_name | says('NDA')", "is": "ignored", "reason": "NDA"
}))]
pub struct DocumentRule {
    /// When the rule applies: an expression over `signature`, `deal`,
    /// `company`, `contacts` and `line_items`.
    pub when: Located<String>,
    /// What the document is.
    pub is: DocumentKind,
    /// Why, for reports and for whoever looks for the document.
    pub reason: Option<String>,
}

/// More problems than anybody fixes in one go; the rest is reported next time.
const MOST_PROBLEMS: usize = 100;

/// How the schemas of settings are made: draft 2020-12, as they are read.
#[must_use]
pub fn schema_generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_deserialize().into_generator()
}

/// Reads a section into its type: first its shape, which is what its JSON
/// Schema says, then what its values mean.
///
/// # Errors
/// Every problem, in the order of the file.
pub fn read<T: DeserializeOwned + JsonSchema>(node: &Node) -> Result<T, Vec<ConfigProblem>> {
    let schema = schema_generator().into_root_schema_for::<T>();
    let (rest, mut problems) = check_shape(node, schema.as_value());
    let (value, more) = read_checked(&rest);
    problems.extend(more);
    if let Some(value) = value.filter(|_| problems.is_empty()) {
        return Ok(value);
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(problems)
}

/// Reads a value whose shape was checked: what is left is what its types say
/// themselves, such as that a duration can be read as one. What they refuse is
/// taken out and the rest is read again, so that every problem is found; the
/// value is what could be read without them.
#[must_use]
pub fn read_checked<T: DeserializeOwned>(node: &Node) -> (Option<T>, Vec<ConfigProblem>) {
    let mut problems: Vec<ConfigProblem> = Vec::new();
    let mut rest = node.clone();
    loop {
        match from_node::<T>(&rest) {
            Ok(value) => return (Some(value), problems),
            Err(error) => {
                let taken_out = take_out(&mut rest, &error);
                // What was taken out may be missed where it was: that is no problem of its own.
                if !error.is_missing_key || problems.is_empty() {
                    problems.push(name_path(node, ConfigProblem::from(error)));
                }
                if !taken_out || problems.len() >= MOST_PROBLEMS {
                    return (None, problems);
                }
            }
        }
    }
}

/// The problem with the whole path of the setting it is about in its message,
/// where the message names a part of that path or none.
#[must_use]
pub fn name_path(root: &Node, mut problem: ConfigProblem) -> ConfigProblem {
    let Some(path) = path_to(root, &problem).filter(|path| !path.is_empty()) else {
        return problem;
    };
    let named = problem.message.strip_prefix('`').and_then(|rest| rest.split_once("`: "));
    match named {
        Some((part, rest)) if path == part || path.ends_with(&format!(".{part}")) => {
            problem.message = format!("`{path}`: {rest}");
        }
        None if !problem.message.starts_with('`') => {
            problem.message = format!("`{path}`: {}", problem.message);
        }
        _ => {}
    }
    problem
}

/// The dotted keys that lead to a problem's place.
fn path_to(node: &Node, problem: &ConfigProblem) -> Option<String> {
    let is_at = |node: &Node| (node.span.line, node.span.column) == (problem.line, problem.column);
    match &node.value {
        Value::Map(entries) => entries.iter().find_map(|entry| {
            let inner = match path_to(&entry.node, problem) {
                Some(inner) => inner,
                None if is_at(&entry.node) => String::new(),
                None => return None,
            };
            Some(if inner.is_empty() {
                entry.key.clone()
            } else {
                format!("{}.{inner}", entry.key)
            })
        }),
        Value::List(items) => items
            .iter()
            .find_map(|item| path_to(item, problem).or_else(|| is_at(item).then(String::new))),
        _ => None,
    }
}

/// Takes out the entry or item at the error's place; false when there is none
/// below the root, as for a missing field.
fn take_out(node: &mut Node, error: &Error) -> bool {
    let is_at = |line: usize, column: usize| (line, column) == (error.line, error.column);
    match &mut node.value {
        Value::Map(entries) => {
            // The innermost value first: a mapping and its first value may begin at one place.
            if entries.iter_mut().any(|entry| take_out(&mut entry.node, error)) {
                return true;
            }
            let before = entries.len();
            entries.retain(|entry| {
                !is_at(entry.key_span.line, entry.key_span.column)
                    && !is_at(entry.node.span.line, entry.node.span.column)
            });
            entries.len() < before
        }
        Value::List(items) => {
            if items.iter_mut().any(|item| take_out(item, error)) {
                return true;
            }
            let before = items.len();
            items.retain(|item| !is_at(item.span.line, item.span.column));
            items.len() < before
        }
        _ => false,
    }
}

/// Reads one connector's section (`crm.hubspot`, `deliver.slack`, …) into
/// what its room works with, `T`, and describes it for the JSON Schema.
pub struct SettingsReader<T: ?Sized> {
    read: fn(&Node) -> Result<Box<T>, Vec<ConfigProblem>>,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl<T: ?Sized> SettingsReader<T> {
    /// A section that is written as `S`.
    #[must_use]
    pub const fn of<S: DeserializeOwned + JsonSchema + Into<Box<T>>>() -> Self {
        Self {
            read: |node| read::<S>(node).map(Into::into),
            schema: |generator| generator.subschema_for::<S>(),
        }
    }

    /// Reads the section.
    ///
    /// # Errors
    /// Every problem in it, with its line.
    pub fn read(&self, node: &Node) -> Result<Box<T>, Vec<ConfigProblem>> {
        (self.read)(node)
    }

    /// The section's JSON Schema.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }
}
