//! Files that are on the disk when a call returns, and locks between
//! processes. Knows nothing of what is in the files.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// A journaling file system answers all syncs that wait at once with one
/// journal commit, so files that belong together are to wait together.
const SYNCED_AT_ONCE: usize = 32;

/// Who may read a file or folder besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever the user's mask lets: 0666 and 0777 less the mask.
    Shared,
    /// Nobody: 0600 and 0700.
    Private,
}

/// Writes a file whole or not at all, replacing one that is there: written
/// beside it, synced, renamed, and its folder synced after that.
///
/// # Errors
/// When the disk does not take it; then the file is as it was before.
pub fn write(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let folder = parent(path);
    let mut file = temporary_in(folder, access)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// As [`write()`], and leaves a file that is there; tells whether it was written.
///
/// # Errors
/// As for [`write()`].
pub fn write_new(path: &Path, bytes: &[u8], access: Access) -> io::Result<bool> {
    let folder = parent(path);
    let mut file = temporary_in(folder, access)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_folder(folder).map(|()| true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// A new file in a folder, to be written and moved to its name; gone when it
/// is dropped.
///
/// # Errors
/// When the folder does not take it.
pub fn temporary_in(folder: &Path, access: Access) -> io::Result<tempfile::NamedTempFile> {
    // The name that it would have had says nothing to anybody.
    temporary(access).tempfile_in(folder).map_err(|error| error.kind().into())
}

/// Writes a new file under its own name and syncs it, with this modification
/// time. The caller renames it and syncs the folders, once for many files.
///
/// # Errors
/// When a file of this name is there, or the disk does not take it.
pub fn write_synced(
    path: &Path,
    bytes: &[u8],
    access: Access,
    modified: Option<SystemTime>,
) -> io::Result<()> {
    let mut file = options(access).write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    if let Some(modified) = modified {
        file.set_modified(modified)?;
    }
    file.sync_all()
}

/// Makes a new file to be written.
///
/// # Errors
/// When a file of this name is there, or the disk does not take it.
pub fn create(path: &Path, access: Access) -> io::Result<File> {
    options(access).write(true).create_new(true).open(path)
}

/// Adds a line to a file, made where it is missing, and syncs both.
///
/// # Errors
/// When the disk does not take it.
pub fn append(path: &Path, line: &str, access: Access) -> io::Result<()> {
    let mut file = options(access).create(true).append(true).open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    sync_folder(parent(path))
}

/// A path without `.` and without `folder/..`, which names the same file: a
/// link is not taken out, as `..` behind it is somewhere else.
#[must_use]
pub fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        let is_folder = matches!(clean.components().next_back(), Some(Component::Normal(_)))
            && !clean.is_symlink();
        match part {
            Component::CurDir => {}
            Component::ParentDir if is_folder => {
                clean.pop();
            }
            Component::ParentDir if clean.parent().is_none() && clean.has_root() => {}
            other => clean.push(other),
        }
    }
    clean
}

/// What lies at a path inside a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inside {
    /// Nothing.
    Nothing,
    /// A file with these bytes.
    File(Vec<u8>),
    /// Something that is not followed: the part of the path, and what it is.
    Refused {
        /// From the folder on, up to what is refused.
        path: String,
        /// In words, such as `a symbolic link`.
        what: &'static str,
    },
}

/// Reads a file that has to lie in a folder. A link on the way, a path that
/// leaves the folder and git's own folder are refused, and nothing of what is
/// behind them is read.
///
/// # Errors
/// When the file cannot be read.
pub fn read_inside(folder: &Path, path: &Path) -> io::Result<Inside> {
    let (mut at, mut shown) = (folder.to_path_buf(), PathBuf::new());
    let parts: Vec<Component<'_>> =
        path.components().filter(|part| *part != Component::CurDir).collect();
    let refused = |what| {
        move |path: &Path| {
            let path = path.to_string_lossy().replace('\\', "/");
            Ok(Inside::Refused { path, what })
        }
    };
    for (index, part) in parts.iter().enumerate() {
        let Component::Normal(name) = part else {
            return refused("outside of the ledger")(path);
        };
        if name.eq_ignore_ascii_case(".git") {
            return refused("a part of git's own folder")(path);
        }
        at.push(name);
        shown.push(name);
        let meta = match fs::symlink_metadata(&at) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Inside::Nothing),
            Err(error) => return Err(error),
        };
        let is_last = index + 1 == parts.len();
        if meta.is_symlink() {
            return refused("a symbolic link")(&shown);
        }
        if is_last && !meta.is_file() {
            return refused("not a file")(&shown);
        }
        if !is_last && !meta.is_dir() {
            return Ok(Inside::Nothing);
        }
    }
    if parts.is_empty() {
        return refused("not a file")(path);
    }
    read(&at).map(Inside::File)
}

/// A file's bytes; a large file is read on all cores.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    if let Some(bytes) = read_in_parts(&file)? {
        return Ok(bytes);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bytes of a large file, whose length is known; `None` where it is better read
