//! Whether a value has the shape that a JSON Schema describes, with messages
//! that say where, what, and what to write instead. It knows the keywords
//! that the types of settings make; patterns are left to the types themselves,
//! which say better what is wrong.

use chrono::DateTime;
use serde_json::Value as Json;
use url::Url;

use crate::text::{did_you_mean, quoted, shorten};
use crate::yaml::{Entry, Error, Node, Span, Value};

/// One thing wrong in the configuration, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl ConfigProblem {
    /// A problem at a place.
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self { line: span.line, column: span.column, message: message.into(), help: None }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<Error> for ConfigProblem {
    fn from(error: Error) -> Self {
        Self { line: error.line, column: error.column, message: error.message, help: None }
    }
}

/// Checks a value against a schema. Returns what of it has the right shape,
/// for whoever reads on, and every problem.
#[must_use]
pub fn check_shape(node: &Node, schema: &Json) -> (Node, Vec<ConfigProblem>) {
    let mut check = ShapeCheck { root: schema, path: Vec::new(), problems: Vec::new() };
    let rest = check.value(node, schema);
    let empty = Node { value: Value::Map(Vec::new()), span: node.span };
    (rest.unwrap_or(empty), check.problems)
}

/// One step from a value to a value inside of it.
enum Step {
    Key(String),
    Entry(usize),
}

struct ShapeCheck<'a> {
    root: &'a Json,
    path: Vec<Step>,
    problems: Vec<ConfigProblem>,
}

impl<'a> ShapeCheck<'a> {
    /// The value without what is wrong inside of it; `None` where nothing of
    /// it can be used.
    fn value(&mut self, node: &Node, schema: &'a Json) -> Option<Node> {
        let choices = self.choices(schema);
        let is_null = |schema: &&Json| schema["type"] == "null";
        if node.value == Value::Null && choices.iter().any(|choice| takes(choice, &Json::Null)) {
            return Some(node.clone());
        }
        let choices: Vec<&'a Json> =
            choices.into_iter().filter(|choice| !is_null(choice)).collect();
        let words: Option<Vec<Vec<Json>>> = choices.iter().map(|choice| words_of(choice)).collect();
        if let Some(words) = words {
            return self.word(node, &words.concat(), &[]);
        }
        let json = shallow(node);
        let fitting: Vec<&&Json> = choices.iter().filter(|choice| takes(choice, &json)).collect();
        match fitting.as_slice() {
            [] => {
                self.wrong_kind(node, &choices);
                None
            }
            [one] => match words_of(one) {
                Some(words) => {
                    let others: Vec<&Json> = choices
                        .iter()
                        .copied()
                        .filter(|choice| !std::ptr::eq(*choice, **one))
                        .collect();
                    self.word(node, &words, &others)
                }
                None => self.inside(node, one),
            },
            [first, ..] => {
                let whole = fitting.iter().find(|choice| {
                    let mut trial =
                        ShapeCheck { root: self.root, path: Vec::new(), problems: Vec::new() };
                    trial.inside(node, choice).is_some() && trial.problems.is_empty()
                });
                self.inside(node, whole.unwrap_or(first))
            }
        }
    }

