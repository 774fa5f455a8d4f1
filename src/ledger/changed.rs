//! Which handoffs differ from a revision, so that only they need checking.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use git2::{IndexEntry, ObjectType, Oid, Repository, Status, StatusOptions};

use super::blob::blob_id;
use super::checkout::SKIP_WORKTREE;
use super::git_program;
use super::handle::{
    LOOKED_AT, ObjectSource, branch_or_remote, check_folders, check_history, find_tree, hold,
    object_id, resolve,
};
use super::path::{BRIEFS, folder_of_file, key_of};
use super::snapshot::{Snapshot, entry_at, ledger_tree, tree_of};
use super::tree::{LINK, SUBMODULE, TREE};
use super::tree_diff::walk_differences;
use super::{Ledger, LedgerError};
use crate::model::ObjectId;

/// Git's `--assume-unchanged`, in the flags of an index entry.
const ASSUME_UNCHANGED: u16 = 0x8000;

/// What the index has of handoffs and the checkout may lack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The files that git does not expect on the disk, with their blobs.
    pub hidden: BTreeMap<String, ObjectId>,
    /// All folders in the index that hold a brief or a timeline.
    pub folders: BTreeSet<String>,
}

impl Ledger {
    /// The handoff folders, sorted, that differ between what is checked out
    /// (of a bare repository: the tip) and the commit where it left a
    /// revision; with the checkout's uncommitted changes if asked for. A
    /// folder that is gone is among them.
    ///
    /// # Errors
    /// When there is no such revision, or an object cannot be read.
    pub fn changed_since(
        &self,
        revision: &str,
        with_checkout: bool,
    ) -> Result<Vec<String>, LedgerError> {
        let repo = hold(self.shared());
        let (base, head) = self.ends(&repo, revision)?;
        let briefs = |tree| {
            Ok(match entry_at(&repo, tree, BRIEFS)? {
                Some((id, ObjectType::Tree)) => Some(id),
                _ => None,
            })
        };
        let mut changed = BTreeSet::new();
        let head = head.map_or(Ok(None), briefs)?;
        collect(&repo, base.map_or(Ok(None), briefs)?, head, &mut changed)?;
        if with_checkout && !repo.is_bare() {
            self.collect_uncommitted(&repo, &mut changed)?;
        }
        Ok(changed.into_iter().collect())
    }

    /// Whether a file or folder differs between what is checked out and the
    /// commit where it left a revision, such as the schema that decides about
    /// every brief. Uncommitted changes do not count.
    ///
    /// # Errors
    /// As for [`Ledger::changed_since`].
    pub fn differs_since(&self, revision: &str, path: &str) -> Result<bool, LedgerError> {
        let repo = hold(self.shared());
        let (base, head) = self.ends(&repo, revision)?;
        let at = |tree: Option<Oid>| tree.map_or(Ok(None), |tree| entry_at(&repo, tree, path));
        Ok(at(base)? != at(head)?)
    }

    /// The submodules below `briefs/` that the index of the checkout has. Of an
    /// index that only git reads (split, sparse) there are none; the audit
    /// reads commits and names them.
    #[must_use]
    pub fn submodules(&self) -> Vec<String> {
        let Ok(index) = hold(self.shared()).index() else { return Vec::new() };
        let is_submodule = |mode: u32| i32::try_from(mode).is_ok_and(|mode| mode == SUBMODULE);
        let entries = index.iter().filter(|entry| is_submodule(entry.mode));
        let inside = self.in_repository("");
        let paths = entries.map(|entry| String::from_utf8_lossy(&entry.path).into_owned());
        let paths = paths.filter_map(|path| path.strip_prefix(&inside).map(str::to_owned));
        paths.filter(|path| path == BRIEFS || path.starts_with("briefs/")).collect()
    }

