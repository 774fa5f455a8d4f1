//! Records where each answer of a brief comes from, in the commit that writes
//! the brief: what was read just now, what stands since an earlier version, and
//! what people gave.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::compose::mapping_input;
use super::context::{Context, WorkflowError};
use super::deal::Found;
use super::store::{Stored, machine_version, version};
use crate::brief::{
    AnswerSource, BriefSources, GivenAnswers, SOURCES_SCHEMA, SourceKind, Timeline, brief_answers,
    nearest_above,
};
use crate::config::FILE_NAME;
use crate::ledger::{FileVersions, Snapshot, blob_id};
use crate::model::Key;
use crate::text::one_line;

/// Where the answers of a brief came from that handoff makes.
pub(super) type SourcesByPointer = BTreeMap<String, AnswerSource>;

/// Where the answers come from that [`super::compose::compose`] gave: the
/// mapping's, and what handoff itself puts in. What the mapping gave for them is
/// read again where it is not known.
pub(super) fn composed_sources(
    context: &Context,
    found: &Found,
    signed: bool,
    composed: &Value,
    given: Option<&GivenAnswers>,
) -> SourcesByPointer {
    let now = context.now;
    let crm = found.deal.as_ref().filter(|_| found.is_known);
    let document = || {
        AnswerSource::of(SourceKind::Document)
            .named(found.signature.provider.as_str())
            .referring_to(found.signature.document_id.as_str())
            .at(now)
    };
    let of_crm = || match crm {
        Some(deal) => AnswerSource::of(SourceKind::Crm)
            .named(deal.crm.as_str())
            .referring_to(deal.id.as_str())
            .at(now),
        // A deal that only the document names.
        None => document(),
    };
    let settings = |part: &str| AnswerSource::of(SourceKind::Settings).named(part).at(now);
    let mut sources = BTreeMap::from([
        ("/deal".to_owned(), of_crm()),
        ("/amendments".to_owned(), document()),
        ("/earlier".to_owned(), AnswerSource::of(SourceKind::Ledger).at(now)),
        ("/first_action/owner".to_owned(), settings("team:")),
        ("/first_action/due".to_owned(), settings("first_touch:")),
    ]);
    if found.deal.as_ref().is_none_or(|deal| deal.owner.is_none()) {
        sources.insert("/deal/owner".to_owned(), document());
    }
    let signature = if found.is_on_the_crms_word() { of_crm() } else { document() };
    sources.insert("/signature".to_owned(), signature);
    let limit = super::compose::first_touch_of(context, found, signed);
    let input = mapping_input(context, found, signed, &limit, None);
    for traced in context.config.mapping.trace(&input, composed, given) {
        let mut source = match traced.from {
            SourceKind::Crm => of_crm(),
            SourceKind::Document => document(),
            _ => settings("brief:"),
        };
        source.reads = traced.reads;
        source.line = Some(match (traced.own, traced.base) {
            (Some(span), _) => format!("{FILE_NAME}:{}", span.line),
            (None, Some(base)) => format!("map: {base}"),
            (None, None) => "map:".to_owned(),
        });
        source.expression = Some(traced.expression);
        sources.insert(traced.pointer, source);
    }
    sources
}

/// Without what would come from the document: it is known from the brief and
/// was not read again, so that what was recorded of it stays.
pub(super) fn of_deal_alone(mut sources: SourcesByPointer) -> SourcesByPointer {
    sources.retain(|pointer, source| {
        source.from != SourceKind::Document && pointer != "/signature" && pointer != "/earlier"
    });
    sources
}

/// What the ledger knows of the version that is replaced.
pub(super) struct ReplacedVersion {
    brief: Value,
    /// Its recorded sources, and the brief that they were recorded with.
    recorded: Option<(BriefSources, Value)>,
    /// As handoff last wrote it, where nothing was recorded.
    machine: Option<Value>,
    /// The versions of a draft, whose branch goes away when it is signed.
    draft: Option<FileVersions>,
}

