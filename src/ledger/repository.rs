//! Finding, opening and making the repository, and which branch is the ledger's.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use git2::{Config, ErrorCode, Oid, Repository, RepositoryInitOptions};

use super::handle::{
    Handle, Shared, branch_or_remote, check_branch, find_tree, hold, resolve, tree_of_commit,
};
use super::names::FolderNames;
use super::path::Folder;
use super::snapshot::{HandoffFiles, Snapshot, ledger_tree};
use super::{Identity, LedgerError, write_ahead};
use crate::disk::{self, Inside};
use crate::model::{Evidence, Key, ObjectId};

/// The ledger: one branch of one git repository.
#[derive(Clone)]
pub struct Ledger {
    repo: Shared,
    names: Arc<FolderNames>,
    root: PathBuf,
    /// The folder of the repository that is the ledger, such as `teams/cs`;
    /// empty where all of it is.
    prefix: String,
    common: PathBuf,
    branch: String,
    /// Why it is not certain that this is the branch; such a ledger is not written.
    doubt: Option<String>,
    identity: Identity,
    network: Network,
    /// Whether commits are signed, once it was asked.
    signing: Arc<OnceLock<bool>>,
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
    /// linked worktrees and bare repositories too. In a larger repository the
    /// nearest folder upwards that holds `handoff.yaml` is the ledger; of a bare one it is
    /// named behind the repository, `repo.git/teams/cs`. Its branch is the
    /// remote's default branch (`origin/HEAD`) where the clone knows one, else
    /// the one that is checked out, else `main` or `master`.
    ///
    /// # Errors
    /// When there is none, it is not readable, or no branch can be told.
    pub fn open(start: &Path) -> Result<Self, LedgerError> {
        let there = existing(start);
        let path =
            Repository::discover_path(there, std::iter::empty::<&Path>()).map_err(|error| {
                match error.code() {
                    ErrorCode::NotFound => LedgerError::NotFound { start: start.to_path_buf() },
                    ErrorCode::Owner => LedgerError::NotOwned { path: top_of(start) },
                    _ => LedgerError::git("looking for the repository", start)(error),
                }
            })?;
        let repo = open_repository(&path)?;
        if there != start {
            return Self::in_bare(repo, there, start);
        }
        let prefix = prefix_of(&repo, start, true)?;
        Self::from_repository(repo, prefix)
    }

    /// The ledger in a folder of a bare repository's tip.
    fn in_bare(repo: Repository, there: &Path, start: &Path) -> Result<Self, LedgerError> {
        let nothing = || LedgerError::NotFound { start: start.to_path_buf() };
        if !repo.is_bare() || absolute(repo.path())? != absolute(there)? {
            return Err(nothing());
        }
        let inside = start.strip_prefix(there).map_err(|_| nothing())?;
        let parts = inside.components().map(|part| match part {
            std::path::Component::Normal(name) => name.to_str(),
            _ => None,
        });
        let prefix = parts.collect::<Option<Vec<&str>>>().ok_or_else(nothing)?.join("/");
        let ledger = Self::from_repository(repo, prefix)?;
        if ledger.read("handoff.yaml")?.is_none() {
            return Err(nothing());
        }
        Ok(ledger)
    }

    /// The ledger in a folder that exists: in the repository around it, unless
    /// that ignores the folder, else in one of its own.
    ///
    /// # Errors
    /// As for [`Ledger::init`].
    pub fn init_within(dir: &Path) -> Result<Self, LedgerError> {
        let Ok(path) = Repository::discover_path(dir, std::iter::empty::<&Path>()) else {
            return Self::init(dir);
        };
        let repo = open_repository(&path)?;
        let prefix = prefix_of(&repo, dir, false)?;
        if repo.is_bare() && absolute(repo.path())? != absolute(dir)?
            || !prefix.is_empty() && repo.is_path_ignored(&prefix).unwrap_or(false)
        {
            return Self::init(dir);
        }
        Self::from_repository(repo, prefix)
    }

