//! JSON exports as rows: an array of objects, the answers of a CRM's API as
//! they come, or one object a line.

use std::borrow::Cow;
use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::content::{error_answer, is_error};
use super::headers;
use super::problem::Problem;
use crate::model::read_json_stream;
use crate::text::quoted;

/// What a JSON file holds.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) headers: Vec<String>,
    pub(super) records: Vec<JsonRecord>,
    pub(super) cut_off: Option<CutOff>,
    /// What a reader should know of pages that the file may not hold.
    pub(super) remark: Option<String>,
    /// What stands around the records and in them, by which an API is known.
    pub(super) marks: BTreeSet<String>,
}

/// What a file says of itself that it lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CutOff {
    /// There are more records, as this says.
    More(String),
    /// Some could not be read, as this says.
    Partial(String),
    /// It is a full page, and lacks this, by which its vendor says on each page
    /// whether there are more.
    Unsaid(&'static str),
}

/// One record: a value for each header that it has, and what lies below it.
#[derive(Debug, Default)]
pub(super) struct JsonRecord {
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

impl JsonRecord {
    pub(super) fn value(&self, column: usize) -> Option<&Value> {
        self.values.get(column)?.as_ref()
    }

    pub(super) fn drop_false(&mut self, column: usize) {
        if let Some(value) = self.values.get_mut(column)
            && *value == Some(Value::Bool(false))
        {
            *value = None;
        }
    }

    pub(super) fn text(&self, column: usize) -> Cow<'_, str> {
        match self.value(column) {
            None => Cow::Borrowed(""),
            Some(Value::String(text)) => Cow::Borrowed(text.trim()),
            Some(other) => Cow::Owned(other.to_string()),
        }
    }
}

/// Where API answers keep their records, and what they wrap those in.
const LISTS: [&str; 26] = [
    "results",
    "records",
    "data",
    "deals",
    "opportunities",
    "value",
    "values",
    "items",
    "result",
    "response",
    "d",
    "body",
    "payload",
    "output",
    "content",
    "_embedded",
    "edges",
    "nodes",
    "rows",
    "entries",
    "boards",
    "items_page",
    "collection",
    "list",
    "compositeResponse",
    "json",
];

/// Reads a JSON text.
pub(super) fn read(text: &str) -> Result<Parsed, Problem> {
    let mut pages = Pages::default();
    let mut values = 0;
    // One value, or one object a line (and pages of answers one after another).
    for value in read_json_stream(text) {
        values += 1;
        let value = value.map_err(|error| {
            Problem::file(format!(
                "The JSON cannot be read at line {}, column {}: {}",
                error.line(),
                error.column(),
                said(&error)
            ))
            .help(match error.is_data() {
                true => "Ask whoever writes the file which of the two values counts.",
                false => "Export the file again; it may be cut off.",
            })
        })?;
        pages.add(value, DEPTH)?;
    }
    let cut_off = pages.cut_off();
    let is_list = values == 1 && (pages.envelopes > 0 || text.trim_start().starts_with('['));
    let remark = (cut_off.is_none() && is_list).then(|| pages.full_page()).flatten();
    if pages.items.is_empty() {
        let what = if pages.envelopes > 0 {
            "This is an API's answer with an empty list"
        } else {
            "The list is empty"
        };
        return Err(Problem::file(format!("{what}: it holds no deals and no columns"))
            .help("Ask for the deals again; an export of no deals as CSV has a line of headers."));
    }
    let mut headers: IndexMap<String, usize> = IndexMap::new();
    let mut records = Vec::with_capacity(pages.items.len());
    for (index, item) in pages.items.into_iter().enumerate() {
        let Value::Object(object) = item else {
            return Err(Problem::row(index + 1, "The record is not an object")
                .help("The file holds a list of objects, one for each deal."));
        };
        mark(&object, &mut pages.marks);
        let mut record = JsonRecord::default();
        flatten(object, "", &mut record, &mut headers);
        records.push(record);
    }
    let marks = pages.marks;
    Ok(Parsed { headers: headers.into_keys().collect(), records, cut_off, remark, marks })
}

/// Notes what a record has beside its fields: `properties` around them, and what
/// Salesforce says of each, `attributes.type=opportunity`.
fn mark(record: &Map<String, Value>, marks: &mut BTreeSet<String>) {
    if record.get("properties").is_some_and(Value::is_object) && !marks.contains("properties") {
        marks.insert("properties".to_owned());
    }
    let kind = record.get("attributes").and_then(|it| it.get("type")).and_then(Value::as_str);
    if let Some(kind) = kind.filter(|kind| kind.len() < 40 && marks.len() < MOST_MARKS) {
        marks.insert(format!("attributes.type={}", kind.to_lowercase()));
    }
}

