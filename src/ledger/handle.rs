//! The repository handle that threads share, and what is looked up with it:
//! objects, branches, remotes, revisions, ids.

#![expect(
    clippy::disallowed_methods,
    reason = "here, and nowhere else, objects are read by libgit2, after a look whether they are whole"
)]

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::{
    Blob, Commit, ErrorClass, ErrorCode, Object, ObjectType, Oid, Reference, Repository, Tag,
};

use super::tree::Tree;
use super::{LedgerError, loose};
use crate::model::ObjectId;

/// A repository, with objects that are not part of it yet.
pub(super) struct Handle {
    repo: Repository,
    /// Has the files of the objects that have one of their own.
    git_dir: PathBuf,
    pub(super) new: HashMap<Oid, (ObjectType, Arc<[u8]>)>,
    /// The folders that were read, where the handle is used for one piece of work.
    folders: Option<RefCell<HashMap<Oid, Arc<[u8]>>>>,
}

impl Handle {
    /// A repository, whose objects have their files below a git folder.
    pub(super) fn new(repo: Repository, git_dir: &Path) -> Self {
        Self { repo, git_dir: git_dir.to_path_buf(), new: HashMap::new(), folders: None }
    }

    /// The same for one piece of work, which goes through the same folders again
    /// and again.
    pub(super) fn for_work(repo: Repository, git_dir: &Path) -> Self {
        Self { folders: Some(RefCell::default()), ..Self::new(repo, git_dir) }
    }
}

impl Deref for Handle {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repo
    }
}

/// A repository handle that threads take turns with.
pub(super) type Shared = Arc<Mutex<Handle>>;

pub(super) fn hold(repo: &Shared) -> MutexGuard<'_, Handle> {
    // A panic elsewhere leaves nothing half done in a handle.
    repo.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What objects are read from.
pub(super) trait ObjectSource {
    /// Kind and bytes of an object that is whole.
    ///
    /// # Errors
    /// When it is not there, or cut or damaged.
    fn object(&self, id: Oid) -> Result<(ObjectType, Arc<[u8]>), git2::Error>;

    /// The git folder, for messages.
    fn folder(&self) -> &Path;
}

impl ObjectSource for Repository {
    fn object(&self, id: Oid) -> Result<(ObjectType, Arc<[u8]>), git2::Error> {
        read_object(self, self.commondir(), id)
    }

    fn folder(&self) -> &Path {
        self.path()
    }
}

impl ObjectSource for Handle {
    fn object(&self, id: Oid) -> Result<(ObjectType, Arc<[u8]>), git2::Error> {
        if let Some((kind, bytes)) = self.new.get(&id) {
            return Ok((*kind, Arc::clone(bytes)));
        }
        let known = self.folders.as_ref().and_then(|known| known.borrow().get(&id).cloned());
        if let Some(bytes) = known {
            return Ok((ObjectType::Tree, bytes));
        }
        let (kind, bytes) = read_object(&self.repo, &self.git_dir, id)?;
        if let Some(known) = self.folders.as_ref().filter(|_| kind == ObjectType::Tree) {
            known.borrow_mut().insert(id, Arc::clone(&bytes));
        }
        Ok((kind, bytes))
    }

    fn folder(&self) -> &Path {
        self.repo.path()
    }
}

impl<T: ObjectSource> ObjectSource for MutexGuard<'_, T> {
    fn object(&self, id: Oid) -> Result<(ObjectType, Arc<[u8]>), git2::Error> {
        T::object(self, id)
    }

    fn folder(&self) -> &Path {
        T::folder(self)
    }
}

/// Refuses an object whose own file is cut, which libgit2 would read without end.
///
/// # Errors
/// When it is cut or damaged.
pub(super) fn check_whole(git_dir: &Path, id: Oid) -> Result<(), git2::Error> {
    if !loose::is_torn(git_dir, id) {
        return Ok(());
    }
    Err(git2::Error::from_str(&format!(
        "the file of the object {id} is cut or damaged; `git fsck` names all such, and another clone has them whole"
    )))
}

/// A commit whose object is whole.
pub(super) fn find_commit(repo: &Repository, id: Oid) -> Result<Commit<'_>, git2::Error> {
    check_whole(repo.commondir(), id).and_then(|()| repo.find_commit(id))
}

