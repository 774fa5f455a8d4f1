//! JSON exports as rows: an array of objects, the answers of a CRM's API as
//! they come, or one object a line.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::content::error_answer;
use super::remarks::Problem;
use crate::text::quoted;

/// What a JSON file holds.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) headers: Vec<String>,
    pub(super) records: Vec<Record>,
    pub(super) cut_off: Option<String>,
}

/// One record: a value for each header that it has, and what lies below it.
#[derive(Debug, Default)]
pub(super) struct Record {
    values: Vec<Option<Value>>,
    pub(super) children: Children,
}

/// Records below a record.
#[derive(Debug, Default)]
pub(super) struct Children {
    pub(super) company: Option<Map<String, Value>>,
    pub(super) contacts: Vec<Map<String, Value>>,
    pub(super) line_items: Vec<Map<String, Value>>,
}

impl Record {
    pub(super) fn value(&self, column: usize) -> Option<&Value> {
        self.values.get(column)?.as_ref()
    }

    pub(super) fn text(&self, column: usize) -> Cow<'_, str> {
        match self.value(column) {
            None => Cow::Borrowed(""),
            Some(Value::String(text)) => Cow::Borrowed(text.trim()),
            Some(other) => Cow::Owned(other.to_string()),
        }
    }
}

/// Where API answers keep their records.
const LISTS: [&str; 7] = ["results", "records", "data", "deals", "opportunities", "value", "items"];

/// Reads a JSON text.
pub(super) fn read(text: &str) -> Result<Parsed, Problem> {
    let mut cut_off = None;
    let mut items = Vec::new();
    let (mut total, mut listed) = (None, false);
    // One value, or one object a line (and pages of answers one after another).
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value.map_err(|error| {
            Problem::file(format!(
                "The JSON cannot be read at line {}, column {}: {}",
                error.line(),
                error.column(),
                said(&error)
            ))
            .help("Export the file again; it may be cut off.")
        })?;
        match value {
            Value::Array(list) => items.extend(list),
            Value::Object(mut object) => {
                let list =
                    LISTS.iter().find(|name| object.get(**name).is_some_and(Value::is_array));
                match list.and_then(|name| object.remove(*name)) {
                    Some(Value::Array(list)) => {
                        listed = true;
                        cut_off = more_pages(&object);
                        total = said_total(&object).or(total);
                        items.extend(list);
                    }
                    _ => {
                        let nothing = LISTS
                            .iter()
                            .find(|name| object.get(**name).is_some_and(Value::is_null));
                        let object = Value::Object(object);
                        if let Some(problem) = error_answer(&object) {
                            return Err(problem);
                        }
                        if let Some(name) = nothing {
                            return Err(Problem::file(format!(
                                "This is an API's answer without a list: {} is null",
                                quoted(name)
                            ))
                            .help("Ask the API again, and save its answer once it lists deals."));
                        }
                        items.push(object);
                    }
                }
            }
            other => items.push(other),
        }
    }
    if let Some((name, count)) = total.filter(|(_, count)| *count > items.len()) {
        cut_off.get_or_insert(format!("{name}: {count}"));
    }
    if let [only] = items.as_slice()
        && let Some(problem) = error_answer(only)
    {
        return Err(problem);
    }
    if items.is_empty() {
        let what =
            if listed { "This is an API's answer with an empty list" } else { "The list is empty" };
        return Err(Problem::file(format!("{what}: it holds no deals and no columns"))
            .help("Ask for the deals again; an export of no deals as CSV has a line of headers."));
    }
    let mut headers: IndexMap<String, usize> = IndexMap::new();
    let mut records = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let Value::Object(object) = item else {
            return Err(Problem::row(index + 1, "The record is not an object")
                .help("The file holds a list of objects, one for each deal."));
        };
        let mut record = Record::default();
        flatten(object, "", &mut record, &mut headers);
        records.push(record);
    }
    Ok(Parsed { headers: headers.into_keys().collect(), records, cut_off })
}

/// The parser's words without the place, which is told apart.
fn said(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words.split(" at line ").next().unwrap_or_default().to_owned()
}

