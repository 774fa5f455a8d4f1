//! The ledger as it is at one commit. Everything is read from objects; the
//! checkout is never asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{ErrorCode, ObjectType, Oid, Repository};

use super::LedgerError;
use super::cache::{FactsKind, FolderGroup, FolderGroups};
use super::handle::{ObjectSource, Shared, find_commit, find_tree, hold, object_id};
use super::names::{self, FolderNames};
use super::path::{BRIEFS, Folder};
use super::tree::{LINK, SUBMODULE, TREE};
use super::tree_cache::TreeCache;
use super::tree_diff::entry_with_mode;
use crate::model::{Evidence, Gap, Key, ObjectId};

/// The files of a handoff, as far as they exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandoffFiles {
    /// `brief.yaml`.
    pub brief: Option<Vec<u8>>,
    /// `timeline.yaml`.
    pub timeline: Option<Vec<u8>>,
    /// `README.md`.
    pub readme: Option<Vec<u8>>,
    /// `sources.yaml`.
    pub sources: Option<Vec<u8>>,
}

/// One commit of the ledger, or the emptiness before the first.
#[derive(Clone)]
pub struct Snapshot {
    pub(super) repo: Shared,
    names: Arc<FolderNames>,
    root: PathBuf,
    commit: Option<Oid>,
    pub(super) tree: Option<Oid>,
}

impl Snapshot {
    /// The same place with a tree that no commit holds yet.
    pub(super) fn of_tree(
        repo: Shared,
        names: Arc<FolderNames>,
        root: &Path,
        tree: Option<Oid>,
    ) -> Self {
        Self { repo, names, root: root.to_path_buf(), commit: None, tree }
    }

    /// The same, as what a commit holds.
    pub(super) fn at(self, commit: Option<Oid>) -> Self {
        Self { commit, ..self }
    }

    /// The commit; `None` while the branch has none.
    #[must_use]
    pub fn commit(&self) -> Option<ObjectId> {
        self.commit.map(object_id)
    }

