//! The names of the handoff folders: found by reading trees down to the
//! folders and no further, and remembered for trees that have not changed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use git2::Oid;
use rayon::prelude::*;

use super::LedgerError;
use super::cache::{FactsKind, FolderGroup, FolderGroups, KeptGroup};
use super::handle::{ObjectSource, Shared, find_tree, hold, object_id};
use super::path::{BRIEFS, Folder, key_of};
use super::tree::{LINK, SUBMODULE, TREE, Tree, TreeEntry};
use super::tree_cache::TreeCache;
use super::tree_diff::entry_with_mode;
use crate::model::{Gap, Key, ObjectId};

/// A layout has a handful of levels; more is a mistake or an attack.
const DEEPEST: usize = 12;

/// A run that searches more often than this makes a table of all keys, which costs
/// as much as looking through the names some thirty times.
const SELDOM: usize = 32;

/// What one tree says about folders.
struct TreeListing {
    /// The folder of each key, first by name.
    keyed: HashMap<Key, String>,
    /// The trees below that are not folders by their names.
    below: Vec<(String, Oid)>,
    /// Whether the tree is itself a handoff's folder, without a key in its name.
    is_folder: bool,
}

/// Listings by tree, so that a second search reads only what changed.
pub(super) struct FolderNames {
    /// Where what is read is kept.
    git_dir: PathBuf,
    known: Mutex<HashMap<Oid, Arc<TreeListing>>>,
    trees: TreeCache,
    /// How often all of the ledger was searched for a key.
    searches: AtomicUsize,
    /// The names in the tree that was asked for last.
    groups: Mutex<Option<(Oid, Arc<FolderGroups<FolderGroup>>)>>,
}

impl FolderNames {
    /// The parsed trees that reads share.
    pub(super) fn trees(&self) -> &TreeCache {
        &self.trees
    }

    pub(super) fn new(git_dir: &Path) -> Self {
        Self {
            git_dir: git_dir.to_path_buf(),
            known: Mutex::default(),
            trees: TreeCache::default(),
            searches: AtomicUsize::new(0),
            groups: Mutex::default(),
        }
    }

    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// Whether looking through the names costs less than a table of all keys.
    pub(super) fn is_seldom_asked(&self) -> bool {
        self.searches.fetch_add(1, Ordering::Relaxed) < SELDOM
    }

    pub(super) fn last_groups(&self, tree: Oid) -> Option<Arc<FolderGroups<FolderGroup>>> {
        let held = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().filter(|(of, _)| *of == tree).map(|(_, groups)| Arc::clone(groups))
    }

    pub(super) fn keep_groups(&self, tree: Oid, groups: &Arc<FolderGroups<FolderGroup>>) {
        let mut held = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some((tree, Arc::clone(groups)));
    }

    /// The folder of a key below one month's tree.
    pub(super) fn find_in(
        &self,
        objects: &dyn ObjectSource,
        id: Oid,
        path: &str,
        key: &Key,
    ) -> Result<Option<Folder>, LedgerError> {
        let suffix = format!("--{key}");
        let tree = self.trees.tree(objects, id)?;
        let mut names = tree.iter().filter(|it| it.is_folder()).filter_map(TreeEntry::text);
        Ok(names
            .find(|name| name.ends_with(&suffix))
            .map(|name| Folder { path: format!("{path}/{name}"), key: Some(key.clone()) }))
    }

    /// The folder of a key below a tree, passing by one tree that was searched already.
    pub(super) fn find(
        &self,
        objects: &dyn ObjectSource,
        top: Oid,
        path: &str,
        key: &Key,
        seen: Option<Oid>,
    ) -> Result<Option<Folder>, LedgerError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = HashMap::with_capacity(known.len());
        let mut found: Option<Folder> = None;
        let mut open = vec![(path.to_owned(), top, 0)];
        while let Some((path, id, depth)) = open.pop() {
            if Some(id) == seen {
                continue;
            }
            let listing = match known.get(&id) {
                Some(listing) => Arc::clone(listing),
                None => Arc::new(list(&*self.trees.tree(objects, id)?)),
            };
            if let Some(name) = listing.keyed.get(key) {
                let folder = Folder { path: format!("{path}/{name}"), key: Some(key.clone()) };
                // The first by path, whatever the order of the walk.
                if found.as_ref().is_none_or(|other| folder.path < other.path) {
                    found = Some(folder);
                }
            }
            if depth < DEEPEST && !listing.is_folder {
                for (name, id) in &listing.below {
                    open.push((format!("{path}/{name}"), *id, depth + 1));
                }
            }
            kept.insert(id, listing);
        }
        // What this walk did not meet belongs to the past; the tree that was
        // passed by may be met next time.
        if let Some(id) = seen
            && let Some(listing) = known.remove(&id)
        {
            kept.insert(id, listing);
        }
        *known = kept;
        Ok(found)
    }
}

fn list(tree: &Tree) -> TreeListing {
    let mut listing =
        TreeListing { keyed: HashMap::new(), below: Vec::new(), is_folder: is_folder(tree) };
    for entry in tree.iter().filter(|entry| entry.is_folder()) {
        let Some(name) = entry.text() else { continue };
        match key_of(name) {
            Some(key) => {
                listing.keyed.entry(key).or_insert_with(|| name.to_owned());
            }
            None => listing.below.push((name.to_owned(), entry.id)),
        }
    }
    listing
}

