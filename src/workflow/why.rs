//! Where each answer of a brief comes from: as it was recorded when the brief
//! was written, and for what people wrote the commit. Everything is read from
//! the ledger itself, so that it holds without the CRM.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::compose::{KnownCustomer, compose};
use super::context::{Context, WorkflowError};
use super::deal::Found;
use super::link_page::stored_anywhere;
use super::refresh::{composed_again, readable, signature_of};
use super::sources::{SourcesByPointer, composed_sources, read_sources};
use super::store::Stored;
use crate::brief::{
    AnswerSource, Brief, BriefSources, Event, EventKind, Field, Proposals, Shape, SourceKind,
    Timeline, brief_answers, nearest_above,
};
use crate::crm::CrmError;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::ledger::FileVersion;
use crate::model::{Key, Remarks, Signature};
use crate::text::{one_line, quoted, shorten};

/// The commit in which an answer came to stand as it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WrittenIn {
    /// The commit.
    pub commit: String,
    /// The commit's author date, RFC 3339.
    pub at: String,
    /// The commit's author.
    pub author: String,
    /// The author's address.
    pub email: String,
}

/// What an answer was before.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EarlierAnswer {
    /// The answer; null where there was none.
    pub answer: Option<Value>,
    /// The commit that replaced it.
    pub until: String,
    /// When it was replaced: that commit's author date.
    pub at: String,
}

/// What the source says at the moment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SourceNow {
    /// Whether it says what it said then.
    pub same: bool,
    /// What differs, by the name it was read under: then and now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub differs: BTreeMap<String, (Value, Value)>,
}

/// One answer and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SourcedAnswer {
    /// The field, dotted.
    pub field: String,
    /// The answer as the brief has it.
    pub answer: Value,
    /// Where it came from.
    pub source: AnswerSource,
    /// Why it is not known, for `unrecorded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who merged what a tool proposed, where a merge commit says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// Since when it stands so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<WrittenIn>,
    /// What it said before, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<EarlierAnswer>,
    /// What the source says now, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<SourceNow>,
    /// With `--check`: why the document that it came from was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<String>,
}

/// The answers of one brief with their sources.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Why {
    /// The version of this format: 1.
    pub version: u8,
    /// The handoff.
    #[schemars(with = "String")]
    pub key: Key,
    /// Its folder.
    pub folder: String,
    /// Whether the whole history of the brief could be read.
    pub complete: bool,
    /// What could not be read.
    pub gaps: Vec<String>,
    /// In the order of the brief.
    pub answers: Vec<SourcedAnswer>,
    /// What the rules find; only with `--check`.
    #[schemars(with = "Vec<Value>")]
    pub findings: Vec<Finding>,
    /// The field that was asked for, in full where its last part was enough.
    #[serde(skip)]
    pub asked: Option<String>,
    /// Every field that can be asked for: of the ledger's schema and of the brief.
    #[serde(skip)]
    pub fields: Vec<String>,
}

