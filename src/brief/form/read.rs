//! A filled form: GitHub writes `### Label`, an empty line and the answer for
//! each input, and `_No response_` where there is none.

use comrak::nodes::NodeValue;
use comrak::{Arena, Options, parse_document};
use serde_json::{Map, Number, Value};

use super::{Input, inputs};
use crate::brief::answer::is_placeholder;
use crate::brief::schema::{Field, Schema, Shape};
use crate::text::quoted;
use crate::yaml;

/// What GitHub writes for an input that was left empty.
const NO_RESPONSE: &str = "_No response_";
/// Longer bodies than GitHub allows are no filled forms.
const MOST_BYTES: usize = 512 * 1024;

/// The answers of a filled form, by section of the brief.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FormAnswers {
    /// The sections.
    pub sections: Map<String, Value>,
    /// What could not be understood and is not among the answers.
    pub problems: Vec<FormProblem>,
}

/// An answer that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{label}: {message}")]
pub struct FormProblem {
    /// The input.
    pub label: String,
    /// What is wrong, with the answer's words.
    pub message: String,
}

/// Reads the body of an issue that was made with the form. `None` when it
/// holds no input of this schema's form.
#[must_use]
pub fn read_form(schema: &Schema, body: &str) -> Option<FormAnswers> {
    if body.len() > MOST_BYTES {
        return None;
    }
    let body = body.replace("\r\n", "\n");
    let inputs = inputs(schema);
    let given = split(&inputs, &body);
    if given.is_empty() {
        return None;
    }
    let mut answers = FormAnswers::default();
    for (input, text) in given {
        let text = text.trim();
        if text.is_empty() || text == NO_RESPONSE || is_placeholder(text) {
            continue;
        }
        match value(input.field, text) {
            Ok(value) => put(&mut answers.sections, &input.path, value),
            Err(message) => {
                answers.problems.push(FormProblem { label: input.label.clone(), message });
            }
        }
    }
    Some(answers)
}

/// The inputs that the body holds, each with the text below its heading. The
/// order is the form's: a heading inside of an answer that repeats an earlier
/// label belongs to the answer.
fn split<'a>(inputs: &'a [Input<'a>], body: &str) -> Vec<(&'a Input<'a>, String)> {
    let arena = Arena::new();
    let root = parse_document(&arena, body, &Options::default());
    let lines: Vec<&str> = body.lines().collect();
    // (the input, the line of its heading, the line after it)
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for node in root.children() {
        let data = node.data.borrow();
        let NodeValue::Heading(heading) = &data.value else { continue };
        if heading.level != 3 || heading.setext {
            continue;
        }
        let (first, last) = (data.sourcepos.start.line, data.sourcepos.end.line);
        let Some(line) = lines.get(first.saturating_sub(1)) else { continue };
        let label = line.trim().trim_start_matches('#').trim();
        let next = found.last().map_or(0, |(index, ..)| index + 1);
        let index = inputs.iter().skip(next).position(|input| input.label == label);
        if let Some(index) = index {
            found.push((next + index, first, last + 1));
        }
    }
    let ends = found.iter().skip(1).map(|(_, first, _)| *first).chain([lines.len() + 1]);
    found
        .iter()
        .zip(ends)
        .filter_map(|((index, _, begin), end)| {
            let text = lines.get(begin.saturating_sub(1)..end.saturating_sub(1))?.join("\n");
            Some((&inputs[*index], text))
        })
        .collect()
}

fn put(sections: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [section] => {
            sections.insert((*section).to_owned(), value);
        }
        [section, field, ..] => {
            let section =
                sections.entry((*section).to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Some(section) = section.as_object_mut() {
                section.insert((*field).to_owned(), value);
            }
        }
        [] => {}
    }
}

/// An answer in the shape that the schema wants.
pub(super) fn value(field: &Field, text: &str) -> Result<Value, String> {
    if field.allows_none && text.trim_end_matches('.').eq_ignore_ascii_case("none") {
        return Ok("none".into());
    }
    match &field.shape {
        Shape::Value => scalar(field, text),
        Shape::Mapping { fields, .. } => mapping(fields, text),
        Shape::List(item) => list(item, text),
    }
}