fn is_folder(tree: &Tree) -> bool {
    ["brief.yaml", "timeline.yaml"].iter().any(|name| tree.get(name).is_some())
}

/// All folders below a tree.
pub(super) fn walk(
    objects: &dyn ObjectSource,
    top: Oid,
    path: &str,
    folders: &mut Vec<Folder>,
    gaps: &mut Vec<Gap>,
) {
    let mut open = vec![(path.to_owned(), top, 0)];
    while let Some((path, id, depth)) = open.pop() {
        let tree = match find_tree(objects, id) {
            Ok(tree) => tree,
            Err(error) => {
                gaps.push(unreadable(&path, error.message()));
                continue;
            }
        };
        if depth > 0 && is_folder(&tree) {
            folders.push(Folder { path, key: None });
            continue;
        }
        if depth >= DEEPEST {
            gaps.push(unreadable(&path, "the folders are nested too deeply"));
            continue;
        }
        for entry in tree.iter().filter(|entry| entry.is_folder()) {
            let name = String::from_utf8_lossy(entry.name);
            match key_of(&name) {
                Some(key) => {
                    folders.push(Folder { path: format!("{path}/{name}"), key: Some(key) });
                }
                None => open.push((format!("{path}/{name}"), entry.id, depth + 1)),
            }
        }
    }
}

/// What a visitor makes of the groups of folders below a tree, with what is kept
/// of each; a group that is kept as it is now is not read.
pub(super) fn visit_groups<T: Send>(
    repo: &Shared,
    git_dir: &Path,
    kind: &FactsKind,
    top: Oid,
    path: &str,
    visit: impl Fn(FolderGroup) -> T + Sync,
) -> FolderGroups<T> {
    let mut all = FolderGroups::default();
    let mut level = vec![(path.to_owned(), object_id(top), 0)];
    while !level.is_empty() {
        let found: Vec<_> = std::mem::take(&mut level)
            .into_par_iter()
            .map(|(path, id, depth)| {
                let group = group(repo, git_dir, kind, path, id, depth)?;
                let (path, below) = (group.path().to_owned(), group.below().clone());
                let below = below.into_iter();
                let below: Vec<(String, ObjectId, usize)> =
                    below.map(|(name, id)| (format!("{path}/{name}"), id, depth + 1)).collect();
                Ok((below, (!group.is_empty()).then(|| (path, visit(group)))))
            })
            .collect();
        for group in found {
            match group {
                Ok((below, visited)) => {
                    level.extend(below);
                    all.groups.extend(visited);
                }
                Err(gap) => all.gaps.push(gap),
            }
        }
    }
    all.groups.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

fn group(
    repo: &Shared,
    git_dir: &Path,
    kind: &FactsKind,
    path: String,
    id: ObjectId,
    depth: usize,
) -> Result<FolderGroup, Gap> {
    let kept = KeptGroup::load(git_dir, kind, &path);
    let kept = match kept {
        Some(kept) if kept.tree() == id && depth < DEEPEST => return Ok(kept.into_group(path)),
        kept => kept,
    };
    let repo = hold(repo);
    let tree = Oid::from_bytes(&id.0)
        .and_then(|id| find_tree(&repo, id))
        .map_err(|error| unreadable(&path, error.message()))?;
    if depth > 0 && is_folder(&tree) {
        return Ok(FolderGroup::read(path, id, &[(String::new(), id)], Vec::new(), None));
    }
    if depth >= DEEPEST {
        return Err(unreadable(&path, "the folders are nested too deeply"));
    }
    let (mut listed, mut below) = (Vec::new(), Vec::new());
    for entry in tree.iter().filter(|entry| entry.is_folder()) {
        let name = String::from_utf8_lossy(entry.name).into_owned();
        let list = if key_of(&name).is_some() { &mut listed } else { &mut below };
        list.push((name, object_id(entry.id)));
    }
    Ok(FolderGroup::read(path, id, &listed, below, kept))
}

/// The links and submodules where a folder on the way to a handoff belongs.
pub(super) fn not_followed(
    objects: &dyn ObjectSource,
    tree: Oid,
    found: &mut Vec<String>,
) -> Result<(), LedgerError> {
    let mut open = match entry_with_mode(objects, Some(tree), BRIEFS)? {
        Some((id, TREE)) => vec![(BRIEFS.to_owned(), id, 0)],
        Some((_, LINK | SUBMODULE)) => {
            found.push(BRIEFS.to_owned());
            Vec::new()
        }
        _ => Vec::new(),
    };
    while let Some((path, id, depth)) = open.pop() {
        let tree = find_tree(objects, id)
            .map_err(LedgerError::git("reading a folder", objects.folder()))?;
        for entry in tree.iter() {
            let name = String::from_utf8_lossy(entry.name);
            let is_file = matches!(&*name, "brief.yaml" | "timeline.yaml");
            match entry.mode {
                // A handoff's own files are looked at with the handoff.
                LINK | SUBMODULE if !is_file => found.push(format!("{path}/{name}")),
                TREE if depth < DEEPEST && key_of(&name).is_none() => {
                    open.push((format!("{path}/{name}"), entry.id, depth + 1));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// A folder that could not be read, as a gap.
pub(super) fn unreadable(path: &str, why: &str) -> Gap {
    Gap {
        what: format!("the folder {path}"),
        why: why.to_owned(),
        help: Some(
            "check the repository with `git fsck`; in a partial clone, fetch the rest with `git fetch --refetch --no-filter`"
                .into(),
        ),
    }
}