/// Where the answers of a handoff come from; of one field and what is inside
/// of it, or of all.
///
/// # Errors
/// When there is no such handoff, or its history cannot be read.
pub fn why(context: &Context, key: &Key, field: Option<&str>) -> Result<Why, WorkflowError> {
    let none = || WorkflowError::NoHandoff(key.clone());
    let stored = stored_anywhere(context, key)?.ok_or_else(none)?;
    let brief = stored.brief.as_ref().ok_or_else(none)?.json().clone();
    let revision = context.tip_of(&stored)?.ok_or_else(none)?.to_string();
    let path = format!("{}/brief.yaml", stored.folder);
    let history = context.ledger.file_versions(&revision, &path)?;
    let mut gaps = Vec::new();
    if !history.complete {
        gaps.push("this clone lacks the older history; `git fetch --unshallow` brings it".into());
    }
    let mut versions = Vec::with_capacity(history.versions.len());
    for file in &history.versions {
        let read = match context.ledger.blob(file.blob)? {
            None => Err("its object is not in this clone".to_owned()),
            Some(bytes) => Brief::parse(&bytes).map(Brief::into_json).map_err(|it| it.to_string()),
        };
        if let Err(why) = &read {
            let commit = &file.commit.to_string()[..10];
            gaps.push(format!("{path} as of {commit} cannot be read: {}", shorten(why, 200)));
        }
        versions.push((file, read.ok()));
    }
    let snapshot = context.ledger.snapshot_at(&revision)?;
    if snapshot.read(&format!("{}/{}", stored.folder, BriefSources::FILE))?.is_some()
        && read_sources(&snapshot, &stored.folder, &stored.timeline)?.is_none()
    {
        gaps.push(format!(
            "{}/{} cannot be read, or handoff did not write it",
            stored.folder,
            BriefSources::FILE
        ));
    }
    let told = Telling {
        context,
        folder: &stored.folder,
        revision: &revision,
        timeline: &stored.timeline,
        complete: history.complete,
        recorded: read_sources(&snapshot, &stored.folder, &stored.timeline)?,
        versions,
    };
    let answered = brief_answers(&brief);
    let mut fields = fields_of(context.schema.outline().fields());
    for answer in &answered {
        if !fields.contains(&answer.field) {
            fields.push(answer.field.clone());
        }
    }
    let asked = field.map(|field| match &*fields_called(&fields, field) {
        [whole] => whole.to_string(),
        _ => field.to_owned(),
    });
    let is_meant = |name: &str| {
        asked.as_deref().is_none_or(|field| {
            name.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let answers = answered.iter().filter(|answer| is_meant(&answer.field));
    let answers = answers
        .map(|answer| told.source(&answer.field, &answer.pointer, answer.value))
        .collect::<Result<_, _>>()?;
    Ok(Why {
        version: 1,
        key: key.clone(),
        folder: stored.folder.clone(),
        complete: gaps.is_empty(),
        gaps,
        answers,
        findings: Vec::new(),
        asked,
        fields,
    })
}

/// The fields that are meant by a name: this one, else those that are called
/// so without their section, `customer.tier` for `tier`.
#[must_use]
pub fn fields_called<'a>(fields: &'a [String], name: &str) -> Vec<&'a str> {
    let fields = fields.iter().map(String::as_str);
    if let Some(exact) = fields.clone().find(|field| *field == name) {
        return vec![exact];
    }
    fields.filter(|field| field.rsplit_once('.').is_some_and(|(_, last)| last == name)).collect()
}

/// The fields of a schema, dotted; lists are one field.
fn fields_of(fields: &[Field]) -> Vec<String> {
    let mut all = Vec::new();
    for field in fields {
        all.push(field.name.clone());
        if let Shape::Mapping { fields, .. } = &field.shape {
            let inside = fields_of(fields).into_iter();
            all.extend(inside.map(|name| format!("{}.{name}", field.name)));
        }
    }
    all
}

struct Telling<'a> {
    context: &'a Context,
    folder: &'a str,
    revision: &'a str,
    timeline: &'a Timeline,
    complete: bool,
    /// As the newest commit has them.
    recorded: Option<BriefSources>,
    /// Oldest first, each with the brief that it held, where that can be read.
    versions: Vec<(&'a FileVersion, Option<Value>)>,
}

impl Telling<'_> {
    fn source(
        &self,
        field: &str,
        pointer: &str,
        value: &Value,
    ) -> Result<SourcedAnswer, WorkflowError> {
        let mut told = SourcedAnswer {
            field: field.to_owned(),
            answer: value.clone(),
            source: AnswerSource::of(SourceKind::Unrecorded),
            note: None,
            confirmed_by: None,
            since: None,
            before: Vec::new(),
            now: None,
            not_asked: None,
        };
        let readable: Vec<usize> =
            (0..self.versions.len()).filter(|at| self.versions[*at].1.is_some()).collect();
        let answer_in = |at: usize| self.versions[at].1.as_ref().and_then(|it| it.pointer(pointer));
        let mut at = None;
        for (place, number) in readable.iter().enumerate().rev() {
            let here = answer_in(*number);
            let before = place.checked_sub(1).map(|place| readable[place]);
            if before.is_some_and(|before| answer_in(before) == here) {
                continue;
            }
            if at.is_none() && here == Some(value) {
                // Whether nothing that cannot be read lies between.
                let is_sure = before.map_or(0, |before| before + 1) == *number;
                at = Some((*number, is_sure));
            }
            if let Some(before) = before {
                let file = self.versions[*number].0;
                told.before.push(EarlierAnswer {
                    answer: answer_in(before).cloned(),
                    until: file.commit.to_string(),
                    at: rfc3339(file.at),
                });
            }
        }
        let Some((number, is_sure)) = at else {
            told.note = Some("no commit that can be read has this answer".to_owned());
            return Ok(told);
        };
        let file = self.versions[number].0;
        told.since = Some(WrittenIn {
            commit: file.commit.to_string(),
            at: rfc3339(file.at),
            author: file.author.clone(),
            email: file.email.clone(),
        });
        if let Some(source) = self.recorded(number, pointer)? {
            // Of a person the commit is the record, where the source names none.
            if source.from != SourceKind::Person || source.name.is_some() {
                told.source = source;
                return Ok(told);
            }
        }
        if self.proposed(number, &mut told)? {
            return Ok(told);
        }
        let note = if !is_sure {
            Some("the version before it cannot be read")
        } else if number == 0 && !self.complete {
            Some("the history here begins after it was written")
        } else if self.is_machine(file) {
            match self.link(file, field)? {
                Some(event) => {
                    let by = event.by.unwrap_or_else(|| "a person behind a link".to_owned());
                    told.source = AnswerSource::of(SourceKind::Link).named(by).at(event.at);
                    return Ok(told);
                }
                None if self.has_sources(file)? => {
                    Some("handoff wrote it, and what was recorded is of another version")
                }
                None => Some("handoff wrote it before sources were recorded"),
            }
        } else {
            None
        };
        match note {
            Some(note) => told.note = Some(note.to_owned()),
            None => {
                let person = one_line(&format!("{} <{}>", file.author, file.email));
                told.source = AnswerSource::of(SourceKind::Person)
                    .named(person)
                    .referring_to(file.commit.to_string())
                    .at(file.at);
            }
        }
        Ok(told)
    }

    /// What was recorded for an answer that came to stand in a version: by the
    /// newest record that was made since, else by that version's own.
    fn recorded(
        &self,
        number: usize,
        pointer: &str,
    ) -> Result<Option<AnswerSource>, WorkflowError> {
        let since = |recorded: &BriefSources| {
            self.versions[number..].iter().any(|(file, _)| file.blob.to_string() == recorded.brief)
        };
        if let Some(recorded) = self.recorded.as_ref().filter(|it| since(it))
            && let Some(source) = recorded.answers.get(pointer)
        {
            return Ok(Some(source.clone()));
        }
        let file = self.versions[number].0;
        let snapshot = self.context.ledger.snapshot_at(&file.commit.to_string())?;
        let own = read_sources(&snapshot, self.folder, self.timeline)?;
        let own = own.filter(|own| own.brief == file.blob.to_string());
        Ok(own.and_then(|own| own.answers.get(pointer).cloned()))
    }

    /// Reports an answer that a tool proposed in this version, and who merged it.
    fn proposed(&self, number: usize, told: &mut SourcedAnswer) -> Result<bool, WorkflowError> {
        let (file, brief) = &self.versions[number];
        let snapshot = self.context.ledger.snapshot_at(&file.commit.to_string())?;
        let bytes = snapshot.read(&format!("{}/{}", self.folder, Proposals::FILE))?;
        let proposals = bytes.and_then(|bytes| Proposals::parse(&bytes).ok());
        let found = proposals.as_ref().zip(brief.as_ref());
        let Some((tool, answer)) = found.and_then(|(it, brief)| it.find(&told.field, brief)) else {
            return Ok(false);
        };
        let mut source =
            AnswerSource::of(SourceKind::Proposed).named(&tool.proposed_by).at(tool.at);
        source.reference = answer.cite.clone();
        told.source = source;
        let path = format!("{}/brief.yaml", self.folder);
        let merged = self.context.ledger.merged_versions(self.revision, &path)?;
        // The commit of the ledger's branch since which the version is part of it.
        let mut since = None;
        for merge in merged.versions.iter().rev() {
            let brief = self.context.ledger.blob(merge.blob)?.and_then(|it| Brief::parse(&it).ok());
            let pointer = format!("/{}", told.field.replace('.', "/"));
            match brief {
                Some(brief) if brief.json().pointer(&pointer) == Some(&told.answer) => {
                    since = Some(merge);
                }
                _ => break,
            }
        }
        match since.filter(|merge| merge.commit != file.commit && !merge.by_handoff) {
            Some(merge) => {
                let person = one_line(&format!("{} <{}>", merge.author, merge.email));
                told.confirmed_by = Some(person);
            }
            None => told.note = Some("no merge commit says who confirmed it".to_owned()),
        }
        Ok(true)
    }

    /// Whether handoff wrote a version, by its commit or by the timeline.
    fn is_machine(&self, file: &FileVersion) -> bool {
        let blob = file.blob.to_string();
        let writes = |event: &Event| {
            !matches!(event.event, EventKind::Accepted | EventKind::Returned | EventKind::CsmTold)
                && event.brief.as_deref() == Some(&*blob)
        };
        file.by_handoff || self.timeline.events.iter().any(writes)
    }

    /// Whether a commit has recorded sources at all.
    fn has_sources(&self, file: &FileVersion) -> Result<bool, WorkflowError> {
        let snapshot = self.context.ledger.snapshot_at(&file.commit.to_string())?;
        Ok(snapshot.read(&format!("{}/{}", self.folder, BriefSources::FILE))?.is_some())
    }

    /// The event of the page behind a link that a commit recorded with a
    /// version of the brief, if it names the field.
    fn link(&self, file: &FileVersion, field: &str) -> Result<Option<Event>, WorkflowError> {
        let snapshot = self.context.ledger.snapshot_at(&file.commit.to_string())?;
        let timeline = snapshot.read(&format!("{}/timeline.yaml", self.folder))?;
        let timeline = timeline.and_then(|bytes| Timeline::parse(&bytes).ok());
        let last = timeline.and_then(|mut timeline| timeline.events.pop());
        Ok(last.filter(|event| {
            let names_it = |reason: &String| {
                reason.split(", ").any(|given| {
                    field
                        .strip_prefix(given)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                })
            };
            event.via == super::link_page::VIA && event.reason.as_ref().is_some_and(names_it)
        }))
    }
}