/// So many marks are noted.
const MOST_MARKS: usize = 100;

/// The parser's words without the place, which is told apart.
fn said(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words.split(" at line ").next().unwrap_or_default().to_owned()
}

/// So many wrappings are taken off.
const DEPTH: usize = 8;

/// The records of all answers in a file, and what the answers say of themselves.
#[derive(Default)]
struct Pages {
    items: Vec<Value>,
    envelopes: usize,
    /// What the last answer says of further pages.
    more: Option<String>,
    /// What any of them says that it left out.
    partial: Option<String>,
    /// The largest number of records, and of pages, that one of them names.
    total: Option<(String, u64)>,
    pages: Option<(String, u64)>,
    /// Whether the last answer says anything of pages, and if not, how many
    /// records it has and by what its vendor says it.
    says: bool,
    last: usize,
    unsaid: Option<&'static str>,
    marks: BTreeSet<String>,
}

/// As many records as a page of an API holds: HubSpot's 100 and 200, Pipedrive's
/// 100 and 500, Salesforce's 2,000, Zoho's 200, Dynamics' 5,000.
const FULL: [usize; 7] = [100, 200, 250, 500, 1_000, 2_000, 5_000];

/// By what Salesforce and Pipedrive say on each page whether it is the last one.
/// HubSpot, OData and others write something only where there are more.
fn always_says(name: &str, answer: &Map<String, Value>) -> Option<&'static str> {
    match name {
        "records" => Some("done"),
        "data" if answer.contains_key("success") => Some("additional_data"),
        _ => None,
    }
}

impl Pages {
    /// Adds what a value holds: a list, an answer around one, or a record.
    fn add(&mut self, value: Value, depth: usize) -> Result<(), Problem> {
        match value {
            Value::Array(list) => {
                for item in list {
                    match item {
                        Value::Object(object) if depth > 0 && wraps(&object) => {
                            // Pages in a list are read as pages one behind the other.
                            let depth = if depth == DEPTH { depth } else { depth - 1 };
                            self.add_object(object, depth)?;
                        }
                        Value::Object(object) if is_error(&object) && !has_id(&object) => {
                            return Err(error_answer(&object));
                        }
                        item => self.items.push(item),
                    }
                }
                Ok(())
            }
            Value::Object(object) => self.add_object(object, depth),
            other => {
                self.items.push(other);
                Ok(())
            }
        }
    }

    fn add_object(&mut self, mut object: Map<String, Value>, depth: usize) -> Result<(), Problem> {
        let is_list = |name: &&&str| object.get(**name).is_some_and(Value::is_array);
        let holds = |name: &&&str| {
            depth > 0
                && object
                    .get(**name)
                    .and_then(Value::as_object)
                    .is_some_and(|it| wraps(it) || (has_id(it) && !has_id(&object)))
        };
        let name = LISTS.iter().find(is_list).filter(|_| !has_id(&object) || depth == DEPTH);
        let name = name.or_else(|| LISTS.iter().find(holds).filter(|_| wraps(&object)));
        if let Some((name, inner)) = name.and_then(|name| Some((*name, object.remove(*name)?))) {
            if depth == DEPTH {
                self.envelopes += 1;
                (self.more, self.says) = (None, false);
                self.unsaid = always_says(name, &object);
            }
            self.look(&object, "", 4);
            self.note(&object);
            let before = self.items.len();
            self.add(inner, depth - 1)?;
            if depth == DEPTH {
                self.last = self.items.len() - before;
            }
            return Ok(());
        }
        // One object, which is a record or says what went wrong.
        let known = object.keys().filter(|name| headers::is_known(name)).count();
        if !has_id(&object) && known < 3 || is_error(&object) {
            if let Some(name) = LISTS.iter().find(|it| object.get(**it).is_some_and(Value::is_null))
                && !is_error(&object)
            {
                return Err(Problem::file(format!(
                    "This is an API's answer without a list: {} is null",
                    quoted(name)
                ))
                .help("Ask the API again, and save its answer once it lists deals."));
            }
            return Err(error_answer(&object));
        }
        self.items.push(Value::Object(object));
        Ok(())
    }

    /// Notes the names of what stands around a list, and of which objects it is one.
    fn note(&mut self, answer: &Map<String, Value>) {
        for (name, value) in answer.iter().take(MOST_MARKS) {
            if self.marks.len() > MOST_MARKS {
                break;
            }
            match value {
                Value::Object(members) => {
                    let inner = members.keys().take(MOST_MARKS);
                    self.marks.extend(inner.map(|inner| format!("{name}.{inner}")));
                }
                Value::String(text) if name == "@odata.context" => {
                    let of = text.split_once('#').map_or("", |(_, of)| of);
                    let of = of.split('(').next().unwrap_or_default();
                    self.marks.insert(format!("{name}={}", of.to_lowercase()));
                }
                _ => {}
            }
            self.marks.insert(name.clone());
        }
    }

