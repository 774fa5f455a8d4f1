//! What differs between two trees, going down only where they differ.

use git2::Oid;

use super::LedgerError;
use super::handle::{ObjectSource, find_tree};
use super::tree::{ObjectAndMode, TREE, Tree, TreeEntry};

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileDiff {
    pub(super) path: String,
    pub(super) old: Option<ObjectAndMode>,
    pub(super) new: Option<ObjectAndMode>,
}

/// Calls `visit` for each differing entry, which says whether to go below it.
pub(super) fn walk_differences(
    objects: &dyn ObjectSource,
    old: Option<Oid>,
    new: Option<Oid>,
    path: &str,
    visit: &mut impl FnMut(&str, Option<ObjectAndMode>, Option<ObjectAndMode>) -> bool,
) -> Result<(), LedgerError> {
    if old == new {
        return Ok(());
    }
    let read = |id: Option<Oid>| {
        let failed = LedgerError::git("reading a folder", objects.folder());
        id.map(|id| find_tree(objects, id)).transpose().map_err(failed)
    };
    let (old, new) = (read(old)?, read(new)?);
    let mut differing = differing_entries(old.as_ref(), new.as_ref());
    // What is gone comes last.
    differing.sort_by_key(|(_, _, after)| after.is_none());
    for (name, before, after) in differing {
        let name = String::from_utf8_lossy(name);
        let below = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
        let tree =
            |side: Option<ObjectAndMode>| side.filter(|(_, mode)| *mode == TREE).map(|(id, _)| id);
        let (old_tree, new_tree) = (tree(before), tree(after));
        if visit(&below, before, after) && (old_tree.is_some() || new_tree.is_some()) {
            walk_differences(objects, old_tree, new_tree, &below, visit)?;
        }
    }
    Ok(())
}

/// An entry's name, and the entry before and after.
type Differing<'a> = (&'a [u8], Option<ObjectAndMode>, Option<ObjectAndMode>);

/// The entries that differ, by name.
fn differing_entries<'a>(old: Option<&'a Tree>, new: Option<&'a Tree>) -> Vec<Differing<'a>> {
    let mut before = old.into_iter().flat_map(Tree::iter).peekable();
    let mut after = new.into_iter().flat_map(Tree::iter).peekable();
    let mut differing = Vec::new();
    loop {
        let name = match (before.peek(), after.peek()) {
            (None, None) => return differing,
            (Some(one), Some(other)) => one.name.min(other.name),
            (Some(one), None) | (None, Some(one)) => one.name,
        };
        let one = before.next_if(|it| it.name == name).map(TreeEntry::entry);
        let other = after.next_if(|it| it.name == name).map(TreeEntry::entry);
        if one != other {
            differing.push((name, one, other));
        }
    }
}

/// The files that differ between two trees. What is a file on one side and a
/// folder on the other gives the file, and the files below the folder.
pub(super) fn differing_files(
    objects: &dyn ObjectSource,
    old: Option<Oid>,
    new: Option<Oid>,
) -> Result<Vec<FileDiff>, LedgerError> {
    let mut files = Vec::new();
    walk_differences(objects, old, new, "", &mut |path, old, new| {
        let file = |side: Option<ObjectAndMode>| side.filter(|(_, mode)| *mode != TREE);
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
    objects: &dyn ObjectSource,
    tree: Option<Oid>,
    path: &str,
) -> Result<Option<ObjectAndMode>, LedgerError> {
    let Some(tree) = tree else { return Ok(None) };
    let mut at = (tree, TREE);
    for part in path.split('/') {
        if at.1 != TREE {
            return Ok(None);
        }
        let folder = find_tree(objects, at.0)
            .map_err(LedgerError::git("reading a folder", objects.folder()))?;
        match folder.get(part) {
            Some(entry) => at = entry.entry(),
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// Whether an entry is a plain file.
pub(super) fn is_plain(entry: ObjectAndMode) -> bool {
    matches!(entry.1, 0o100_644 | 0o100_755)
}
