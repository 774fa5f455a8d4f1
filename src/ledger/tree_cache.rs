//! Trees, read and parsed once. A month's folder lists thousands of handoffs, and
//! every path goes through the same few folders: without this each file asks the
//! object store for all of them again.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use git2::{ObjectType, Oid};

use super::LedgerError;
use super::handle::ObjectSource;
use super::tree::{LINK, Tree, TreeEntry};

/// The entries that are kept in all, about 20 MB; the newest tree is kept whatever its size.
const MOST_ENTRIES: usize = 200_000;

/// What a tree costs besides its entries, in entries.
const OF_ITS_OWN: usize = 4;

/// Parsed trees by id: those that were used lately, and those before them.
#[derive(Default)]
struct KeptTrees {
    lately: HashMap<Oid, Arc<Tree>>,
    before: HashMap<Oid, Arc<Tree>>,
    /// What those cost that were used lately.
    entries: usize,
}

impl KeptTrees {
    fn get(&mut self, id: Oid) -> Option<Arc<Tree>> {
        if let Some(tree) = self.lately.get(&id) {
            return Some(Arc::clone(tree));
        }
        let tree = self.before.remove(&id)?;
        self.keep(id, &tree);
        Some(tree)
    }

    fn keep(&mut self, id: Oid, tree: &Arc<Tree>) {
        let cost = tree.len() + OF_ITS_OWN;
        if self.entries + cost > MOST_ENTRIES / 2 {
            self.before = mem::take(&mut self.lately);
            self.entries = 0;
        }
        if self.lately.insert(id, Arc::clone(tree)).is_none() {
            self.entries += cost;
        }
    }
}

/// The trees that were parsed last.
#[derive(Default)]
pub(super) struct TreeCache(Mutex<KeptTrees>);

impl TreeCache {
    /// What a tree has at a path.
    pub(super) fn entry_at(
        &self,
        objects: &dyn ObjectSource,
        tree: Oid,
        path: &str,
    ) -> Result<Option<(Oid, ObjectType)>, LedgerError> {
        let mut at = (tree, ObjectType::Tree);
        for part in path.split('/') {
            if at.1 != ObjectType::Tree {
                // What lies behind a link or a submodule is refused and not merely absent.
                return Ok(Some(at).filter(|(_, kind)| *kind != ObjectType::Blob));
            }
            let tree = self.tree(objects, at.0)?;
            match tree.get(part) {
                Some(entry) => at = (entry.id, kind(entry)),
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// A tree, from the cache or into it.
    pub(super) fn tree(
        &self,
        objects: &dyn ObjectSource,
        id: Oid,
    ) -> Result<Arc<Tree>, LedgerError> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = kept().get(id) {
            return Ok(tree);
        }
        let tree = super::handle::find_tree(objects, id)
            .map_err(LedgerError::git("reading a folder", objects.folder()))?;
        let tree = Arc::new(tree);
        kept().keep(id, &tree);
        Ok(tree)
    }
}

/// The kind of an entry; `Any` for a symbolic link, `Commit` for a submodule.
fn kind(entry: TreeEntry<'_>) -> ObjectType {
    match entry.mode {
        LINK => ObjectType::Any,
        _ => entry.kind(),
    }
}
