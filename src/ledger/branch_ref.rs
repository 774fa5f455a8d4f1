//! Moving a branch: compare and swap under git's own lock file, recoverable
//! when the process is killed anywhere in between. The write-ahead journal
//! makes it durable.
//!
//! The new value is written beside (`handoff/pending/refs/…`) and hard-linked
//! as `<ref>.lock`, so a lock that a killed writer left is known and taken away
//! by the next writer; git's own are left alone.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use git2::{Oid, Repository};

use super::durable::{is_one_file, make_folder, workshop};
use super::handle::branch_commit;
use super::{Identity, LedgerError};

/// How long a ref that git holds is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What goes into the reflogs.
pub(super) struct LogLine<'a> {
    pub(super) who: &'a Identity,
    pub(super) at: i64,
    pub(super) what: &'a str,
}

/// The ref that a branch name finally stands for, where it is symbolic.
pub(super) fn real_name(repo: &Repository, refname: &str) -> String {
    let mut name = refname.to_owned();
    for _ in 0..5 {
        match repo
            .find_reference(&name)
            .ok()
            .and_then(|r| r.symbolic_target().ok().flatten().map(str::to_owned))
        {
            Some(target) => name = target,
            None => break,
        }
    }
    name
}

/// A new value for a branch, written beside it.
pub(super) struct Pending {
    git_dir: PathBuf,
    refname: String,
    new: Oid,
    file: PathBuf,
}

impl Pending {
    pub(super) fn write(git_dir: &Path, refname: &str, new: Oid) -> Result<Self, LedgerError> {
        let file = workshop(git_dir).join("pending").join(refname);
        make_folder(file.parent().unwrap_or(git_dir), &mut BTreeSet::new())?;
        // Never written over: it may still be the same file as the branch itself.
        forget(&file)?;
        fs::write(&file, format!("{new}\n")).map_err(LedgerError::io("writing", &file))?;
        Ok(Self { git_dir: git_dir.to_path_buf(), refname: refname.to_owned(), new, file })
    }

    /// Locks the branch as git does; `None` where it is no longer where it was seen.
    pub(super) fn lock(
        self,
        repo: &Repository,
        old: Option<Oid>,
    ) -> Result<Option<Locked>, LedgerError> {
        let Self { git_dir, refname, new, file } = self;
        let path = git_dir.join(&refname);
        let lock = lock_path(&path);
        let mut touched = BTreeSet::new();
        take_lock(&file, &lock, &refname, &mut touched)?;
        let locked =
            Locked { git_dir, refname, old, new, file, lock, path, touched, is_set: false };
        if branch_commit(repo, &locked.refname, &locked.git_dir)? != old {
            return Ok(None);
        }
        let in_the_way = old.is_none().then(|| name_in_the_way(repo, &locked.refname)).flatten();
        match in_the_way {
            None => Ok(Some(locked)),
            Some(other) => Err(LedgerError::BranchBusy {
                branch: short(&locked.refname).to_owned(),
                why: format!(
                    "the name of the branch {} does not go together with it",
                    short(&other)
                ),
            }),
        }
    }
}

/// A branch under git's lock; it is let go as it was unless it is [`Locked::set`].
pub(super) struct Locked {
    git_dir: PathBuf,
    refname: String,
    old: Option<Oid>,
    new: Oid,
    file: PathBuf,
    lock: PathBuf,
    path: PathBuf,
    touched: BTreeSet<PathBuf>,
    is_set: bool,
}

impl Locked {
    /// Sets the branch to its new commit. The checkouts that have it get a line
    /// in the log of their HEAD. Gives the files and folders that changed.
    pub(super) fn set(
        mut self,
        repo: &Repository,
        log: &LogLine<'_>,
        checkouts: &[PathBuf],
    ) -> Result<BTreeSet<PathBuf>, LedgerError> {
        rename_over(&self.lock, &self.path)?;
        // From here on a lock of that name is somebody else's.
        self.is_set = true;
        let heads = checkouts.iter().map(|checkout| checkout.join("logs/HEAD"));
        let logs = [self.git_dir.join("logs").join(&self.refname)].into_iter().chain(heads);
        write_logs(repo, logs, self.old, self.new, log);
        let mut touched = std::mem::take(&mut self.touched);
        touched.extend(self.path.parent().map(Path::to_path_buf));
        touched.insert(self.path.clone());
        Ok(touched)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // What stays is taken away by the next writer.
        if !self.is_set {
            let _ = fs::remove_file(&self.lock);
        }
        let _ = fs::remove_file(&self.file);
    }
}

/// Sets a branch to a commit that it had before the machine went down,
/// whatever it holds now. A lock is of that time, too, where it holds nothing
/// or one of `known`. Gives the files and folders that changed.
pub(super) fn restore(
    git_dir: &Path,
    refname: &str,
    new: Oid,
    known: &[Oid],
) -> Result<BTreeSet<PathBuf>, LedgerError> {
    let path = git_dir.join(refname);
    let lock = lock_path(&path);
    if let Ok(held) = fs::read(&lock)
        && (held.iter().all(|byte| *byte == 0)
            || known.iter().any(|id| format!("{id}\n").as_bytes() == held))
    {
        forget(&lock)?;
    }
    let Pending { file, .. } = Pending::write(git_dir, refname, new)?;
    let mut touched = BTreeSet::new();
    take_lock(&file, &lock, refname, &mut touched)?;
    let set = rename_over(&lock, &path);
    if set.is_err() {
        let _ = fs::remove_file(&lock);
    }
    forget(&file)?;
    set?;
    touched.extend(path.parent().map(Path::to_path_buf));
    touched.insert(path);
    Ok(touched)
}