/// An answer without a source.
pub static UNSOURCED_ANSWER: Rule = Rule {
    id: "unsourced-answer",
    kind: RuleKind::Sources,
    severity: Severity::Info,
    summary: "Nothing says where an answer of the brief came from.",
    explain: include_str!("../../docs/rules/unsourced-answer.md"),
};

/// An answer whose source says something else now.
pub static SOURCE_CHANGED: Rule = Rule {
    id: "source-changed",
    kind: RuleKind::Sources,
    severity: Severity::Warning,
    summary: "The source of an answer says something else than it did when it was read.",
    explain: include_str!("../../docs/rules/source-changed.md"),
};

/// Asks the CRM again, says of each answer that came from it whether it still
/// says so, and adds what the two rules find.
///
/// # Errors
/// When the CRM cannot be asked, or the ledger cannot be read.
pub async fn check_sources(
    context: &Context,
    why: &mut Why,
    documents: &AskedDocuments,
) -> Result<(), WorkflowError> {
    let none = || WorkflowError::NoHandoff(why.key.clone());
    let stored = stored_anywhere(context, &why.key)?.ok_or_else(none)?;
    let brief = stored.brief.as_ref().ok_or_else(none)?;
    let asks = why.answers.iter().any(|answer| answer.source.from == SourceKind::Crm);
    if asks && let Some(gap) = ask(context, &stored, brief, &mut why.answers).await? {
        why.gaps.push(gap);
        why.complete = false;
    }
    for document in why.documents() {
        let said = match documents.get(&document) {
            Some(Ok(signature)) => Ok(&**signature),
            Some(Err(unasked)) => Err(unasked.why.clone()),
            None => Err("its provider is not asked".to_owned()),
        };
        if let Some(Err(UnaskedDocument { is_gap: true, why: reason })) = documents.get(&document) {
            let (provider, id) = &document;
            why.gaps.push(format!("{provider} was not asked about document {id}: {reason}"));
            why.complete = false;
        }
        let answers = why.answers.iter_mut().filter(|it| is_of(it, &document));
        match said {
            Ok(signature) => compare_document(context, &stored, brief, signature, answers),
            Err(reason) => answers.for_each(|answer| answer.not_asked = Some(reason.clone())),
        }
    }
    let file = format!("{}/brief.yaml", stored.folder);
    for answer in &why.answers {
        let pointer = format!("/{}", answer.field.replace('.', "/"));
        let section = answer.field.split('.').next().unwrap_or_default();
        let question = context.schema.outline().field(&format!("/{section}"));
        let question = question.and_then(|section| section.question);
        let finding = |rule, message: String| {
            let found = Finding::new(rule, message).at(brief.place(&file, &pointer)).key(&why.key);
            match question {
                Some(question) => found.question(question),
                None => found,
            }
        };
        let field = quoted(&answer.field);
        if answer.source.from == SourceKind::Unrecorded {
            let because = answer.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
            let message = format!("{field} has no recorded source{because}");
            let help = "the next correction of the deal records where its answers come from";
            why.findings.push(finding(&UNSOURCED_ANSWER, message).help(help));
        }
        for (name, (then, now)) in answer.now.iter().flat_map(|now| &now.differs) {
            let said = |value: &Value| match value {
                Value::Null => "nothing".to_owned(),
                Value::String(text) => quoted(text),
                other => shorten(&one_line(&other.to_string()), 100),
            };
            let message = format!(
                "{field} came from {}, which said {} and says {} now",
                quoted(name),
                said(then),
                said(now)
            );
            let help = match answer.source.from {
                SourceKind::Document => {
                    "a signed document does not change by itself: see it at its provider".to_owned()
                }
                _ => format!("`handoff refresh {}` takes over what the CRM says", why.key),
            };
            why.findings.push(finding(&SOURCE_CHANGED, message).help(help));
        }
    }
    Ok(())
}

