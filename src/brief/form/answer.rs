//! One missing answer as an input of a page, and what somebody writes into it
//! as the value that the schema wants.

use serde_json::{Map, Value, json};

use super::read::value;
use super::write::{description, placeholder};
use crate::brief::answer::{is_blank, is_placeholder};
use crate::brief::completeness::Completeness;
use crate::brief::question;
use crate::brief::schema::{Field, Schema, Shape, humanise};

/// Longer answers are no answers that people type.
const LONGEST: usize = 20_000;

/// One answer that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedAnswer {
    /// Where it belongs, as a JSON pointer.
    pub pointer: String,
    /// The question, 1 to 7.
    pub question: u8,
    /// What stands above the input.
    pub label: String,
    /// What belongs there, and how to write it.
    pub description: Option<String>,
    /// A good answer, in the form in which it is to be written.
    pub example: Option<String>,
    /// The words it is limited to; empty where it is not.
    pub choices: Vec<String>,
    /// Whether it may have several lines.
    pub is_long: bool,
    /// The format of a text, such as `date` or `email`.
    pub format: Option<String>,
    /// Whether `none` is an answer.
    pub allows_none: bool,
    /// Whether "not known yet" is an answer.
    pub allows_unknown: bool,
}

/// What a brief lacks and somebody else than the CSM can answer: missing
/// answers first, then the honest gaps.
#[must_use]
pub fn asked_answers(schema: &Schema, brief: &Value) -> Vec<AskedAnswer> {
    let Completeness { missing, unknown, .. } = Completeness::of(schema, brief);
    let missing = missing.into_iter().map(|it| (it.pointer, it.label));
    let unknown = unknown.into_iter().map(|it| (it.pointer, it.label));
    missing
        .chain(unknown)
        .filter_map(|(pointer, label)| asked_answer(schema, &pointer, Some(label)))
        .collect()
}

/// The input of one answer; `None` where the schema has none, or only the CSM
/// answers it.
#[must_use]
pub fn asked_answer(schema: &Schema, pointer: &str, label: Option<String>) -> Option<AskedAnswer> {
    let field = schema.outline().field(pointer)?;
    let number = field.question?;
    if field.ask.as_deref() == Some("csm") {
        return None;
    }
    let label = label.unwrap_or_else(|| field.title.clone());
    // A section that is one answer is called by its key: its title is the question.
    let is_question = question(number) == Some(label.as_str());
    let choices = match field.is_flag() {
        true => vec!["yes".to_owned(), "no".to_owned()],
        false => field.choices.clone(),
    };
    Some(AskedAnswer {
        pointer: pointer.to_owned(),
        question: number,
        label: if is_question { humanise(&field.name) } else { label },
        description: description(field),
        example: placeholder(field),
        choices,
        is_long: !matches!(field.shape, Shape::Value) || is_prose(field),
        format: field.format.clone(),
        allows_none: field.allows_none,
        allows_unknown: field.allows_unknown,
    })
}

fn is_prose(field: &Field) -> bool {
    field.format.is_none()
        && field.example.as_ref().and_then(Value::as_str).is_some_and(|it| it.len() > 40)
}

/// What somebody wrote, as the value of its field; `None` where they wrote
/// nothing.
///
/// # Errors
/// With what is wrong, in words for the person who wrote it.
pub fn read_answer(schema: &Schema, pointer: &str, text: &str) -> Result<Option<Value>, String> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > LONGEST {
        return Err(format!("the answer is longer than {LONGEST} characters"));
    }
    if is_placeholder(text) {
        return Err("this answers nothing; say who finds out, and until when".to_owned());
    }
    let field = schema.outline().field(pointer).ok_or("the brief has no such answer")?;
    let value = value(field, text)?;
    if is_blank(&value) { Ok(None) } else { Ok(Some(value)) }
}

/// Puts an answer where it belongs; whole sections that are not there are made.
///
/// # Errors
/// When something stands in its way that holds no fields, such as `none`.
pub fn put_answer(brief: &mut Value, pointer: &str, answer: Value) -> Result<(), String> {
    let mut tokens: Vec<String> = pointer
        .trim_start_matches('/')
        .split('/')
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect();
    let last = tokens.pop().ok_or("the answer has no place")?;
    let mut at = brief;
    for token in tokens {
        at = match at {
            Value::Object(fields) => {
                let inner = fields.entry(token).or_insert_with(|| Value::Object(Map::new()));
                if is_blank(inner) {
                    *inner = Value::Object(Map::new());
                }
                inner
            }
            Value::Array(items) => token
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get_mut(index))
                .ok_or("the entry that it belongs to is gone")?,
            _ => return Err("what it belongs to is answered in another way".to_owned()),
        };
    }
    match at {
        Value::Object(fields) => drop(fields.insert(last, answer)),
        _ => return Err("what it belongs to is answered in another way".to_owned()),
    }
    Ok(())
}

/// "Not known yet": who finds out, until when, and why it is not known.
#[must_use]
pub fn unknown_answer(why: &str, owner: &str, resolve_by: &str) -> Value {
    json!({"unknown": {"why": why, "owner": owner, "resolve_by": resolve_by}})
}