/// Whether a person has set the branch back along these commits, oldest first:
/// its own log says so last.
pub(super) fn was_set_back(git_dir: &Path, refname: &str, to: Oid, along: &[Oid]) -> bool {
    let log = fs::read_to_string(git_dir.join("logs").join(refname)).unwrap_or_default();
    let Some((from, rest)) = log.lines().next_back().and_then(|line| line.split_once(' ')) else {
        return false;
    };
    let place = |id: &str| along.iter().position(|known| known.to_string() == id);
    let now = rest.split(' ').next().unwrap_or_default();
    now == to.to_string() && place(from).is_some_and(|from| Some(from) > place(now))
}

/// Takes away the locks that a killed writer left. The caller holds the
/// writer's lock, so none of them is in use.
pub(super) fn recover(git_dir: &Path) -> Result<(), LedgerError> {
    let top = workshop(git_dir).join("pending");
    let mut open = vec![top.clone()];
    while let Some(dir) = open.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(LedgerError::io("reading", &dir)(error)),
        };
        for entry in entries {
            let path = entry.map_err(LedgerError::io("reading", &dir))?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let Ok(refname) = path.strip_prefix(&top) else { continue };
            let lock = lock_path(&git_dir.join(refname));
            let is_ours = match (fs::read(&lock), fs::read(&path)) {
                (Ok(theirs), Ok(ours)) => !ours.is_empty() && theirs == ours,
                _ => false,
            };
            if is_ours || is_one_file(&lock, &path) {
                forget(&lock)?;
            }
            forget(&path)?;
        }
    }
    Ok(())
}

fn lock_path(path: &Path) -> PathBuf {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    PathBuf::from(lock)
}

fn short(refname: &str) -> &str {
    refname.strip_prefix("refs/heads/").unwrap_or(refname)
}

fn forget(path: &Path) -> Result<(), LedgerError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(LedgerError::io("removing", path)(error))
        }
        _ => Ok(()),
    }
}

fn take_lock(
    pending: &Path,
    lock: &Path,
    refname: &str,
    touched: &mut BTreeSet<PathBuf>,
) -> Result<(), LedgerError> {
    let start = Instant::now();
    loop {
        // git removes folders of refs that have become empty; make them again each time.
        make_folder(lock.parent().unwrap_or(lock), touched)?;
        let taken = fs::hard_link(pending, lock).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound => Err(error),
            // A file system without hard links.
            _ => copy_new(pending, lock),
        });
        match taken {
            Ok(()) => return Ok(()),
            Err(error) if start.elapsed() > PATIENCE => {
                return Err(match error.kind() {
                    io::ErrorKind::AlreadyExists => LedgerError::BranchBusy {
                        branch: short(refname).to_owned(),
                        why: format!("git holds {}", lock.display()),
                    },
                    _ => LedgerError::io("locking the branch with", lock)(error),
                });
            }
            Err(_) => sleep(Duration::from_millis(5)),
        }
    }
}

fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = fs::read(from)?;
    let mut file = fs::File::options().write(true).create_new(true).open(to)?;
    file.write_all(&bytes)?;
    file.sync_all()
}

fn rename_over(lock: &Path, path: &Path) -> Result<(), LedgerError> {
    fs::rename(lock, path)
        .or_else(|error| {
            // Empty folders of former refs may lie there; anything else makes this fail.
            if fs::remove_dir(path).is_err() {
                return Err(error);
            }
            fs::rename(lock, path)
        })
        .map_err(LedgerError::io("moving the branch", path))
}

/// A ref `a` and a ref `a/b` cannot both exist.
fn name_in_the_way(repo: &Repository, refname: &str) -> Option<String> {
    let above = refname
        .match_indices('/')
        .map(|(at, _)| &refname[..at])
        .filter(|name| name.len() > "refs/heads".len())
        .find(|name| repo.find_reference(name).is_ok());
    above.map(str::to_owned).or_else(|| {
        let mut below = repo.references_glob(&format!("{refname}/*")).ok()?;
        below.names().next()?.ok().map(str::to_owned)
    })
}

/// The reflogs are a convenience for people; the branch has moved already, so
/// a failure here is not one of the commit.
fn write_logs(
    repo: &Repository,
    logs: impl Iterator<Item = PathBuf>,
    old: Option<Oid>,
    new: Oid,
    log: &LogLine<'_>,
) {
    let wanted = repo
        .config()
        .ok()
        .and_then(|config| config.get_string("core.logallrefupdates").ok())
        .map_or_else(
            || !repo.is_bare(),
            |value| !matches!(value.as_str(), "false" | "no" | "off" | "0"),
        );
    let old = old.unwrap_or(Oid::ZERO_SHA1);
    let Ok(signature) = log.who.signature(repo, log.at) else { return };
    let line = format!(
        "{old} {new} {} <{}> {} +0000\t{}\n",
        signature.name().unwrap_or_default(),
        signature.email().unwrap_or_default(),
        log.at,
        log.what
    );
    for path in logs {
        if !wanted && !path.exists() {
            continue;
        }
        let _ = path.parent().map(fs::create_dir_all);
        let _ = fs::File::options()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
