//! `sources.yaml`: where each answer of one version of a brief came from, as
//! it was when that version was written. A file of its own, so that neither
//! the page nor the timeline gets longer by it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{dotted, escape, unknown};
use super::model::check_version;
use crate::model::{Key, ObjectId};
use crate::yaml;

/// The schema a `sources.yaml` names.
pub const SOURCES_SCHEMA: &str = "handoff/sources/v1";

/// What kind of source an answer has.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// The deal in the CRM or its export, or a record beside it.
    Crm,
    /// The signed document.
    Document,
    /// handoff.yaml: a fixed text, the rules under `team:`, the deadline.
    Settings,
    /// Earlier handoffs of the same customer.
    Ledger,
    /// An issue form that somebody filled in.
    Form,
    /// A person behind a link.
    Link,
    /// A person, who changed the brief or was named by a command.
    Person,
    /// A tool or language model proposed it, and a person merged it.
    Proposed,
    /// Nothing says where it came from.
    Unrecorded,
}

impl SourceKind {
    /// Whether a person gave or confirmed the answer after the brief was written.
    #[must_use]
    pub fn is_confirmation(self) -> bool {
        matches!(self, Self::Link | Self::Person | Self::Proposed)
    }

    /// Whether handoff wrote the answer without anybody's word.
    #[must_use]
    pub fn is_machine(self) -> bool {
        matches!(self, Self::Crm | Self::Document | Self::Settings | Self::Ledger)
    }
}

/// Where one answer came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerSource {
    /// The kind of source.
    pub from: SourceKind,
    /// Which one: the CRM, the e-sign provider, the part of handoff.yaml, the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id of the deal, the document or the commit.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When it was read or given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<DateTime<Utc>>,
    /// What was read, by the names that the source has for it, with the values it had.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reads: BTreeMap<String, Value>,
    /// The line of the mapping that it came through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The expression in that line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
}

impl AnswerSource {
    /// A source of which nothing but its kind is known.
    #[must_use]
    pub fn of(from: SourceKind) -> Self {
        Self {
            from,
            name: None,
            reference: None,
            at: None,
            reads: BTreeMap::new(),
            line: None,
            expression: None,
        }
    }

    /// The same source with its name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same source with the moment it was read or given.
    #[must_use]
    pub fn at(mut self, at: DateTime<Utc>) -> Self {
        self.at = Some(at);
        self
    }

    /// The same source with the id of what was read.
    #[must_use]
    pub fn referring_to(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }
}

/// The sources of one version of a brief; written by handoff only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BriefSources {
    /// Always `handoff/sources/v1`.
    pub schema: String,
    /// The handoff.
    #[schemars(with = "String")]
    pub key: Key,
    /// The git blob id of the brief.yaml that was written with it.
    pub brief: String,
    /// By the answer's JSON pointer. An answer that is not here has no recorded source.
    pub answers: BTreeMap<String, AnswerSource>,
}

impl BriefSources {
    /// The file's name in a handoff's folder.
    pub const FILE: &'static str = "sources.yaml";

    /// Reads a `sources.yaml`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(source: &[u8]) -> Result<Self, yaml::Error> {
        let file = yaml::read(source)?;
        check_version(&file, SOURCES_SCHEMA)?;
        yaml::from_node(&file)
    }

    /// The bytes of the `sources.yaml`.
    ///
    /// # Panics
    /// Never: it holds only texts, times and JSON values.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml::write(&serde_json::to_value(self).expect("sources are plain data"))
    }
}

/// A `sources.yaml`, and how its bytes are named in timelines.
#[derive(Debug, Clone, Copy)]
pub struct SourcesFile<'a> {
    /// The file.
    pub bytes: &'a [u8],
    /// Gives the git blob id of bytes.
    pub blob_id: fn(&[u8]) -> ObjectId,
}

