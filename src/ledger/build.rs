//! Commits being built on top of each other, in staging; the branch is not
//! touched here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{Oid, Repository};

use super::change::Change;
use super::handle::{find_commit, hold};
use super::merge::{TreeMerge, Wish};
use super::names::FolderNames;
use super::snapshot::{Snapshot, ledger_tree, read_blob, tree_of};
use super::staging::Staging;
use super::tree::TREE;
use super::tree_diff::entry_with_mode;
use super::tree_edit::{Edits, edit_tree, graft};
use super::{Identity, LedgerError};

/// A commit is never dated before its parent when the clocks of two machines
/// differ by no more than this; a parent further ahead is somebody's mistake.
const SKEW: i64 = 600;

/// Commits on top of each other that are not part of the repository yet.
pub(super) struct Build {
    pub(super) staging: Staging,
    /// The commit that the first one builds on.
    pub(super) start: Option<Oid>,
    /// One for each change; `None` where it changed nothing.
    pub(super) made: Vec<Option<Oid>>,
    pub(super) onto: TreeMerge,
    /// The ledger's own tree.
    pub(super) tree: Option<Oid>,
    /// The repository's tree, where the ledger is a folder of it.
    whole: Option<Oid>,
    prefix: String,
    pub(super) last_time: i64,
    identity: Identity,
    tip: Option<Oid>,
    /// What the changes were made from, where that is not `start`.
    seen: Option<Option<Oid>>,
    ours: BTreeMap<String, Option<Vec<u8>>>,
}

/// Where commits are made, and by whom.
pub(super) struct CommitPlace<'a> {
    pub(super) git_dir: &'a Path,
    pub(super) identity: &'a Identity,
    /// The folder of the repository that is the ledger; empty where all of it is.
    pub(super) prefix: &'a str,
    /// Where git runs to sign commits; `None` where they are not signed.
    pub(super) signing: Option<PathBuf>,
}

impl Build {
    pub(super) fn start(
        place: CommitPlace<'_>,
        repo: &Repository,
        seen: Option<Oid>,
        start: Option<Oid>,
    ) -> Result<Self, LedgerError> {
        let CommitPlace { git_dir, identity, prefix, signing } = place;
        let staging = Staging::begin(git_dir, signing)?;
        let tree = |commit: Option<Oid>| match commit {
            Some(id) => ledger_tree(repo, id, prefix),
            None => Ok(None),
        };
        let last_time = match start {
            Some(id) => find_commit(repo, id)
                .map(|commit| commit.time().seconds())
                .map_err(LedgerError::git("reading a commit", git_dir))?,
            None => i64::MIN,
        };
        Ok(Self {
            staging,
            start,
            tip: start,
            made: Vec::new(),
            onto: TreeMerge::default(),
            tree: tree(start)?,
            whole: start.map(|id| tree_of(repo, id)).transpose()?,
            prefix: prefix.to_owned(),
            seen: if seen == start { None } else { Some(tree(seen)?) },
            last_time,
            identity: identity.clone(),
            ours: BTreeMap::new(),
        })
    }

    pub(super) fn tip(&self) -> Option<Oid> {
        self.tip
    }

    /// The state so far, for reading.
    pub(super) fn snapshot(&self, names: Arc<FolderNames>, root: &Path) -> Snapshot {
        Snapshot::of_tree(Arc::clone(self.staging.repo()), names, root, self.tree)
    }

    /// Adds a commit for a change.
    pub(super) fn add(&mut self, change: &Change) -> Result<Option<Oid>, LedgerError> {
        let paths = change.paths()?;
        let files = match self.seen {
            None => {
                paths.into_iter().map(|(path, bytes)| (path, bytes.map(<[u8]>::to_vec))).collect()
            }
            Some(seen) => self.resolve(seen, paths)?,
        };
        let when = change.when.timestamp();
        let id = self.add_files(files, &change.message(), None, when)?;
        self.made.push(id);
        Ok(id)
    }

    fn resolve(
        &mut self,
        seen: Option<Oid>,
        paths: BTreeMap<String, Option<&[u8]>>,
    ) -> Result<BTreeMap<String, Option<Vec<u8>>>, LedgerError> {
        let repo = hold(self.staging.repo());
        let mut wishes = Vec::with_capacity(paths.len());
        for (path, ours) in paths {
            let base = match self.ours.get(&path) {
                Some(base) => base.clone(),
                None => match entry_with_mode(&repo, seen, &path)? {
                    Some((id, mode)) if mode != TREE => Some(read_blob(&repo, id)?),
                    _ => None,
                },
            };
            let ours = ours.map(<[u8]>::to_vec);
            self.ours.insert(path.clone(), ours.clone());
            wishes.push(Wish { path, base, ours });
        }
        self.onto.resolve(&repo, self.tree, wishes)
    }

    /// Adds a commit that writes files, unless they are as they are to be.
    pub(super) fn add_files(
        &mut self,
        files: BTreeMap<String, Option<Vec<u8>>>,
        message: &str,
        author: Option<(Identity, i64)>,
        when: i64,
    ) -> Result<Option<Oid>, LedgerError> {
        let mut edits = Edits::new();
        for (path, bytes) in files {
            let id = bytes.map(|bytes| self.staging.blob(bytes)).transpose()?;
            edits.insert(path, id);
        }
        let tree = edit_tree(&mut self.staging, self.tree, &edits)?;
        if tree == self.tree {
            return Ok(None);
        }
        let whole = match self.prefix.is_empty() {
            true => tree,
            false => graft(&mut self.staging, self.whole, &self.prefix, tree)?,
        };
        let root = match whole {
            Some(tree) => tree,
            None => self.staging.empty_tree()?,
        };
        let ahead = self.last_time.saturating_sub(when);
        let at = if (1..=SKEW).contains(&ahead) { self.last_time } else { when };
        let (author, committer) = {
            let repo = hold(self.staging.repo());
            let author = match author {
                Some((who, at)) => who.signature(&repo, at)?,
                None => self.identity.signature(&repo, when)?,
            };
            (author, self.identity.signature(&repo, at)?)
        };
        let id = self.staging.commit(&author, &committer, message, root, self.tip)?;
        self.tip = Some(id);
        self.whole = Some(root);
        self.tree = if self.prefix.is_empty() { Some(root) } else { tree };
        self.last_time = at;
        Ok(Some(id))
    }
}