    /// A schema without its references and choices between schemas.
    fn choices(&self, schema: &'a Json) -> Vec<&'a Json> {
        let mut schema = schema;
        for _ in 0..16 {
            let Some(reference) = schema["$ref"].as_str() else { break };
            schema = self.root.pointer(reference.trim_start_matches('#')).unwrap_or(&Json::Null);
        }
        let several = ["anyOf", "oneOf"].iter().find_map(|keyword| schema[*keyword].as_array());
        match several {
            Some(several) => several.iter().flat_map(|choice| self.choices(choice)).collect(),
            None => vec![schema],
        }
    }

    /// One of several words, where the schema also takes `others`.
    fn word(&mut self, node: &Node, words: &[Json], others: &[&Json]) -> Option<Node> {
        let json = node.to_json();
        if words.contains(&json) {
            return Some(node.clone());
        }
        let label = self.label();
        let known: Vec<&str> = words.iter().filter_map(Json::as_str).collect();
        let words_there = list_of(words.iter().map(in_code));
        let others = others.iter().map(|other| self.expected(other));
        let expected = std::iter::once(words_there).chain(others).collect::<Vec<_>>().join(" or ");
        let one_of = if words.len() > 1 { "one of " } else { "" };
        let problem = ConfigProblem::at(
            node.span,
            format!("{label} is {one_of}{expected}; this is {}", found(node)),
        );
        let help = match json {
            Json::String(word) if !known.is_empty() => did_you_mean(&word, known),
            _ => format!("write {}", words.first().map(in_code).unwrap_or_default()),
        };
        self.problems.push(problem.help(help));
        None
    }

    fn inside(&mut self, node: &Node, schema: &'a Json) -> Option<Node> {
        match &node.value {
            Value::Map(entries) => self.mapping(node, entries, schema),
            Value::List(items) => self.list(node, items, schema),
            Value::String(text) => {
                let least = schema["minLength"].as_u64().unwrap_or(0);
                if (text.chars().count() as u64) < least {
                    return self.refuse(node, "is empty".to_owned(), None);
                }
                // The readers of these two say only what their parser stumbled over.
                let example = match schema["format"].as_str() {
                    Some("date-time") if DateTime::parse_from_rfc3339(text).is_err() => {
                        "a time such as 2026-11-20T15:00:00Z"
                    }
                    Some("uri") if Url::parse(text).is_err() => {
                        "a URL such as https://hooks.example.com/handoff"
                    }
                    _ => return Some(node.clone()),
                };
                self.refuse(node, format!("is {example}; this is {}", found(node)), None)
            }
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
                    return self.refuse(node, format!("is at least {least}"), None);
                }
                if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
                    return self.refuse(node, format!("is at most {most}"), None);
                }
                Some(node.clone())
            }
            Value::Null | Value::Bool(_) => Some(node.clone()),
        }
    }

    fn list(&mut self, node: &Node, items: &[Node], schema: &'a Json) -> Option<Node> {
        let least = schema["minItems"].as_u64().unwrap_or(0);
        if (items.len() as u64) < least {
            return self.refuse(node, format!("has at least {}", entries(least)), None);
        }
        let mut kept = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            self.path.push(Step::Entry(index + 1));
            kept.extend(match schema.get("items") {
                Some(schema) => self.value(item, schema),
                None => Some(item.clone()),
            });
            self.path.pop();
        }
        Some(Node { value: Value::List(kept), span: node.span })
    }

    fn mapping(&mut self, node: &Node, entries: &[Entry], schema: &'a Json) -> Option<Node> {
        let properties = schema["properties"].as_object();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let most = schema["maxProperties"].as_u64().and_then(|most| usize::try_from(most).ok());
        let keys = schema.get("propertyNames").and_then(words_of).unwrap_or_default();
        let keys: Vec<&str> = keys.iter().filter_map(Json::as_str).collect();
        let mut usable = true;
        let mut kept = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            if most.is_some_and(|most| index >= most) {
                self.one_too_many(entry, entries);
                continue;
            }
            if !keys.is_empty() && !keys.contains(&entry.key.as_str()) {
                self.unknown_key(entry, &keys);
                continue;
            }
            let known = properties.and_then(|properties| properties.get(&entry.key));
            let schema = match known.or_else(|| schema.get("additionalProperties")) {
                Some(Json::Bool(false)) => {
                    let keys = properties.into_iter().flatten().map(|(key, _)| key.as_str());
                    self.unknown_key(entry, &keys.collect::<Vec<_>>());
                    continue;
                }
                Some(schema) => schema,
                None => {
                    kept.push(entry.clone());
                    continue;
                }
            };
            self.path.push(Step::Key(entry.key.clone()));
            // An empty value stands somewhere behind its key; people look at the key.
            let empty = entry.node.value == Value::Null;
            let empty = empty.then_some(Node { value: Value::Null, span: entry.key_span });
            match self.value(empty.as_ref().unwrap_or(&entry.node), schema) {
                Some(node) => kept.push(Entry { node, ..entry.clone() }),
                None => usable &= !required.contains(&entry.key.as_str()),
            }
            self.path.pop();
        }
        for key in required {
            if !entries.iter().any(|entry| entry.key == key) {
                usable = false;
                let described = properties
                    .and_then(|properties| properties.get(key)?.get("description")?.as_str());
                let mut problem =
                    ConfigProblem::at(node.span, format!("{} needs `{key}`", self.label()));
                problem.help = described.map(|text| format!("`{key}`: {}", first_sentence(text)));
                self.problems.push(problem);
            }
        }
        // Of the file itself everything else is read on, so that all problems are reported.
        let usable = usable || self.path.is_empty();
        usable.then_some(Node { value: Value::Map(kept), span: node.span })
    }

    fn unknown_key(&mut self, entry: &Entry, known: &[&str]) {
        let key = shorten(&entry.key, 60);
        let message = match self.path.is_empty() {
            true => format!("there is no key `{key}`"),
            false => format!("{} has no key `{key}`", self.label()),
        };
        let problem = ConfigProblem::at(entry.key_span, message);
        self.problems.push(match known.is_empty() {
            true => problem.help("it has no keys: write `{}`"),
            false => problem.help(did_you_mean(&key, known.iter().copied())),
        });
    }

    fn one_too_many(&mut self, entry: &Entry, entries: &[Entry]) {
        let first = entries.first().map(|entry| entry.key.as_str()).unwrap_or_default();
        let message = format!(
            "{} has `{first}` already; `{}` is one too many",
            self.label(),
            shorten(&entry.key, 60)
        );
        self.problems.push(ConfigProblem::at(entry.key_span, message).help("keep one of them"));
    }

    fn wrong_kind(&mut self, node: &Node, choices: &[&Json]) {
        let expected = choices.iter().map(|choice| self.expected(choice)).collect::<Vec<_>>();
        let message = format!("is {}; this is {}", expected.join(" or "), found(node));
        let help = choices.first().and_then(|choice| self.how_to_write(node, choice));
        self.refuse(node, message, help);
    }

    fn refuse(
        &mut self,
        node: &Node,
        what: impl std::fmt::Display,
        help: Option<String>,
    ) -> Option<Node> {
        let mut problem = ConfigProblem::at(node.span, format!("{} {what}", self.label()));
        problem.help = help;
        self.problems.push(problem);
        None
    }

    /// What a schema wants, in words.
    fn expected(&self, schema: &Json) -> String {
        if let Some(words) = words_of(schema) {
            return list_of(words.iter().map(in_code));
        }
        match kind_of(schema) {
            "object" => match schema["properties"].as_object() {
                Some(keys) if (1..=6).contains(&keys.len()) => {
                    format!("a mapping with {}", list_of(keys.keys().map(|key| format!("`{key}`"))))
                }
                _ => "a mapping".to_owned(),
            },
            "array" => {
                let items = schema.get("items").map(|items| self.choices(items));
                match items.as_deref() {
                    Some([items]) if kind_of(items) == "object" => "a list of mappings".to_owned(),
                    Some([items]) if kind_of(items) == "string" => "a list of texts".to_owned(),
                    _ => "a list".to_owned(),
                }
            }
            "string" => schema["title"].as_str().unwrap_or("a text").to_owned(),
            "boolean" => "true or false".to_owned(),
            "integer" => "a whole number".to_owned(),
            "number" => "a number".to_owned(),
            _ => "something else".to_owned(),
        }
    }

    /// What to write instead of a value of the wrong kind.
    fn how_to_write(&self, node: &Node, schema: &Json) -> Option<String> {
        let key = match self.path.last() {
            Some(Step::Key(key)) => format!("{key}: "),
            // In a list of either form the entry alone can be written.
            Some(Step::Entry(_)) | None => String::new(),
        };
        let example = |schema: &Json| schema["examples"].get(0).map(flow);
        match (kind_of(schema), &node.value) {
            ("string", Value::Number(_) | Value::Bool(_)) => {
                Some(format!("write it in quotes: `{key}\"{}\"`", flow(&node.to_json())))
            }
            ("boolean", _) => Some(format!("write `{key}true` or `{key}false`")),
            ("object", _) => match example(schema) {
                Some(example) => Some(format!("write `{key}{example}`")),
                None => {
                    let first = schema["properties"].as_object()?.keys().next()?;
                    Some(format!("write `{key}{{}}` for the defaults, or `{key}{{{first}: …}}`"))
                }
            },
            ("array", value) => {
                let items = schema.get("items").map(|items| self.choices(items));
                let item = items.as_deref().and_then(|items| items.first());
                match (item.and_then(|item| example(item)), value) {
                    (Some(example), _) => Some(format!("write `{key}[{example}]`")),
                    (None, Value::String(text)) => Some(format!("write `{key}[{text}]`")),
                    (None, _) => Some(format!("write `{key}[…]`")),
                }
            }
            _ => None,
        }
    }

    /// How the value in hand is called in a message.
    fn label(&self) -> String {
        let dotted = |steps: &[Step]| {
            let keys: Vec<&str> = steps
                .iter()
                .filter_map(|step| match step {
                    Step::Key(key) => Some(key.as_str()),
                    Step::Entry(_) => None,
                })
                .collect();
            format!("`{}`", shorten(&keys.join("."), 120))
        };
        let last_entry = self.path.iter().rposition(|step| matches!(step, Step::Entry(_)));
        match (last_entry, self.path.as_slice()) {
            (None, []) => "the file".to_owned(),
            (None, path) => dotted(path),
            (Some(at), path) => {
                let Step::Entry(number) = path[at] else { unreachable!("found as an entry") };
                let list = dotted(&path[..at]);
                match &path[at + 1..] {
                    [] => format!("entry {number} of {list}"),
                    inner => format!("{} in entry {number} of {list}", dotted(inner)),
                }
            }
        }
    }
}

