//! What each line of a mapping read when it gave its answer: the names that
//! the source has for it, and the values.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::apply::{GivenAnswers, MappingInput, clean, context, evaluate};
use super::{BaseMapping, Leaf, Mapping};
use crate::brief::answer::is_blank;
use crate::brief::expression::{Expression, folded_property};
use crate::brief::sources::SourceKind;
use crate::model::RecordKind;
use crate::text::{one_line, shorten};
use crate::yaml::Span;

/// The longest value that is kept, in characters; the longest list of records.
const LONGEST: usize = 500;
const MOST: usize = 50;

/// One answer of the mapping and what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedAnswer {
    /// The field that the line fills, as a JSON pointer.
    pub pointer: String,
    /// The deal and its records, the document, or the settings alone.
    pub from: SourceKind,
    /// What was read, with the values.
    pub reads: BTreeMap<String, Value>,
    /// The line in the company's configuration.
    pub own: Option<Span>,
    /// The default mapping that the line is of; where it is none of the company's.
    pub base: Option<&'static str>,
    /// The line's expression.
    pub expression: String,
}

impl Mapping {
    /// What each line reads that gives an answer over the same input as
    /// [`Mapping::apply`]; `brief` is the brief that came of it. What that gave need
    /// not be evaluated again, where it is known.
    #[must_use]
    pub fn trace(
        &self,
        input: &MappingInput<'_>,
        brief: &Value,
        given: Option<&GivenAnswers>,
    ) -> Vec<TracedAnswer> {
        let records = records(input, brief);
        let mut whole = context(input);
        whole.push(("brief", minijinja::Value::from(minijinja::value::Serde(brief))));
        let without = |names: &[&str]| {
            let kept = whole.iter().filter(|(name, _)| !names.contains(name));
            minijinja::Value::from_pairs(kept.cloned())
        };
        let all = without(&[]);
        let no_document = LazyCell::new(|| without(&["signature"]));
        let no_deal = LazyCell::new(|| without(&["deal", "company", "contacts", "line_items"]));
        let gives = |expression: &Expression, context: &minijinja::Value| {
            let value = evaluate(expression, context).ok().flatten()?;
            clean(value, &mut false, 0)
        };
        let mut traced = Vec::new();
        for (at, leaf) in self.leaves.iter().enumerate() {
            let mut expression = &leaf.expression;
            let mut value = match given.and_then(|given| given.0.get(&at)) {
                Some(value) => value.clone(),
                None => gives(expression, &all),
            };
            let mut base = leaf.base;
            if let (None, Some(of_document)) = (&value, &leaf.of_document) {
                expression = of_document;
                value = gives(expression, &all);
                base = Some(BaseMapping::DOCUMENT.name);
            }
            let Some(value) = value else { continue };
            let mut reads = readings(expression, &records);
            let is_of_document = |name: &str| name.split('.').next() == Some("signature");
            let is_of_brief =
                |name: &str| matches!(name.split('.').next(), Some("brief" | "first_touch"));
            let document = reads.keys().any(|name| is_of_document(name));
            let deal = reads.keys().any(|name| !is_of_document(name) && !is_of_brief(name));
            let from = match (deal, document) {
                (true, true) if gives(expression, &no_document).as_ref() == Some(&value) => {
                    reads.retain(|name, _| !is_of_document(name));
                    SourceKind::Crm
                }
                (true, true) if gives(expression, &no_deal).as_ref() == Some(&value) => {
                    reads.retain(|name, _| is_of_document(name) || is_of_brief(name));
                    SourceKind::Document
                }
                (true, _) => SourceKind::Crm,
                (false, true) => SourceKind::Document,
                (false, false) => SourceKind::Settings,
            };
            traced.push(TracedAnswer {
                pointer: pointer(leaf),
                from,
                reads,
                own: leaf.own,
                base: leaf.own.is_none().then_some(base).flatten(),
                expression: expression.source().to_owned(),
            });
        }
        traced
    }
}

fn pointer(leaf: &Leaf) -> String {
    leaf.path.iter().map(|name| format!("/{}", crate::brief::answer::escape(name))).collect()
}

