//! Where each answer of a brief comes from: the machine, through which line of
//! the mapping that counted then; the rep through a link; or a person, with
//! the commit. Everything is read from the ledger's own history, so that it
//! holds without the CRM.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::context::Context;
use super::error::WorkflowError;
use super::link_page::stored_anywhere;
use super::store::version;
use crate::brief::{Event, Timeline};
use crate::config::{Config, FILE_NAME};
use crate::ledger::FileVersion;
use crate::model::{Key, RecordKind};

/// What kind of source an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// The deal in the CRM or its export, or a record beside it.
    Crm,
    /// The signed document.
    Document,
    /// handoff itself: the team's rules, the deadline, a fixed text.
    Handoff,
    /// A person behind a link, as the timeline records it.
    Link,
    /// A person's commit.
    Person,
    /// The history does not hold who wrote it.
    Unrecorded,
}

/// The version of the brief in which an answer came to stand as it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrittenIn {
    /// The commit.
    pub commit: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The commit's author.
    pub author: String,
    /// The author's address.
    pub email: String,
}

/// What an answer was before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EarlierAnswer {
    /// The answer; `None` where there was none.
    pub answer: Option<Value>,
    /// The commit that replaced it.
    pub until: String,
    /// When it was replaced.
    pub at: DateTime<Utc>,
}

/// One answer and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerSource {
    /// The field, dotted.
    pub field: String,
    /// The answer as the brief has it.
    pub answer: Value,
    /// What kind of source it has.
    pub source: SourceKind,
    /// What wrote it: a CRM or provider by name, `link`, a person.
    pub from: String,
    /// What it is read from, such as `deal.amount`; by the names that the CRM has for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// The expression of the mapping that gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Where that line stands: `handoff.yaml:12`, or the default mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The document's or deal's id, as the timeline has it.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Since when, and by whom, it stands so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<WrittenIn>,
    /// What it said before, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<EarlierAnswer>,
}

/// The answers of one brief with their sources.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sources {
    /// The handoff.
    pub key: Key,
    /// Its folder.
    pub folder: String,
    /// Whether the history goes back to the first version of the brief.
    pub complete: bool,
    /// In the order of the brief.
    pub answers: Vec<AnswerSource>,
    /// Every field that the brief answers.
    #[serde(skip)]
    pub fields: Vec<String>,
}