/// The words of an enumeration, or of a constant.
fn words_of(schema: &Json) -> Option<Vec<Json>> {
    if let Some(constant) = schema.get("const") {
        return Some(vec![constant.clone()]);
    }
    schema["enum"].as_array().cloned()
}

/// The type that a schema names beside null.
fn kind_of(schema: &Json) -> &str {
    let kind = match &schema["type"] {
        Json::Array(kinds) => kinds.iter().find(|kind| *kind != "null").unwrap_or(&Json::Null),
        kind => kind,
    };
    kind.as_str().unwrap_or_default()
}

/// Whether a schema takes values of this kind.
fn takes(schema: &Json, value: &Json) -> bool {
    if let Some(words) = words_of(schema) {
        return words
            .iter()
            .any(|word| std::mem::discriminant(word) == std::mem::discriminant(value));
    }
    let is = |kind: &Json| match kind.as_str().unwrap_or_default() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match schema.get("type") {
        None => true,
        Some(Json::Array(kinds)) => kinds.iter().any(is),
        Some(kind) => is(kind),
    }
}

/// The value without what is inside of it.
fn shallow(node: &Node) -> Json {
    match &node.value {
        Value::List(_) => Json::Array(Vec::new()),
        Value::Map(_) => Json::Object(serde_json::Map::new()),
        _ => node.to_json(),
    }
}

