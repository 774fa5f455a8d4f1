//! Finding, opening and making the repository, and which branch is the ledger's.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use git2::{Config, ErrorClass, ErrorCode, Reference, Repository, RepositoryInitOptions};

use super::names::Names;
use super::snapshot::Snapshot;
use super::{Identity, LedgerError};
use crate::model::{Evidence, Key, ObjectId};

use super::path::Folder;
use super::snapshot::HandoffFiles;

/// A repository handle that threads take turns with.
pub(super) type Shared = Arc<Mutex<Repository>>;

pub(super) fn hold(repo: &Shared) -> MutexGuard<'_, Repository> {
    // A panic elsewhere leaves nothing half done in a handle.
    repo.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The ledger: one branch of one git repository.
#[derive(Clone)]
pub struct Ledger {
    repo: Shared,
    names: Arc<Names>,
    root: PathBuf,
    common: PathBuf,
    branch: String,
    /// Why it is not certain that this is the branch; such a ledger is not written.
    doubt: Option<String>,
    identity: Identity,
    network: Network,
}

/// How long git may take for the network, and whether it took that long already.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) limit: Duration,
    pub(super) is_silent: Arc<AtomicBool>,
}

/// A remote that takes longer is treated as one that is not there.
const NETWORK: Duration = Duration::from_secs(30);

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("root", &self.root).field("branch", &self.branch).finish()
    }
}

impl Ledger {
    /// Opens the repository that a folder lies in, found upwards as git does;
    /// linked worktrees and bare repositories too. The ledger's branch is the
    /// remote's default branch (`origin/HEAD`) where the clone knows one, else
    /// the one that is checked out, else `main` or `master`.
    ///
    /// # Errors
    /// When there is none, it is not readable, or no branch can be told.
    pub fn open(start: &Path) -> Result<Self, LedgerError> {
        let path =
            Repository::discover_path(start, std::iter::empty::<&Path>()).map_err(|error| {
                match error.code() {
                    ErrorCode::NotFound => LedgerError::NotFound { start: start.to_path_buf() },
                    ErrorCode::Owner => LedgerError::NotOwned { path: start.to_path_buf() },
                    _ => LedgerError::git("looking for the repository", start)(error),
                }
            })?;
        Self::from_repository(open_repository(&path)?)
    }

    /// Makes a repository in a folder, with `main` as its branch, or opens the
    /// one that is there. Nothing that exists is changed.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn init(dir: &Path) -> Result<Self, LedgerError> {
        match open_repository(dir) {
            Ok(repo) => return Self::from_repository(repo),
            Err(LedgerError::Git { source, .. }) if source.code() == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut options = RepositoryInitOptions::new();
        options.mkpath(true).external_template(false).initial_head("main");
        let repo = Repository::init_opts(dir, &options)
            .map_err(LedgerError::git("making the repository", dir))?;
        Self::from_repository(repo)
    }

    fn from_repository(repo: Repository) -> Result<Self, LedgerError> {
        let common = absolute(repo.commondir())?;
        let root = absolute(repo.workdir().unwrap_or(repo.path()))?;
        let config = repo.config().map_err(LedgerError::git("reading the configuration", &root))?;
        let identity = Identity::from_config(&config);
        let (branch, doubt) = default_branch(&repo, &root)?;
        Ok(Self {
            repo: Arc::new(Mutex::new(repo)),
            names: Arc::new(Names::new(&common)),
            root,
            common,
            branch,
            doubt,
            identity,
            network: Network { limit: NETWORK, is_silent: Arc::default() },
        })
    }

    /// The same ledger on a branch that is named, which need not exist yet.
    ///
    /// # Errors
    /// When git allows no branch of that name.
    pub fn on_branch(mut self, name: &str) -> Result<Self, LedgerError> {
        check_branch(name)?;
        name.clone_into(&mut self.branch);
        self.doubt = None;
        Ok(self)
    }

