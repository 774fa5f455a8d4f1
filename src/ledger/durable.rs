//! Files that are on the disk when the call returns: written elsewhere,
//! synced, moved into place, and the folders synced after that.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::LedgerError;
use crate::disk;

/// The folder inside the git folder that holds what writers need.
pub(super) fn workshop(git_dir: &Path) -> PathBuf {
    git_dir.join("handoff")
}

/// Moves files into place, in their order, so that each is there whole or not
/// at all, also after a power failure.
pub(super) fn move_into_place(moves: &[(PathBuf, PathBuf)]) -> Result<(), LedgerError> {
    sync_all(&moves.iter().map(|(from, _)| from.as_path()).collect())?;
    let mut folders = BTreeSet::new();
    for (from, to) in moves {
        let folder = to.parent().unwrap_or(to);
        make_folder(folder, &mut folders)?;
        fs::rename(from, to).map_err(LedgerError::io("moving into place", to))?;
        folders.insert(folder.to_path_buf());
    }
    if cfg!(unix) { sync_all(&folders.iter().map(PathBuf::as_path).collect()) } else { Ok(()) }
}

/// Makes a folder and those above it, and notes which folders got a new entry.
pub(super) fn make_folder(
    folder: &Path,
    touched: &mut BTreeSet<PathBuf>,
) -> Result<(), LedgerError> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above, touched)?;
        touched.insert(above.to_path_buf());
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(LedgerError::io("making the folder", folder)(error))
        }
        _ => Ok(()),
    }
}

/// Syncs files and folders together.
pub(super) fn sync_all(paths: &BTreeSet<&Path>) -> Result<(), LedgerError> {
    disk::sync_all(paths).map_err(|(path, error)| LedgerError::io("syncing", &path)(error))
}

/// Whether two names are of one file: its content may be lost after a power
/// failure and tell nothing.
pub(super) fn is_one_file(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (fs::symlink_metadata(one), fs::symlink_metadata(other)) {
        use std::os::unix::fs::MetadataExt as _;
        return (one.dev(), one.ino()) == (other.dev(), other.ino());
    }
    #[cfg(not(unix))]
    let _ = (one, other);
    false
}