    /// What the index has below `briefs/` and the checkout may lack: a sparse
    /// checkout leaves files out, and git does not look at those that are
    /// assumed to be unchanged. A bare repository has no index.
    ///
    /// # Errors
    /// When the index cannot be read by git either.
    pub fn left_out(&self) -> Result<LeftOut, LedgerError> {
        let repo = hold(self.shared());
        let mut left = LeftOut::default();
        if repo.is_bare() {
            return Ok(left);
        }
        let inside = self.in_repository("");
        let mut add = |path: &[u8], id: Oid, is_hidden: bool| {
            let path = String::from_utf8_lossy(path);
            let Some(path) = path.strip_prefix(&inside) else { return };
            let Some(folder) = folder_of_file(path) else { return };
            let name = path.strip_prefix(folder).unwrap_or_default();
            if matches!(name, "/brief.yaml" | "/timeline.yaml") {
                left.folders.insert(folder.to_owned());
            }
            if is_hidden {
                left.hidden.insert(path.to_owned(), object_id(id));
            }
        };
        match repo.index() {
            Ok(index) => {
                index.iter().for_each(|entry| add(&entry.path, entry.id, is_hidden(&entry)));
            }
            // Split and sparse ones are read by git alone.
            Err(_) => {
                drop(repo);
                let briefs = self.in_repository(BRIEFS);
                for (tag, id, path) in git_program::list_index(self.root(), &briefs)? {
                    // `S` is left out; a small letter is assumed to be unchanged.
                    add(path.as_bytes(), id, tag == 'S' || tag.is_ascii_lowercase());
                }
            }
        }
        Ok(left)
    }

    /// The trees of the merge base and of what is checked out.
    fn ends(
        &self,
        repo: &Repository,
        revision: &str,
    ) -> Result<(Option<Oid>, Option<Oid>), LedgerError> {
        let since = resolve(repo, revision, self.root())?;
        let head = if repo.is_bare() {
            branch_or_remote(repo, self.branch(), self.root())?
        } else {
            repo.refname_to_id("HEAD").ok()
        };
        let tree = |commit: Oid| ledger_tree(repo, commit, self.prefix());
        let Some(head) = head else { return Ok((tree(since)?, None)) };
        check_history(repo, [since, head], LOOKED_AT)
            .map_err(LedgerError::git("looking for the merge base", self.root()))?;
        // Unrelated histories have no base; then everything that differs from the revision counts.
        let base = repo.merge_base(since, head).unwrap_or(since);
        Ok((tree(base)?, tree(head)?))
    }

    fn collect_uncommitted(
        &self,
        repo: &Repository,
        changed: &mut BTreeSet<String>,
    ) -> Result<(), LedgerError> {
        let Ok(index) = repo.index() else { return self.collect_unlike_index(changed) };
        // libgit2 takes what a sparse checkout leaves out for deleted.
        let is_left_out = |path: &[u8]| {
            let entry = index.get_path(Path::new(String::from_utf8_lossy(path).as_ref()), 0);
            entry.as_ref().is_some_and(is_hidden)
        };
        let failed =
            |error| LedgerError::git("looking for uncommitted changes", self.root())(error);
        if let Ok(head) = repo.refname_to_id("HEAD") {
            check_folders(repo, tree_of(repo, head)?).map_err(failed)?;
        }
        let mut options = StatusOptions::new();
        options
            .pathspec(self.in_repository(BRIEFS))
            .disable_pathspec_match(true)
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .include_ignored(false);
        let statuses = repo.statuses(Some(&mut options)).map_err(failed)?;
        for entry in statuses.iter().filter(|entry| entry.status() != Status::CURRENT) {
            if entry.status() == Status::WT_DELETED && is_left_out(entry.path_bytes()) {
                continue;
            }
            let path = String::from_utf8_lossy(entry.path_bytes()).into_owned();
            let path = path.strip_prefix(&self.in_repository("")).unwrap_or(&path);
            if let Some(folder) = folder_of_file(path) {
                changed.insert(folder.to_owned());
            }
        }
        Ok(())
    }
}

