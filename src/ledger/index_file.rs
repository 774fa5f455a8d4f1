//! The index of a checkout, changed under git's own lock (`index.lock`).
//!
//! libgit2 takes that lock only while it writes, so a `git add` between its
//! read and its write would be lost. Here the lock is held from before the
//! read: the index gets a second name, and a changed one that is written under
//! that name is moved over the original.
//! The lock file holds a mark, so that the next writer knows one that a killed
//! writer left.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use git2::Index;

use super::LedgerError;
use super::durable::is_one_file;
use super::git_program;

const MARK: &[u8] = b"handoff holds this index; it goes away with the next run of handoff\n";

/// How long an index that git holds is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// The lock on one checkout's index.
pub(super) struct IndexLock {
    index: PathBuf,
    lock: PathBuf,
    copy: PathBuf,
}

impl IndexLock {
    /// Takes the lock; `None` if git holds it for longer than one waits.
    pub(super) fn acquire(checkout: &Path) -> Result<Option<Self>, LedgerError> {
        Self::recover(checkout);
        let lock = checkout.join("index.lock");
        let start = Instant::now();
        loop {
            match take(&lock) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if start.elapsed() >= PATIENCE {
                        return Ok(None);
                    }
                    sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(LedgerError::io("locking", &lock)(error)),
            }
        }
        Ok(Some(Self { index: checkout.join("index"), copy: checkout.join("handoff-index"), lock }))
    }

    /// Takes away a lock that a killed writer left. The caller holds the
    /// writer's lock, so it is not in use.
    pub(super) fn recover(checkout: &Path) {
        let lock = checkout.join("index.lock");
        let is_ours = fs::read(&lock).is_ok_and(|bytes| bytes == MARK);
        if is_ours || is_one_file(&lock, &lock.with_extension("handoff")) {
            let _ = fs::remove_file(&lock);
        }
    }

    /// A copy of the index to change. One that libgit2 cannot read (split,
    /// sparse) is first made plain by git; git makes it what the user's
    /// configuration says when it next writes it. `None` if that fails, too.
    pub(super) fn open(&self, root: &Path) -> Result<Option<Index>, LedgerError> {
        // libgit2 locks what it writes in git's way; a killed writer leaves that, too.
        for left in [self.copy.clone(), self.copy.with_extension("lock")] {
            match fs::remove_file(&left) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(LedgerError::io("removing", &left)(error));
                }
                _ => {}
            }
        }
        // A second name is enough: whoever writes an index puts a new file in its place.
        match fs::hard_link(&self.index, &self.copy) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => {
                self.copy_index().map_err(LedgerError::io("copying the index to", &self.copy))?;
            }
        }
        if let Ok(index) = Index::open(&self.copy) {
            return Ok(Some(index));
        }
        let plain = git_program::make_plain(root, &self.copy);
        Ok(if plain { Index::open(&self.copy).ok() } else { None })
    }

    fn copy_index(&self) -> io::Result<()> {
        let modified = fs::metadata(&self.index)?.modified()?;
        fs::copy(&self.index, &self.copy)?;
        // git compares files' times with the index's own: an entry as young as
        // the index may have changed since. A younger copy would hide that.
        fs::File::options().write(true).open(&self.copy)?.set_modified(modified)
    }

    /// Puts the changed copy in the index's place.
    pub(super) fn publish(self) -> Result<(), LedgerError> {
        fs::rename(&self.copy, &self.index)
            .map_err(LedgerError::io("replacing the index", &self.index))
    }
}

impl Drop for IndexLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.copy);
        let _ = fs::remove_file(&self.lock);
    }
}

fn take(lock: &Path) -> io::Result<()> {
    // The mark is there from the first moment on: it is a file that stays, and the
    // lock is another name of it.
    let mark = lock.with_extension("handoff");
    if !fs::read(&mark).is_ok_and(|bytes| bytes == MARK) {
        fs::write(&mark, MARK)?;
    }
    fs::hard_link(&mark, lock).or_else(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return Err(error);
        }
        fs::File::options().write(true).create_new(true).open(lock)?.write_all(MARK)
    })
}
