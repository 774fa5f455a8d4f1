//! Checkpoints: what an audit saw, kept in the ledger as a ref, so that a
//! later audit can tell when history was rewritten.
//!
//! `refs/handoff/audit/<UTC stamp>` points at an annotated tag on the audited
//! tip. The tag keeps the tip and all behind it from being collected, whatever
//! happens to the branch, and its message holds the facts as JSON.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::ObjectId;

use super::history::HistoryError;
use super::scan::{self, Repository};

const PREFIX: &str = "refs/handoff/audit/";
const SCHEMA: &str = "handoff/checkpoint/v1";

/// What an audit saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The ref that holds it.
    pub name: String,
    /// When the audit was made; to the second.
    pub at: DateTime<Utc>,
    /// The tip of the audited history.
    pub tip: ObjectId,
    /// The SHA-256 of the population, as the report prints it.
    pub population_sha256: String,
    /// The audit's result in short, as the audit gives it.
    pub summary: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    schema: String,
    at: DateTime<Utc>,
    tip: ObjectId,
    population_sha256: String,
    summary: Value,
}

/// Leaves a checkpoint of an audit made at `now`; two in one second get names
/// of their own.
///
/// # Errors
/// When the repository cannot be opened or written, or does not hold the tip.
pub fn write_checkpoint(
    git_dir: &Path,
    tip: ObjectId,
    population_sha256: &str,
    summary: &Value,
    now: DateTime<Utc>,
) -> Result<Checkpoint, HistoryError> {
    let repository = open(git_dir)?;
    let at = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now);
    let stamp = at.format("%Y%m%dT%H%M%SZ").to_string();
    let fail = |name: &str, why: String| HistoryError::Checkpoint { name: name.to_owned(), why };
    let wrong = |error: git2::Error| {
        fail(&format!("{PREFIX}{stamp}"), format!("cannot be written: {}", error.message()))
    };
    let git = &repository.git;
    let target = git.find_object(oid(tip), Some(git2::ObjectType::Commit)).map_err(wrong)?;
    let message = Message {
        schema: SCHEMA.to_owned(),
        at,
        tip,
        population_sha256: population_sha256.to_owned(),
        summary: summary.clone(),
    };
    let text = serde_json::to_string_pretty(&message)
        .map_err(|e| fail(&stamp, format!("cannot be written: {e}")))?;
    let tagger =
        git2::Signature::new("handoff", "handoff@localhost", &git2::Time::new(at.timestamp(), 0))
            .map_err(wrong)?;
    let tag = git
        .tag_annotation_create(
            &format!("handoff-audit-{stamp}"),
            &target,
            &tagger,
            &format!("{text}\n"),
        )
        .map_err(wrong)?;
    for number in 0u32.. {
        let name = match number {
            0 => format!("{PREFIX}{stamp}"),
            _ => format!("{PREFIX}{stamp}-{number}"),
        };
        match git.reference(&name, tag, false, "handoff audit --checkpoint") {
            Ok(_) => {
                let population_sha256 = population_sha256.to_owned();
                return Ok(Checkpoint {
                    name,
                    at,
                    tip,
                    population_sha256,
                    summary: summary.clone(),
                });
            }
            Err(error) if error.code() == git2::ErrorCode::Exists => {}
            Err(error) => return Err(wrong(error)),
        }
    }
    unreachable!("four thousand million checkpoints within one second")
}

/// All checkpoints, oldest first.
///
/// # Errors
/// When the repository cannot be opened, or a ref below `refs/handoff/audit/`
/// is no checkpoint that can be read: a checkpoint that was tampered with must
/// not pass for one that never was.
pub fn list_checkpoints(git_dir: &Path) -> Result<Vec<Checkpoint>, HistoryError> {
    let repository = open(git_dir)?;
    let fail = |name: &str, why: &str| HistoryError::Checkpoint {
        name: name.to_owned(),
        why: format!(
            "cannot be read: {why}. Fetch it again from where it came, or delete it with `git update-ref -d` when you know why"
        ),
    };
    let all = |error: git2::Error| fail(PREFIX, error.message());
    let mut found = Vec::new();
    for reference in repository.git.references_glob(&format!("{PREFIX}*")).map_err(all)? {
        let reference = reference.map_err(all)?;
        let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
        let wrong = |error: git2::Error| fail(&name, error.message());
        let id = reference.target().ok_or_else(|| fail(&name, "it is a symbolic ref"))?;
        let tag = repository.git.find_tag(id).map_err(wrong)?;
        let text = tag.message_bytes().unwrap_or_default();
        let message: Message =
            serde_json::from_slice(text).map_err(|e| fail(&name, &e.to_string()))?;
        if message.schema != SCHEMA {
            return Err(fail(&name, "it is of a kind that this version does not know"));
        }
        if oid(message.tip) != tag.target_id() {
            return Err(fail(&name, "its tag and its text name different commits"));
        }
        let Message { at, tip, population_sha256, summary, .. } = message;
        found.push(Checkpoint { name, at, tip, population_sha256, summary });
    }
    found.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
    Ok(found)
}

/// Where a checkpoint's tip stands in a later history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containment {
    /// It is the head, or stands in the head's first-parent history: what the
    /// earlier audit read is still there, in its place.
    InPlace,
    /// The head descends from it through a merge's second parent only: nothing
    /// is lost, but the first-parent history, which audits read, is another.
    BehindMerge,
    /// The head does not descend from it: the branch was rewritten or replaced.
    Gone,
}

/// Says where `tip` stands in the history of `head`.
///
/// # Errors
/// When the repository or the history of `head` cannot be read to the end
/// without meeting `tip`.
pub fn find_containment(
    git_dir: &Path,
    tip: ObjectId,
    head: ObjectId,
) -> Result<Containment, HistoryError> {
    let repository = open(git_dir)?;
    let mut reader = repository.objects.reader(1 << 20);
    let object = |why: String| HistoryError::Object { what: format!("commit {head}"), why };
    let chain = scan::walk(&repository, &mut reader, head.0, Some(tip.0))
        .map_err(|fault| object(fault.to_string()))?;
    if chain.base.is_some() {
        return Ok(Containment::InPlace);
    }
    if let Some(gap) = chain.gaps.first() {
        return Err(object(format!("{}: {}", gap.what, gap.why)));
    }
    // A tip that is not in this clone cannot be behind its head.
    if !reader.has(&tip.0) {
        return Ok(Containment::Gone);
    }
    let descends = repository
        .git
        .graph_descendant_of(oid(head), oid(tip))
        .map_err(|error| object(error.message().to_owned()))?;
    Ok(if descends { Containment::BehindMerge } else { Containment::Gone })
}

/// Whether `tip` still stands in place in the history of `head`, see
/// [`Containment::InPlace`].
///
/// # Errors
/// As for [`find_containment`].
pub fn is_contained(git_dir: &Path, tip: ObjectId, head: ObjectId) -> Result<bool, HistoryError> {
    Ok(find_containment(git_dir, tip, head)? == Containment::InPlace)
}

fn open(git_dir: &Path) -> Result<Repository, HistoryError> {
    Repository::open(git_dir).map_err(|why| HistoryError::Open { path: git_dir.to_owned(), why })
}

fn oid(id: ObjectId) -> git2::Oid {
    git2::Oid::from_bytes(&id.0).expect("twenty bytes are an id")
}