    /// A file of the commit.
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(tree) = self.tree else { return Ok(None) };
        let repo = hold(&self.repo);
        match self.names.trees().entry_at(&repo, tree, path)? {
            Some((id, ObjectType::Blob)) => read_blob(&repo, id).map(Some),
            Some((_, ObjectType::Any | ObjectType::Commit)) => {
                Err(not_followed(&repo, tree, path)?)
            }
            _ => Ok(None),
        }
    }

    /// The links and submodules below `briefs/` where a folder on the way to a
    /// handoff, or the handoff's own folder, belongs; sorted.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn not_followed(&self) -> Result<Vec<String>, LedgerError> {
        let Some(tree) = self.tree else { return Ok(Vec::new()) };
        let repo = hold(&self.repo);
        let mut found = Vec::new();
        names::not_followed(&repo, tree, &mut found)?;
        found.sort();
        Ok(found)
    }

    /// The ledger's tree; `None` before the first commit.
    #[must_use]
    pub fn tree(&self) -> Option<ObjectId> {
        self.tree.map(object_id)
    }

    /// The handoff folders, sorted by path, by reading names only; of one
    /// month (`2026/11`, as the layout has it) or of all. A part that cannot
    /// be read is a gap.
    pub fn folders(&self, month: Option<&str>) -> Evidence<Folder> {
        let Some(tree) = self.tree else { return Evidence::complete(Vec::new()) };
        let repo = hold(&self.repo);
        let start = month.map_or_else(|| BRIEFS.to_owned(), |month| format!("{BRIEFS}/{month}"));
        let top = match self.names.trees().entry_at(&repo, tree, &start) {
            Ok(Some((id, ObjectType::Tree))) => id,
            Ok(_) => return Evidence::complete(Vec::new()),
            Err(error) => {
                return Evidence::new(
                    Vec::new(),
                    vec![names::unreadable(&start, &error.to_string())],
                );
            }
        };
        let (mut folders, mut gaps) = (Vec::<Folder>::new(), Vec::<Gap>::new());
        names::walk(&repo, top, &start, &mut folders, &mut gaps);
        folders.sort();
        Evidence::new(folders, gaps)
    }

    /// What a visitor makes of the handoff folders as [`Snapshot::folders`] gives
    /// them, in groups, with what is kept of each folder that is the same as it was
    /// then. Of a group that is kept as it is now nothing is read, and what the
    /// visitor lets go of is not held until the last one.
    pub fn visit_groups<T: Send>(
        &self,
        kind: &FactsKind,
        month: Option<&str>,
        visit: impl Fn(FolderGroup) -> T + Sync,
    ) -> FolderGroups<T> {
        let start = month.map_or_else(|| BRIEFS.to_owned(), |month| format!("{BRIEFS}/{month}"));
        let top = {
            let Some(tree) = self.tree else { return FolderGroups::default() };
            let repo = hold(&self.repo);
            match self.names.trees().entry_at(&repo, tree, &start) {
                Ok(Some((id, ObjectType::Tree))) => id,
                Ok(_) => return FolderGroups::default(),
                Err(error) => {
                    let gaps = vec![names::unreadable(&start, &error.to_string())];
                    return FolderGroups { groups: Vec::new(), gaps };
                }
            }
        };
        names::visit_groups(&self.repo, self.names.git_dir(), kind, top, &start, visit)
    }

    /// The handoff folders by name alone, kept like other facts of them.
    #[must_use]
    pub fn folder_names(&self) -> Arc<FolderGroups<FolderGroup>> {
        let Some(tree) = self.tree else { return Arc::default() };
        if let Some(names) = self.names.last_groups(tree) {
            return names;
        }
        let kind = FactsKind::new("names", 1, b"");
        let names = Arc::new(self.visit_groups(&kind, None, |group| {
            // Only what is on the ledger's branch comes again.
            if self.commit.is_some() {
                group.save_names(self.names.git_dir(), &kind);
            }
            group
        }));
        self.names.keep_groups(tree, &names);
        names
    }

    /// The brief and the timeline in a handoff's folder, by the folder's tree; its
    /// path is for messages.
    ///
    /// # Errors
    /// When an object cannot be read, or is a link.
    pub fn files_in(&self, tree: ObjectId, folder: &str) -> Result<HandoffFiles, LedgerError> {
        let repo = hold(&self.repo);
        let tree = Oid::from_bytes(&tree.0)
            .and_then(|id| find_tree(&repo, id))
            .map_err(LedgerError::git("reading a folder", repo.path()))?;
        let file = |name: &str| {
            let Some(entry) = tree.get(name) else { return Ok(None) };
            let what = match entry.mode {
                LINK => "a symbolic link",
                SUBMODULE => "a submodule",
                TREE => return Ok(None),
                _ => return read_blob(&repo, entry.id).map(Some),
            };
            Err(LedgerError::NotFollowed { path: format!("{folder}/{name}"), what })
        };
        Ok(HandoffFiles {
            brief: file("brief.yaml")?,
            timeline: file("timeline.yaml")?,
            readme: None,
            sources: None,
        })
    }

    /// The folder of a key: looked for in the month where it should be, then
    /// everywhere (a brief does not move when it is signed later).
    ///
    /// # Errors
    /// When an object cannot be read: a folder that is not seen would be made twice.
    pub fn find(&self, key: &Key, month: Option<&str>) -> Result<Option<Folder>, LedgerError> {
        let Some(tree) = self.tree else { return Ok(None) };
        let mut seen = None;
        if let Some(month) = month {
            let repo = hold(&self.repo);
            let start = format!("{BRIEFS}/{month}");
            if let Some((id, ObjectType::Tree)) =
                self.names.trees().entry_at(&repo, tree, &start)?
            {
                if let Some(folder) = self.names.find_in(&repo, id, &start, key)? {
                    return Ok(Some(folder));
                }
                seen = Some(id);
            }
        }
        if self.commit.is_some()
            && self.names.is_seldom_asked()
            && let Some(found) = self.find_by_name(key)
        {
            return Ok(found);
        }
        let repo = hold(&self.repo);
        match self.names.trees().entry_at(&repo, tree, BRIEFS)? {
            Some((top, ObjectType::Tree)) => self.names.find(&repo, top, BRIEFS, key, seen),
            _ => Ok(None),
        }
    }

    /// The first folder of a key by the names that are kept; `None` where they
    /// do not say it for certain.
    fn find_by_name(&self, key: &Key) -> Option<Option<Folder>> {
        let names = self.folder_names();
        if !names.gaps.is_empty() {
            return None;
        }
        let mut found: Option<Folder> = None;
        for folder in names.groups.iter().flat_map(|(_, group)| group.ending_in(key)) {
            // A name that is no text stands here with other letters.
            if folder.path.contains(char::REPLACEMENT_CHARACTER) {
                return None;
            }
            if folder.key.as_ref() == Some(key)
                && found.as_ref().is_none_or(|other| folder.path < other.path)
            {
                found = Some(folder);
            }
        }
        Some(found)
    }

    /// The files of a handoff.
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn handoff(&self, folder: &Folder) -> Result<HandoffFiles, LedgerError> {
        let file = |name: &str| self.read(&format!("{}/{name}", folder.path));
        Ok(HandoffFiles {
            brief: file("brief.yaml")?,
            timeline: file("timeline.yaml")?,
            readme: file("README.md")?,
            sources: file("sources.yaml")?,
        })
    }

    /// Where the ledger lies, for messages.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// The tree of a commit.
