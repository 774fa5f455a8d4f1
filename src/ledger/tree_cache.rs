//! Large trees, parsed once. libgit2 keeps no tree above 4 KiB, so each file
//! below a month's folder would read and parse that month's whole listing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use git2::{ObjectType, Oid, Repository, Tree};

use super::LedgerError;

/// Smaller trees are kept by libgit2 itself.
const LARGE: usize = 64;
/// About 100 bytes each; above this, what is kept is dropped and read again.
const MOST_ENTRIES: usize = 1_000_000;

/// One tree's entries, sorted by name.
struct Entries {
    names: Vec<u8>,
    rows: Vec<(std::ops::Range<usize>, Oid, ObjectType)>,
}

#[derive(Default)]
struct Known {
    trees: HashMap<Oid, Arc<Entries>>,
    entries: usize,
}

/// The large trees of a repository that were read.
#[derive(Default)]
pub(super) struct TreeCache(Mutex<Known>);

impl TreeCache {
    /// What a tree has at a path.
    pub(super) fn entry_at(
        &self,
        repo: &Repository,
        tree: Oid,
        path: &str,
    ) -> Result<Option<(Oid, ObjectType)>, LedgerError> {
        let mut at = (tree, ObjectType::Tree);
        for part in path.split('/') {
            if at.1 != ObjectType::Tree {
                return Ok(None);
            }
            match self.entry(repo, at.0, part)? {
                Some(entry) => at = entry,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    fn entry(
        &self,
        repo: &Repository,
        id: Oid,
        name: &str,
    ) -> Result<Option<(Oid, ObjectType)>, LedgerError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).trees.get(&id).cloned();
        if let Some(entries) = known {
            return Ok(entries.get(name.as_bytes()));
        }
        let tree = repo.find_tree(id).map_err(LedgerError::git("reading a folder", repo.path()))?;
        if tree.len() < LARGE {
            let entry = tree.get_name(name);
            return Ok(entry.map(|entry| (entry.id(), entry.kind().unwrap_or(ObjectType::Any))));
        }
        let entries = Arc::new(Entries::of(&tree));
        let found = entries.get(name.as_bytes());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.entries + entries.rows.len() > MOST_ENTRIES {
            *known = Known::default();
        }
        let count = entries.rows.len();
        if known.trees.insert(id, entries).is_none() {
            known.entries += count;
        }
        Ok(found)
    }
}

impl Entries {
    fn of(tree: &Tree<'_>) -> Self {
        let mut names = Vec::new();
        let mut rows = Vec::with_capacity(tree.len());
        for entry in tree {
            let start = names.len();
            names.extend_from_slice(entry.name_bytes());
            let kind = entry.kind().unwrap_or(ObjectType::Any);
            rows.push((start..names.len(), entry.id(), kind));
        }
        // Git sorts a folder as if its name ended in a slash.
        rows.sort_by(|a, b| names[a.0.clone()].cmp(&names[b.0.clone()]));
        Self { names, rows }
    }

    fn get(&self, name: &[u8]) -> Option<(Oid, ObjectType)> {
        let at = self.rows.binary_search_by(|row| self.names[row.0.clone()].cmp(name)).ok()?;
        self.rows.get(at).map(|(_, id, kind)| (*id, *kind))
    }
}
