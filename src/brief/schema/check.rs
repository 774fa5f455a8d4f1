//! What a brief breaks: the validator finds it, and here are the words for the
//! person who wrote the brief.

use std::collections::BTreeSet;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::Value;

use super::outline::{Field, Outline, Shape};
use crate::brief::answer::{dotted, escape, is_blank};
use crate::text::{nearest, quoted, shorten};

/// The form of an honest gap.
const UNKNOWN: &str = "{unknown: {why: …, owner: …, resolve_by: YYYY-MM-DD}}";

/// How messages call a field: its key path, which is what stands in the file.
pub(super) fn name(pointer: &str) -> String {
    if pointer.is_empty() { "the brief".to_owned() } else { format!("`{}`", dotted(pointer)) }
}

/// What would be an answer, with the schema's own example.
pub(super) fn how_to_answer(pointer: &str, outline: &Outline) -> Option<String> {
    if pointer.contains("/unknown/") {
        return Some(format!("say why, who finds out and by when: `{UNKNOWN}`"));
    }
    let field = outline.field(pointer)?;
    let key = pointer.rsplit('/').next().unwrap_or_default();
    let mut help = String::new();
    if let Some(example) = &field.example {
        help = format!("for example `{key}: {}`", flow(example));
    }
    if field.allows_none {
        help.push_str(if help.is_empty() { "write `none`" } else { ", `none`" });
        help.push_str(" if you asked and there is none");
    }
    if field.allows_unknown {
        if !help.is_empty() {
            help.push_str(", or ");
        }
        help.push_str("say who finds out and by when: `{unknown: {why: …, owner: …, resolve_by: YYYY-MM-DD}}`");
    }
    (!help.is_empty()).then_some(help)
}

/// No alternative fits: says what would.
pub(super) fn no_alternative(pointer: &str, instance: &Value, outline: &Outline) -> Violation {
    let field = outline.field(pointer);
    let wanted = field.map_or_else(|| "another value".to_owned(), expected);
    Violation {
        pointer: pointer.to_owned(),
        message: format!("{} must be {wanted}, and is {}", name(pointer), describe(instance)),
        help: near_miss(instance, field).or_else(|| how_to_answer(pointer, outline)),
        absent: false,
        of_key: false,
    }
}

