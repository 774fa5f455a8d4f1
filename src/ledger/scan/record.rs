//! The scan's result as it is kept and extended: places in the chain instead
//! of commits, raw paths, and what is no file told apart from what is absent.

use std::collections::HashMap;

use crate::model::{CommitInfo, FolderHistory, Gap, History, ObjectId, Version};

use super::Id;
use super::chain::{Chain, Link};
use super::diff::{HandoffFile, Slot, What, shown};
use super::walk::PieceChanges;

/// What a folder held from one place in the chain on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) struct FolderState {
    pub(in crate::ledger) at: u32,
    pub(in crate::ledger) brief: Slot,
    pub(in crate::ledger) timeline: Slot,
    pub(in crate::ledger) sources: Slot,
}

/// The history of one tip, in a form that can be extended by newer commits.
/// Places count from 0, the oldest commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ledger) struct ScanRecord {
    pub(in crate::ledger) tip: Id,
    pub(in crate::ledger) walked: u32,
    /// The commits that states point to and the backdated ones, by place.
    pub(in crate::ledger) commits: Vec<(u32, CommitInfo)>,
    /// The folders by path.
    pub(in crate::ledger) folders: Vec<(Vec<u8>, Vec<FolderState>)>,
    pub(in crate::ledger) schemas: Vec<(u32, Slot)>,
    pub(in crate::ledger) settings: Vec<(u32, Slot)>,
}

