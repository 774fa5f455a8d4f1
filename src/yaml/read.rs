//! Bytes to nodes, with bounds.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span as ParserSpan, StrInput};
use serde_json::Number;

use super::node::{Entry, Node, Span, Value};

const MOST_BYTES: usize = 4 * 1024 * 1024;
pub(super) const MOST_DEPTH: usize = 64;
pub(super) const MOST_NODES: usize = 200_000;

/// Why a YAML text was not read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Error {
    /// What is wrong, with what to do where that is not plain.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// Whether a mapping lacks a key that its type needs.
    pub is_missing_key: bool,
}

impl Error {
    pub(super) fn at(span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            line: span.line,
            column: span.column,
            is_missing_key: false,
        }
    }
}

/// Reads one YAML document. An empty document is `null`.
///
/// # Errors
/// When it is not UTF-8, not YAML, holds more than one document, doubles a
/// key, or passes a bound: 4 MiB, 64 levels, 200,000 values (aliases count as
/// often as they are used).
pub fn read(source: &[u8]) -> Result<Node, Error> {
    let start = Span { line: 1, column: 1, end_line: 1, end_column: 1 };
    if source.len() > MOST_BYTES {
        let message = format!("the file has {} bytes; at most {MOST_BYTES} are read", source.len());
        return Err(Error::at(start, message));
    }
    let text = std::str::from_utf8(source).map_err(|error| {
        let before = &source[..error.valid_up_to()];
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let span = Span { line, column: 1, end_line: line, end_column: 1 };
        Error::at(span, "the file is not UTF-8 from here on")
    })?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    match super::written::read(text) {
        Some(node) => Ok(node),
        None => Builder::default().build(&mut Parser::new_from_str(text)),
    }
}

enum Open {
    List {
        items: Vec<Node>,
        span: Span,
        anchor: usize,
    },
    Map {
        entries: Vec<Entry>,
        seen: HashSet<String>,
        key: Option<(String, Span)>,
        span: Span,
        anchor: usize,
    },
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl Builder {
    fn build(mut self, parser: &mut Parser<'_, StrInput<'_>>) -> Result<Node, Error> {
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| Error {
                message: format!("this is not valid YAML: {}", error.info()),
                line: error.marker().line(),
                column: error.marker().col() + 1,
                is_missing_key: false,
            })?;
            let span = to_span(&span);
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Error::at(
                            span,
                            "the file holds a second YAML document; keep one",
                        ));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.count(1, span)?;
                    let tag =
                        tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.clone());
                    let value = resolve(text.into_owned(), style, tag.as_deref());
                    self.place(Node { value, span }, anchor)?;
                }
                Event::SequenceStart(anchor, _) => {
                    self.enter(span)?;
                    self.open.push(Open::List { items: Vec::new(), span, anchor });
                }
                Event::MappingStart(anchor, _) => {
                    self.enter(span)?;
                    self.open.push(Open::Map {
                        entries: Vec::new(),
                        seen: HashSet::new(),
                        key: None,
                        span,
                        anchor,
                    });
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
                Event::Alias(id) => {
                    let (mut node, size) = self.anchors.get(&id).cloned().ok_or_else(|| {
                        Error::at(span, "this alias names no anchor that is complete here")
                    })?;
                    self.count(size, span)?;
                    node.span = span;
                    self.place(node, 0)?;
                }
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        Ok(self.root.unwrap_or(Node {
            value: Value::Null,
            span: Span { line: 1, column: 1, end_line: 1, end_column: 1 },
        }))
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Error> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            return Err(Error::at(
                span,
                format!(
                    "the file holds more than {MOST_NODES} values (aliases count as often as they are used)"
                ),
            ));
        }
        Ok(())
    }

    fn enter(&mut self, span: Span) -> Result<(), Error> {
        self.count(1, span)?;
        if self.open.len() >= MOST_DEPTH {
            return Err(Error::at(
                span,
                format!("values are nested more than {MOST_DEPTH} levels deep"),
            ));
        }
        Ok(())
    }

    fn close(&mut self, end: Span) -> Result<(), Error> {
        let (value, mut span, anchor) = match self.open.pop() {
            Some(Open::List { items, span, anchor }) => (Value::List(items), span, anchor),
            Some(Open::Map { entries, span, anchor, .. }) => (Value::Map(entries), span, anchor),
            None => return Err(Error::at(end, "a list or mapping ends that never began")),
        };
        (span.end_line, span.end_column) = (end.end_line, end.end_column);
        self.place(Node { value, span }, anchor)
    }

    /// Puts a finished value where it belongs: a mapping's key or value, a
    /// list's item, or the root.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Error> {
        if anchor != 0 {
            let size = size(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, seen, key, .. }) => match key.take() {
                Some((key, key_span)) => entries.push(Entry { key, key_span, node }),
                None => {
                    let text = key_text(node.value).ok_or_else(|| {
                        Error::at(node.span, "a key must be a text, not a list or mapping")
                    })?;
                    if !seen.insert(text.clone()) {
                        let message = format!(
                            "duplicate key `{}`; remove one",
                            crate::text::shorten(&text, 60)
                        );
                        return Err(Error::at(node.span, message));
                    }
                    *key = Some((text, node.span));
                }
            },
        }
        Ok(())
    }
}

/// A mapping's key as a text; `None` for a list or mapping.
pub(super) fn key_text(key: Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null => Some("null".to_owned()),
        Value::List(_) | Value::Map(_) => None,
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => entries.iter().map(|entry| size(&entry.node)).sum(),
        _ => 0,
    }
}

fn to_span(span: &ParserSpan) -> Span {
    Span {
        line: span.start.line(),
        column: span.start.col() + 1,
        end_line: span.end.line(),
        end_column: span.end.col() + 1,
    }
}

/// The YAML 1.2 core schema for plain scalars; a number that JSON cannot hold
/// stays a text.
pub(super) fn resolve(text: String, style: ScalarStyle, tag: Option<&str>) -> Value {
    if style != ScalarStyle::Plain || tag == Some("str") {
        return Value::String(text);
    }
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    match number(&text) {
        Some(number) => Value::Number(number),
        None => Value::String(text),
    }
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let first = *unsigned.as_bytes().first()?;
    if !first.is_ascii_digit() && first != b'.' {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let text = text.strip_prefix('+').unwrap_or(text);
        return text
            .parse::<i64>()
            .ok()
            .map(Number::from)
            .or_else(|| text.parse::<u64>().ok().map(Number::from));
    }
    let float_like = unsigned
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && unsigned.bytes().any(|b| b.is_ascii_digit());
    if float_like { text.parse::<f64>().ok().and_then(Number::from_f64) } else { None }
}