impl ReplacedVersion {
    /// Reads what there is of a handoff in its commit. Sources that cannot be
    /// read are none; they stay in the history.
    pub(super) fn of(
        context: &Context,
        snapshot: &Snapshot,
        stored: Option<&Stored>,
    ) -> Result<Option<Self>, WorkflowError> {
        let found = stored.and_then(|stored| Some((stored, stored.brief.as_ref()?)));
        let Some((stored, brief)) = found else { return Ok(None) };
        let of_branch = match &stored.branch {
            Some(branch) => context.ledger.snapshot_of_branch(branch)?,
            None => None,
        };
        let at = of_branch.as_ref().unwrap_or(snapshot);
        let recorded = read_sources(at, &stored.folder, &stored.timeline)?;
        let recorded = recorded.and_then(|it| {
            let brief = version(context, &it.brief)?;
            Some((it, brief))
        });
        let draft = match at.commit().filter(|_| of_branch.is_some()) {
            Some(commit) => {
                let path = format!("{}/brief.yaml", stored.folder);
                Some(context.ledger.file_versions(&commit.to_string(), &path)?)
            }
            None => None,
        };
        Ok(Some(Self {
            brief: brief.json().clone(),
            recorded,
            machine: machine_version(context, &stored.timeline),
            draft,
        }))
    }

    /// The recorded source of an answer that still stands as it was recorded.
    fn standing(&self, pointer: &str, value: &Value) -> Option<&AnswerSource> {
        let (recorded, brief) = self.recorded.as_ref()?;
        let stands = brief.pointer(pointer) == Some(value);
        recorded.answers.get(pointer).filter(|_| stands)
    }

    /// Whether a person wrote an answer since handoff last wrote the brief;
    /// `None` where that version cannot be read.
    fn is_of_person(&self, pointer: &str, value: &Value) -> Option<bool> {
        let base = self.recorded.as_ref().map(|(_, brief)| brief).or(self.machine.as_ref())?;
        Some(base.pointer(pointer) != Some(value))
    }

    /// The person who gave an answer in a draft: its commits are not kept.
    fn person(&self, context: &Context, pointer: &str, value: &Value) -> AnswerSource {
        let source = AnswerSource::of(SourceKind::Person);
        let Some(draft) = &self.draft else { return source };
        let mut first = None;
        for file in draft.versions.iter().rev() {
            let brief = version(context, &file.blob.to_string());
            match brief {
                Some(brief) if brief.pointer(pointer) == Some(value) => first = Some(file),
                _ => break,
            }
        }
        match first {
            Some(file) if !file.by_handoff => source
                .named(one_line(&format!("{} <{}>", file.author, file.email)))
                .referring_to(file.commit.to_string())
                .at(file.at),
            _ => source,
        }
    }
}

/// An answer that a person gave or confirmed, as it stands.
pub(super) struct ConfirmedAnswer {
    /// Where in the brief.
    pub(super) pointer: String,
    /// A [`SourceKind`] that is a person's word, with who and when where that is recorded.
    pub(super) source: AnswerSource,
}

/// The answers of a handoff that people gave: by a link, in a form, or by
/// changing the brief. In the order of the brief.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) fn confirmed_answers(
    context: &Context,
    stored: &Stored,
) -> Result<Vec<ConfirmedAnswer>, WorkflowError> {
    let Some(earlier) = ReplacedVersion::of(context, &context.ledger.snapshot()?, Some(stored))?
    else {
        return Ok(Vec::new());
    };
    let answers = brief_answers(&earlier.brief).into_iter();
    let confirmed = answers.filter_map(|answer| {
        let source = match earlier.standing(&answer.pointer, answer.value) {
            Some(source) => source.clone(),
            None if earlier.is_of_person(&answer.pointer, answer.value) == Some(true) => {
                earlier.person(context, &answer.pointer, answer.value)
            }
            None => return None,
        };
        let is_a_word = source.from.is_confirmation() || source.from == SourceKind::Form;
        is_a_word.then_some(ConfirmedAnswer { pointer: answer.pointer, source })
    });
    Ok(confirmed.collect())
}