/// What an answer says of further pages: HubSpot, Salesforce, Pipedrive (both
/// versions), Close, Zoho, Dynamics, monday and APIs like them.
fn more_pages(answer: &Map<String, Value>) -> Option<String> {
    let at = |pointer: &str| {
        let mut parts = pointer.split('/');
        let first = answer.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    };
    let says_more = |pointer: &str| {
        at(pointer).is_some_and(|value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        })
    };
    let found = [
        "paging/next",
        "nextRecordsUrl",
        "has_more",
        "hasMore",
        "additional_data/next_cursor",
        "additional_data/pagination/more_items_in_collection",
        "info/more_records",
        "@odata.nextLink",
        "links/next",
        "next_page",
        "next_page_token",
        "next",
    ]
    .into_iter()
    .find(|pointer| says_more(pointer))
    .map(|pointer| pointer.replace('/', "."));
    found.or_else(|| {
        (answer.get("done") == Some(&Value::Bool(false))).then(|| "done: false".to_owned())
    })
}

/// How many records an answer says there are in all.
fn said_total(answer: &Map<String, Value>) -> Option<(&'static str, usize)> {
    ["total", "totalSize", "total_results", "totalResults", "total_count", "@odata.count"]
        .into_iter()
        .find_map(|name| Some((name, usize::try_from(answer.get(name)?.as_u64()?).ok()?)))
}

/// Puts an object's values under headers: nested records become `Account.Name`,
/// HubSpot's `properties` are the record itself, lists of records are children.
fn flatten(
    object: Map<String, Value>,
    prefix: &str,
    record: &mut Record,
    headers: &mut IndexMap<String, usize>,
) {
    for (name, value) in object {
        let top = prefix.is_empty();
        match value {
            Value::Object(inner) if top && name == "properties" => {
                flatten(inner, "", record, headers);
            }
            // What surrounds a record in an API's answer and says nothing of the deal.
            Value::Object(_) | Value::Array(_)
                if matches!(
                    name.as_str(),
                    "attributes" | "associations" | "propertiesWithHistory"
                ) => {}
            Value::Object(inner) if top && name.eq_ignore_ascii_case("company") => {
                record.children.company = Some(inner);
            }
            Value::Object(mut inner) => match (top, kind(&name), inner.remove("records")) {
                (true, Some(kind), Some(Value::Array(list))) => record.add(kind, list),
                (_, _, Some(records)) => {
                    inner.insert("records".to_owned(), records);
                    flatten(inner, &format!("{prefix}{name}."), record, headers);
                }
                (_, _, None) => flatten(inner, &format!("{prefix}{name}."), record, headers),
            },
            Value::Array(list)
                if top && kind(&name).is_some() && list.iter().all(Value::is_object) =>
            {
                if let Some(kind) = kind(&name) {
                    record.add(kind, list);
                }
            }
            Value::Null => {
                // The column exists, and this record has nothing in it.
                let next = headers.len();
                headers.entry(format!("{prefix}{name}")).or_insert(next);
            }
            value => {
                let next = headers.len();
                let at = *headers.entry(format!("{prefix}{name}")).or_insert(next);
                if record.values.len() <= at {
                    record.values.resize(at + 1, None);
                }
                let blank = value.as_str().is_some_and(|text| text.trim().is_empty());
                // HubSpot tells its id twice; the first one stays.
                if !blank && record.values[at].is_none() {
                    record.values[at] = Some(clean(value));
                }
            }
        }
    }
}

/// The value without control characters in its texts.
fn clean(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(super::table::without_controls(&text)),
        other => other,
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Contacts,
    LineItems,
}

fn kind(name: &str) -> Option<Kind> {
    match name.to_lowercase().as_str() {
        "contacts" | "opportunitycontactroles" | "persons" | "people" | "participants" => {
            Some(Kind::Contacts)
        }
        "line_items" | "lineitems" | "line items" | "products" | "opportunitylineitems" => {
            Some(Kind::LineItems)
        }
        _ => None,
    }
}

impl Record {
    fn add(&mut self, kind: Kind, list: Vec<Value>) {
        let into = match kind {
            Kind::Contacts => &mut self.children.contacts,
            Kind::LineItems => &mut self.children.line_items,
        };
        into.extend(list.into_iter().filter_map(|item| match item {
            Value::Object(object) => Some(flat(object)),
            _ => None,
        }));
    }
}

/// One child record with nested records under dotted names.
fn flat(object: Map<String, Value>) -> Map<String, Value> {
    let (mut record, mut headers) = (Record::default(), IndexMap::new());
    flatten(object, "", &mut record, &mut headers);
    let names = headers.into_keys();
    names.zip(record.values).filter_map(|(name, value)| Some((name, value?))).collect()
}