/// A field that the schema does not know.
pub(super) fn unexpected_key(pointer: &str, key: &str, outline: &Outline) -> Violation {
    let here = format!("{pointer}/{}", escape(key));
    let known: Vec<&str> = match pointer {
        "" => outline.fields().iter().map(|field| field.name.as_str()).collect(),
        _ => outline.field(pointer).map(names_inside).unwrap_or_default(),
    };
    let help = match nearest(key, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => {
            "remove it, or add the field to schema/brief.schema.json".to_owned()
        }
        None => format!(
            "known here: {}; a field of your own goes into schema/brief.schema.json first",
            known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    Violation {
        message: format!("{} is not a field of the schema", name(&here)),
        pointer: here,
        help: Some(help),
        absent: false,
        of_key: true,
    }
}

fn names_inside(field: &Field) -> Vec<&str> {
    match &field.shape {
        Shape::Mapping { fields, .. } => fields.iter().map(|field| field.name.as_str()).collect(),
        Shape::Value | Shape::List(_) => Vec::new(),
    }
}

/// One complaint that is not about alternatives.
pub(super) fn explained(
    error: &ValidationError<'_>,
    pointer: &str,
    outline: &Outline,
) -> Violation {
    let field = outline.field(pointer);
    let instance = error.instance();
    let subject = name(pointer);
    let is = describe(instance);
    let message = match error.kind() {
        Kind::Type { kind } => match field {
            Some(field) => format!("{subject} must be {}, and is {is}", expected(field)),
            None => format!("{subject} must be {}, and is {is}", type_words(kind)),
        },
        Kind::Constant { expected_value } => {
            format!("{subject} must be `{}`, and is {is}", flow(expected_value))
        }
        Kind::Enum { options } => {
            format!("{subject} must be one of {}, and is {is}", choices(options))
        }
        Kind::Pattern { .. } | Kind::Format { .. } => match field.and_then(wording) {
            Some(wanted) => format!("{subject} must be {wanted}, and is {is}"),
            None => format!("{subject} does not have the form that the schema asks for: {is}"),
        },
        Kind::MinItems { limit } => format!("{subject} needs at least {limit} items"),
        Kind::MaxItems { limit } => format!("{subject} may have at most {limit} items"),
        Kind::MinLength { limit } => format!("{subject} needs at least {limit} characters"),
        Kind::MaxLength { limit } => format!("{subject} may have at most {limit} characters"),
        Kind::Minimum { limit } => format!("{subject} must be {limit} or more, and is {is}"),
        Kind::ExclusiveMinimum { limit } => {
            format!("{subject} must be more than {limit}, and is {is}")
        }
        Kind::Maximum { limit } => format!("{subject} must be {limit} or less, and is {is}"),
        Kind::ExclusiveMaximum { limit } => {
            format!("{subject} must be less than {limit}, and is {is}")
        }
        Kind::MinProperties { limit } => format!("{subject} needs at least {limit} fields"),
        Kind::MaxProperties { limit } => format!("{subject} may have at most {limit} fields"),
        Kind::UniqueItems => format!("{subject} names something twice"),
        Kind::FalseSchema => format!("{subject} is not allowed here"),
        Kind::OneOfMultipleValid { .. } => {
            format!("{subject} fits more than one of the forms that the schema allows")
        }
        _ => format!("{subject}: {}", shorten(&error.masked_with("the value").to_string(), 200)),
    };
    let help = near_miss(instance, field).or_else(|| {
        let example = field.and_then(|field| field.example.as_ref())?;
        let key = pointer.rsplit('/').next().unwrap_or_default();
        Some(format!("for example `{key}: {}`", flow(example)))
    });
    Violation { pointer: pointer.to_owned(), message, help, absent: false, of_key: false }
}

/// A mistake that is often made: says exactly what to write.
fn near_miss(instance: &Value, field: Option<&Field>) -> Option<String> {
    let field = field?;
    let format = field.format.as_deref();
    match instance {
        // The text itself is not repeated: `0123` was read as 123.
        Value::Number(_) | Value::Bool(_) if takes_text(field) => {
            Some("put quotes around it, as it is written".to_owned())
        }
        Value::String(text) => {
            let text = text.trim();
            let folded = text.to_lowercase();
            if field.allows_none
                && ["none", "nothing", "no", "n/a", "na", "nil", "keine", "no."]
                    .contains(&folded.as_str())
            {
                return Some("write the word `none`".to_owned());
            }
            if matches!(field.shape, Shape::List(_)) {
                return Some(format!("make it a list: `[{}]`", quoted(text)));
            }
            if let Some(choice) =
                field.choices.iter().find(|choice| choice.to_lowercase() == folded)
            {
                return Some(format!("write it as `{choice}`"));
            }
            if format == Some("date") && text.len() > 10 && text.is_char_boundary(10) {
                return Some("write the day alone, `YYYY-MM-DD`".to_owned());
            }
            if format == Some("date-time") {
                return Some("write it in UTC with `T` and `Z`: `2026-11-20T15:01:58Z`".to_owned());
            }
            if text.parse::<f64>().is_ok() && field.example.as_ref().is_some_and(Value::is_number) {
                return Some(format!("write it without quotes: `{text}`"));
            }
            None
        }
        Value::Object(fields) if fields.contains_key("unknown") && !field.allows_unknown => {
            Some("this answer cannot be unknown; ask for it, or leave the line out".to_owned())
        }
        _ => None,
    }
}

fn takes_text(field: &Field) -> bool {
    matches!(field.shape, Shape::Value)
        && !field
            .example
            .as_ref()
            .is_some_and(|example| example.is_number() || example.is_boolean())
}

/// What a field takes, in words.
fn expected(field: &Field) -> String {
    let mut wanted = match &field.shape {
        Shape::List(_) => "a list with at least one item".to_owned(),
        Shape::Mapping { .. } if field.expects.is_some() => {
            field.expects.clone().unwrap_or_default()
        }
        Shape::Mapping { fields, .. } => {
            let owed = fields.iter().filter(|field| field.required);
            let names: Vec<_> = owed.map(|field| format!("`{}`", field.name)).collect();
            if names.is_empty() {
                "a mapping of fields".to_owned()
            } else {
                format!("a mapping with {}", names.join(" and "))
            }
        }
        Shape::Value if !field.choices.is_empty() => {
            let words: Vec<_> = field.choices.iter().map(|choice| format!("`{choice}`")).collect();
            format!("one of {}", words.join(", "))
        }
        Shape::Value => wording(field).unwrap_or_else(|| match &field.example {
            Some(Value::Number(_)) => "a number".to_owned(),
            Some(Value::Bool(_)) => "`true` or `false`".to_owned(),
            _ => "a text".to_owned(),
        }),
    };
    if field.allows_none {
        wanted.push_str(", or `none`");
    }
    if field.allows_unknown {
        wanted.push_str(", or `{unknown: …}`");
    }
    wanted
}

/// What a text must be, after the schema's definitions.
fn wording(field: &Field) -> Option<String> {
    match field.format.as_deref() {
        Some("date") => Some("a day that exists, such as 2026-11-20".to_owned()),
        Some("date-time") => Some("a time in UTC such as 2026-11-20T15:01:58Z".to_owned()),
        _ => field.expects.clone(),
    }
}

fn type_words(kind: &TypeKind) -> String {
    let word = |kind: JsonType| match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Null => "empty",
        JsonType::Number => "a number",
        JsonType::Object => "a mapping of fields",
        JsonType::String => "a text",
    };
    match kind {
        TypeKind::Single(kind) => word(*kind).to_owned(),
        TypeKind::Multiple(kinds) => kinds.iter().map(word).collect::<Vec<_>>().join(" or "),
    }
}

fn choices(options: &Value) -> String {
    let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
    options.iter().map(|option| format!("`{}`", flow(option))).collect::<Vec<_>>().join(", ")
}

/// What stands there, in words.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(flag) => format!("`{flag}` (true or false)"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => quoted(text),
        Value::Array(items) => match items.len() {
            1 => "a list with one item".to_owned(),
            n => format!("a list with {n} items"),
        },
        Value::Object(_) => "a mapping of fields".to_owned(),
    }
}