/// The tree of a commit, both of them whole.
pub(super) fn tree_of_commit(repo: &Repository, id: Oid) -> Result<Tree, git2::Error> {
    find_commit(repo, id).and_then(|commit| find_tree(repo, commit.tree_id()))
}

/// A blob whose object is whole.
pub(super) fn find_blob(repo: &Repository, id: Oid) -> Result<Blob<'_>, git2::Error> {
    check_whole(repo.commondir(), id).and_then(|()| repo.find_blob(id))
}

/// A tag whose object is whole.
pub(super) fn find_tag(repo: &Repository, id: Oid) -> Result<Tag<'_>, git2::Error> {
    check_whole(repo.commondir(), id).and_then(|()| repo.find_tag(id))
}

/// What a tag may point to, whole.
pub(super) fn find_target(repo: &Repository, id: Oid) -> Result<Object<'_>, git2::Error> {
    find_commit(repo, id).map(Commit::into_object)
}

/// Kind and bytes of an object that is whole; `git_dir` has its file, where it
/// has one of its own.
pub(super) fn read_object(
    repo: &Repository,
    git_dir: &Path,
    id: Oid,
) -> Result<(ObjectType, Arc<[u8]>), git2::Error> {
    check_whole(git_dir, id)?;
    let odb = repo.odb()?;
    let object = odb.read(id)?;
    Ok((object.kind(), object.data().into()))
}

/// So many commits behind a tip are looked at before libgit2 walks from it.
/// What a machine that stopped has cut is among the newest.
pub(super) const LOOKED_AT: usize = 128;

/// Refuses a history among whose newest `most` commits is one whose file is
/// cut, for what libgit2 walks by itself: ranges, ancestors, merge bases.
///
/// # Errors
/// When one is cut or damaged.
pub(super) fn check_history(
    repo: &Repository,
    tips: impl IntoIterator<Item = Oid>,
    most: usize,
) -> Result<(), git2::Error> {
    let mut next: VecDeque<Oid> = tips.into_iter().collect();
    let mut seen = HashSet::new();
    while let Some(id) = next.pop_front() {
        if seen.len() == most || !seen.insert(id) {
            continue;
        }
        match find_commit(repo, id) {
            // Whoever walks there says that it is missing.
            Err(error) if error.code() == ErrorCode::NotFound => {}
            commit => next.extend(commit?.parent_ids()),
        }
    }
    Ok(())
}

/// What [`check_history`] does, for what a revision such as `HEAD~8` walks over.
fn check_revision(repo: &Repository, revision: &str) -> Result<(), git2::Error> {
    let end = revision.find(['~', '^', '@', ':']).unwrap_or(revision.len());
    let (name, steps) = revision.split_at(end);
    let of_reference = || {
        let reference = repo.resolve_reference_from_short_name(name).ok()?;
        reference.resolve().ok()?.target()
    };
    let of_id = || repo.odb().ok()?.exists_prefix(Oid::from_str(name).ok()?, name.len()).ok();
    // What names nothing is refused where it is looked up.
    let Some(id) = of_reference().or_else(of_id) else { return Ok(()) };
    check_whole(repo.commondir(), id)?;
    let commit = repo.find_object(id, None)?.peel(ObjectType::Commit);
    let Some(commit) = commit.ok().filter(|_| !steps.is_empty()) else { return Ok(()) };
    let numbers = steps.split(|c: char| !c.is_ascii_digit());
    let far: usize =
        numbers.filter_map(|it| it.parse::<usize>().ok()).fold(0, usize::saturating_add);
    check_history(repo, [commit.id()], far.saturating_add(LOOKED_AT))
}

/// A tree whose object is whole.
pub(super) fn find_tree(objects: &dyn ObjectSource, id: Oid) -> Result<Tree, git2::Error> {
    match objects.object(id)? {
        (ObjectType::Tree, bytes) => Tree::parse(bytes),
        _ => Err(git2::Error::from_str("a folder's object is not one")),
    }
}