/// What the CRM says now; what kept it from being asked.
async fn ask(
    context: &Context,
    stored: &Stored,
    brief: &Brief,
    answers: &mut [SourcedAnswer],
) -> Result<Option<String>, WorkflowError> {
    let (crm, id) = match readable(context, stored) {
        Ok(found) => found,
        Err(why) => return Ok(Some(format!("the CRM was not asked: {why}"))),
    };
    let signature = signature_of(context, stored, brief);
    let deal = match crm.deal(&id, Some(&signature)).await {
        Ok(deal) => deal,
        Err(CrmError::NotFound { .. }) => {
            return Ok(Some(format!("{} has no deal {id} any more", crm.name())));
        }
        Err(error) => return Err(error.into()),
    };
    let snapshot = context.ledger.snapshot()?;
    let (found, theirs, _) = composed_again(context, &snapshot, stored, brief, deal);
    let sources = composed_sources(context, &found, true, &theirs, None);
    let answers = answers.iter_mut().filter(|it| it.source.from == SourceKind::Crm);
    compare(answers, brief, &sources, &theirs);
    Ok(None)
}

/// Holds answers against what a source gives now.
fn compare<'a>(
    answers: impl Iterator<Item = &'a mut SourcedAnswer>,
    brief: &Brief,
    sources: &SourcesByPointer,
    theirs: &Value,
) {
    for answer in answers {
        let Some(pointer) = pointer_of(brief, answer) else { continue };
        let mut differs = BTreeMap::new();
        if answer.source.expression.is_some() {
            let now = nearest_above(sources, &pointer);
            for (name, then) in &answer.source.reads {
                // What the answer was built on has a source of its own.
                if name.starts_with("brief.") || name.starts_with("first_touch") {
                    continue;
                }
                let now = now.and_then(|now| now.reads.get(name));
                if now != Some(then) {
                    let now = now.cloned().unwrap_or(Value::Null);
                    differs.insert(name.clone(), (then.clone(), now));
                }
            }
            let new = now.into_iter().flat_map(|now| &now.reads);
            for (name, value) in new.filter(|(name, _)| {
                !name.starts_with("brief.") && !answer.source.reads.contains_key(*name)
            }) {
                differs.insert(name.clone(), (Value::Null, value.clone()));
            }
        }
        // Of records only the names are kept: the answer that they give tells the rest.
        let now = theirs.pointer(&pointer);
        if differs.is_empty() && now != Some(&answer.answer) {
            let now = now.cloned().unwrap_or(Value::Null);
            differs.insert(answer.field.clone(), (answer.answer.clone(), now));
        }
        answer.now = Some(SourceNow { same: differs.is_empty(), differs });
    }
}

