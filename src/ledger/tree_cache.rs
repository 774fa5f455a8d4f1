//! Large trees, parsed once. A month's folder lists thousands of handoffs, and
//! libgit2 keeps no tree above 4 KiB: without this each file of a month asks
//! the object store for the whole month again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use git2::{ObjectType, Oid, Repository, Tree, TreeEntry};

use super::LedgerError;
use super::tree_diff::LINK;

/// Smaller trees stay in libgit2's own cache.
const LARGE: usize = 32;

/// The entries that are kept in all, about 20 MB; the newest tree is kept whatever its size.
const MOST_ENTRIES: usize = 200_000;

/// A tree's entries, sorted by name.
pub(super) struct ParsedTree(Vec<(Box<[u8]>, Oid, ObjectType)>);

impl ParsedTree {
    fn new(tree: &Tree<'_>) -> Self {
        let mut entries: Vec<_> = tree
            .iter()
            .map(|entry| (entry.name_bytes().into(), entry.id(), kind(&entry)))
            .collect();
        // Git sorts a folder as if its name ended in a slash.
        entries.sort_unstable_by(|a: &(Box<[u8]>, _, _), b| a.0.cmp(&b.0));
        Self(entries)
    }

    fn get(&self, name: &[u8]) -> Option<(Oid, ObjectType)> {
        let at = self.0.binary_search_by(|(other, ..)| other.as_ref().cmp(name)).ok()?;
        Some((self.0[at].1, self.0[at].2))
    }

    /// The names of the folders in it.
    pub(super) fn folders(&self) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .filter(|(_, _, kind)| *kind == ObjectType::Tree)
            .map(|(name, ..)| name.as_ref())
    }
}

/// Parsed trees by id, with the time of their last use.
#[derive(Default)]
struct Kept {
    trees: HashMap<Oid, (u64, Arc<ParsedTree>)>,
    entries: usize,
    uses: u64,
}

/// The trees that were parsed last.
#[derive(Default)]
pub(super) struct TreeCache(Mutex<Kept>);

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
                // What lies behind a link or a submodule is refused and not merely absent.
                return Ok(Some(at).filter(|(_, kind)| *kind != ObjectType::Blob));
            }
            let found = match self.kept(at.0) {
                Some(tree) => tree.get(part.as_bytes()),
                None => {
                    let tree = find_tree(repo, at.0)?;
                    if tree.len() < LARGE {
                        tree.get_name(part).map(|entry| (entry.id(), kind(&entry)))
                    } else {
                        self.keep(&tree).get(part.as_bytes())
                    }
                }
            };
            match found {
                Some(entry) => at = entry,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// A tree, from the cache or into it.
    pub(super) fn tree(&self, repo: &Repository, id: Oid) -> Result<Arc<ParsedTree>, LedgerError> {
        if let Some(tree) = self.kept(id) {
            return Ok(tree);
        }
        let tree = find_tree(repo, id)?;
        Ok(if tree.len() < LARGE { Arc::new(ParsedTree::new(&tree)) } else { self.keep(&tree) })
    }

    fn kept(&self, id: Oid) -> Option<Arc<ParsedTree>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let now = kept.uses;
        let (used, tree) = kept.trees.get_mut(&id)?;
        *used = now;
        Some(Arc::clone(tree))
    }

    fn keep(&self, tree: &Tree<'_>) -> Arc<ParsedTree> {
        let parsed = Arc::new(ParsedTree::new(tree));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !kept.trees.is_empty() && kept.entries + tree.len() > MOST_ENTRIES {
            let oldest = kept.trees.iter().min_by_key(|(_, (used, _))| *used).map(|(id, _)| *id);
            if let Some((_, gone)) = oldest.and_then(|id| kept.trees.remove(&id)) {
                kept.entries -= gone.0.len();
            }
        }
        kept.uses += 1;
        let used = kept.uses;
        if kept.trees.insert(tree.id(), (used, Arc::clone(&parsed))).is_none() {
            kept.entries += tree.len();
        }
        parsed
    }
}

fn find_tree(repo: &Repository, id: Oid) -> Result<Tree<'_>, LedgerError> {
    super::handle::find_tree(repo, id).map_err(LedgerError::git("reading a folder", repo.path()))
}

/// The kind of an entry; `Any` for a symbolic link, `Commit` for a submodule.
fn kind(entry: &TreeEntry<'_>) -> ObjectType {
    match entry.filemode() {
        LINK => ObjectType::Any,
        _ => entry.kind().unwrap_or(ObjectType::Any),
    }
}
