//! What a rep answers: taken over like a person's edit of the brief, in one
//! commit. They answer what is missing, and change what they answered
//! themselves. An answer that somebody else gave since the page was opened is
//! shown and not overwritten, and what the rep wrote stays in the form.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::compose::follow_in_instruction;
use super::super::pending_pull_request::{self, Drafts, stored_draft};
use super::super::refresh::kind_of;
use super::super::sources::{ReplacedVersion, WrittenVersion};
use super::super::store::{LOCK_WAIT, Stored, brief_change, commit, version};
use super::super::{Context, WorkflowError};
use super::{FormFields, VIA, answer_in_words, field};
use crate::brief::{
    AnswerSource, AskedAnswer, Brief, Event, EventKind, SourceKind, Timeline, asked_answer,
    asked_answers, put_answer, read_answer, unknown_answer, violation,
};
use crate::ledger::{Snapshot, blob_id};
use crate::link::{Grant, LinkKeys};
use crate::model::{Key, Remarks};
use crate::text::{one_line, shorten};

/// What came of a form of answers.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// How many answers were saved.
    pub saved: usize,
    /// Answers that the brief says already.
    pub known: usize,
    /// What is wrong with an answer, by pointer.
    pub problems: BTreeMap<String, String>,
    /// What somebody else answered since, by pointer.
    pub conflicts: BTreeMap<String, String>,
    /// What the rep wrote and the brief does not have, by input.
    pub written: BTreeMap<String, String>,
    /// The brief that the page showed first, where somebody has answered since:
    /// what was asked for then may still be answered, once theirs was shown.
    pub first: String,
    /// Whether the contract is not signed yet.
    pub is_draft: bool,
}

impl Answered {
    /// All that was written, of a form that could not be taken.
    pub(super) fn refused(form: &FormFields) -> Self {
        Self { written: form.iter().cloned().collect(), ..Self::default() }
    }

    pub(super) fn words(&self) -> (u16, String) {
        let then = match self.is_draft {
            true => "; the CSM gets the brief once the contract is signed",
            false => ", and the CSM is told",
        };
        let saved = match self.saved {
            0 => String::new(),
            1 => format!("One answer is saved{then}. "),
            count => format!("{count} answers are saved{then}. "),
        };
        if !self.conflicts.is_empty() {
            let words = "Somebody answered in the meantime: see both answers below, and send yours again if it is the right one.";
            return (409, format!("{saved}{words}"));
        }
        if !self.problems.is_empty() {
            return (422, format!("{saved}Some answers could not be read; they are marked below."));
        }
        match (self.saved, self.known) {
            (0, 0) => (422, "Nothing was changed: no answer was given.".to_owned()),
            (0, _) => (200, "These answers are saved already; nothing new.".to_owned()),
            _ => (200, format!("{saved}Thank you.")),
        }
    }
}

/// What a rep is asked for: what is missing, then what they answered by link
/// themselves, which they may change.
pub(super) fn asked_of(
    context: &Context,
    grant: &Grant,
    timeline: &Timeline,
    brief: &Value,
) -> (Vec<AskedAnswer>, Vec<AskedAnswer>) {
    let missing = asked_answers(&context.schema, brief);
    let by_them = timeline.events.iter().filter(|event| {
        event.via == VIA
            && event.by.as_deref() == Some(grant.person.as_str())
            && is_answering(event)
    });
    let pointers: BTreeSet<String> = by_them
        .flat_map(|event| event.reason.as_deref().unwrap_or_default().split(", "))
        .map(|field| format!("/{}", field.replace('.', "/")))
        .collect();
    let own = pointers
        .into_iter()
        .filter(|pointer| !missing.iter().any(|it| it.pointer == *pointer))
        .filter(|pointer| brief.pointer(pointer).is_some())
        .filter_map(|pointer| asked_answer(&context.schema, &pointer, None))
        .collect();
    (missing, own)
}

/// Whether an event's reason names the answers that were given.
fn is_answering(event: &Event) -> bool {
    matches!(event.event, EventKind::Corrected | EventKind::Drafted | EventKind::Resubmitted)
}

