//! Bytes to nodes, with bounds.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span as ParserSpan, StrInput};
use serde_json::Number;

use super::node::{Entry, Node, Span, Value};

const MOST_BYTES: usize = 4 * 1024 * 1024;
const MOST_DEPTH: usize = 64;
const MOST_NODES: usize = 200_000;

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
    match read_written(text) {
        Some(node) => Ok(node),
        None => NodeBuilder::default().build(&mut Parser::new_from_str(text)),
    }
}

enum OpenNode {
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
struct NodeBuilder {
    open: Vec<OpenNode>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl NodeBuilder {
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
                    self.open.push(OpenNode::List { items: Vec::new(), span, anchor });
                }
                Event::MappingStart(anchor, _) => {
                    self.enter(span)?;
                    self.open.push(OpenNode::Map {
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
            Some(OpenNode::List { items, span, anchor }) => (Value::List(items), span, anchor),
            Some(OpenNode::Map { entries, span, anchor, .. }) => {
                (Value::Map(entries), span, anchor)
            }
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
            Some(OpenNode::List { items, .. }) => items.push(node),
            Some(OpenNode::Map { entries, seen, key, .. }) => match key.take() {
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
fn key_text(key: Value) -> Option<String> {
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
fn resolve(text: String, style: ScalarStyle, tag: Option<&str>) -> Value {
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

// The quick reader of the YAML that handoff writes: block mappings and lists, a
// value on one line, no flow, anchors or tags. It gives what the parser gives,
// places included, or nothing: what is not plainly of this form is the parser's.

/// Larger mappings are the parser's: here each key is compared with those before it.
const MOST_KEYS: usize = 256;
/// The parser takes no longer one for a key.
const LONGEST_KEY: usize = 256;

/// The document; `None` where only the parser can say what it is.
fn read_written(text: &str) -> Option<Node> {
    // Without a way out of the loop, so that many bytes are looked at together.
    let is_odd = text.bytes().fold(false, |odd, byte| odd | (byte < b' ' && byte != b'\n'));
    if is_odd || (!text.is_ascii() && text.contains('\u{FEFF}')) {
        return None;
    }
    let mut lines = Lines { rest: text, line: "#", number: 0, column: 0, nodes: 0 };
    while lines.line.starts_with('#') {
        lines.advance()?;
    }
    let root = lines.block(0)?;
    lines.is_at_end().then_some(root)
}

/// The lines of a document, one after the other.
struct Lines<'a> {
    rest: &'a str,
    /// The present line from its first character that is no space; empty behind the last one.
    line: &'a str,
    number: usize,
    /// How many characters stand before `line`.
    column: usize,
    nodes: usize,
}

impl Lines<'_> {
    fn is_at_end(&self) -> bool {
        self.line.is_empty()
    }

    /// Goes on to the next line, which is not blank, or behind the last one.
    fn advance(&mut self) -> Option<()> {
        self.number += 1;
        if self.rest.is_empty() {
            (self.line, self.column) = ("", 0);
            return Some(());
        }
        let end = memchr::memchr(b'\n', self.rest.as_bytes())?;
        self.column = self.rest.bytes().take_while(|byte| *byte == b' ').count();
        // A blank line ends before its line feed.
        self.line = self.rest.get(self.column..end)?;
        self.rest = &self.rest[end + 1..];
        (!self.line.is_empty()).then_some(())
    }

    /// Whether what stands at `column` goes on on this line; `None` where this
    /// line belongs to neither it nor to what is around it.
    fn goes_on(&self, column: usize) -> Option<bool> {
        if self.is_at_end() || self.column < column {
            return Some(false);
        }
        (self.column == column).then_some(true)
    }

    fn block(&mut self, depth: usize) -> Option<Node> {
        if depth >= MOST_DEPTH {
            return None;
        }
        let (line, column) = (self.number, self.column + 1);
        let value = if self.line.starts_with("- ") {
            Value::List(self.list(depth)?)
        } else {
            Value::Map(self.mapping(depth)?)
        };
        self.count()?;
        // The parser ends a block where the next thing begins.
        let span = Span { line, column, end_line: self.number, end_column: self.column + 1 };
        Some(Node { value, span })
    }

    fn mapping(&mut self, depth: usize) -> Option<Vec<Entry>> {
        let column = self.column;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = 0_u64;
        loop {
            let (name, after) = split_key(self.line)?;
            let key_span = span_on(self.number, column, name);
            let key = match name.strip_prefix('"') {
                Some(quoted) => quoted.strip_suffix('"')?.to_owned(),
                None => key_text(resolve(name.to_owned(), ScalarStyle::Plain, None))?,
            };
            // Nearly all keys are told apart by one bit.
            let sum = key.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
            let bit = 1 << (sum % 64);
            let is_known = seen & bit != 0 && entries.iter().any(|entry| entry.key == key);
            seen |= bit;
            if is_known || entries.len() == MOST_KEYS {
                return None;
            }
            self.count()?;
            let node = if after.is_empty() {
                self.advance()?;
                if self.is_at_end() || self.column <= column {
                    return None;
                }
                self.block(depth + 1)?
            } else {
                let value = after.strip_prefix(' ')?;
                self.scalar(value, key_span.end_column + 1)?
            };
            entries.push(Entry { key, key_span, node });
            if !self.goes_on(column)? {
                return Some(entries);
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Node>> {
        let column = self.column;
        let mut items = Vec::new();
        loop {
            let item = self.line.strip_prefix("- ")?;
            (self.line, self.column) = (item, column + 2);
            items.push(match split_key(item) {
                Some(_) => self.block(depth + 1)?,
                None => self.scalar(item, column + 2)?,
            });
            if !self.goes_on(column)? {
                return Some(items);
            }
        }
    }

    /// A value that ends its line, and on to the next one.
    fn scalar(&mut self, text: &str, column: usize) -> Option<Node> {
        let value = match text.as_bytes().first()? {
            b'"' => Value::String(unescape(text[1..].strip_suffix('"')?)?),
            b'\'' => {
                let inside = text[1..].strip_suffix('\'')?;
                let quotes = inside.bytes().filter(|byte| *byte == b'\'').count();
                if quotes != 2 * inside.matches("''").count() {
                    return None;
                }
                Value::String(inside.replace("''", "'"))
            }
            _ if is_plain(text) => resolve(text.to_owned(), ScalarStyle::Plain, None),
            _ => return None,
        };
        let span = span_on(self.number, column, text);
        self.count()?;
        self.advance()?;
        Some(Node { value, span })
    }

    fn count(&mut self) -> Option<()> {
        self.nodes += 1;
        (self.nodes <= MOST_NODES).then_some(())
    }
}

/// The key that a line begins with, in its quotes (as `"on"`), and what stands
/// behind its colon.
fn split_key(line: &str) -> Option<(&str, &str)> {
    let end = match line.strip_prefix('"') {
        Some(quoted) => {
            let end = quoted.bytes().position(|byte| b"\"\\".contains(&byte))?;
            quoted[end..].starts_with('"').then_some(end + 2)?
        }
        None => {
            let is_of_key = |byte: u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b' ')
            };
            let end = line.bytes().position(|byte| !is_of_key(byte))?;
            let begins = line.bytes().next().is_some_and(|byte| !b"-. ".contains(&byte));
            (begins && !line[..end].ends_with(' ')).then_some(end)?
        }
    };
    let (name, after) = line.split_at(end);
    let after = after.strip_prefix(':')?;
    let is_key = end < LONGEST_KEY && (after.is_empty() || after.starts_with(' '));
    is_key.then_some((name, after))
}

/// Whether a text without quotes is one scalar and nothing else.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins =
        |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_./($+".contains(&byte);
    let ends = |at: usize| match bytes[at] {
        b':' => bytes.get(at + 1).is_none_or(|next| *next == b' '),
        b'#' => bytes[at - 1] == b' ',
        _ => false,
    };
    bytes.first().is_some_and(|byte| begins(*byte))
        && !bytes.ends_with(b" ")
        && !(1..bytes.len()).any(ends)
}

/// What stands between double quotes.
fn unescape(inside: &str) -> Option<String> {
    if !inside.bytes().any(|byte| byte == b'"' || byte == b'\\') {
        return Some(inside.to_owned());
    }
    let mut text = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(char) = chars.next() {
        text.push(match char {
            '"' => return None,
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                same @ ('"' | '\\') => same,
                _ => return None,
            },
            char => char,
        });
    }
    Some(text)
}

fn span_on(line: usize, column: usize, text: &str) -> Span {
    let width = if text.is_ascii() { text.len() } else { text.chars().count() };
    Span { line, column: column + 1, end_line: line, end_column: column + 1 + width }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That both readers agree is tested from outside; this, that the quick one
    /// reads what handoff writes at all.
    #[test]
    fn what_handoff_writes_needs_no_parser() {
        let sample = include_str!("../../tests/fixtures/brief/samples/complete.yaml");
        let written = crate::yaml::write(&read(sample.as_bytes()).expect("a brief").to_json());
        assert!(written.contains("\"on\": "), "{written}");
        for text in [
            &*written,
            "events:\n  - at: \"2026-11-20T15:00:00Z\"\n    event: signed\n    via: pandadoc\n",
        ] {
            assert!(read_written(text).is_some(), "{text}");
        }
    }
}
