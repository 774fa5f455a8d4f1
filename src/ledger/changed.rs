//! Which handoffs differ from a revision, so that only they need checking.

use std::collections::BTreeSet;

use git2::{ObjectType, Oid, Repository, Status, StatusOptions};

use super::handle::{
    LOOKED_AT, branch_or_remote, check_folders, check_history, find_tree, hold, resolve,
    tree_of_commit,
};
use super::path::{BRIEFS, folder_of_file, key_of};
use super::snapshot::{Snapshot, entry_at, ledger_tree};
use super::tree_diff::{LINK, SUBMODULE, TREE, walk_differences};
use super::{Ledger, LedgerError};
use crate::model::ObjectId;

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
        let failed =
            |error| LedgerError::git("looking for uncommitted changes", self.root())(error);
        if let Ok(head) = repo.refname_to_id("HEAD") {
            let top = tree_of_commit(repo, head).map_err(failed)?;
            check_folders(repo, top.id()).map_err(failed)?;
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
            let path = String::from_utf8_lossy(entry.path_bytes()).into_owned();
            let path = path.strip_prefix(&self.in_repository("")).unwrap_or(&path);
            if let Some(folder) = folder_of_file(path) {
                changed.insert(folder.to_owned());
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
    repo: &Repository,
    old: Option<Oid>,
    new: Option<Oid>,
    changed: &mut BTreeSet<String>,
) -> Result<(), LedgerError> {
    walk_differences(repo, old, new, BRIEFS, &mut |path, old, new| {
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
