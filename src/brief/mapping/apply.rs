//! A mapping applied to one deal. A leaf that fails is absent and named; the
//! brief is never lost.

use std::collections::BTreeMap;

use minijinja::Value as Jinja;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Leaf, Mapping};
use crate::brief::answer::{is_blank, is_placeholder};
use crate::brief::expression::{Expression, LOCALE, locale_value};
use crate::brief::merge::merge;
use crate::brief::schema::Schema;
use crate::model::{Deal, Money, Signature};
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
    /// By when the first touch is due.
    pub first_touch: Option<&'a FirstTouch>,
    /// What people have answered already: expressions over `brief` see it.
    pub answers: Option<&'a Map<String, Value>>,
    /// The ledger's schema. What a default mapping fills and an older copy of
    /// the schema has no place for is left out.
    pub schema: Option<&'a Schema>,
}

/// By when the first touch is due, in words and as a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FirstTouch {
    /// The moment in words and in the calendar's zone: `Thu 3 Dec 2026,
    /// 17:00 EST`; absent before the signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The same moment, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// The configured limit in words: `24 hours`, `24 business hours`.
    pub within: String,
}

/// One answer that was not taken over as it was, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingRemark {
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
    pub remarks: Vec<MappingRemark>,
    /// What the lines gave.
    pub given: GivenAnswers,
}

/// What the lines gave that read neither the brief nor the deadline: over the
/// same deal and document they give it again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenAnswers(pub(super) BTreeMap<usize, Option<Value>>);

impl Mapping {
    /// Makes a brief's sections from a deal and a signature. An answer that
    /// the deal does not have is absent.
    #[must_use]
    pub fn apply(&self, input: &MappingInput<'_>) -> MappedBrief {
        self.apply_leaves(input, &|_| true)
    }

    /// As [`Mapping::apply`], of the lines of these fields and of what is inside
    /// of them alone.
    #[must_use]
    pub fn apply_below(&self, fields: &[&str], input: &MappingInput<'_>) -> MappedBrief {
        self.apply_leaves(input, &|leaf| leaf.is_below(fields))
    }

    fn apply_leaves(
        &self,
        input: &MappingInput<'_>,
        is_wanted: &dyn Fn(&Leaf) -> bool,
    ) -> MappedBrief {
        let mut sections = Map::new();
        if let Some(deal) = deal_section(input) {
            sections.insert("deal".to_owned(), deal);
        }
        if let Some(signature) = input.signature {
            sections.insert("signature".to_owned(), signature_section(signature));
        }
        if let Some(schema) = input.schema {
            for name in ["deal", "signature"] {
                if let Some(section) = sections.remove(name)
                    && let Some(section) = schema.fitting(&[name.to_owned()], section)
                {
                    sections.insert(name.to_owned(), section);
                }
            }
        }
        let mut named = context(input);
        let mut context = Jinja::from_pairs(named.iter().cloned());
        let mut remarks = Vec::new();
        let mut with_brief = false;
        let mut known = GivenAnswers::default();
        for (at, leaf) in self.leaves.iter().enumerate().filter(|(_, leaf)| is_wanted(leaf)) {
            if leaf.reads_brief && !with_brief {
                let brief = Value::Object(sections.clone());
                let brief = match input.answers {
                    Some(answers) => merge(None, &Value::Object(answers.clone()), &brief),
                    None => brief,
                };
                named.push(("brief", Jinja::from(Serde(&brief))));
                context = Jinja::from_pairs(named.iter().cloned());
                with_brief = true;
            }
            let mut given = evaluate(&leaf.expression, &context);
            if !leaf.reads_brief && !leaf.expression.reads("first_touch") {
                let answer = given.as_ref().ok().cloned().flatten();
                known.0.insert(at, answer.and_then(|value| clean(value, &mut false, 0)));
            }
            if let (Ok(None), Some(of_document)) = (&given, &leaf.of_document) {
                given = evaluate(of_document, &context);
            }
            let value = match given {
                Ok(Some(value)) => value,
                Ok(None) => continue,
                Err(message) => {
                    remarks.push(MappingRemark { field: leaf.field(), message });
                    continue;
                }
            };
            let mut shortened = false;
            let Some(value) = clean(value, &mut shortened, 0) else { continue };
            if let Value::String(text) = &value
                && is_placeholder(text)
            {
                let message = format!("the source says {}, which answers nothing", quoted(text));
                remarks.push(MappingRemark { field: leaf.field(), message });
                continue;
            }
            if shortened {
                let message = "the source holds more than a brief can; the rest was cut".to_owned();
                remarks.push(MappingRemark { field: leaf.field(), message });
            }
            if leaf.own.is_none()
                && let Some(schema) = input.schema
            {
                let Some(value) = schema.fitting(&leaf.path, value) else { continue };
                set(&mut sections, &leaf.path, value);
            } else {
                set(&mut sections, &leaf.path, value);
            }
        }
        remarks.sort_by(|a, b| a.field.cmp(&b.field));
        MappedBrief { sections, remarks, given: known }
    }
}

pub(super) fn context(input: &MappingInput<'_>) -> Vec<(&'static str, Jinja)> {
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
    context.push((LOCALE, locale_value(locale)));
    if let Some(limit) = input.first_touch {
        context.push(("first_touch", Jinja::from(Serde(limit))));
    }
    context
}

pub(super) fn evaluate(expression: &Expression, context: &Jinja) -> Result<Option<Value>, String> {
    let result = expression.eval(context.clone()).map_err(|error| error.sentence())?;
    if result.is_undefined() || result.is_none() {
        return Ok(None);
    }
    serde_json::to_value(&result)
        .map(Some)
        .map_err(|_| "the expression gives a value that no brief can hold".to_owned())
}

/// The value without blanks, within bounds; `None` when nothing is left.
pub(super) fn clean(value: Value, shortened: &mut bool, depth: usize) -> Option<Value> {
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

/// The deal. Where nothing names its rep, who sent the document is the rep; of a
/// document without a deal that is all there is.
fn deal_section(input: &MappingInput<'_>) -> Option<Value> {
    let sender = input.signature.and_then(|signature| signature.sender.as_ref());
    let Some(deal) = input.deal else {
        // A ledger's older copy of the schema has no deal without an id.
        let id = input.schema.and_then(|schema| schema.outline().field("/deal/id"));
        let fits = id.is_none_or(|id| !id.required);
        return sender.filter(|_| fits).map(|sender| json!({ "owner": sender }));
    };
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
    let owner = deal.owner.as_ref().or(sender);
    put("owner", owner.and_then(|owner| serde_json::to_value(owner).ok()));
    put("closed_won_at", deal.closed_won_at.and_then(|at| serde_json::to_value(at).ok()));
    Some(Value::Object(section))
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
    put("url", signature.url.as_deref().filter(|url| is_web_address(url)).map(Into::into));
    put("total", signature.total.as_ref().and_then(money_section));
    put("remarks", Some(signature.remarks.clone().into()));
    Value::Object(section)
}

/// What the schema takes as a link.
fn is_web_address(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

/// Money with a currency; an amount without one says too little to be kept.
fn money_section(money: &Money) -> Option<Value> {
    money.currency.as_ref()?;
    serde_json::to_value(money).ok()
}