/// A value as one would write it in a YAML line.
pub(crate) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key}: {}", flow(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A fault of the schema itself.
pub(super) fn schema_fault(error: &ValidationError<'_>) -> String {
    shorten(&error.to_string(), 200)
}

// What a brief breaks. The validator finds it; the words come from `explain`.

/// One point in which a brief does not follow its schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where, as a JSON pointer; for a missing field, where it should be.
    pub pointer: String,
    /// What is wrong, a full sentence.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
    /// Whether an answer is simply not there (missing, empty, an empty list),
    /// which is unanswered and not wrong.
    pub absent: bool,
    /// Whether it is about the key and not about the value.
    pub of_key: bool,
}

/// Everything the brief breaks, each thing once.
pub(super) fn violations(
    validator: &Validator,
    outline: &Outline,
    brief: &Value,
) -> Vec<Violation> {
    if validator.is_valid(brief) {
        return Vec::new();
    }
    let mut found = BTreeSet::new();
    for error in validator.iter_errors(brief) {
        collect(&error, outline, &mut found);
    }
    let mut found: Vec<_> = found.into_iter().collect();
    // An absent answer is one fact, whichever keywords it offends.
    let absent: BTreeSet<_> =
        found.iter().filter(|v| v.absent).map(|v| v.pointer.clone()).collect();
    found.retain(|violation| violation.absent || !absent.contains(&violation.pointer));
    found.dedup_by(|a, b| a.pointer == b.pointer && a.message == b.message);
    found
}

fn collect(error: &ValidationError<'_>, outline: &Outline, found: &mut BTreeSet<Violation>) {
    let pointer = error.instance_path().to_string();
    let instance = error.instance();
    match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            if is_blank(instance) {
                found.insert(absent(&pointer, outline));
                return;
            }
            match meant(context, &pointer) {
                Some(branch) => {
                    for inner in branch {
                        collect(inner, outline, found);
                    }
                }
                None => {
                    found.insert(no_alternative(&pointer, instance, outline));
                }
            }
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            found.insert(absent(&format!("{pointer}/{}", escape(name)), outline));
        }
        Kind::AdditionalProperties { unexpected } => {
            for name in unexpected {
                found.insert(unexpected_key(&pointer, name, outline));
            }
        }
        _ if is_blank(instance) && !pointer.is_empty() => {
            found.insert(absent(&pointer, outline));
        }
        _ => {
            found.insert(explained(error, &pointer, outline));
        }
    }
}

/// The alternative the author evidently meant: the one whose complaints begin
/// furthest inside the value. An alternative of another type, or whose very
/// first key is missing, is not meant. `None` when no one stands out.
fn meant<'c, 'e>(
    context: &'c [Vec<ValidationError<'e>>],
    pointer: &str,
) -> Option<&'c [ValidationError<'e>]> {
    let rank = |branch: &[ValidationError<'_>]| {
        let here = |error: &ValidationError<'_>| error.instance_path().as_str() == pointer;
        let (mut misfit, mut shallow) = (false, 0);
        for error in branch.iter().filter(|error| here(error)) {
            match error.kind() {
                Kind::Type { .. } | Kind::Constant { .. } => misfit = true,
                Kind::Required { .. } | Kind::AdditionalProperties { .. } => shallow += 1,
                _ => {}
            }
        }
        (misfit, shallow, branch.len())
    };
    let best = context.iter().map(|branch| rank(branch)).min()?;
    if best.0 {
        return None;
    }
    context.iter().find(|branch| rank(branch) == best).map(Vec::as_slice)
}

fn absent(pointer: &str, outline: &Outline) -> Violation {
    Violation {
        pointer: pointer.to_owned(),
        message: format!("{} is missing", name(pointer)),
        help: how_to_answer(pointer, outline),
        absent: true,
        of_key: false,
    }
}