    /// Makes a repository in a folder, with `main` as its branch, or opens the
    /// one that is there. Nothing that exists is changed.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn init(dir: &Path) -> Result<Self, LedgerError> {
        match open_repository(dir) {
            Ok(repo) => return Self::from_repository(repo, String::new()),
            Err(LedgerError::Git { source, .. }) if source.code() == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut options = RepositoryInitOptions::new();
        options.mkpath(true).external_template(false).initial_head("main");
        let repo = Repository::init_opts(dir, &options)
            .map_err(LedgerError::git("making the repository", dir))?;
        Self::from_repository(repo, String::new())
    }

    /// Has this repository neither sign commits nor take line ends, filters or
    /// ignored files from the user's own configuration.
    ///
    /// # Errors
    /// When its configuration cannot be written.
    pub fn make_plain(&self) -> Result<(), LedgerError> {
        let repo = hold(&self.repo);
        let failed = |error| LedgerError::git("writing the configuration", &self.root)(error);
        let mut own = repo.config().and_then(|all| all.open_level(git2::ConfigLevel::Local));
        let own = own.as_mut().map_err(|error| {
            LedgerError::git("opening the configuration", &self.root)(git2::Error::from_str(
                error.message(),
            ))
        })?;
        own.set_bool("commit.gpgsign", false).map_err(failed)?;
        own.set_str("core.autocrlf", "false").map_err(failed)?;
        own.set_str("core.attributesFile", "").map_err(failed)?;
        own.set_str("core.excludesFile", "").map_err(failed)
    }

    /// The folders at the tip that hold settings, for who looks for the ledger
    /// in a larger repository: the first few, by path.
    ///
    /// # Errors
    /// When the tip cannot be read.
    pub fn folders_with_settings(&self) -> Result<Vec<String>, LedgerError> {
        const DEEPEST: usize = 5;
        const MOST: usize = 20_000;
        let repo = hold(&self.repo);
        let failed = |error| LedgerError::git("reading a folder", &self.root)(error);
        let Some(tip) = branch_or_remote(&repo, &self.branch, &self.root)? else {
            return Ok(Vec::new());
        };
        let top = tree_of_commit(&repo, tip).map_err(failed)?;
        let mut open = std::collections::VecDeque::from([(String::new(), top, 0)]);
        let (mut found, mut seen) = (Vec::new(), 0);
        while let Some((path, tree, depth)) = open.pop_front() {
            for entry in tree.iter() {
                seen += 1;
                let (Some(name), true) = (entry.text(), seen < MOST) else { continue };
                let is_tree = entry.is_folder();
                if name == "handoff.yaml" && !is_tree && !path.is_empty() {
                    found.push(path.clone());
                } else if is_tree && depth < DEEPEST {
                    let slash = if path.is_empty() { "" } else { "/" };
                    let below = find_tree(&repo, entry.id).map_err(failed)?;
                    open.push_back((format!("{path}{slash}{name}"), below, depth + 1));
                }
            }
        }
        found.sort();
        found.truncate(5);
        Ok(found)
    }

    fn from_repository(repo: Repository, prefix: String) -> Result<Self, LedgerError> {
        let common = absolute(repo.commondir())?;
        write_ahead::recover(&common, &repo)?;
        let top = absolute(repo.workdir().unwrap_or(repo.path()))?;
        // A bare repository has no folder of that name.
        let is_top = prefix.is_empty() || repo.is_bare();
        let root = if is_top { top } else { top.join(&prefix) };
        let config = repo.config().map_err(LedgerError::git("reading the configuration", &root))?;
        let identity = Identity::from_config(&config);
        let (branch, doubt) = default_branch(&repo, &root)?;
        Ok(Self {
            repo: Arc::new(Mutex::new(Handle::new(repo, &common))),
            names: Arc::new(FolderNames::new(&common)),
            root,
            prefix,
            common,
            branch,
            doubt,
            identity,
            network: Network { limit: NETWORK, is_silent: Arc::default() },
            signing: Arc::default(),
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

    /// The folder of the repository that is the ledger, such as `teams/cs`;
    /// empty where all of it is.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A path of the ledger as the repository has it.
    pub(super) fn in_repository(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }

    /// The ledger's folder in the checkout; of a bare repository, itself.
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
        self.snapshot_of(commit)
    }

    /// The ledger as it was at a revision: a commit id, a tag, a branch.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn snapshot_at(&self, revision: &str) -> Result<Snapshot, LedgerError> {
        let commit = resolve(&hold(&self.repo), revision, &self.root)?;
        self.snapshot_of(Some(commit))
    }

    /// The ledger as it is in a commit.
    pub(super) fn snapshot_of(&self, commit: Option<Oid>) -> Result<Snapshot, LedgerError> {
        let tree = match commit {
            None => None,
            Some(id) => ledger_tree(&hold(&self.repo), id, &self.prefix)?,
        };
        let (repo, names) = (Arc::clone(&self.repo), Arc::clone(&self.names));
        Ok(Snapshot::of_tree(repo, names, &self.root, tree).at(commit))
    }

    /// A file at the tip, from the commit and never from the checkout.
    ///
    /// # Errors
    /// When an object cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        self.snapshot()?.read(path)
    }