/// Whether git does not expect a file on the disk, or does not look at it there.
fn is_hidden(entry: &IndexEntry) -> bool {
    entry.flags & ASSUME_UNCHANGED != 0 || entry.flags_extended & SKIP_WORKTREE != 0
}

impl Ledger {
    /// As `collect_uncommitted`, for an index that libgit2 does not read. `git
    /// status` would run the filters that its configuration names, so files are
    /// compared as they are: line ends alone make a difference here.
    fn collect_unlike_index(&self, changed: &mut BTreeSet<String>) -> Result<(), LedgerError> {
        let inside = self.in_repository("");
        let mut known = BTreeSet::new();
        for (tag, id, path) in git_program::list_index(self.root(), &self.in_repository(BRIEFS))? {
            let Some(path) = path.strip_prefix(&inside) else { continue };
            let Some(folder) = folder_of_file(path) else { continue };
            known.insert(path.to_owned());
            let is_as_committed = match self.read_checkout(path) {
                Ok(Some(bytes)) => blob_id(&bytes) == object_id(id),
                Ok(None) => tag == 'S' || tag.is_ascii_lowercase(),
                Err(LedgerError::NotFollowed { .. }) => false,
                Err(error) => return Err(error),
            };
            if !is_as_committed {
                changed.insert(folder.to_owned());
            }
        }
        let mut open = vec![BRIEFS.to_owned()];
        while let Some(folder) = open.pop() {
            let path = self.root().join(&folder);
            let entries = match std::fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(LedgerError::io("listing", &path)(error)),
            };
            for entry in entries {
                let entry = entry.map_err(LedgerError::io("listing", &path))?;
                let kind = entry.file_type().map_err(LedgerError::io("listing", &path))?;
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                if kind.is_dir() {
                    open.push(path);
                } else if !known.contains(&path)
                    && let Some(folder) = folder_of_file(&path)
                {
                    changed.insert(folder.to_owned());
                }
            }
        }
        Ok(())
    }
}

impl Snapshot {
    /// The handoff folders that differ from an earlier tree of the ledger,
    /// those that are gone among them; `None` where the earlier tree is not
    /// there any more.
    ///
    /// # Errors
    /// When an object of this tree cannot be read.
    pub fn changed_folders(
        &self,
        earlier: ObjectId,
    ) -> Result<Option<BTreeSet<String>>, LedgerError> {
        let repo = hold(&self.repo);
        let briefs = |tree: Oid| {
            Ok(match entry_at(&repo, tree, BRIEFS)? {
                Some((id, ObjectType::Tree)) => Some(id),
                _ => None,
            })
        };
        let Ok(earlier) = Oid::from_bytes(&earlier.0) else { return Ok(None) };
        if find_tree(&repo, earlier).is_err() {
            return Ok(None);
        }
        let mut changed = BTreeSet::new();
        let now = self.tree.map_or(Ok(None), briefs)?;
        collect(&repo, briefs(earlier)?, now, &mut changed)?;
        Ok(Some(changed))
    }
}

/// Notes the folders where two trees of briefs differ.
fn collect(
    objects: &dyn ObjectSource,
    old: Option<Oid>,
    new: Option<Oid>,
    changed: &mut BTreeSet<String>,
) -> Result<(), LedgerError> {
    walk_differences(objects, old, new, BRIEFS, &mut |path, old, new| {
        let is_tree = [old, new].into_iter().flatten().any(|(_, mode)| mode == TREE);
        if is_tree && key_of(path).is_some() {
            changed.insert(path.to_owned());
            return false;
        }
        if let Some(folder) = folder_of_file(path) {
            changed.insert(folder.to_owned());
        } else if new.is_some_and(|(_, mode)| mode == LINK || mode == SUBMODULE) {
            changed.insert(path.to_owned());
        }
        true
    })
}