impl ScanRecord {
    /// The record of no commits.
    pub(in crate::ledger) fn new() -> Self {
        Self {
            tip: Id::default(),
            walked: 0,
            commits: Vec::new(),
            folders: Vec::new(),
            schemas: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// Appends the commits of a chain and what they changed.
    pub(in crate::ledger) fn extend(&mut self, chain: &Chain, parts: Vec<PieceChanges>) {
        let first = self.walked;
        let mut needed = vec![false; chain.links.len()];
        let place = |at: u32| usize::try_from(at - first).expect("a place in memory");
        self.apply(parts, |at| needed[place(at)] = true);
        let mut parent: Option<&Link> = chain.base.as_ref();
        for (at, (link, needed)) in (first..).zip(chain.links.iter().zip(needed)) {
            let parent_committed_at = parent.map(|parent| parent.committed_at);
            let backdated = parent_committed_at.is_some_and(|before| link.committed_at < before);
            if needed || backdated {
                let id = ObjectId(link.id);
                let committed_at = link.committed_at;
                self.commits.push((at, CommitInfo { id, committed_at, parent_committed_at }));
            }
            parent = Some(link);
        }
        if let Some(last) = chain.links.last() {
            self.tip = last.id;
        }
        self.walked = first + u32::try_from(chain.links.len()).expect("git counts commits in u32");
    }

    /// Takes the newest so many commits off again; `tip` is the last that stays.
    pub(in crate::ledger) fn truncate(&mut self, tip: Id, newest: usize) {
        self.tip = tip;
        self.walked -= u32::try_from(newest).expect("git counts commits in u32");
        let walked = self.walked;
        self.commits.retain(|(at, _)| *at < walked);
        self.schemas.retain(|(at, _)| *at < walked);
        self.settings.retain(|(at, _)| *at < walked);
        self.folders.retain_mut(|(_, states)| {
            states.retain(|state| state.at < walked);
            !states.is_empty()
        });
    }

    fn apply(&mut self, parts: Vec<PieceChanges>, mut needed: impl FnMut(u32)) {
        let sorted = self.folders.len();
        let mut added: HashMap<Vec<u8>, usize> = HashMap::new();
        for part in parts {
            let folders: Vec<usize> = part
                .folders
                .into_iter()
                .map(|path| {
                    if let Ok(at) = self.folders[..sorted].binary_search_by(|f| f.0.cmp(&path)) {
                        return at;
                    }
                    *added.entry(path).or_insert_with_key(|path| {
                        self.folders.push((path.clone(), Vec::new()));
                        self.folders.len() - 1
                    })
                })
                .collect();
            for change in part.changes.iter().rev() {
                match change.what {
                    What::Schema => self.schemas.push((change.at, change.slot)),
                    What::Settings => self.settings.push((change.at, change.slot)),
                    What::Folder(folder, file) => {
                        let folder = folders[usize::try_from(folder).expect("a number in memory")];
                        set(&mut self.folders[folder].1, change.at, file, change.slot);
                    }
                }
                needed(change.at);
            }
        }
        self.folders[sorted..].iter_mut().for_each(|folder| folder.1.shrink_to_fit());
        self.folders.sort_by(|a, b| a.0.cmp(&b.0));
    }

    /// The files of the ledger in all versions.
    pub(in crate::ledger) fn blobs(&self) -> impl Iterator<Item = Id> {
        let states = self.folders.iter().flat_map(|(_, states)| states);
        let slots = states.flat_map(|state| [state.brief, state.timeline]);
        let rules = self.schemas.iter().chain(&self.settings).map(|(_, slot)| *slot);
        slots.chain(rules).filter_map(|slot| match slot {
            Slot::Blob(id) => Some(id),
            Slot::Absent | Slot::Other => None,
        })
    }

    /// What is in the last commit where a file belongs and is none.
    pub(in crate::ledger) fn oddities(&self) -> Vec<Gap> {
        let odd = |path: String| Gap {
            what: path,
            why: "it is a symbolic link or a submodule, which handoff does not follow".to_owned(),
            help: Some("Commit the file or folder itself in its place.".to_owned()),
        };
        let mut gaps = Vec::new();
        for (path, states) in &self.folders {
            let Some(last) = states.last() else { continue };
            if (last.brief, last.timeline) == (Slot::Other, Slot::Other) {
                gaps.push(Gap {
                    why: "it, or each file in it, is a symbolic link or a submodule, which handoff does not follow".to_owned(),
                    ..odd(shown(path))
                });
                continue;
            }
            for (slot, name) in [
                (last.brief, "brief.yaml"),
                (last.timeline, "timeline.yaml"),
                (last.sources, "sources.yaml"),
            ] {
                if slot == Slot::Other {
                    gaps.push(odd(format!("{}/{name}", shown(path))));
                }
            }
        }
        if self.schemas.last().is_some_and(|schema| schema.1 == Slot::Other) {
            gaps.push(odd("schema/brief.schema.json".to_owned()));
        }
        if self.settings.last().is_some_and(|settings| settings.1 == Slot::Other) {
            gaps.push(odd("handoff.yaml".to_owned()));
        }
        gaps
    }

    /// The facts for the audit.
    pub(in crate::ledger) fn into_history(self, branch: String) -> History {
        const UNUSED: u32 = u32::MAX;
        const USED: u32 = 0;
        let length = usize::try_from(self.walked).expect("a count in memory");
        let mut index = vec![UNUSED; length];
        let slot = |at: u32| usize::try_from(at).expect("a place in memory");
        let mut folders = Vec::with_capacity(self.folders.len());
        for (path, states) in self.folders {
            let mut versions: Vec<Version> = Vec::with_capacity(states.len());
            for state in states {
                let (brief, timeline) = (state.brief.blob(), state.timeline.blob());
                // Beside neither of the others it is no handoff's.
                let is_handoff = brief.is_some() || timeline.is_some();
                let sources = state.sources.blob().filter(|_| is_handoff);
                let before = versions.last().map(|v| (v.brief, v.timeline, v.sources));
                if before.unwrap_or_default() != (brief, timeline, sources) {
                    index[slot(state.at)] = USED;
                    versions.push(Version { commit: state.at, brief, timeline, sources });
                }
            }
            if !versions.is_empty() {
                let key_text = key_text(&path);
                let path = String::from_utf8(path).unwrap_or_else(|e| shown(e.as_bytes()));
                folders.push(FolderHistory { path, key_text, versions });
            }
        }
        let mut versions_of = |found: Vec<(u32, Slot)>| {
            let mut versions: Vec<(u32, Option<ObjectId>)> = Vec::new();
            for (at, found) in found {
                let blob = found.blob();
                if versions.last().and_then(|last| last.1) != blob {
                    index[slot(at)] = USED;
                    versions.push((at, blob));
                }
            }
            versions
        };
        let mut schemas = versions_of(self.schemas);
        let mut settings = versions_of(self.settings);
        let mut commits = Vec::with_capacity(self.commits.len());
        for (at, commit) in self.commits {
            let backdated = commit.parent_committed_at.is_some_and(|p| commit.committed_at < p);
            if backdated || index[slot(at)] == USED {
                index[slot(at)] = u32::try_from(commits.len()).expect("git counts commits in u32");
                commits.push(commit);
            }
        }
        for version in folders.iter_mut().flat_map(|folder| &mut folder.versions) {
            version.commit = index[slot(version.commit)];
        }
        for version in schemas.iter_mut().chain(&mut settings) {
            version.0 = index[slot(version.0)];
        }
        // Paths that are not UTF-8 may sort differently as text.
        folders.sort_by(|a, b| a.path.cmp(&b.path));
        let head = ObjectId(self.tip);
        History { head, branch, walked: length, commits, folders, schemas, settings }
    }
}

fn set(states: &mut Vec<FolderState>, at: u32, file: HandoffFile, slot: Slot) {
    let mut state = states.last().copied().unwrap_or(FolderState {
        at,
        brief: Slot::Absent,
        timeline: Slot::Absent,
        sources: Slot::Absent,
    });
    match file {
        HandoffFile::Brief => state.brief = slot,
        HandoffFile::Timeline => state.timeline = slot,
        HandoffFile::Sources => state.sources = slot,
    }
    match states.last_mut() {
        Some(last) if last.at == at => *last = state,
        _ => states.push(FolderState { at, ..state }),
    }
}

fn key_text(path: &[u8]) -> Option<String> {
    let path = shown(path);
    let name = path.rsplit('/').next()?;
    let (_, key) = name.rsplit_once("--")?;
    (!key.is_empty()).then(|| key.to_owned())
}