impl SourcesFile<'_> {
    /// The ids under which a timeline may record it: a checkout may have given it
    /// other line ends.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let of = |bytes: &[u8]| (self.blob_id)(bytes).to_string();
        let with_cr = self.bytes.contains(&b'\r');
        let unix = with_cr.then(|| String::from_utf8_lossy(self.bytes).replace("\r\n", "\n"));
        let unix = unix.map(|unix| of(unix.as_bytes()));
        std::iter::once(of(self.bytes)).chain(unix).collect()
    }

    /// The answers that it says people gave or confirmed, if the timeline records
    /// this very file: what somebody else wrote into it is not believed.
    #[must_use]
    pub fn confirmed(&self, timeline: Option<&[u8]>) -> ConfirmedAnswers {
        let found = std::str::from_utf8(self.bytes).map(ConfirmedAnswers::written);
        let found = found.unwrap_or_default();
        let timeline = timeline.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let is_recorded = |text: &str| self.ids().iter().any(|id| text.contains(id.as_str()));
        if !found.is_empty() && timeline.is_some_and(is_recorded) {
            found
        } else {
            ConfirmedAnswers::default()
        }
    }
}

/// The answers that people gave or confirmed, by JSON pointer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfirmedAnswers(BTreeSet<String>);

impl ConfirmedAnswers {
    /// What the text of a `sources.yaml` says of them that was written just now;
    /// none where it cannot be read, which is a finding of its own.
    #[must_use]
    pub fn written(sources: &str) -> Self {
        // Most briefs have no such answer, and parsing costs as much as the brief itself.
        let names = ["from: link", "from: person", "from: proposed"];
        let has_any = names.iter().any(|name| sources.contains(name));
        let parsed = has_any.then(|| BriefSources::parse(sources.as_bytes()).ok()).flatten();
        let answers = parsed.map(|sources| sources.answers).unwrap_or_default();
        let confirmed = answers.into_iter().filter(|(_, source)| source.from.is_confirmation());
        Self(confirmed.map(|(pointer, _)| pointer).collect())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pointers, in their order.
    pub fn pointers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether a value of the brief is such an answer, lies in one, or consists
    /// of such answers alone.
    #[must_use]
    pub fn has(&self, pointer: &str, value: &Value) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let lies_in = |above: &String| {
            pointer
                .strip_prefix(above.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if self.0.iter().any(lies_in) {
            return true;
        }
        let mut inside = Vec::new();
        collect(pointer.to_owned(), value, &mut inside);
        !inside.is_empty() && inside.iter().all(|answer| self.0.contains(&answer.pointer))
    }
}

/// One answer of a brief as its sources see it.
#[derive(Debug, Clone, PartialEq)]
pub struct BriefAnswer<'a> {
    /// The field, dotted.
    pub field: String,
    /// The same as a JSON pointer.
    pub pointer: String,
    /// The answer.
    pub value: &'a Value,
}

/// The answers of a brief in its order: what holds no further fields, lists, an
/// honest gap, an amount with its currency.
#[must_use]
pub fn brief_answers(brief: &Value) -> Vec<BriefAnswer<'_>> {
    let mut found = Vec::new();
    if let Value::Object(sections) = brief {
        for (name, value) in sections {
            if !matches!(name.as_str(), "schema" | "key") {
                collect(format!("/{}", escape(name)), value, &mut found);
            }
        }
    }
    found
}

fn collect<'a>(pointer: String, value: &'a Value, found: &mut Vec<BriefAnswer<'a>>) {
    match value {
        Value::Object(fields) if !is_one_answer(value, fields) => {
            for (name, value) in fields {
                collect(format!("{pointer}/{}", escape(name)), value, found);
            }
        }
        _ => found.push(BriefAnswer { field: dotted(&pointer), pointer, value }),
    }
}

fn is_one_answer(value: &Value, fields: &Map<String, Value>) -> bool {
    fields.is_empty()
        || unknown(value).is_some()
        || fields.keys().all(|name| matches!(name.as_str(), "amount" | "currency"))
}

/// What stands for a pointer in a map by pointer: its own entry, else that of
/// the nearest field around it.
#[must_use]
pub fn nearest_above<'a, T>(by_pointer: &'a BTreeMap<String, T>, pointer: &str) -> Option<&'a T> {
    let mut at = pointer;
    loop {
        if let Some(found) = by_pointer.get(at) {
            return Some(found);
        }
        at = at.rsplit_once('/').map(|(above, _)| above).filter(|above| !above.is_empty())?;
    }
}