fn scalar(field: &Field, text: &str) -> Result<Value, String> {
    if !field.choices.is_empty() {
        let choice = field.choices.iter().find(|choice| choice.eq_ignore_ascii_case(text));
        return choice
            .map(|choice| choice.as_str().into())
            .ok_or_else(|| format!("{} is none of {}", quoted(text), field.choices.join(", ")));
    }
    if field.is_flag() {
        return match text.to_ascii_lowercase().as_str() {
            "yes" | "true" => Ok(true.into()),
            "no" | "false" => Ok(false.into()),
            _ => Err(format!("{} is neither yes nor no", quoted(text))),
        };
    }
    if field.example.as_ref().is_some_and(Value::is_number) {
        // People group thousands; a point is a decimal point.
        let plain: String =
            text.chars().filter(|c| !matches!(c, ',' | '_' | '\'' | ' ' | '\u{a0}')).collect();
        let number = plain
            .parse::<i64>()
            .ok()
            .map(Number::from)
            .or_else(|| plain.parse::<f64>().ok().and_then(Number::from_f64));
        return number.map(Value::Number).ok_or_else(|| format!("{} is no number", quoted(text)));
    }
    Ok(text.into())
}

/// `name: Dana Wu` on each line; or the words of the fields that are owed, in
/// their order: `48000.00 USD`.
fn mapping(fields: &[Field], text: &str) -> Result<Value, String> {
    let mut entries = Map::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = line.trim_start_matches(['-', '*']).trim();
        let named = line.split_once(':').and_then(|(name, rest)| {
            let name = name.trim();
            let is = |field: &&Field| {
                field.name.eq_ignore_ascii_case(name) || field.title.eq_ignore_ascii_case(name)
            };
            fields.iter().find(is).map(|field| (field, rest.trim()))
        });
        if let Some((field, rest)) = named {
            if !rest.is_empty() {
                entries.insert(field.name.clone(), value(field, unquoted(rest))?);
            }
        } else if entries.is_empty() && text.lines().count() == 1 {
            return in_order(fields, line);
        } else {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            return Err(format!("{} begins with none of {}", quoted(line), names.join(", ")));
        }
    }
    Ok(Value::Object(entries))
}

/// Quotation marks of the example that were copied along.
fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.filter(|inner| !inner.contains(['"', '\\'])).unwrap_or(text)
}

fn in_order(fields: &[Field], line: &str) -> Result<Value, String> {
    let owed: Vec<&Field> = fields.iter().filter(|field| field.required).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut entries = Map::new();
    match owed.as_slice() {
        [] => {
            let Some(first) = fields.first() else { return Err("it has no fields".to_owned()) };
            entries.insert(first.name.clone(), value(first, line)?);
        }
        [only] => {
            entries.insert(only.name.clone(), value(only, line)?);
        }
        several if several.len() == words.len() => {
            for (field, word) in several.iter().zip(words) {
                entries.insert(field.name.clone(), value(field, word)?);
            }
        }
        several => {
            let names: Vec<&str> = several.iter().map(|field| field.name.as_str()).collect();
            return Err(format!("{} does not tell {}", quoted(line), names.join(" from ")));
        }
    }
    Ok(Value::Object(entries))
}

/// One item on each line, with or without a bullet; an item with fields is
/// `{promise: …, due: …}` or the plain words of its first field.
fn list(item: &Field, text: &str) -> Result<Value, String> {
    let mut items = Vec::new();
    for line in text.lines().map(bare).filter(|line| !line.is_empty()) {
        items.push(match &item.shape {
            Shape::Mapping { fields, .. } => {
                flow_mapping(fields, line).map_or_else(|| in_order(fields, line), Ok)?
            }
            Shape::Value | Shape::List(_) => scalar(item, line)?,
        });
    }
    Ok(Value::Array(items))
}

/// A line without its bullet or number.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let line = line
        .strip_prefix("- [ ] ")
        .or_else(|| line.strip_prefix("- [x] "))
        .or_else(|| line.strip_prefix("- "))
        .or_else(|| line.strip_prefix("* "))
        .unwrap_or(line);
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.get(digits..) {
        Some(rest) if (1..=2).contains(&digits) && rest.starts_with(". ") => rest[2..].trim(),
        _ => line.trim(),
    }
}

/// The fields of a line in braces, where it is one and names only known ones.
fn flow_mapping(fields: &[Field], line: &str) -> Option<Value> {
    if !line.starts_with('{') {
        return None;
    }
    let Value::Object(entries) = yaml::read(line.as_bytes()).ok()?.to_json() else { return None };
    let known = entries.keys().all(|name| fields.iter().any(|field| field.name == *name));
    (known && !entries.is_empty()).then_some(Value::Object(entries))
}
