//! What differs between two trees, going down only where they differ.

use git2::{Oid, Repository, Tree, TreeEntry};

use super::LedgerError;
use super::handle::find_tree;

/// An entry of a tree: the object and its mode.
pub(super) type Entry = (Oid, i32);

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileDiff {
    pub(super) path: String,
    pub(super) old: Option<Entry>,
    pub(super) new: Option<Entry>,
}

/// The mode of a tree inside a tree.
pub(super) const TREE: i32 = 0o040_000;

/// The modes of a symbolic link and of a submodule.
pub(super) const LINK: i32 = 0o120_000;
pub(super) const SUBMODULE: i32 = 0o160_000;

/// Calls `visit` for each differing entry, which says whether to go below it.
pub(super) fn walk_differences(
    repo: &Repository,
    old: Option<Oid>,
    new: Option<Oid>,
    path: &str,
    visit: &mut impl FnMut(&str, Option<Entry>, Option<Entry>) -> bool,
) -> Result<(), LedgerError> {
    if old == new {
        return Ok(());
    }
    let read = |id: Option<Oid>| {
        id.map(|id| find_tree(repo, id).map_err(LedgerError::git("reading a folder", repo.path())))
            .transpose()
    };
    let (old, new) = (read(old)?, read(new)?);
    let entry = |entry: &TreeEntry<'_>| (entry.id(), entry.filemode());
    let find = |tree: &Option<Tree<'_>>, name: &[u8]| {
        tree.as_ref().and_then(|tree| tree.get_name_bytes(name).map(|found| entry(&found)))
    };
    let mut differing: Vec<(Vec<u8>, Option<Entry>, Option<Entry>)> = Vec::new();
    for after in new.iter().flat_map(Tree::iter) {
        let before = find(&old, after.name_bytes());
        if before != Some(entry(&after)) {
            differing.push((after.name_bytes().to_vec(), before, Some(entry(&after))));
        }
    }
    for before in old.iter().flat_map(Tree::iter) {
        if find(&new, before.name_bytes()).is_none() {
            differing.push((before.name_bytes().to_vec(), Some(entry(&before)), None));
        }
    }
    for (name, before, after) in differing {
        let name = String::from_utf8_lossy(&name);
        let below = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
        let tree = |side: Option<Entry>| side.filter(|(_, mode)| *mode == TREE).map(|(id, _)| id);
        let (old_tree, new_tree) = (tree(before), tree(after));
        if visit(&below, before, after) && (old_tree.is_some() || new_tree.is_some()) {
            walk_differences(repo, old_tree, new_tree, &below, visit)?;
        }
    }
    Ok(())
}

/// The files that differ between two trees. What is a file on one side and a
/// folder on the other gives the file, and the files below the folder.
pub(super) fn differing_files(
    repo: &Repository,
    old: Option<Oid>,
    new: Option<Oid>,
) -> Result<Vec<FileDiff>, LedgerError> {
    let mut files = Vec::new();
    walk_differences(repo, old, new, "", &mut |path, old, new| {
        let file = |side: Option<Entry>| side.filter(|(_, mode)| *mode != TREE);
        let (old, new) = (file(old), file(new));
        if old.is_some() || new.is_some() {
            files.push(FileDiff { path: path.to_owned(), old, new });
        }
        true
    })?;
    Ok(files)
}

/// The entry at a path, with its mode.
pub(super) fn entry_with_mode(
    repo: &Repository,
    tree: Option<Oid>,
    path: &str,
) -> Result<Option<Entry>, LedgerError> {
    let failed = |error| LedgerError::git("reading a folder", repo.path())(error);
    let Some(tree) = tree else { return Ok(None) };
    let mut at = (tree, TREE);
    for part in path.split('/') {
        if at.1 != TREE {
            return Ok(None);
        }
        let folder = find_tree(repo, at.0).map_err(failed)?;
        match folder.get_name(part) {
            Some(entry) => at = (entry.id(), entry.filemode()),
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// Whether an entry is a plain file.
pub(super) fn is_plain(entry: Entry) -> bool {
    matches!(entry.1, 0o100_644 | 0o100_755)
}
