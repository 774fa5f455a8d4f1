//! The brief's schema: compiled once, asked many times. `outline` is what it
//! says about questions and fields, `check` what a brief breaks
//! and how to say it.

mod check;
mod cost;
mod outline;

use std::sync::{LazyLock, OnceLock};

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

pub use check::Violation;
pub(super) use check::flow;
pub(super) use outline::humanise;
pub use outline::{Field, Outline, Role, Shape};

use super::Brief;

/// The schema as handoff ships it; `handoff init` lays it down.
pub const SHIPPED_SCHEMA: &str = include_str!("../../../schema/brief.schema.json");

/// The schema of `timeline.yaml`; no company changes it.
pub const TIMELINE_JSON_SCHEMA: &str = include_str!("../../../schema/timeline.schema.json");

static SHIPPED: LazyLock<Schema> = LazyLock::new(|| {
    Schema::compile(SHIPPED_SCHEMA.as_bytes()).expect("the shipped schema is tested to compile")
});

/// A brief schema, ready to check with; shared freely between threads.
#[derive(Debug)]
pub struct Schema {
    document: Value,
    /// Made when it is first needed of the shipped schema, which is known to compile: audits
    /// read its outline alone.
    validator: OnceLock<Validator>,
    outline: Outline,
}

/// Why a text is no usable schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It is not JSON.
    #[error("the schema is not JSON: line {line}, column {column}: {message}")]
    Json {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// It is JSON and no JSON Schema.
    #[error("the schema is not a valid JSON Schema (draft 2020-12): {message}{}", at(.pointer))]
    Invalid {
        /// Where in the schema, as a JSON pointer.
        pointer: String,
        /// What is wrong there.
        message: String,
    },
    /// It is a schema that takes too long to check with.
    #[error("the schema is too large: {message}{}", at(.pointer))]
    TooLarge {
        /// Where in the schema, as a JSON pointer.
        pointer: String,
        /// What is too much, and what to do.
        message: String,
    },
    /// It does not describe a brief.
    #[error("the schema describes no brief: {message}")]
    NotABrief {
        /// What is missing.
        message: String,
    },
}

fn at(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" (at {pointer})") }
}

impl Schema {
    /// The schema as handoff ships it.
    #[must_use]
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Compiles a ledger's own copy. References stay inside the document:
    /// nothing is read from a file or the network.
    ///
    /// # Errors
    /// When it is no JSON, no schema, or not the schema of a brief.
    pub fn compile(source: &[u8]) -> Result<Self, SchemaError> {
        let source = source.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(source);
        let document: Value =
            crate::model::read_json(source).map_err(|error| SchemaError::Json {
                line: error.line(),
                column: error.column(),
                message: error.to_string(),
            })?;
        cost::check(source.len(), &document)?;
        let validator = match source == SHIPPED_SCHEMA.as_bytes() {
            true => OnceLock::new(),
            false => validator_of(&document)?.into(),
        };
        let outline = Outline::of(&document);
        for name in ["schema", "key"] {
            if document.pointer(&format!("/properties/{name}")).is_none() {
                let message = format!("`properties` has no `{name}`, which handoff itself writes");
                return Err(SchemaError::NotABrief { message });
            }
        }
        Ok(Self { document, validator, outline })
    }

    fn validator(&self) -> &Validator {
        self.validator.get_or_init(|| {
            validator_of(&self.document).expect("the shipped schema is tested to compile")
        })
    }

    /// Whether it says the same as the shipped one.
    #[must_use]
    pub fn is_shipped(&self) -> bool {
        std::ptr::eq(self, &raw const *SHIPPED) || self.document == SHIPPED.document
    }

    /// The questions and fields it describes.
    #[must_use]
    pub fn outline(&self) -> &Outline {
        &self.outline
    }

    /// The document itself, for issue forms and reference pages.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Whether a brief follows the schema in every point; the quick way.
    #[must_use]
    pub fn is_valid(&self, brief: &Brief) -> bool {
        self.validator().is_valid(brief.json())
    }

    /// What a brief breaks, in the order of the brief.
    #[must_use]
    pub fn check(&self, brief: &Brief) -> Vec<Violation> {
        check::violations(self.validator(), &self.outline, brief.json())
    }

    /// What of a value the schema has a place for at a path; `None` when it
    /// has none. Older copies of the schema lack fields that handoff fills.
    #[must_use]
    pub fn fitting(&self, path: &[String], value: Value) -> Option<Value> {
        let (first, inside) = path.split_first()?;
        let Some(mut field) = self.outline.fields().iter().find(|field| field.name == *first)
        else {
            let open = self.document.get("additionalProperties") != Some(&Value::Bool(false));
            return open.then_some(value);
        };
        for name in inside {
            match (field.child(name), &field.shape) {
                (Some(child), _) => field = child,
                (None, Shape::Mapping { closed: true, .. }) => return None,
                (None, _) => return Some(value),
            }
        }
        fitting(field, value)
    }

    /// The same values with keys in the schema's order, so that a brief reads
    /// the same whichever CRM it came from; keys of no field come last.
    #[must_use]
    pub fn in_order(&self, brief: &Value) -> Value {
        in_order(self.outline.fields(), None, brief)
    }
}

fn validator_of(document: &Value) -> Result<Validator, SchemaError> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(
            PatternOptions::fancy_regex().backtrack_limit(100_000).size_limit(1 << 20),
        )
        .offline()
        .build(document)
        .map_err(|error| SchemaError::Invalid {
            pointer: error.instance_path().to_string(),
            message: check::schema_fault(&error),
        })
}

fn fitting(field: &Field, value: Value) -> Option<Value> {
    match (&field.shape, value) {
        (Shape::Mapping { .. }, Value::Array(_)) => None,
        (Shape::Mapping { closed, .. }, Value::Object(entries)) => {
            let entries: Map<String, Value> = entries
                .into_iter()
                .filter_map(|(name, value)| match field.child(&name) {
                    Some(child) => fitting(child, value).map(|value| (name, value)),
                    None if *closed => None,
                    None => Some((name, value)),
                })
                .collect();
            (!entries.is_empty()).then_some(Value::Object(entries))
        }
        (Shape::List(item), Value::Array(items)) => {
            Some(Value::Array(items.into_iter().filter_map(|value| fitting(item, value)).collect()))
        }
        (_, value) => Some(value),
    }
}

fn in_order(fields: &[Field], other: Option<&Field>, value: &Value) -> Value {
    let Value::Object(entries) = value else { return value.clone() };
    let mut sorted = Map::new();
    for field in fields {
        if let Some(inside) = entries.get(&field.name) {
            sorted.insert(field.name.clone(), in_order_below(field, inside));
        }
    }
    for (name, inside) in entries {
        if !sorted.contains_key(name) {
            let inside =
                other.map_or_else(|| inside.clone(), |other| in_order_below(other, inside));
            sorted.insert(name.clone(), inside);
        }
    }
    Value::Object(sorted)
}

fn in_order_below(field: &Field, value: &Value) -> Value {
    if super::answer::unknown(value).is_some() {
        return value.clone();
    }
    match (&field.shape, value) {
        (Shape::Mapping { fields, other, .. }, Value::Object(_)) => {
            in_order(fields, other.as_deref(), value)
        }
        (Shape::List(item), Value::Array(items)) => {
            Value::Array(items.iter().map(|value| in_order_below(item, value)).collect())
        }
        _ => value.clone(),
    }
}
