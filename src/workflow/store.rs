//! Handoffs as the ledger has them: one read from a commit, and the versions
//! that timelines name.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::context::{Context, WorkflowError};
use crate::brief::{
    Brief, BriefSources, ConfirmedAnswers, Event, EventKind, SourcesFile, Timeline,
};
use crate::ledger::{Change, Folder, HandoffFiles, Ledger, Snapshot, Writer, blob_id};
use crate::model::{Key, ObjectId, Remarks};

/// How long to wait for another writer of the same clone.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(60);

/// One handoff as the ledger has it at the tip.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its folder.
    pub folder: String,
    /// The branch on which it waits for its pull request to be merged; `None`
    /// for one on the ledger's own branch.
    pub branch: Option<String>,
    /// The brief, if there is one.
    pub brief: Option<Brief>,
    /// The git blob of its file, hex.
    pub brief_blob: Option<String>,
    /// What people gave or confirmed, as its `sources.yaml` records it.
    pub confirmed: ConfirmedAnswers,
    /// What happened.
    pub timeline: Timeline,
}

/// Commits onto a branch, else onto the ledger's own; tells the remarks.
pub(super) fn commit(
    writer: &mut Writer,
    branch: Option<&str>,
    change: &Change,
    remarks: &mut Remarks,
) -> Result<Option<ObjectId>, WorkflowError> {
    let committed = match branch {
        Some(branch) => writer.commit_on_branch(branch, change)?,
        None => writer.commit(change)?,
    };
    Ok(committed.map(|committed| {
        remarks.extend(committed.remarks.iter().map(ToString::to_string));
        committed.id
    }))
}

/// The folder with a new version of its brief; the timeline is still to come.
pub(super) fn brief_change(
    context: &Context,
    key: &Key,
    folder: &str,
    brief: &Brief,
    sources: String,
) -> Result<Change, WorkflowError> {
    let customer = brief.view().title().unwrap_or("customer");
    Ok(Change::of_handoff(folder, customer, key, context.moment())
        .put("README.md", context.render(brief, &ConfirmedAnswers::written(&sources))?)
        .put("brief.yaml", brief.to_yaml(Context::depth(folder)))
        .put(BriefSources::FILE, sources))
}

/// The handoff with this key in one commit of the ledger.
///
/// # Errors
/// When the commit or one of the two files cannot be read.
pub(super) fn stored_in(
    snapshot: &Snapshot,
    key: &Key,
    month: Option<&str>,
) -> Result<Option<Stored>, WorkflowError> {
    let folder = snapshot.find(key, month)?;
    folder.map(|folder| stored_at(snapshot, &folder, key)).transpose()
}

/// The handoff in this folder of one commit.
///
/// # Errors
/// When one of its files cannot be read.
pub(super) fn stored_at(
    snapshot: &Snapshot,
    folder: &Folder,
    key: &Key,
) -> Result<Stored, WorkflowError> {
    let files = snapshot.handoff(folder)?;
    stored_from(folder, &files, key)
}

/// A handoff from its files.
///
/// # Errors
/// When one of the two cannot be read.
pub(super) fn stored_from(
    folder: &Folder,
    files: &HandoffFiles,
    key: &Key,
) -> Result<Stored, WorkflowError> {
    let read =
        |name: &str, error| WorkflowError::File { file: format!("{}/{name}", folder.path), error };
    let brief = files
        .brief
        .as_deref()
        .map(Brief::parse)
        .transpose()
        .map_err(|error| read("brief.yaml", error))?;
    let timeline = match files.timeline.as_deref() {
        Some(bytes) => Timeline::parse(bytes).map_err(|error| read("timeline.yaml", error))?,
        None => Timeline::new(key.clone()),
    };
    let brief_blob = files.brief.as_deref().map(|bytes| blob_id(bytes).to_string());
    let sources = files.sources.as_deref().map(|bytes| SourcesFile { bytes, blob_id });
    let confirmed = sources.map(|file| file.confirmed(files.timeline.as_deref()));
    Ok(Stored {
        folder: folder.path.clone(),
        branch: None,
        brief,
        brief_blob,
        confirmed: confirmed.unwrap_or_default(),
        timeline,
    })
}

/// The brief as the machine last wrote it, to tell what people have changed:
/// without the answers that it kept because people had changed them before.
pub(super) fn machine_version(context: &Context, timeline: &Timeline) -> Option<Value> {
    // Other events note what people saw or wrote.
    let is_machine = |event: &&Event| {
        matches!(
            event.event,
            EventKind::Drafted
                | EventKind::Signed
                | EventKind::Amended
                | EventKind::Corrected
                | EventKind::Resubmitted
                | EventKind::Backfilled
        )
    };
    let mut written = timeline.events.iter().rev().filter(is_machine);
    let event = written.find(|event| event.brief.is_some())?;
    let mut brief = version(context, event.brief.as_deref()?)?;
    for pointer in &event.kept {
        let Some((above, name)) = pointer.rsplit_once('/') else { continue };
        let name = name.replace("~1", "/").replace("~0", "~");
        if let Some(Value::Object(fields)) = brief.pointer_mut(above) {
            fields.remove(&name);
        }
    }
    Some(brief)
}

/// The brief in a blob that an event names.
pub(super) fn version(context: &Context, blob: &str) -> Option<Value> {
    let id: ObjectId = blob.parse().ok()?;
    let bytes = context.ledger.blob(id).ok()??;
    Brief::parse(&bytes).ok().map(Brief::into_json)
}

/// Commits files of a folder that is a ledger, as the demo makes them.
///
/// # Errors
/// When the ledger cannot be written.
pub fn commit_files(
    dir: &std::path::Path,
    subject: &str,
    files: Vec<(String, String)>,
    now: DateTime<Utc>,
) -> Result<(), WorkflowError> {
    let mut change = Change::new("", subject, now);
    for (path, text) in files {
        change = change.put(path, text);
    }
    Ledger::open(dir)?.lock(LOCK_WAIT)?.commit(&change)?;
    Ok(())
}

/// Commits what `init` laid down, and nothing else.
pub(super) fn commit_setup(
    ledger: &Ledger,
    files: Vec<(String, String)>,
    removed: Vec<String>,
    now: DateTime<Utc>,
) -> Result<Vec<String>, WorkflowError> {
    let mut change = Change::new("", "handoff: set up the ledger", now);
    for (path, text) in files {
        change = change.put(path, text);
    }
    for path in removed {
        change = change.delete(path);
    }
    let committed = ledger.lock(LOCK_WAIT)?.commit(&change)?;
    Ok(committed.map_or_else(Vec::new, |committed| {
        committed.remarks.iter().map(ToString::to_string).collect()
    }))
}
