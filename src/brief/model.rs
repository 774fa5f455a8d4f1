//! One brief: its values and, where it was read from a file, their places.

use serde_json::{Map, Value};

use super::view::View;
use crate::finding::Location;
use crate::model::Key;
use crate::yaml::{self, Node, Span};

/// The schema a brief names.
pub const BRIEF_SCHEMA: &str = "handoff/brief/v1";

/// Refuses a file of a later version of its format: what this program does not
/// know of it would be lost or misread.
///
/// # Errors
/// Which version it is, and what to do.
pub fn check_version(file: &Node, known: &str) -> Result<(), yaml::Error> {
    let number = |schema: &str| {
        let (kind, number) = schema.rsplit_once("/v")?;
        Some((kind.to_owned(), number.parse::<u32>().ok()?))
    };
    let Some(schema) = file.get("schema") else { return Ok(()) };
    let text = schema.as_str().unwrap_or_default();
    match (number(text), number(known)) {
        (Some((kind, its)), Some((own_kind, own))) if kind == own_kind && its > own => {
            Err(yaml::Error {
                message: format!(
                    "this is {text}, and this handoff knows {known}; install a later handoff (docs/versions.md)"
                ),
                line: schema.span.line,
                column: schema.span.column,
                is_missing_key: false,
            })
        }
        _ => Ok(()),
    }
}

/// The structured context that customer success receives.
#[derive(Debug, Clone)]
pub struct Brief {
    json: Value,
    file: Option<BriefFile>,
}

/// What a brief that was read remembers of its file.
#[derive(Debug, Clone)]
struct BriefFile {
    text: String,
    node: Node,
}

impl Brief {
    /// Reads a `brief.yaml`. Whether it follows the schema is another
    /// question: [`crate::brief::Schema::check`] answers it.
    ///
    /// # Errors
    /// When it is not YAML, passes a bound of the reader, or is of a later
    /// version of the format.
    pub fn parse(source: &[u8]) -> Result<Self, yaml::Error> {
        let node = yaml::read(source)?;
        check_version(&node, BRIEF_SCHEMA)?;
        let text = String::from_utf8_lossy(source).into_owned();
        Ok(Self { json: node.to_json(), file: Some(BriefFile { text, node }) })
    }

    /// A brief that is not in a file yet.
    #[must_use]
    pub fn from_json(json: Value) -> Self {
        Self { json, file: None }
    }

    /// A new brief of a handoff: `schema` and `key` first, then the sections.
    #[must_use]
    pub fn new(key: &Key, sections: Map<String, Value>) -> Self {
        let mut json = Map::new();
        json.insert("schema".to_owned(), BRIEF_SCHEMA.into());
        json.insert("key".to_owned(), key.as_str().into());
        for (name, section) in sections {
            json.entry(name).or_insert(section);
        }
        Self::from_json(Value::Object(json))
    }

    /// The values.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The values, taken out.
    #[must_use]
    pub fn into_json(self) -> Value {
        self.json
    }

    /// What the program itself needs of it.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View::of(&self.json)
    }

    /// The bytes of the `brief.yaml`, with the line by which editors find the
    /// schema. `depth` is how many folders the file is below the ledger's
    /// root: 4 for `briefs/2026/11/acme--hubspot-1`.
    #[must_use]
    pub fn to_yaml(&self, depth: usize) -> String {
        let up = "../".repeat(depth);
        format!(
            "# yaml-language-server: $schema={up}schema/brief.schema.json\n{}",
            yaml::write(&self.json)
        )
    }

    /// Where a value stands, by JSON pointer. A value that is not there has
    /// the place of the nearest section that is: of its key, so that one line
    /// is meant and not the whole section.
    #[must_use]
    pub fn place(&self, file: &str, pointer: &str) -> Location {
        self.place_at(file, |node| locate(node, pointer))
    }

    /// Where a field's key stands.
    #[must_use]
    pub fn place_of_key(&self, file: &str, pointer: &str) -> Location {
        let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        let key = key.replace("~1", "/").replace("~0", "~");
        self.place_at(file, |node| {
            let entry = node.pointer(parent).and_then(|parent| parent.entry(&key));
            entry.map_or_else(|| locate(node, pointer), |entry| (entry.key_span, true))
        })
    }

    fn place_at(&self, file: &str, find: impl Fn(&Node) -> (Span, bool)) -> Location {
        let Some(BriefFile { text, node }) = &self.file else { return Location::file(file) };
        let (span, whole) = find(node);
        let line = text.lines().nth(span.line.saturating_sub(1)).unwrap_or_default();
        let line = line.strip_prefix('\u{FEFF}').unwrap_or(line);
        let rest = line.chars().count().saturating_sub(span.column.saturating_sub(1));
        let width = if whole && span.end_line == span.line {
            span.end_column.saturating_sub(span.column)
        } else {
            rest
        };
        Location {
            file: Some(file.to_owned()),
            line: Some(span.line),
            column: Some(span.column),
            width: Some(width.clamp(1, rest.max(1))),
            source: Some(line.to_owned()),
        }
    }
}

/// The span of a value, or of the key of its nearest ancestor that exists.
/// True when the span is that of one scalar or key.
fn locate(root: &Node, pointer: &str) -> (Span, bool) {
    let mut node = root;
    let mut best = (root.span, false);
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let next = match &node.value {
            yaml::Value::Map(_) => node.entry(&token).map(|entry| {
                let nested = matches!(entry.node.value, yaml::Value::Map(_) | yaml::Value::List(_));
                let empty = entry.node.span.line != entry.key_span.line;
                (&entry.node, if nested || empty { entry.key_span } else { entry.node.span })
            }),
            yaml::Value::List(items) => token
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index))
                .map(|item| (item, item.span)),
            _ => None,
        };
        let Some((found, span)) = next else { break };
        node = found;
        best = (span, true);
    }
    best
}
