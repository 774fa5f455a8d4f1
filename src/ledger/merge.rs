//! Two sides changed one handoff: what both want, or a conflict that names the file.

use std::collections::BTreeMap;

use git2::{MergeFileInput, Oid};

use super::LedgerError;
use super::handle::ObjectSource;
use super::names::FolderNames;
use super::path::{BRIEFS, folder_of_file, key_of};
use super::snapshot::{entry_at, read_blob};
use super::tree::TREE;
use super::tree_diff::entry_with_mode;
use crate::brief::{Event, EventKind, Timeline};
use crate::yaml;

/// One file as our side had it, and wants it.
pub(super) struct Wish {
    pub(super) path: String,
    pub(super) base: Option<Vec<u8>>,
    pub(super) ours: Option<Vec<u8>>,
}

/// Puts wishes onto a tree that others moved; remembers folders that turned
/// out to lie elsewhere.
#[derive(Default)]
pub(super) struct TreeMerge {
    elsewhere: BTreeMap<String, String>,
    /// The folders where both sides went in; their rendering may be stale.
    pub(super) combined: std::collections::BTreeSet<String>,
}

impl TreeMerge {
    /// The files to write, by whole paths.
    pub(super) fn resolve(
        &mut self,
        objects: &dyn ObjectSource,
        tree: Option<Oid>,
        wishes: Vec<Wish>,
    ) -> Result<BTreeMap<String, Option<Vec<u8>>>, LedgerError> {
        let mut files = BTreeMap::new();
        for wish in wishes {
            let folder = folder_of_file(&wish.path).map(str::to_owned);
            let moved = match &folder {
                Some(folder) => self.place_of(objects, tree, folder, wish.base.is_none())?,
                None => None,
            };
            let path = match (&folder, &moved) {
                (Some(folder), Some(other)) => format!("{other}{}", &wish.path[folder.len()..]),
                _ => wish.path.clone(),
            };
            let theirs = match entry_with_mode(objects, tree, &path)? {
                Some((id, mode)) if mode != TREE => Some(read_blob(objects, id)?),
                _ => None,
            };
            let merged = if moved.is_some() {
                merge_elsewhere(&path, wish.ours.as_deref(), theirs.as_deref())?
            } else {
                merge_file(&path, wish.base.as_deref(), wish.ours.as_deref(), theirs.as_deref())?
            };
            if theirs != wish.base && merged.as_ref() != theirs.as_ref() || moved.is_some() {
                self.combined.extend(moved.or(folder));
            }
            if merged != theirs {
                files.insert(path, merged);
            }
        }
        Ok(files)
    }

    /// Where the other side has the key of a folder of ours, if elsewhere.
    fn place_of(
        &mut self,
        objects: &dyn ObjectSource,
        tree: Option<Oid>,
        folder: &str,
        may_be_new: bool,
    ) -> Result<Option<String>, LedgerError> {
        if let Some(other) = self.elsewhere.get(folder) {
            return Ok(Some(other.clone()));
        }
        let (Some(tree), Some(key)) = (tree, key_of(folder)) else { return Ok(None) };
        if !may_be_new || entry_with_mode(objects, Some(tree), folder)?.is_some() {
            return Ok(None);
        }
        let Some((briefs, _)) = entry_at(objects, tree, BRIEFS)? else { return Ok(None) };
        let names = FolderNames::new(objects.folder());
        let other = names.find(objects, briefs, BRIEFS, &key, None)?.map(|found| found.path);
        if let Some(other) = &other {
            self.elsewhere.insert(folder.to_owned(), other.clone());
        }
        Ok(other)
    }
}

/// The remote's folder stays; of ours only the events are kept.
fn merge_elsewhere(
    path: &str,
    ours: Option<&[u8]>,
    theirs: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, LedgerError> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if is_timeline(path) => {
            timelines(path, ours, theirs, None).map(Some)
        }
        (Some(ours), None) => Ok(Some(ours.to_vec())),
        (_, theirs) => Ok(theirs.map(<[u8]>::to_vec)),
    }
}