/// The answer of one input, in the shape that the schema wants.
fn given(
    context: &Context,
    form: &FormFields,
    asked: &AskedAnswer,
) -> Result<Option<Value>, String> {
    let at = |prefix: &str| field(form, &format!("{prefix}:{}", asked.pointer));
    let value = read_answer(&context.schema, &asked.pointer, at("a"))?;
    let is_none = asked.allows_none && at("none") == "none";
    let (who, until, why) = (at("who"), at("until"), at("why"));
    let is_open = !(who.is_empty() && until.is_empty() && why.is_empty());
    match (value.is_some(), is_none, is_open) {
        (false, false, true) => {}
        (true, false, false) => return Ok(value),
        (false, true, false) => return Ok(Some("none".into())),
        (false, false, false) => return Ok(None),
        (true, true, _) => {
            return Err("you gave an answer and ticked \u{201c}None\u{201d}: keep one".to_owned());
        }
        (_, _, true) => {
            let words = "you answered, and said that it is not known yet: keep one";
            return Err(words.to_owned());
        }
    }
    if !asked.allows_unknown {
        return Err("this answer cannot be left open".to_owned());
    }
    if who.is_empty() || until.is_empty() {
        return Err("say who finds out, and until when".to_owned());
    }
    if chrono::NaiveDate::parse_from_str(until, "%Y-%m-%d").is_err() {
        return Err("write the day as in 2026-12-05".to_owned());
    }
    let why = if why.is_empty() { "Not known yet" } else { why };
    Ok(Some(unknown_answer(&one_line(why), &one_line(who), until)))
}