    /// A file of the checkout; `None` where there is none.
    ///
    /// # Errors
    /// When it is a link or lies behind one, or cannot be read.
    pub fn read_checkout(&self, path: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let read = disk::read_inside(&self.root, Path::new(path))
            .map_err(LedgerError::io("reading", &self.root.join(path)))?;
        match read {
            Inside::Nothing => Ok(None),
            Inside::File(bytes) => Ok(Some(bytes)),
            Inside::Refused { path, what } => Err(LedgerError::NotFollowed { path, what }),
        }
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

    pub(super) fn signing(&self) -> &OnceLock<bool> {
        &self.signing
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

    pub(super) fn names(&self) -> &Arc<FolderNames> {
        &self.names
    }

    /// A handle of its own for a writer, which may hold it for long.
    pub(super) fn reopen(&self) -> Result<Repository, LedgerError> {
        let path = hold(&self.repo).path().to_path_buf();
        open_repository(&path)
    }
}

/// The nearest folder upwards that exists.
fn existing(start: &Path) -> &Path {
    start.ancestors().find(|folder| folder.is_dir()).unwrap_or(start)
}

/// Where in a repository's checkout the ledger lies: the nearest folder from
/// here upwards with settings (`looks`), else the top; or this very folder.
fn prefix_of(repo: &Repository, start: &Path, looks: bool) -> Result<String, LedgerError> {
    let Some(top) = repo.workdir().map(absolute).transpose()? else { return Ok(String::new()) };
    let here = absolute(start)?;
    let Ok(inside) = here.strip_prefix(&top) else { return Ok(String::new()) };
    let has_settings =
        |folder: &&Path| top.join(folder).join("handoff.yaml").symlink_metadata().is_ok();
    let folder = match looks {
        true => inside.ancestors().find(has_settings).unwrap_or(Path::new("")),
        false => inside,
    };
    let parts = folder.components().map(|part| part.as_os_str().to_str());
    match parts.collect::<Option<Vec<&str>>>() {
        Some(parts) => Ok(parts.join("/")),
        None => Err(LedgerError::BadPath {
            path: folder.to_string_lossy().into_owned(),
            why: "a folder's name is not UTF-8",
        }),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, LedgerError> {
    std::fs::canonicalize(path).map_err(LedgerError::io("finding", path))
}

fn open_repository(path: &Path) -> Result<Repository, LedgerError> {
    Repository::open(path).map_err(|error| {
        if error.code() == ErrorCode::Owner {
            return LedgerError::NotOwned { path: top_of(path) };
        }
        // libgit2 tells an unknown format only in words; the configuration has it as a fact.
        match foreign_format(path) {
            Some(what) => LedgerError::Unsupported { path: path.to_path_buf(), what },
            None => LedgerError::git("opening the repository", path)(error),
        }
    })
}

/// The folder that git asks `safe.directory` about: the checkout's, else the
/// repository's own.
fn top_of(git_dir: &Path) -> PathBuf {
    let git_dir = git_dir.canonicalize().unwrap_or_else(|_| git_dir.to_path_buf());
    // A linked worktree's git folder names the file `.git` of its checkout.
    let linked = std::fs::read_to_string(git_dir.join("gitdir")).ok();
    let dot_git = linked.map_or_else(|| git_dir.clone(), |file| PathBuf::from(file.trim()));
    match dot_git.file_name() {
        Some(name) if name == ".git" => dot_git.parent().unwrap_or(&dot_git).to_path_buf(),
        _ => git_dir,
    }
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