fn merge_file(
    path: &str,
    base: Option<&[u8]>,
    ours: Option<&[u8]>,
    theirs: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, LedgerError> {
    let own = |side: Option<&[u8]>| Ok(side.map(<[u8]>::to_vec));
    if theirs == base || ours == theirs {
        return own(ours);
    }
    if ours == base {
        return own(theirs);
    }
    let conflict = |why: &str| LedgerError::Conflict { file: path.to_owned(), why: why.to_owned() };
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        let gone = if ours.is_none() {
            "it was removed here and changed there"
        } else {
            "it was changed here and removed there"
        };
        return Err(conflict(gone));
    };
    if is_timeline(path) {
        return timelines(path, ours, theirs, base).map(Some);
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if name == "README.md" && folder_of_file(path).is_some() {
        // Rendered from the other two; whoever pushes renders it again.
        return Ok(Some(theirs.to_vec()));
    }
    if name == "sources.yaml" && folder_of_file(path).is_some() {
        // It describes a version of the brief that it names; the merged one is neither.
        return Ok(Some(theirs.to_vec()));
    }
    if name == "brief.yaml" && is_same_intent(base, ours, theirs) {
        return Ok(Some(theirs.to_vec()));
    }
    let Some(base) = base else {
        return Err(conflict("both sides created it, with different content"));
    };
    let text = |side: &[u8]| side.to_vec();
    let (b, o, t) = (text(base), text(ours), text(theirs));
    let mut inputs = [MergeFileInput::new(), MergeFileInput::new(), MergeFileInput::new()];
    for (input, bytes) in inputs.iter_mut().zip([&b, &o, &t]) {
        input.content(bytes);
    }
    let merged = git2::merge_file(&inputs[0], &inputs[1], &inputs[2], None)
        .map_err(|error| conflict(error.message()))?;
    if !merged.is_automergeable() {
        return Err(conflict("both sides changed the same lines"));
    }
    let merged = merged.content().to_vec();
    if name.ends_with(".yaml") && yaml::read(&merged).is_err() {
        return Err(conflict("the two changes together are not YAML any more"));
    }
    Ok(Some(merged))
}

fn is_timeline(path: &str) -> bool {
    path.ends_with("/timeline.yaml") && folder_of_file(path).is_some()
}

/// Whether two briefs say the same, or were made for the same signature of the same deal.
fn is_same_intent(base: Option<&[u8]>, ours: &[u8], theirs: &[u8]) -> bool {
    let (Ok(ours), Ok(theirs)) = (yaml::read(ours), yaml::read(theirs)) else { return false };
    if ours.to_json() == theirs.to_json() {
        return true;
    }
    let same = |pointer: &str| {
        ours.pointer(pointer).map(yaml::Node::to_json)
            == theirs.pointer(pointer).map(yaml::Node::to_json)
    };
    let is_signed = ours.pointer("/signature/document_id").or(ours.pointer("/signature/signed_at"));
    base.is_none()
        && is_signed.is_some()
        && ["/key", "/deal/crm", "/deal/id", "/signature/provider", "/signature/document_id"]
            .into_iter()
            .all(same)
}

fn timelines(
    path: &str,
    ours: &[u8],
    theirs: &[u8],
    base: Option<&[u8]>,
) -> Result<Vec<u8>, LedgerError> {
    merge_timelines(ours, theirs, base)
        .map_err(|source| LedgerError::Timeline { file: path.to_owned(), source })
}

/// The union of two timelines' events, sorted by time; events of the same time
/// keep their order, the other side's first. What both sides have is there
/// once, and so is the signing of one document, whenever each side recorded it.
/// `base` is what both began with: an event that it holds twice was recorded
/// twice and stays so.
///
/// # Errors
/// When one of them is no timeline.
pub fn merge_timelines(
    ours: &[u8],
    theirs: &[u8],
    base: Option<&[u8]>,
) -> Result<Vec<u8>, yaml::Error> {
    let ours = Timeline::parse(ours)?;
    let mut merged = Timeline::parse(theirs)?;
    let base = base.map(Timeline::parse).transpose()?;
    let count = |events: &[Event], event: &Event| events.iter().filter(|e| *e == event).count();
    let mut taken: Vec<Event> = Vec::new();
    for event in &ours.events {
        let is_new = |event: &Event| base.as_ref().is_some_and(|it| !it.events.contains(event));
        let is_same = |other: &Event| {
            is_same_signing(event, other)
                || (is_new(event) && is_new(other) && is_same_correction(event, other))
        };
        if merged.events.iter().any(is_same) {
            continue;
        }
        taken.push(event.clone());
        let here = count(&taken, event);
        let there = count(&merged.events, event);
        // Only what this side added and the other does not have as often.
        let began = base.as_ref().map_or(0, |base| count(&base.events, event));
        if here > there && (here > began || there == 0) {
            merged.events.push(event.clone());
        }
    }
    merged.events.sort_by_key(|event| event.at);
    Ok(merged.to_yaml().into_bytes())
}

/// Whether both record that the same deal made the same brief of this one: two
/// clones have read it at once.
fn is_same_correction(event: &Event, other: &Event) -> bool {
    matches!(event.event, EventKind::Corrected | EventKind::Resubmitted)
        && event.brief.is_some()
        && (event.event, &event.via, &event.reference, &event.reason, &event.brief)
            == (other.event, &other.via, &other.reference, &other.reason, &other.brief)
        && event != other
}

/// Whether both record that the same document was signed: two workers may have
/// been handed the same event, the first one cut off before it could push.
fn is_same_signing(event: &Event, other: &Event) -> bool {
    event.event == EventKind::Signed
        && event.reference.is_some()
        && (event.event, &event.via, &event.reference)
            == (other.event, &other.via, &other.reference)
        && event != other
}