    /// Notes what stands around a list and says that it is not whole, by the words
    /// that APIs have for it: more pages, a cursor, a larger total, errors.
    fn look(&mut self, answer: &Map<String, Value>, path: &str, depth: usize) {
        let words = |name: &str| -> String {
            name.chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_lowercase())
                .collect()
        };
        let ended = answer.iter().any(|(name, value)| {
            *value == Value::Bool(false) && MORE.contains(&words(name).as_str())
        });
        for (name, value) in answer {
            let shown = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let name = words(name);
            let has = |names: &[&str]| names.contains(&name.as_str());
            let is_said = match value {
                Value::Null | Value::Bool(false) => false,
                Value::String(text) => !text.is_empty(),
                Value::Object(members) => !members.is_empty(),
                Value::Array(items) => !items.is_empty(),
                _ => true,
            };
            let count = match value {
                Value::String(text) => text.trim().parse().ok(),
                value => value.as_u64(),
            };
            let is_cursor = value.is_string() && has(&CURSORS);
            self.says |= name.contains("next")
                || [&MORE[..], &DONE, &CURSORS, &TOTALS, &PAGES, &["paging", "pagination"]]
                    .into_iter()
                    .any(has);
            let unless_told = self.more.as_ref().is_none_or(|told| told.ends_with(": false"));
            if has(&DONE) && *value == Value::Bool(false) {
                self.more.get_or_insert(format!("{shown}: false"));
            } else if is_said && has(&MORE) {
                self.more = Some(shown);
            } else if is_said && !ended && (name.contains("next") || is_cursor) {
                if unless_told {
                    self.more = Some(shown);
                }
            } else if has(&PARTIAL) && is_said && count != Some(0) {
                self.partial = Some(shown);
            } else if let Some(count) = count {
                let largest = match () {
                    () if has(&TOTALS) => &mut self.total,
                    () if has(&PAGES) => &mut self.pages,
                    () => continue,
                };
                if largest.as_ref().is_none_or(|(_, most)| count > *most) {
                    *largest = Some((shown, count));
                }
            } else if let Value::Object(members) = value
                && depth > 0
            {
                self.look(members, &shown, depth - 1);
            }
        }
    }

    fn cut_off(&self) -> Option<CutOff> {
        let beyond = |said: &Option<(String, u64)>, read: usize| {
            let (name, count) = said.as_ref()?;
            (*count > read as u64).then(|| format!("{name}: {count}"))
        };
        let more = self.more.clone().or_else(|| beyond(&self.total, self.items.len()));
        let more = more.or_else(|| beyond(&self.pages, self.envelopes)).map(CutOff::More);
        let unsaid = || {
            let unsaid = self.unsaid.filter(|_| !self.says && FULL.contains(&self.last));
            unsaid.map(CutOff::Unsaid)
        };
        more.or_else(|| self.partial.clone().map(CutOff::Partial)).or_else(unsaid)
    }

    /// That the one list is as long as a page, and nothing says that it is the last.
    fn full_page(&self) -> Option<String> {
        let count = self.items.len();
        (!self.says && FULL.contains(&count)).then(|| {
            format!(
                "The file holds exactly {count} records, as many as a page of an API does, and \
                 says nothing of further pages. If it is an answer of an API, see that it was the \
                 last one."
            )
        })
    }
}

/// Names, in letters and digits alone, that say whether there are more pages.
const MORE: [&str; 9] = [
    "hasmore",
    "more",
    "morerecords",
    "moreitems",
    "moreitemsincollection",
    "hasnextpage",
    "hasnext",
    "truncated",
    "incompleteresults",
];
/// Names that say whether this is the last one.
const DONE: [&str; 5] = ["done", "islast", "islastpage", "last", "complete"];
/// Names of cursors, which are texts where there is a next page.
const CURSORS: [&str; 6] =
    ["cursor", "offset", "after", "continuation", "continuationtoken", "skiptoken"];
/// Names that say what is missing.
const PARTIAL: [&str; 4] = ["errors", "numerrors", "partial", "partialresults"];
/// Names of how many records there are in all.
const TOTALS: [&str; 12] = [
    "total",
    "totalsize",
    "totalresults",
    "totalcount",
    "totalelements",
    "totalitems",
    "totalrecords",
    "recordstotal",
    "count",
    "odatacount",
    "totalhits",
    "totalrecordcount",
];
/// Names of how many pages there are.
const PAGES: [&str; 4] = ["totalpages", "pages", "lastpage", "pagecount"];

/// Whether an object has an id of a deal, and so is a record.
fn has_id(object: &Map<String, Value>) -> bool {
    !object.contains_key("jsonrpc") && object.keys().any(|name| headers::is_id(name))
}