fn found(node: &Node) -> String {
    match &node.value {
        Value::Null => "empty".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {}", quoted(text)),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
    }
}

fn in_code(value: &Json) -> String {
    match value.as_str() {
        Some(word) => format!("`{word}`"),
        None => format!("`{value}`"),
    }
}

/// `a`, `b` and `c`.
fn list_of(items: impl IntoIterator<Item = String>) -> String {
    let mut items: Vec<String> = items.into_iter().collect();
    match items.pop() {
        None => String::new(),
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} and {last}", items.join(", ")),
    }
}

fn entries(count: u64) -> String {
    if count == 1 { "one entry".to_owned() } else { format!("{count} entries") }
}

fn first_sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split_once(". ").map_or(text.as_str(), |(first, _)| first).trim_end_matches('.').to_owned()
}

/// A value as YAML on one line.
fn flow(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}: {}", flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::String(text) => {
            let plain = text.starts_with(|c: char| c.is_alphabetic())
                && text.chars().all(|c| c.is_alphanumeric() || "_-.@".contains(c));
            if plain
                || text.starts_with(|c: char| c.is_ascii_digit())
                    && text.chars().all(char::is_alphanumeric)
            {
                text.clone()
            } else {
                value.to_string()
            }
        }
        _ => value.to_string(),
    }
}