/// Takes over what a form answers.
pub(super) fn take(
    context: &Context,
    keys: &LinkKeys,
    grant: &Grant,
    form: &FormFields,
    remarks: &mut Remarks,
) -> Result<Answered, WorkflowError> {
    let key = &grant.key;
    // A draft lives on the remote, where there is one.
    let is_draft = context.stored(key, None)?.is_none();
    let drafts = is_draft.then(|| Drafts::look(context, remarks));
    if let Some(drafts) = &drafts {
        drafts.combine(key, remarks)?;
    }
    let mut answered = Answered::default();
    {
        let mut writer = context.ledger.lock(LOCK_WAIT)?;
        let snapshot = writer.snapshot()?;
        let stored = match pending_pull_request::find(context, &snapshot, key, None)? {
            Some(stored) => Some(stored),
            None => stored_draft(context, key)?.map(|(_, stored)| stored),
        };
        let earlier = ReplacedVersion::of(context, &snapshot, stored.as_ref())?;
        let Some(Stored { folder, branch, brief: Some(brief), brief_blob, mut timeline, .. }) =
            stored
        else {
            return Err(WorkflowError::NoHandoff(key.clone()));
        };
        answered.is_draft = !brief.view().is_signed();
        let seen = field(form, "seen");
        let earlier_version = |seen: &str| {
            let (blob, is_ours) = keys.unseal(key, seen);
            if brief_blob.as_deref() == Some(blob) {
                return Ok(Some(brief.json().clone()));
            }
            // That of a draft is in no history once it is signed.
            if is_ours && let Some(version) = version(context, blob) {
                return Ok(Some(version));
            }
            version_of(context, &snapshot, (key, &folder, branch.as_deref()), &timeline, blob)
        };
        let before = earlier_version(seen)?;
        let unknown = "the page that was sent is not known here; check what you wrote below, and send it again";
        let before = before.ok_or_else(|| WorkflowError::unfit(key, unknown))?;
        let mut json = brief.json().clone();
        let (mut fields, mut pointers) = (Vec::new(), Vec::new());
        let (mut asked, own) = asked_of(context, grant, &timeline, &before);
        asked.extend(own);
        let first = field(form, "first");
        let of_first = if first.is_empty() { None } else { earlier_version(first)? };
        if let Some(first) = of_first {
            for then in asked_answers(&context.schema, &first) {
                if !asked.iter().any(|it| it.pointer == then.pointer) {
                    asked.push(then);
                }
            }
        }
        for asked in asked {
            let pointer = asked.pointer.clone();
            let value = match given(context, form, &asked) {
                Ok(Some(value)) => value,
                Ok(None) => continue,
                Err(why) => {
                    answered.problems.insert(pointer, why);
                    continue;
                }
            };
            let (then, now) = (before.pointer(&pointer), json.pointer(&pointer));
            if now == Some(&value) {
                answered.known += 1;
                continue;
            }
            if now != then {
                let theirs = answer_in_words(&json, &pointer);
                answered.conflicts.insert(pointer, theirs.unwrap_or_default());
                continue;
            }
            let mut tried = json.clone();
            if let Err(why) = put_answer(&mut tried, &pointer, value) {
                answered.problems.insert(pointer, why);
                continue;
            }
            match violation(&context.schema, &tried, &pointer) {
                Some(why) => drop(answered.problems.insert(pointer, why)),
                None => {
                    json = tried;
                    fields.push(pointer.trim_start_matches('/').replace('/', "."));
                    pointers.push(pointer);
                }
            }
        }
        let open = |name: &str| {
            let pointer = name.split_once(':').map(|(_, pointer)| pointer).unwrap_or_default();
            answered.problems.contains_key(pointer) || answered.conflicts.contains_key(pointer)
        };
        let written: BTreeMap<String, String> =
            form.iter().filter(|(name, _)| open(name)).cloned().collect();
        answered.written = written;
        if !answered.conflicts.is_empty() {
            answered.first = if first.is_empty() { seen } else { first }.to_owned();
        }
        answered.saved = fields.len();
        if fields.is_empty() {
            return Ok(answered);
        }
        follow_in_instruction(context, brief.json(), &mut json);
        let brief = Brief::from_json(context.schema.in_order(&json));
        let blob = blob_id(brief.to_yaml(Context::depth(&folder)).as_bytes()).to_string();
        let given = AnswerSource::of(SourceKind::Link).named(&grant.person).at(context.now);
        let version =
            WrittenVersion { key, brief: brief.json(), blob: &blob, earlier: earlier.as_ref() };
        let sources = version.of_person(context, &pointers, &given);
        let mut event = Event::new(context.now, kind_of(&timeline), VIA);
        event.by = Some(grant.person.clone());
        event.sources = Some(blob_id(sources.as_bytes()).to_string());
        event.reason = Some(shorten(&one_line(&fields.join(", ")), 1_000));
        let change = brief_change(context, key, &folder, &brief, sources)?
            .trailer("Handoff-Event", event.event.as_str())
            .trailer("Handoff-Fields", shorten(&one_line(&fields.join(", ")), 500));
        timeline.events.push(event);
        let change = change.put("timeline.yaml", timeline.to_yaml());
        commit(&mut writer, branch.as_deref(), &change, remarks)?;
    }
    if let Some(drafts) = &drafts {
        drafts.combine(key, remarks)?;
    }
    Ok(answered)
}

/// The brief in a blob that a page named, where it was a version of this brief.
/// Any other file of the repository could make a form ask for anything.
fn version_of(
    context: &Context,
    snapshot: &Snapshot,
    (key, folder, branch): (&Key, &str, Option<&str>),
    timeline: &Timeline,
    blob: &str,
) -> Result<Option<Value>, WorkflowError> {
    let Some(brief) = version(context, blob) else { return Ok(None) };
    if brief["key"] != key.as_str() {
        return Ok(None);
    }
    if timeline.events.iter().any(|event| event.brief.as_deref() == Some(blob)) {
        return Ok(Some(brief));
    }
    // What people committed no event names.
    let tip = match branch {
        Some(branch) => context.ledger.snapshot_of_branch(branch)?.and_then(|tip| tip.commit()),
        None => snapshot.commit(),
    };
    let Some(tip) = tip else { return Ok(None) };
    let path = format!("{folder}/brief.yaml");
    let history = context.ledger.file_versions(&tip.to_string(), &path)?;
    let was_here = history.versions.iter().any(|it| it.blob.to_string() == blob);
    Ok(was_here.then_some(brief))
}
