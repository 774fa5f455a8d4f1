//! A quick reader of the YAML that handoff writes: block mappings and lists, a
//! value on one line, no flow, anchors or tags. It gives what the parser gives,
//! places included, or nothing: what is not plainly of this form is the parser's.

use saphyr_parser::ScalarStyle;

use super::node::{Entry, Node, Span, Value};
use super::read::{MOST_DEPTH, MOST_NODES, key_text, resolve};

/// Larger mappings are the parser's: here each key is compared with those before it.
const MOST_KEYS: usize = 256;
/// The parser takes no longer one for a key.
const LONGEST_KEY: usize = 256;

/// The document; `None` where only the parser can say what it is.
pub(super) fn read(text: &str) -> Option<Node> {
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
        let (line, rest) = self.rest.split_once('\n')?;
        self.rest = rest;
        self.line = line.trim_start_matches(' ');
        self.column = line.len() - self.line.len();
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
        loop {
            let (name, after) = split_key(self.line)?;
            let key_span = span(self.number, column, name);
            let key = key_text(resolve(name.to_owned(), ScalarStyle::Plain, None))?;
            let is_known = entries.iter().any(|entry| entry.key == key);
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
                self.scalar(value, column + name.len() + 2)?
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
        let span = span(self.number, column, text);
        self.count()?;
        self.advance()?;
        Some(Node { value, span })
    }

    fn count(&mut self) -> Option<()> {
        self.nodes += 1;
        (self.nodes <= MOST_NODES).then_some(())
    }
}

/// The key that a line begins with, and what stands behind its colon.
fn split_key(line: &str) -> Option<(&str, &str)> {
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    let end = line.bytes().position(|byte| !is_of_key(byte))?;
    let (name, after) = line.split_at(end);
    let begins = name.bytes().next().is_some_and(|byte| !b"-.".contains(&byte));
    let after = after.strip_prefix(':')?;
    let is_key = begins && end < LONGEST_KEY && (after.is_empty() || after.starts_with(' '));
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

fn span(line: usize, column: usize, text: &str) -> Span {
    let width = if text.is_ascii() { text.len() } else { text.chars().count() };
    Span { line, column: column + 1, end_line: line, end_column: column + 1 + width }
}
