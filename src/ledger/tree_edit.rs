//! A tree with some files changed: only the folders on the way are rewritten.

use std::collections::BTreeMap;

use git2::Oid;

use super::LedgerError;
use super::staging::Staging;
use super::tree::{LINK, SUBMODULE, TREE};

/// A file to be in a tree, or (`None`) not to be there.
pub(super) type Edits = BTreeMap<String, Option<Oid>>;

const FILE: i32 = 0o100_644;

/// Applies edits, keyed by whole paths, to a tree. `None` when nothing is left.
///
/// # Errors
/// When a file lies where a folder is needed or the other way round: that
/// would delete what the edits do not name.
pub(super) fn edit_tree(
    staging: &mut Staging,
    tree: Option<Oid>,
    edits: &Edits,
) -> Result<Option<Oid>, LedgerError> {
    edit(staging, tree, edits, "")
}

fn edit(
    staging: &mut Staging,
    tree: Option<Oid>,
    edits: &Edits,
    above: &str,
) -> Result<Option<Oid>, LedgerError> {
    let mut files: BTreeMap<&str, Option<Oid>> = BTreeMap::new();
    let mut folders: BTreeMap<&str, Edits> = BTreeMap::new();
    for (path, file) in edits {
        match path.split_once('/') {
            None => {
                files.insert(path, *file);
            }
            Some((folder, rest)) => {
                folders.entry(folder).or_default().insert(rest.to_owned(), *file);
            }
        }
    }
    let mut changes = Vec::with_capacity(files.len() + folders.len());
    for (name, file) in files {
        let mode = match lookup(staging, tree, name)? {
            Some((_, TREE)) if file.is_some() => {
                return Err(in_the_way(above, name, "a folder lies where the file is to be"));
            }
            Some((_, TREE)) => continue,
            Some((_, LINK | SUBMODULE)) if file.is_some() => {
                return Err(in_the_way(above, name, "a link or a submodule lies there"));
            }
            Some((_, mode @ 0o100_755)) => mode,
            _ => FILE,
        };
        changes.push((name.to_owned(), file.map(|id| (id, mode))));
    }
    for (name, below) in folders {
        let old = match lookup(staging, tree, name)? {
            Some((id, TREE)) => Some(id),
            Some(_) => {
                return Err(in_the_way(above, name, "a file lies where the folder is to be"));
            }
            None => None,
        };
        let new = edit(staging, old, &below, &format!("{above}{name}/"))?;
        if new != old {
            changes.push((name.to_owned(), new.map(|id| (id, TREE))));
        }
    }
    if changes.is_empty() {
        return Ok(tree);
    }
    staging.tree(tree, &changes)
}

/// Puts a tree in the place of a folder of another one, or (`None`) takes the
/// folder out.
///
/// # Errors
/// When something that is no folder lies on the way.
pub(super) fn graft(
    staging: &mut Staging,
    whole: Option<Oid>,
    folder: &str,
    tree: Option<Oid>,
) -> Result<Option<Oid>, LedgerError> {
    let (name, rest) = match folder.split_once('/') {
        Some((name, rest)) => (name, Some(rest)),
        None => (folder, None),
    };
    let old = match lookup(staging, whole, name)? {
        Some((id, TREE)) => Some(id),
        Some(_) => return Err(in_the_way("", folder, "a file lies where the ledger is to be")),
        None => None,
    };
    let new = match rest {
        Some(rest) => graft(staging, old, rest, tree)?,
        None => tree,
    };
    staging.tree(whole, &[(name.to_owned(), new.map(|id| (id, TREE)))])
}

/// What a tree has by a name, and its mode.
fn lookup(
    staging: &mut Staging,
    tree: Option<Oid>,
    name: &str,
) -> Result<Option<(Oid, i32)>, LedgerError> {
    tree.map_or(Ok(None), |tree| staging.entry(tree, name))
}

fn in_the_way(above: &str, name: &str, why: &'static str) -> LedgerError {
    LedgerError::BadPath { path: format!("{above}{name}"), why }
}