fn pointer_of(brief: &Brief, answer: &SourcedAnswer) -> Option<String> {
    let found = brief_answers(brief.json()).into_iter().find(|it| it.field == answer.field);
    found.map(|it| it.pointer)
}

/// A document by its provider's name and its id.
pub type NamedDocument = (String, String);

/// What the providers say of documents now, or why one was not asked.
pub type AskedDocuments = BTreeMap<NamedDocument, Result<Box<Signature>, UnaskedDocument>>;

/// Why a provider was not asked about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnaskedDocument {
    /// Why.
    pub why: String,
    /// Whether it should have told: not where it has no API, or no key for it.
    pub is_gap: bool,
}

impl Why {
    /// The documents that its answers came from.
    #[must_use]
    pub fn documents(&self) -> BTreeSet<NamedDocument> {
        let of_documents = self.answers.iter().map(|answer| &answer.source);
        let of_documents = of_documents.filter(|source| source.from == SourceKind::Document);
        of_documents
            .filter_map(|source| Some((source.name.clone()?, source.reference.clone()?)))
            .collect()
    }
}

fn is_of(answer: &SourcedAnswer, (name, id): &NamedDocument) -> bool {
    let source = &answer.source;
    source.from == SourceKind::Document
        && source.name.as_ref() == Some(name)
        && source.reference.as_ref() == Some(id)
}

/// Holds answers against what their document gives by itself.
fn compare_document<'a>(
    context: &Context,
    stored: &Stored,
    brief: &Brief,
    signature: &Signature,
    answers: impl Iterator<Item = &'a mut SourcedAnswer>,
) {
    let key = stored.timeline.key.clone();
    let found = Found::of_document(key, None, signature, Remarks::default());
    let known = |_: &Value| KnownCustomer::default();
    let composed = compose(context, &found, true, None, None, &BTreeMap::new, &known).brief;
    let sources = composed_sources(context, &found, true, &composed, None);
    let mut asked = Vec::new();
    for answer in answers {
        // A later document is one of several, and a deal more than its document says.
        let Some(pointer) = pointer_of(brief, answer) else { continue };
        if answer.source.expression.is_none() && !pointer.starts_with("/signature") {
            answer.not_asked = Some("its document does not say it alone".to_owned());
        } else {
            asked.push(answer);
        }
    }
    compare(asked.into_iter(), brief, &sources, &composed);
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