/// from its beginning to its end, as one that grows or is cut meanwhile.
#[cfg(unix)]
fn read_in_parts(file: &File) -> io::Result<Option<Vec<u8>>> {
    use std::os::unix::fs::FileExt as _;

    use rayon::prelude::*;

    /// Of larger ones it is not sure that there is as much memory.
    const LARGE: std::ops::Range<u64> = (8 << 20)..(1 << 30);
    const PART: usize = 2 << 20;
    let meta = file.metadata()?;
    let Some(length) = usize::try_from(meta.len()).ok().filter(|_| LARGE.contains(&meta.len()))
    else {
        return Ok(None);
    };
    let mut bytes = vec![0; length];
    let parts = bytes.par_chunks_mut(PART).enumerate();
    let read = parts.try_for_each(|(at, part)| file.read_exact_at(part, (at * PART) as u64));
    match read.and_then(|()| file.read_at(&mut [0], meta.len())) {
        Ok(0) => Ok(Some(bytes)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
fn read_in_parts(_: &File) -> io::Result<Option<Vec<u8>>> {
    Ok(None)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    // Other systems cannot open a folder as a file; there the file system does it by itself.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Syncs files or folders together; gives the one that failed.
///
/// # Errors
/// The first path that could not be synced, with the system's error.
pub fn sync_all(paths: &BTreeSet<&Path>) -> Result<(), (PathBuf, io::Error)> {
    let sync = |path: &Path| {
        File::open(path).and_then(|file| file.sync_all()).map_err(|error| (path.to_owned(), error))
    };
    let paths: Vec<&Path> = paths.iter().copied().collect();
    if let [path] = paths[..] {
        return sync(path);
    }
    let share = paths.len().div_ceil(SYNCED_AT_ONCE).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = paths
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().try_for_each(|path| sync(path))))
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("syncing a file does not panic"))
    })
}

/// Waits until everything that was written to the file systems of these folders
/// is on the disk. Gives `false` where the operating system cannot do that.
///
/// # Errors
/// When a folder cannot be opened or the disk did not take everything.
pub fn sync_file_systems(folders: &[&Path]) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mut done = BTreeSet::new();
        for folder in folders {
            let folder = File::open(folder)?;
            if done.insert(folder.metadata()?.dev()) {
                rustix::fs::syncfs(&folder)?;
            }
        }
        Ok(true)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folders;
        Ok(false)
    }
}

/// Names this run of the operating system; another one after a power failure or
/// a restart. `None` where the system has no such name.
#[must_use]
pub fn boot_id() -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let id = id.trim();
        let is_id = !id.is_empty() && id.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
        is_id.then(|| id.to_owned())
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Makes a folder and those above it. A private one that is there already is
/// closed to others.
///
/// # Errors
/// When it cannot be made, or not be closed.
pub fn make_folder(path: &Path, access: Access) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    if access == Access::Private {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        builder.mode(0o700).create(path)?;
        return match fs::metadata(path)?.permissions().mode() & 0o077 {
            0 => Ok(()),
            _ => fs::set_permissions(path, fs::Permissions::from_mode(0o700)),
        };
    }
    builder.create(path)
}

/// A lock between processes, held for as long as it lives. The system gives it
/// back when its process ends, however it ends: no lock is ever stale.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Takes the lock of this file if nobody has it; the file is made where it
    /// is missing.
    ///
    /// # Errors
    /// When the file cannot be opened or the system has no locks.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Self::try_own(file)
    }

    /// As [`FileLock::try_take`], of a file that must be there.
    ///
    /// # Errors
    /// As for [`FileLock::try_take`], and when there is no such file.
    pub fn try_take_existing(path: &Path) -> io::Result<Option<Self>> {
        Self::try_own(OpenOptions::new().write(true).open(path)?)
    }

    fn try_own(file: File) -> io::Result<Option<Self>> {
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Waits at most so long for the lock, and writes this process's number
    /// into the file for others' messages; nothing when somebody else keeps it.
    ///
    /// # Errors
    /// As for [`FileLock::try_take`].
    pub fn take(path: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(2);
        loop {
            if let Some(mut lock) = Self::try_take(path)? {
                // Who holds it is only for the message that others show.
                let _ = lock.0.set_len(0).and_then(|()| {
                    lock.0.write_all(format!("{}\n", std::process::id()).as_bytes())
                });
                return Ok(Some(lock));
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            thread::sleep(pause.min(left));
            pause = (pause * 3 / 2).min(Duration::from_millis(25));
        }
    }

    /// The process that wrote its number into a lock's file, and for how long
    /// it has had the lock.
    #[must_use]
    pub fn holder(path: &Path) -> Option<(u32, Option<Duration>)> {
        let process = fs::read_to_string(path).ok()?.trim().parse().ok()?;
        let taken = fs::metadata(path).and_then(|data| data.modified());
        Some((process, taken.ok().and_then(|at| at.elapsed().ok())))
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn options(access: Access) -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    if access == Access::Private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    options
}

/// Hidden, so that nobody who lists the folder takes it for a file of it.
fn temporary(access: Access) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".handoff-");
    #[cfg(unix)]
    if access == Access::Shared {
        // What other files have, less the user's mask; a temporary file is private by itself.
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_read_in_parts_as_in_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        for length in [0, 1, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, (10 << 20) + 77] {
            let bytes: Vec<u8> =
                (0..length).map(|at: u32| (at.wrapping_mul(at) >> 7) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            assert!(read(&path).unwrap() == bytes, "{length} bytes");
            let in_parts = read_in_parts(&File::open(&path).unwrap()).unwrap();
            assert_eq!(in_parts.is_some(), cfg!(unix) && length >= 8 << 20, "{length} bytes");
        }
        assert_eq!(read(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn files_are_whole_private_and_locked_once() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        make_folder(&inner, Access::Private).unwrap();
        let file = inner.join("file");
        write(&file, b"one", Access::Private).unwrap();
        assert!(!write_new(&file, b"two", Access::Private).unwrap());
        append(&file, " more\n", Access::Private).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"one more\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&file), mode(&inner)), (0o600, 0o700));
        }
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "nothing temporary is left");
        let path = folder.path().join("lock");
        let lock = FileLock::take(&path, Duration::ZERO).unwrap().unwrap();
        assert!(FileLock::take(&path, Duration::ZERO).unwrap().is_none());
        assert_eq!(FileLock::holder(&path).unwrap().0, std::process::id());
        drop(lock);
        assert!(FileLock::try_take(&path).unwrap().is_some());
    }
}
