//! A checkout follows its branch: the files that differ between the commit it
//! shows and the new one, each only where neither the file nor its index entry
//! was touched by a person. Everything else stays as it is.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use git2::{Index, Oid, Repository};

use super::LedgerError;
use super::eol::{ATTRIBUTES, AttributeSource, LineRules, for_checkout, is_same};
use super::git_program;
use super::handle::ObjectSource;
use super::index_file::IndexLock;
use super::snapshot::{read_blob, tree_of};
use super::tree::ObjectAndMode;
use super::tree_diff::{FileDiff, differing_files, is_plain};
use super::working_file::{self, bare_entry};

pub(super) const SKIP_WORKTREE: u16 = 1 << 14;
const INTENT_TO_ADD: u16 = 1 << 13;
const SYMLINK_HELP: &str = "a symbolic link lies on the way";

/// What was left as it is in a checkout, and why. The commit is made in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckoutRemark {
    /// The file has changes that are not committed.
    FileLeft {
        /// The file.
        path: String,
    },
    /// Something else is staged for the file.
    StagedLeft {
        /// The file.
        path: String,
    },
    /// The file cannot be followed.
    NotFollowed {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// The whole checkout is behind its branch; the next write tries again.
    CheckoutBehind {
        /// The checkout.
        checkout: PathBuf,
        /// Why.
        why: String,
    },
}

impl fmt::Display for CheckoutRemark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileLeft { path } => write!(
                f,
                "{path} has uncommitted changes and was left alone; `git diff HEAD -- {path}` shows both"
            ),
            Self::StagedLeft { path } => write!(
                f,
                "{path} has staged changes and was left alone; `git diff HEAD -- {path}` shows both"
            ),
            Self::NotFollowed { path, why } => {
                write!(f, "{path} was not updated in the checkout: {why}")
            }
            Self::CheckoutBehind { checkout, why } => write!(
                f,
                "the checkout {} is behind its branch: {why}; the next write catches up",
                checkout.display()
            ),
        }
    }
}

/// The git folders of the checkouts (the main one and linked worktrees) that have a branch checked out.
pub(super) fn following(repo: &Repository, git_dir: &Path, refname: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let is_bare = || match repo.is_worktree() {
        true => Repository::open(git_dir).map_or(true, |main| main.is_bare()),
        false => repo.is_bare(),
    };
    if has_checked_out(git_dir, refname) && !is_bare() {
        found.push(git_dir.to_path_buf());
    }
    let linked = fs::read_dir(git_dir.join("worktrees")).into_iter().flatten().flatten();
    found.extend(linked.map(|entry| entry.path()).filter(|dir| has_checked_out(dir, refname)));
    found.sort();
    found
}

/// Whether a checkout, by its git folder, is on a branch.
pub(super) fn has_checked_out(checkout: &Path, refname: &str) -> bool {
    fs::read_to_string(checkout.join("HEAD"))
        .is_ok_and(|head| head.trim_end().strip_prefix("ref: ") == Some(refname))
}

/// What a checkout is followed with.
#[derive(Clone, Copy)]
pub(super) struct ReadFrom<'a> {
    pub(super) objects: &'a dyn ObjectSource,
    /// A repository of this machine without attributes of its own, if there is one.
    pub(super) plain: Option<&'a Repository>,
}