pub(super) fn tree_of(repo: &Repository, commit: Oid) -> Result<Oid, LedgerError> {
    find_commit(repo, commit)
        .map(|commit| commit.tree_id())
        .map_err(LedgerError::git("reading a commit", repo.path()))
}

/// The ledger's own tree in a commit; `None` where the commit has none.
pub(super) fn ledger_tree(
    repo: &Repository,
    commit: Oid,
    prefix: &str,
) -> Result<Option<Oid>, LedgerError> {
    let tree = tree_of(repo, commit)?;
    if prefix.is_empty() {
        return Ok(Some(tree));
    }
    match entry_at(repo, tree, prefix)? {
        Some((id, ObjectType::Tree)) => Ok(Some(id)),
        Some((_, ObjectType::Any | ObjectType::Commit)) => Err(not_followed(repo, tree, prefix)?),
        _ => Ok(None),
    }
}

/// What a tree has at a path, for one look.
pub(super) fn entry_at(
    objects: &dyn ObjectSource,
    tree: Oid,
    path: &str,
) -> Result<Option<(Oid, ObjectType)>, LedgerError> {
    TreeCache::default().entry_at(objects, tree, path)
}

/// Which part of a path is a link or a submodule.
fn not_followed(
    objects: &dyn ObjectSource,
    tree: Oid,
    path: &str,
) -> Result<LedgerError, LedgerError> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        let what = match entry_with_mode(objects, Some(tree), &path[..end])? {
            Some((_, LINK)) => "a symbolic link",
            Some((_, SUBMODULE)) => "a submodule",
            _ => continue,
        };
        return Ok(LedgerError::NotFollowed { path: path[..end].to_owned(), what });
    }
    Ok(LedgerError::NotFollowed { path: path.to_owned(), what: "not a file" })
}

/// A blob's bytes.
pub(super) fn read_blob(objects: &dyn ObjectSource, id: Oid) -> Result<Vec<u8>, LedgerError> {
    let failed = |error: git2::Error| {
        let doing = if error.code() == ErrorCode::NotFound {
            "reading a file's object, which is not in this clone (a partial clone?),"
        } else {
            "reading a file's object"
        };
        LedgerError::git(doing, objects.folder())(error)
    };
    match objects.object(id).map_err(failed)? {
        (ObjectType::Blob, bytes) => Ok(bytes.to_vec()),
        _ => Err(failed(git2::Error::from_str("it is not a file's"))),
    }
}