/// The records that expressions read, as plain values.
fn records(input: &MappingInput<'_>, brief: &Value) -> Map<String, Value> {
    let mut records = Map::new();
    let deal = input.deal.and_then(|deal| serde_json::to_value(deal).ok());
    for name in ["company", "contacts", "line_items"] {
        if let Some(value) = deal.as_ref().and_then(|deal| deal.get(name)) {
            records.insert(name.to_owned(), value.clone());
        }
    }
    records.extend(deal.map(|deal| ("deal".to_owned(), deal)));
    let signature = input.signature.and_then(|it| serde_json::to_value(it).ok());
    records.extend(signature.map(|it| ("signature".to_owned(), it)));
    let first_touch = input.first_touch.and_then(|it| serde_json::to_value(it).ok());
    records.extend(first_touch.map(|it| ("first_touch".to_owned(), it)));
    records.insert("brief".to_owned(), brief.clone());
    records
}

/// What an expression reads of these records that has a value.
fn readings(expression: &Expression, records: &Map<String, Value>) -> BTreeMap<String, Value> {
    let mut reads = BTreeMap::new();
    let properties = expression.properties();
    for kind in RecordKind::ALL {
        let (record, shown) = match kind {
            RecordKind::Deal => ("deal", "deal"),
            RecordKind::Company => ("company", "company"),
            RecordKind::Contact => ("contacts", "contacts"),
            RecordKind::LineItem => ("line_items", "line_items"),
        };
        let Some(record) = records.get(record) else { continue };
        for name in properties.of(kind).into_iter().flatten() {
            match record {
                Value::Array(items) => {
                    let found = items.iter().take(MOST).filter_map(|item| property(item, name));
                    let (mut names, mut values) = (None, Vec::new());
                    for (name, value) in found {
                        names.get_or_insert(name);
                        values.push(value);
                    }
                    if let Some(name) = names {
                        reads.insert(format!("{shown}.{name}"), Value::Array(values));
                    }
                }
                record => {
                    if let Some((name, value)) = property(record, name) {
                        reads.insert(format!("{shown}.{name}"), value);
                    }
                }
            }
        }
    }
    for path in expression.paths() {
        let Some(first) = path.first() else { continue };
        if path.get(1).is_some_and(|second| second == "properties") {
            continue;
        }
        let Some(mut value) = records.get(first.as_str()) else { continue };
        let mut known = Vec::from([first.as_str()]);
        for name in &path[1..] {
            let Some(inside) = value.get(name) else { break };
            value = inside;
            known.push(name);
        }
        // A path that leads nowhere, and a whole record of which single properties are read.
        let is_record = matches!(known[..], ["deal" | "company" | "brief"]);
        if known.len() < path.len() && !value.is_array() || is_record {
            continue;
        }
        if let Some(told) = told(value) {
            reads.insert(known.join("."), told);
        }
    }
    reads
}

/// The first property of that name that has a value, as `property()` finds it.
fn property(record: &Value, name: &str) -> Option<(String, Value)> {
    let properties = record.get("properties")?.as_object()?;
    let value = |value: &Value| (!is_blank(value)).then(|| told(value)).flatten();
    if let Some(exact) = properties.get(name).and_then(value) {
        return Some((name.to_owned(), exact));
    }
    let folded = folded_property(name);
    let mut same = properties.iter().filter(|(key, _)| folded_property(key) == folded);
    same.find_map(|(key, found)| Some((key.clone(), value(found)?)))
}

/// A value as it is kept: one line, bounded; of records what names them.
fn told(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Null => return None,
        Value::String(text) if text.trim().is_empty() => return None,
        Value::String(text) => json!(shorten(&one_line(text), LONGEST)),
        Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::Array(items) if items.is_empty() => return None,
        Value::Array(items) => items.iter().take(MOST).filter_map(told).collect(),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            if let Some(amount) = text("amount") {
                json!(format!("{amount} {}", text("currency").unwrap_or_default()).trim())
            } else {
                let named = ["id", "document_id", "email", "name", "promise"];
                let name = named.iter().find_map(|name| text(name));
                match name {
                    Some(name) => json!(shorten(&one_line(name), LONGEST)),
                    None => json!(shorten(&one_line(&value.to_string()), LONGEST)),
                }
            }
        }
    })
}