/// The recorded sources of a handoff in one commit; `None` where there are
/// none, they cannot be read, or no event says that handoff wrote them.
pub(super) fn read_sources(
    snapshot: &Snapshot,
    folder: &str,
    timeline: &Timeline,
) -> Result<Option<BriefSources>, WorkflowError> {
    let bytes = snapshot.read(&format!("{folder}/{}", BriefSources::FILE))?;
    Ok(bytes.and_then(|bytes| {
        let id = blob_id(&bytes).to_string();
        let is_recorded = timeline.events.iter().any(|it| it.sources.as_deref() == Some(&*id));
        BriefSources::parse(&bytes).ok().filter(|_| is_recorded)
    }))
}

/// One version of a brief as it is written.
pub(super) struct WrittenVersion<'a> {
    pub key: &'a Key,
    pub brief: &'a Value,
    /// The git blob id of its brief.yaml.
    pub blob: &'a str,
    /// The version before it.
    pub earlier: Option<&'a ReplacedVersion>,
}

impl WrittenVersion<'_> {
    /// The sources of a brief that handoff made from `composed`, with what
    /// people answered in a form.
    pub(super) fn of_machine(
        &self,
        context: &Context,
        composed: &Value,
        sources: &SourcesByPointer,
        form: Option<&Map<String, Value>>,
    ) -> String {
        self.with(context, |pointer, value| {
            let in_form = form.is_some_and(|form| {
                let mut tokens = pointer.splitn(3, '/').skip(1);
                let section = tokens.next().and_then(|section| form.get(section));
                let inside = tokens.next().map(|rest| format!("/{rest}")).unwrap_or_default();
                section.and_then(|section| section.pointer(&inside)) == Some(value)
            });
            if in_form {
                return Some(AnswerSource::of(SourceKind::Form).at(context.now));
            }
            let is_theirs = composed.pointer(pointer) == Some(value);
            is_theirs.then(|| nearest_above(sources, pointer).cloned()).flatten()
        })
    }

    /// The sources of a brief in which a person gave these answers.
    pub(super) fn of_person(
        &self,
        context: &Context,
        pointers: &[String],
        source: &AnswerSource,
    ) -> String {
        self.with(context, |pointer, _| {
            let is_given = |given: &String| {
                pointer
                    .strip_prefix(given.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if pointers.iter().any(is_given) {
                return Some(source.clone());
            }
            // What follows from their answers is composed by the same line as before.
            let recorded = self.earlier?.recorded.as_ref();
            recorded.and_then(|(recorded, _)| recorded.answers.get(pointer)).cloned()
        })
    }

    /// The file: `new` gives the source of an answer as it is written now.
    fn with(
        &self,
        context: &Context,
        new: impl Fn(&str, &Value) -> Option<AnswerSource>,
    ) -> String {
        let mut answers = BTreeMap::new();
        for answer in brief_answers(self.brief) {
            let (pointer, value) = (answer.pointer.as_str(), answer.value);
            let source = match self.earlier {
                None => new(pointer, value),
                Some(earlier) => self.again(context, earlier, pointer, value, &new),
            };
            answers.extend(source.map(|source| (answer.pointer, source)));
        }
        let sources = BriefSources {
            schema: SOURCES_SCHEMA.to_owned(),
            key: self.key.clone(),
            brief: self.blob.to_owned(),
            answers,
        };
        sources.to_yaml()
    }

    fn again(
        &self,
        context: &Context,
        earlier: &ReplacedVersion,
        pointer: &str,
        value: &Value,
        new: &impl Fn(&str, &Value) -> Option<AnswerSource>,
    ) -> Option<AnswerSource> {
        if earlier.brief.pointer(pointer) != Some(value) {
            return new(pointer, value);
        }
        // It stands as it did. That the source says the same now does not make it the source.
        match earlier.standing(pointer, value) {
            Some(source) if !source.from.is_machine() => Some(source.clone()),
            Some(source) => Some(new(pointer, value).unwrap_or_else(|| source.clone())),
            None => match earlier.is_of_person(pointer, value) {
                Some(true) => Some(earlier.person(context, pointer, value)),
                Some(false) if earlier.recorded.is_none() => new(pointer, value),
                Some(false) | None => None,
            },
        }
    }
}