/// Brings one checkout, whose index is locked, from the commit it shows to another.
/// `Ok(false)` if it could not be done now.
pub(super) fn follow(
    checkout: &Path,
    commits: [Option<Oid>; 2],
    from: ReadFrom<'_>,
    lock: Option<IndexLock>,
    remarks: &mut Vec<CheckoutRemark>,
) -> Result<bool, LedgerError> {
    let repo =
        Repository::open(checkout).map_err(LedgerError::git("opening the checkout", checkout))?;
    let Some(root) = repo.workdir().map(Path::to_path_buf).filter(|root| root.is_dir()) else {
        return Ok(true);
    };
    let tree = |commit: Option<Oid>| commit.map(|id| tree_of(&repo, id)).transpose();
    let [old, new] = commits;
    let files = differing_files(from.objects, tree(old)?, tree(new)?)?;
    if files.is_empty() {
        return Ok(true);
    }
    let behind =
        |why: &str| CheckoutRemark::CheckoutBehind { checkout: root.clone(), why: why.to_owned() };
    let Some(lock) = lock else {
        remarks.push(behind("another git program holds its index (index.lock)"));
        return Ok(false);
    };
    let Some(mut index) = lock.open(&root)? else {
        remarks.push(behind(
            "its index is of a kind that handoff cannot read; `git restore --staged --worktree briefs` brings the files",
        ));
        return Ok(true);
    };
    repo.set_index(&mut index).map_err(LedgerError::git("reading the index", checkout))?;
    let outside = outside_of_sparse(&repo, &root, &files);
    let brings_some = files.iter().any(|file| file.path.ends_with(ATTRIBUTES));
    let rules = LineRules::of(AttributeSource::new(&repo, from.plain.filter(|_| !brings_some)));
    let mut checkout = Checkout {
        git_dir: repo.path(),
        objects: from.objects,
        root: &root,
        rules,
        index: &mut index,
        folder: None,
    };
    for file in &files {
        checkout.follow_file(file, outside.contains(&file.path), remarks)?;
    }
    index.write().map_err(LedgerError::git("writing the index", &root))?;
    drop(index);
    lock.publish()?;
    Ok(true)
}

struct Checkout<'a> {
    git_dir: &'a Path,
    objects: &'a dyn ObjectSource,
    root: &'a Path,
    rules: LineRules<'a>,
    index: &'a mut Index,
    /// The folder of the file before this one, where it is there and no link
    /// lies on the way.
    folder: Option<String>,
}

/// What lies in the checkout at a path.
enum Lying {
    Nothing,
    File(Vec<u8>),
    /// A folder, a link, or a file behind a link.
    Other,
}