/// Where the answers of a handoff come from; of one field and what is inside
/// of it, or of all.
///
/// # Errors
/// When there is no such handoff, or its history cannot be read.
pub fn why(context: &Context, key: &Key, field: Option<&str>) -> Result<Sources, WorkflowError> {
    let none = || WorkflowError::NoHandoff(key.clone());
    let stored = stored_anywhere(context, key)?.ok_or_else(none)?;
    let brief = stored.brief.ok_or_else(none)?.into_json();
    let revision = match &stored.branch {
        Some(branch) => context.ledger.snapshot_of_branch(branch)?.and_then(|it| it.commit()),
        None => context.ledger.tip()?,
    };
    let revision = revision.ok_or_else(none)?.to_string();
    let path = format!("{}/brief.yaml", stored.folder);
    let history = context.ledger.file_versions(&revision, &path)?;
    let mut versions = Vec::with_capacity(history.versions.len());
    for file in &history.versions {
        // A version that nobody could read answers nothing.
        versions.push((file, version(context, &file.blob.to_string()).unwrap_or(Value::Null)));
    }
    let mut told = Telling {
        context,
        timeline: &stored.timeline,
        complete: history.complete,
        versions,
        settings: BTreeMap::new(),
    };
    let mut answered = Vec::new();
    if let Value::Object(sections) = &brief {
        for (name, value) in sections {
            if !matches!(name.as_str(), "schema" | "key") {
                collect(name, &format!("/{}", escape(name)), value, &mut answered);
            }
        }
    }
    let mut answers = Vec::new();
    for (dotted, pointer, value) in &answered {
        let is_meant = field.is_none_or(|field| {
            dotted.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        if is_meant {
            answers.push(told.source(dotted, pointer, value));
        }
    }
    Ok(Sources {
        key: key.clone(),
        folder: stored.folder,
        complete: history.complete,
        answers,
        fields: answered.into_iter().map(|(dotted, ..)| dotted).collect(),
    })
}

/// The answers of a brief: what holds no further fields, lists, an honest gap,
/// an amount with its currency.
fn collect(dotted: &str, pointer: &str, value: &Value, found: &mut Vec<(String, String, Value)>) {
    match value {
        Value::Object(fields) if !is_one_answer(fields) => {
            for (name, value) in fields {
                collect(
                    &format!("{dotted}.{name}"),
                    &format!("{pointer}/{}", escape(name)),
                    value,
                    found,
                );
            }
        }
        _ => found.push((dotted.to_owned(), pointer.to_owned(), value.clone())),
    }
}

fn is_one_answer(fields: &Map<String, Value>) -> bool {
    fields.is_empty()
        || fields.contains_key("unknown")
        || fields.keys().all(|name| matches!(name.as_str(), "amount" | "currency"))
}

/// A name as a JSON pointer has it.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

struct Telling<'a> {
    context: &'a Context,
    timeline: &'a Timeline,
    complete: bool,
    /// Oldest first, each with the brief that it held.
    versions: Vec<(&'a FileVersion, Value)>,
    /// The settings that each commit held; `None` where they cannot be read.
    settings: BTreeMap<String, Option<Config>>,
}

impl Telling<'_> {
    fn source(&mut self, dotted: &str, pointer: &str, value: &Value) -> AnswerSource {
        let mut source = AnswerSource {
            field: dotted.to_owned(),
            answer: value.clone(),
            source: SourceKind::Unrecorded,
            from: "not committed".to_owned(),
            reads: Vec::new(),
            expression: None,
            line: None,
            reference: None,
            since: None,
            before: Vec::new(),
        };
        let mut at = None;
        for number in (0..self.versions.len()).rev() {
            let here = self.versions[number].1.pointer(pointer);
            let before =
                number.checked_sub(1).and_then(|number| self.versions[number].1.pointer(pointer));
            if here == before {
                continue;
            }
            if at.is_none() && here == Some(value) {
                at = Some(number);
            }
            let file = self.versions[number].0;
            // The first version replaces nothing.
            if number > 0 {
                let (until, at) = (file.commit.to_string(), file.at);
                source.before.push(EarlierAnswer { answer: before.cloned(), until, at });
            }
        }
        let Some(at) = at else { return source };
        let file = self.versions[at].0;
        source.since = Some(WrittenIn {
            commit: file.commit.to_string(),
            at: file.at,
            author: file.author.clone(),
            email: file.email.clone(),
        });
        if at == 0 && !self.complete {
            source.from = "the history here begins after it was written".to_owned();
            return source;
        }
        let blob = file.blob.to_string();
        let is_kept = |event: &Event| {
            event.kept.iter().any(|kept| {
                pointer
                    .strip_prefix(kept.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let machine = self
            .timeline
            .events
            .iter()
            .find(|event| event.brief.as_deref() == Some(blob.as_str()) && !is_kept(event));
        if let Some(event) = machine {
            self.machine(dotted, &file.commit.to_string(), event, &mut source);
        } else if let Some(event) = self.link(dotted, file) {
            source.source = SourceKind::Link;
            source.from = event.by.clone().unwrap_or_else(|| "a person behind a link".to_owned());
        } else {
            source.source = SourceKind::Person;
            source.from = format!("{} <{}>", file.author, file.email);
        }
        source
    }

    /// The event of the page behind a link that wrote a version: it is of the
    /// commit's moment and names the field.
    fn link(&self, dotted: &str, file: &FileVersion) -> Option<&Event> {
        self.timeline.events.iter().find(|event| {
            event.via == "link"
                && event.at.timestamp() == file.at.timestamp()
                && event.reason.as_deref().is_some_and(|reason| {
                    reason.split(", ").any(|field| {
                        dotted
                            .strip_prefix(field)
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                    })
                })
        })
    }

    fn machine(&mut self, dotted: &str, commit: &str, event: &Event, source: &mut AnswerSource) {
        source.reference = event.reference.clone();
        let section = dotted.split('.').next().unwrap_or_default();
        if matches!(section, "deal" | "signature" | "amendments") {
            let brief = |pointer: &str| {
                self.versions
                    .iter()
                    .rev()
                    .find_map(|(_, brief)| brief.pointer(pointer)?.as_str().map(str::to_owned))
            };
            let is_deal = section == "deal";
            source.source = if is_deal { SourceKind::Crm } else { SourceKind::Document };
            let pointer = if is_deal { "/deal/crm" } else { "/signature/provider" };
            source.from = brief(pointer).unwrap_or_else(|| event.via.clone());
            return;
        }
        source.source = SourceKind::Handoff;
        source.from = "handoff".to_owned();
        let crm = self
            .versions
            .iter()
            .rev()
            .find_map(|(_, brief)| brief.pointer("/deal/crm")?.as_str().map(str::to_owned));
        let context = self.context;
        let committed = self.settings.entry(commit.to_owned()).or_insert_with(|| {
            let bytes = context.ledger.snapshot_at(commit).ok()?.read(FILE_NAME).ok()??;
            Config::parse(&bytes).ok()
        });
        // Settings that were not committed then are those that are here now.
        let is_committed = committed.is_some();
        let config = committed.as_ref().unwrap_or(&context.config);
        let Some(line) = config.mapping.line_of(dotted) else {
            source.from = match dotted {
                "first_action.due" => "the deadline under `first_touch:`".to_owned(),
                _ if dotted.starts_with("first_action.owner") => {
                    "the rules under `team:`".to_owned()
                }
                _ => "handoff".to_owned(),
            };
            return;
        };
        let properties = line.expression.properties();
        for kind in RecordKind::ALL {
            for name in properties.of(kind).into_iter().flatten() {
                source.reads.push(format!("{}.{name}", kind.word()));
            }
        }
        for (name, word) in [
            ("deal", "deal"),
            ("company", "company"),
            ("contacts", "contact"),
            ("line_items", "line item"),
            ("signature", "document"),
        ] {
            let is_named = source
                .reads
                .iter()
                .any(|read| read.strip_prefix(word).is_some_and(|rest| rest.starts_with('.')));
            if line.expression.reads(name) && !is_named {
                source.reads.push(word.to_owned());
            }
        }
        let reads_crm = source.reads.iter().any(|read| read != "document");
        if let Some(crm) = crm.filter(|_| reads_crm) {
            source.source = SourceKind::Crm;
            source.from = crm;
        } else if source.reads.iter().any(|read| read == "document") {
            source.source = SourceKind::Document;
            source.from = event.via.clone();
        }
        source.expression = Some(line.expression.source().to_owned());
        source.line = Some(match (line.own, is_committed) {
            (Some(span), true) => format!("{FILE_NAME}:{} at {}", span.line, &commit[..10]),
            (Some(span), false) => format!("{FILE_NAME}:{} as it is now", span.line),
            (None, _) => format!("the default mapping, `{}`", line.field),
        });
    }
}

impl WrittenIn {
    /// Since when and by which commit, on one line.
    #[must_use]
    pub fn words(&self) -> String {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!("{at} in {}", &self.commit[..10])
    }
}
