//! A mapping applied to one deal. A leaf that fails is absent and named; the
//! brief is never lost.

use minijinja::Value as Jinja;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::{Map, Value};

use super::compile::{Leaf, Mapping};
use super::values;
use crate::brief::answer::{is_blank, is_placeholder};
use crate::model::{Deal, Signature};
use crate::text::{quoted, shorten};

/// The longest text that is kept, in characters; the longest list.
const LONGEST_TEXT: usize = 10_000;
const LONGEST_LIST: usize = 500;
const DEEPEST: usize = 12;

/// What a brief is made from.
#[derive(Debug, Clone, Copy, Default)]
pub struct MappingInput<'a> {
    /// The signed document; `None` for a draft.
    pub signature: Option<&'a Signature>,
    /// The deal; `None` when the document names none.
    pub deal: Option<&'a Deal>,
    /// The limit of the first touch in words, such as `24 hours`.
    pub first_touch: Option<&'a str>,
}

/// One answer that was not taken over as it was, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The field, dotted.
    pub field: String,
    /// What happened.
    pub message: String,
}

/// A brief as the mapping gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct MappedBrief {
    /// The sections, without `schema` and `key`.
    pub sections: Map<String, Value>,
    /// What was not taken over.
    pub remarks: Vec<Remark>,
}

impl Mapping {
    /// Makes a brief's sections from a deal and a signature. An answer that
    /// the deal does not have is absent.
    #[must_use]
    pub fn apply(&self, input: &MappingInput<'_>) -> MappedBrief {
        let mut sections = Map::new();
        if let Some(deal) = input.deal {
            sections.insert("deal".to_owned(), deal_section(deal));
        }
        if let Some(signature) = input.signature {
            sections.insert("signature".to_owned(), signature_section(signature));
        }
        let mut context = context(input);
        let mut remarks = Vec::new();
        let mut with_brief = false;
        for leaf in &self.leaves {
            if leaf.reads_brief && !with_brief {
                context.push(("brief", Jinja::from(Serde(&sections))));
                with_brief = true;
            }
            let value = match evaluate(leaf, &context) {
                Ok(Some(value)) => value,
                Ok(None) => continue,
                Err(message) => {
                    remarks.push(Remark { field: leaf.field(), message });
                    continue;
                }
            };
            let mut shortened = false;
            let Some(value) = clean(value, &mut shortened, 0) else { continue };
            if let Value::String(text) = &value
                && is_placeholder(text)
            {
                let message = format!("the source says {}, which answers nothing", quoted(text));
                remarks.push(Remark { field: leaf.field(), message });
                continue;
            }
            if shortened {
                let message = "the source holds more than a brief can; the rest was cut".to_owned();
                remarks.push(Remark { field: leaf.field(), message });
            }
            set(&mut sections, &leaf.path, value);
        }
        remarks.sort_by(|a, b| a.field.cmp(&b.field));
        MappedBrief { sections, remarks }
    }
}

fn context(input: &MappingInput<'_>) -> Vec<(&'static str, Jinja)> {
    let mut context = Vec::with_capacity(8);
    if let Some(signature) = input.signature {
        context.push(("signature", Jinja::from(Serde(signature))));
    }
    if let Some(deal) = input.deal {
        let deal = Jinja::from(Serde(deal));
        for name in ["company", "contacts", "line_items"] {
            context.push((name, deal.get_attr(name).unwrap_or_default()));
        }
        context.push(("deal", deal));
    }
    let locale = input.deal.map(|deal| deal.locale).unwrap_or_default();
    context.push((values::LOCALE, values::locale_value(locale)));
    if let Some(limit) = input.first_touch {
        context.push(("first_touch", Jinja::from(limit)));
    }
    context
}

fn evaluate(leaf: &Leaf, context: &[(&'static str, Jinja)]) -> Result<Option<Value>, String> {
    let context = Jinja::from_pairs(context.iter().map(|(name, value)| (*name, value.clone())));
    let result = leaf.expression.eval(context).map_err(|error| error.message)?;
    if result.is_undefined() || result.is_none() {
        return Ok(None);
    }
    serde_json::to_value(&result)
        .map(Some)
        .map_err(|_| "the expression gives a value that no brief can hold".to_owned())
}

/// The value without blanks, within bounds; `None` when nothing is left.
fn clean(value: Value, shortened: &mut bool, depth: usize) -> Option<Value> {
    if depth > DEEPEST {
        *shortened = true;
        return None;
    }
    let value = match value {
        Value::String(text) => {
            let text = text.trim();
            if text.chars().count() > LONGEST_TEXT {
                *shortened = true;
                Value::String(shorten(text, LONGEST_TEXT))
            } else {
                Value::String(text.to_owned())
            }
        }
        Value::Array(mut items) => {
            if items.len() > LONGEST_LIST {
                *shortened = true;
                items.truncate(LONGEST_LIST);
            }
            Value::Array(
                items.into_iter().filter_map(|item| clean(item, shortened, depth + 1)).collect(),
            )
        }
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, clean(value, shortened, depth + 1)?)))
                .collect(),
        ),
        Value::Number(number) => match number.as_f64() {
            // `40.0` and `40` are one number, and a brief shows the shorter.
            #[expect(clippy::cast_possible_truncation, reason = "whole and in range, as tested")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        other => other,
    };
    (!is_blank(&value)).then_some(value)
}

fn set(sections: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((last, above)) = path.split_last() else { return };
    let mut map = sections;
    for name in above {
        let inside = map.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
        if !inside.is_object() {
            *inside = Value::Object(Map::new());
        }
        let Value::Object(inside) = inside else { return };
        map = inside;
    }
    map.insert(last.clone(), value);
}

fn deal_section(deal: &Deal) -> Value {
    let mut section = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !is_blank(value)) {
            section.insert(name.to_owned(), value);
        }
    };
    put("crm", Some(deal.crm.as_str().into()));
    put("id", Some(deal.id.as_str().into()));
    put("name", deal.name.as_deref().map(|name| name.trim().into()));
    put("url", deal.url.as_deref().map(Into::into));
    put("owner", deal.owner.as_ref().and_then(|owner| serde_json::to_value(owner).ok()));
    put("closed_won_at", deal.closed_won_at.and_then(|at| serde_json::to_value(at).ok()));
    Value::Object(section)
}

fn signature_section(signature: &Signature) -> Value {
    let mut section = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !is_blank(value)) {
            section.insert(name.to_owned(), value);
        }
    };
    put("provider", Some(signature.provider.as_str().into()));
    put("document_id", Some(signature.document_id.as_str().into()));
    put("document_name", signature.document_name.as_deref().map(|name| name.trim().into()));
    put("signed_at", signature.signed_at.and_then(|at| serde_json::to_value(at).ok()));
    Value::Object(section)
}