    /// The same ledger with another time limit for each fetch and push than 30 s.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.network = Network { limit, is_silent: Arc::default() };
        self
    }

    /// The same ledger with another name in the commits than git's configuration has.
    #[must_use]
    pub fn signed_by(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// The top folder of the checkout; of a bare repository, itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The git folder, the one that all worktrees share.
    #[must_use]
    pub fn git_dir(&self) -> &Path {
        &self.common
    }

    /// The ledger's branch, such as `main`.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The name in the commits.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the repository has no checkout.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        hold(&self.repo).is_bare()
    }

    /// The branch's last commit, or `None` while it has none. A branch that
    /// only the remote has is read from there.
    ///
    /// # Errors
    /// When the branch cannot be read.
    pub fn tip(&self) -> Result<Option<ObjectId>, LedgerError> {
        Ok(self.snapshot()?.commit())
    }

    /// The ledger as it is at the tip.
    ///
    /// # Errors
    /// When the branch or its commit cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, LedgerError> {
        let commit = branch_or_remote(&hold(&self.repo), &self.branch, &self.root)?;
        Snapshot::new(Arc::clone(&self.repo), Arc::clone(&self.names), &self.root, commit)
    }

    /// The ledger as it was at a revision: a commit id, a tag, a branch.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn snapshot_at(&self, revision: &str) -> Result<Snapshot, LedgerError> {
        let commit = resolve(&hold(&self.repo), revision, &self.root)?;
        Snapshot::new(Arc::clone(&self.repo), Arc::clone(&self.names), &self.root, Some(commit))
    }

    /// A file at the tip, from the commit and never from the checkout.
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        self.snapshot()?.read(path)
    }

    /// The handoff folders at the tip; see [`Snapshot::folders`].
    ///
    /// # Errors
    /// When the tip cannot be read.
    pub fn folders(&self, month: Option<&str>) -> Result<Evidence<Folder>, LedgerError> {
        Ok(self.snapshot()?.folders(month))
    }

    /// The folder of a key at the tip; see [`Snapshot::find`].
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn find(&self, key: &Key, month: Option<&str>) -> Result<Option<Folder>, LedgerError> {
        self.snapshot()?.find(key, month)
    }

    /// The files of a handoff at the tip.
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn handoff(&self, folder: &Folder) -> Result<HandoffFiles, LedgerError> {
        self.snapshot()?.handoff(folder)
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// Refuses a ledger whose branch is a guess.
    pub(super) fn certain_branch(&self) -> Result<(), LedgerError> {
        match &self.doubt {
            None => Ok(()),
            Some(why) => Err(LedgerError::DoubtfulBranch {
                path: self.root.clone(),
                branch: self.branch.clone(),
                why: why.clone(),
            }),
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.repo
    }

    pub(super) fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// A handle of its own for a writer, which may hold it for long.
    pub(super) fn reopen(&self) -> Result<Repository, LedgerError> {
        let path = hold(&self.repo).path().to_path_buf();
        open_repository(&path)
    }
}

fn absolute(path: &Path) -> Result<PathBuf, LedgerError> {
    std::fs::canonicalize(path).map_err(LedgerError::io("finding", path))
}

fn open_repository(path: &Path) -> Result<Repository, LedgerError> {
    Repository::open(path).map_err(|error| {
        if error.code() == ErrorCode::Owner {
            return LedgerError::NotOwned { path: path.to_path_buf() };
        }
        // libgit2 tells an unknown format only in words; the configuration has it as a fact.
        match foreign_format(path) {
            Some(what) => LedgerError::Unsupported { path: path.to_path_buf(), what },
            None => LedgerError::git("opening the repository", path)(error),
        }
    })
}

fn foreign_format(path: &Path) -> Option<String> {
    let config = [path.join("config"), path.join(".git/config"), path.join("../../config")]
        .into_iter()
        .find(|file| file.is_file())?;
    let config = Config::open(&config).ok()?;
    let is = |key: &str, usual: &str| {
        config.get_string(key).ok().filter(|value| !value.eq_ignore_ascii_case(usual))
    };
    is("extensions.objectformat", "sha1")
        .map(|format| format!("the object format {format}"))
        .or_else(|| {
            is("extensions.refstorage", "files")
                .map(|format| format!("the reference storage {format}"))
        })
}

pub(super) fn check_branch(name: &str) -> Result<(), LedgerError> {
    if Reference::is_valid_name(&format!("refs/heads/{name}")) && !name.starts_with('-') {
        Ok(())
    } else {
        Err(LedgerError::BadBranch { name: name.to_owned() })
    }
}

/// The branch that is most likely the ledger's, and why that is not certain.
fn default_branch(repo: &Repository, root: &Path) -> Result<(String, Option<String>), LedgerError> {
    if let Ok(origin) = repo.find_reference("refs/remotes/origin/HEAD")
        && let Ok(Some(target)) = origin.symbolic_target()
        && let Some(name) = target.strip_prefix("refs/remotes/origin/")
    {
        return Ok((name.to_owned(), None));
    }
    let mut usual = None;
    for name in ["main", "master"] {
        if usual.is_none() && branch_or_remote(repo, name, root)?.is_some() {
            usual = Some(name.to_owned());
        }
    }
    let head = repo.find_reference("HEAD").map_err(LedgerError::git("reading HEAD", root))?;
    let target = head.symbolic_target().ok().flatten();
    match (target.and_then(|target| target.strip_prefix("refs/heads/")), usual) {
        (Some(name), Some(usual)) if name != "main" && name != "master" => {
            let why = format!("{name} is checked out, and there is a branch {usual}");
            Ok((name.to_owned(), Some(why)))
        }
        (Some(name), _) => Ok((name.to_owned(), None)),
        (None, Some(usual)) => {
            let why = "no branch is checked out (HEAD is detached)".to_owned();
            Ok((usual, Some(why)))
        }
        (None, None) => Err(LedgerError::NoBranch {
            path: root.to_path_buf(),
            why: "HEAD is detached, origin/HEAD is not set, and there is neither main nor master"
                .into(),
        }),
    }
}

/// The commit of a local branch.
pub(super) fn branch_commit(
    repo: &Repository,
    refname: &str,
    root: &Path,
) -> Result<Option<git2::Oid>, LedgerError> {
    match repo.refname_to_id(refname) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(LedgerError::git("reading the branch", root)(error)),
    }
}

/// The commit of a local branch, else of the remote's branch of that name.
pub(super) fn branch_or_remote(
    repo: &Repository,
    branch: &str,
    root: &Path,
) -> Result<Option<git2::Oid>, LedgerError> {
    if let Some(id) = branch_commit(repo, &format!("refs/heads/{branch}"), root)? {
        return Ok(Some(id));
    }
    match super::remote::usual_remote(repo) {
        Some(remote) => branch_commit(repo, &format!("refs/remotes/{remote}/{branch}"), root),
        None => Ok(None),
    }
}

/// The commit that a revision names.
pub(super) fn resolve(
    repo: &Repository,
    revision: &str,
    root: &Path,
) -> Result<git2::Oid, LedgerError> {
    let unknown =
        || LedgerError::UnknownRevision { path: root.to_path_buf(), name: revision.to_owned() };
    let object =
        repo.revparse_single(revision).map_err(|error| match (error.code(), error.class()) {
            (ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Ambiguous, _)
            | (_, ErrorClass::Reference) => unknown(),
            _ => LedgerError::git("looking up a revision", root)(error),
        })?;
    object.peel_to_commit().map(|commit| commit.id()).map_err(|_| unknown())
}