/// Refuses a tree below which a folder's file is cut, for what libgit2 walks by
/// itself: the checkout's status.
///
/// # Errors
/// When one is cut or damaged.
pub(super) fn check_folders(repo: &Repository, top: Oid) -> Result<(), git2::Error> {
    if !loose::is_any_torn(repo.commondir()) {
        return Ok(());
    }
    let mut open = vec![top];
    while let Some(id) = open.pop() {
        let tree = find_tree(repo, id)?;
        open.extend(tree.iter().filter(|entry| entry.is_folder()).map(|entry| entry.id));
    }
    Ok(())
}

/// An id in the words of the facts.
pub(super) fn object_id(id: Oid) -> ObjectId {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(id.as_bytes());
    ObjectId(bytes)
}

pub(super) fn check_branch(name: &str) -> Result<(), LedgerError> {
    if Reference::is_valid_name(&format!("refs/heads/{name}")) && !name.starts_with('-') {
        Ok(())
    } else {
        Err(LedgerError::BadBranch { name: name.to_owned() })
    }
}

/// `origin`, else the only remote there is.
pub(super) fn usual_remote(repo: &Repository) -> Option<String> {
    let remotes = remote_names(repo);
    if remotes.iter().any(|name| name == "origin") {
        return Some("origin".into());
    }
    match &remotes[..] {
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// The names of all remotes, sorted.
pub(super) fn remote_names(repo: &Repository) -> Vec<String> {
    let Ok(remotes) = repo.remotes() else { return Vec::new() };
    let mut names: Vec<String> =
        remotes.iter().filter_map(|name| name.ok().flatten().map(str::to_owned)).collect();
    names.sort();
    names
}

/// The commit of a local branch.
pub(super) fn branch_commit(
    repo: &Repository,
    refname: &str,
    root: &Path,
) -> Result<Option<Oid>, LedgerError> {
    match repo.refname_to_id(refname) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(LedgerError::git("reading the branch", root)(error)),
    }
}

/// The commit of a local branch, else of the remote's branch of that name. One
/// that is not there and has a log is not taken for one that never was: its
/// history would be started again.
pub(super) fn branch_or_remote(
    repo: &Repository,
    branch: &str,
    root: &Path,
) -> Result<Option<Oid>, LedgerError> {
    let refname = format!("refs/heads/{branch}");
    let lost = |cut| {
        let last = last_logged(repo, branch)?;
        Some(LedgerError::BranchLost { branch: branch.to_owned(), last, cut })
    };
    match branch_commit(repo, &refname, root) {
        Ok(Some(id)) => return Ok(Some(id)),
        Ok(None) => {
            if let Some(lost) = lost(None) {
                return Err(lost);
            }
        }
        Err(error) => {
            // What a power failure makes of a file that was not on the disk.
            let file = repo.commondir().join(&refname);
            let is_cut = std::fs::read(&file).is_ok_and(|it| it.iter().all(|byte| *byte == 0));
            return Err(is_cut.then(|| lost(Some(file))).flatten().unwrap_or(error));
        }
    }
    match usual_remote(repo) {
        Some(remote) => branch_commit(repo, &format!("refs/remotes/{remote}/{branch}"), root),
        None => Ok(None),
    }
}

/// Where a local branch was last, by its log, which git removes with the branch.
fn last_logged(repo: &Repository, branch: &str) -> Option<String> {
    let log = std::fs::read(repo.commondir().join("logs/refs/heads").join(branch)).ok()?;
    let log = String::from_utf8_lossy(&log);
    let last = log.lines().last()?.split(' ').nth(1)?;
    Oid::from_str(last).ok().filter(|id| !id.is_zero()).map(|id| id.to_string())
}

/// The commit that a revision names.
pub(super) fn resolve(repo: &Repository, revision: &str, root: &Path) -> Result<Oid, LedgerError> {
    let unknown =
        || LedgerError::UnknownRevision { path: root.to_path_buf(), name: revision.to_owned() };
    check_revision(repo, revision).map_err(LedgerError::git("looking up a revision", root))?;
    let object =
        repo.revparse_single(revision).map_err(|error| match (error.code(), error.class()) {
            (ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Ambiguous, _)
            | (_, ErrorClass::Reference) => unknown(),
            _ => LedgerError::git("looking up a revision", root)(error),
        })?;
    object.peel_to_commit().map(|commit| commit.id()).map_err(|_| unknown())
}
