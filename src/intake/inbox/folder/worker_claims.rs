//! A process's own folder below `work/`: what it has in hand. A lock that ends
//! with the process tells others when its owner is gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{self, Access, FileLock};

/// The lock's name within the folder.
const LOCK: &str = ".lock";

/// A process's own folder; gone with its content returned when it is dropped.
#[derive(Debug)]
pub(super) struct WorkerClaims {
    pub(super) path: PathBuf,
    new: PathBuf,
    _lock: FileLock,
}

impl WorkerClaims {
    /// Makes a folder below `work/`; what is in it returns to `new` in the end.
    pub(super) fn set_up(work: &Path, new: &Path) -> io::Result<Self> {
        let name = format!("{}-{:08x}", std::process::id(), fastrand::u32(..));
        // Locked before it has its name, so that nobody takes it for one whose owner is gone.
        let unnamed = work.join(format!(".{name}"));
        disk::make_folder(&unnamed, Access::Private)?;
        let lock = FileLock::try_take(&unnamed.join(LOCK))?.ok_or(io::ErrorKind::WouldBlock)?;
        let path = work.join(name);
        fs::rename(&unnamed, &path)?;
        Ok(Self { path, new: new.to_path_buf(), _lock: lock })
    }

    /// A path for a file that is being written.
    pub(super) fn scratch(&self) -> PathBuf {
        self.path.join(format!(".tmp-{:016x}", fastrand::u64(..)))
    }
}

impl Drop for WorkerClaims {
    fn drop(&mut self) {
        // What cannot be returned here is returned by whoever finds the folder without its owner.
        let _ = clear(&self.path, &self.new);
    }
}

/// Returns what claims without an owner hold to `new`; gives how many events.
pub(super) fn clear_abandoned(work: &Path, new: &Path, own: Option<&Path>) -> io::Result<usize> {
    let mut returned = 0;
    for entry in fs::read_dir(work)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden || own == Some(path.as_path()) {
            continue;
        }
        match FileLock::try_take_existing(&path.join(LOCK)) {
            Ok(Some(_lock)) => returned += clear(&path, new)?,
            Ok(None) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(returned)
}

/// The claims folders there are.
pub(super) fn folders(work: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(work)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn clear(claims: &Path, new: &Path) -> io::Result<usize> {
    let mut returned = 0;
    let entries = match fs::read_dir(claims) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with('.') {
            fs::rename(entry.path(), new.join(&name))?;
            returned += 1;
        } else if name != LOCK {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_file(claims.join(LOCK))?;
    fs::remove_dir(claims)?;
    Ok(returned)
}