impl Checkout<'_> {
    fn follow_file(
        &mut self,
        file: &FileDiff,
        outside: bool,
        remarks: &mut Vec<CheckoutRemark>,
    ) -> Result<(), LedgerError> {
        let path = file.path.clone();
        let not_plain = |entry: Option<ObjectAndMode>| entry.is_some_and(|entry| !is_plain(entry));
        if not_plain(file.old) || not_plain(file.new) {
            remarks.push(CheckoutRemark::NotFollowed {
                path,
                why: "it is not a plain file; `git restore` brings it".into(),
            });
            return Ok(());
        }
        let entry = self.index.get_path(Path::new(&path), 0);
        let holds = |side: Option<ObjectAndMode>| match (&entry, side) {
            (None, None) => true,
            (Some(entry), Some((id, _))) => {
                entry.id == id && entry.flags_extended & INTENT_TO_ADD == 0
            }
            _ => false,
        };
        if self.is_in_conflict(&path) || !(holds(file.old) || holds(file.new)) {
            remarks.push(CheckoutRemark::StagedLeft { path });
            return Ok(());
        }
        let hidden = entry.as_ref().is_some_and(|e| e.flags_extended & SKIP_WORKTREE != 0);
        if hidden || (entry.is_none() && outside) {
            return self.set_entry(&path, file.new, SKIP_WORKTREE);
        }
        let lying = self.lying(&path);
        let blob = |side: Option<ObjectAndMode>| {
            side.map(|(id, _)| read_blob(self.objects, id)).transpose()
        };
        let (before, after) = (blob(file.old)?, blob(file.new)?);
        let is = |bytes: &[u8], side: &Option<Vec<u8>>| {
            side.as_ref().is_some_and(|blob| is_same(bytes, blob))
        };
        match (&lying, &after) {
            (Lying::Other, _) => {
                remarks.push(CheckoutRemark::NotFollowed { path, why: SYMLINK_HELP.into() });
                Ok(())
            }
            (Lying::File(bytes), Some(_)) if is(bytes, &after) => self.add(&path, file.new),
            (Lying::File(bytes), Some(blob)) if is(bytes, &before) => {
                self.write(&path, blob, file.new)
            }
            (Lying::Nothing, Some(blob)) if before.is_none() && entry.is_none() => {
                self.write(&path, blob, file.new)
            }
            (Lying::File(bytes), None) if is(bytes, &before) => {
                self.remove_file(&path)?;
                self.set_entry(&path, None, 0)
            }
            (Lying::Nothing, None) => self.set_entry(&path, None, 0),
            _ => {
                remarks.push(CheckoutRemark::FileLeft { path });
                Ok(())
            }
        }
    }

    fn is_in_conflict(&self, path: &str) -> bool {
        (1..=3).any(|stage| self.index.get_path(Path::new(path), stage).is_some())
    }

    fn lying(&mut self, path: &str) -> Lying {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut at = self.root.to_path_buf();
        // The files of a handoff come one after the other.
        if self.folder.as_deref() == Some(folder) {
            at.push(folder);
        } else {
            self.folder = None;
            for part in folder.split('/').filter(|part| !part.is_empty()) {
                at.push(part);
                let Ok(meta) = fs::symlink_metadata(&at) else { return Lying::Nothing };
                if meta.is_symlink() || !meta.is_dir() {
                    return Lying::Other;
                }
            }
            self.folder = Some(folder.to_owned());
        }
        at.push(name);
        match fs::symlink_metadata(&at) {
            Err(_) => Lying::Nothing,
            Ok(meta) if meta.is_file() => fs::read(&at).map_or(Lying::Other, Lying::File),
            Ok(_) => Lying::Other,
        }
    }

    /// Writes a file whole or not at all: half a file would look like a person's change.
    fn write(
        &mut self,
        path: &str,
        blob: &[u8],
        entry: Option<ObjectAndMode>,
    ) -> Result<(), LedgerError> {
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(self.root);
        // Otherwise there is nothing at its place, or nothing to be made.
        if self.folder.is_none() {
            fs::create_dir_all(folder).map_err(LedgerError::io("making the folder", folder))?;
            self.folder = Some(path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned());
        }
        let bytes = for_checkout(blob, self.rules.at(path));
        let Some((id, mode)) = entry else { return Ok(()) };
        let mut entry = bare_entry(path, id, mode);
        working_file::put(self.git_dir, &target, &bytes, &mut entry)
            .map_err(LedgerError::io("writing", &target))?;
        self.index.add(&entry).map_err(LedgerError::git("changing the index", self.root))
    }

    /// Enters a file that lies in the checkout, with its times, so that git need not read it again.
    fn add(&mut self, path: &str, entry: Option<ObjectAndMode>) -> Result<(), LedgerError> {
        let Some((id, _)) = entry else { return Ok(()) };
        let added = self.index.add_path(Path::new(path)).is_ok();
        let right = self.index.get_path(Path::new(path), 0).is_some_and(|entry| entry.id == id);
        // Changed in this moment, or not to be read: then git will look for itself.
        if added && right { Ok(()) } else { self.set_entry(path, entry, 0) }
    }

    fn set_entry(
        &mut self,
        path: &str,
        entry: Option<ObjectAndMode>,
        extended: u16,
    ) -> Result<(), LedgerError> {
        let result = match entry {
            None => match self.index.get_path(Path::new(path), 0) {
                Some(_) => self.index.remove(Path::new(path), 0),
                None => Ok(()),
            },
            Some((id, mode)) => {
                let mut entry = bare_entry(path, id, mode);
                entry.flags_extended = extended;
                self.index.add(&entry)
            }
        };
        result.map_err(LedgerError::git("changing the index", self.root))
    }

    /// Removes a file, and the folders that are empty without it, as git does.
    fn remove_file(&mut self, path: &str) -> Result<(), LedgerError> {
        self.folder = None;
        let target = self.root.join(path);
        fs::remove_file(&target).map_err(LedgerError::io("removing", &target))?;
        let mut folder = target.parent();
        while let Some(dir) = folder.filter(|dir| *dir != self.root) {
            if fs::remove_dir(dir).is_err() {
                break;
            }
            folder = dir.parent();
        }
        Ok(())
    }
}

/// The new files that a sparse checkout does not want; all of them if git
/// cannot say, since a file that is missing can be had at any time.
fn outside_of_sparse(
    repo: &Repository,
    root: &Path,
    files: &[FileDiff],
) -> std::collections::BTreeSet<String> {
    let sparse = repo.config().ok().and_then(|config| config.get_bool("core.sparsecheckout").ok());
    if sparse != Some(true) {
        return std::collections::BTreeSet::new();
    }
    let new: Vec<&str> =
        files.iter().filter(|file| file.new.is_some()).map(|file| file.path.as_str()).collect();
    let inside = git_program::sparse_paths(root, &new).unwrap_or_default();
    new.into_iter().filter(|path| !inside.contains(*path)).map(str::to_owned).collect()
}