/// Whether an object is an answer around a list, and no record.
fn wraps(object: &Map<String, Value>) -> bool {
    !has_id(object)
        && LISTS.iter().any(|name| match object.get(*name) {
            Some(Value::Array(_)) => true,
            Some(Value::Object(inner)) => wraps(inner) || has_id(inner),
            _ => false,
        })
}

/// Puts an object's values under headers: nested records become `Account.Name`,
/// HubSpot's `properties` are the record itself, lists of records are children.
fn flatten(
    object: Map<String, Value>,
    prefix: &str,
    record: &mut JsonRecord,
    headers: &mut IndexMap<String, usize>,
) {
    for (name, value) in object {
        let top = prefix.is_empty();
        let value = if value.as_array().is_some_and(Vec::is_empty) { Value::Null } else { value };
        match value {
            // What surrounds a record in an API's answer and says nothing of the deal.
            Value::Object(_) | Value::Array(_)
                if matches!(name.as_str(), "associations" | "propertiesWithHistory") => {}
            Value::Object(inner)
                if name == "attributes"
                    && (!top || inner.keys().all(|key| matches!(key.as_str(), "type" | "url"))) => {
            }
            Value::Object(inner) if top && IS_THE_RECORD.contains(&name.as_str()) => {
                flatten(inner, "", record, headers);
            }
            // Odoo: the id of another record with its name, and `false` for nothing.
            Value::Array(pair)
                if matches!(pair.as_slice(), [Value::Number(_), Value::String(_)]) =>
            {
                let name_of = Map::from_iter([(name, pair[1].clone())]);
                flatten(name_of, prefix, record, headers);
            }
            // HubSpot's first API: each value with the time and the source of its change.
            Value::Object(mut inner) if is_value(&inner) => {
                let value = Map::from_iter([(name, inner.remove("value").unwrap_or_default())]);
                flatten(value, prefix, record, headers);
            }
            // monday: a board's columns, each with its title and its text.
            Value::Array(list) if name == "column_values" && list.iter().all(Value::is_object) => {
                let columns = list.iter().filter_map(|it| {
                    let title = it.pointer("/column/title").or_else(|| it.get("title"));
                    let name = title.or_else(|| it.get("id"))?.as_str()?.to_owned();
                    Some((name, it.get("text").cloned().unwrap_or_default()))
                });
                let columns = columns.collect();
                flatten(columns, prefix, record, headers);
            }
            // Attio: each value is a list with one object.
            Value::Array(mut one) if matches!(one.as_slice(), [Value::Object(it)] if it.contains_key("attribute_type")) => {
                if let Some(Value::Object(inner)) = one.pop() {
                    flatten(inner, &format!("{prefix}{name}."), record, headers);
                }
            }
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

/// Whether an object is a value with what is known of its change.
fn is_value(object: &Map<String, Value>) -> bool {
    let is_scalar = object.get("value").is_some_and(|it| !it.is_object() && !it.is_array());
    is_scalar
        && (object.len() == 1
            || ["timestamp", "versions"].iter().any(|it| object.contains_key(*it)))
}

/// The value without control characters in its texts.
fn clean(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(super::cell::without_controls(&text)),
        other => other,
    }
}

/// What holds a record's own fields: HubSpot's and JSON:API's, Airtable's and
/// Attio's, a search's and GraphQL's.
const IS_THE_RECORD: [&str; 6] = ["properties", "attributes", "fields", "values", "item", "node"];

#[derive(Clone, Copy)]
enum ChildKind {
    Contacts,
    LineItems,
}

fn kind(name: &str) -> Option<ChildKind> {
    match name.to_lowercase().as_str() {
        "contacts" | "opportunitycontactroles" | "persons" | "people" | "participants" => {
            Some(ChildKind::Contacts)
        }
        "line_items" | "lineitems" | "line items" | "products" | "opportunitylineitems" => {
            Some(ChildKind::LineItems)
        }
        _ => None,
    }
}

impl JsonRecord {
    fn add(&mut self, kind: ChildKind, list: Vec<Value>) {
        let into = match kind {
            ChildKind::Contacts => &mut self.children.contacts,
            ChildKind::LineItems => &mut self.children.line_items,
        };
        into.extend(list.into_iter().filter_map(|item| match item {
            Value::Object(object) => Some(flat(object)),
            _ => None,
        }));
    }
}

/// One child record with nested records under dotted names.
fn flat(object: Map<String, Value>) -> Map<String, Value> {
    let (mut record, mut headers) = (JsonRecord::default(), IndexMap::new());
    flatten(object, "", &mut record, &mut headers);
    let names = headers.into_keys();
    names.zip(record.values).filter_map(|(name, value)| Some((name, value?))).collect()
}
