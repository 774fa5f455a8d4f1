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
/// at all, also after a power failure. `staying` is synced with them and stays.
pub(super) fn move_into_place(
    moves: &[(PathBuf, PathBuf)],
    staying: &Path,
) -> Result<(), LedgerError> {
    let mut files: BTreeSet<&Path> = moves.iter().map(|(from, _)| from.as_path()).collect();
    files.insert(staying);
    sync_all(&files)?;
    let mut folders = BTreeSet::new();
    for (from, to) in moves {
        let folder = to.parent().unwrap_or(to);
        make_folder(folder, &mut folders)?;
        fs::rename(from, to).map_err(LedgerError::io("moving into place", to))?;
        folders.insert(folder.to_path_buf());
    }
    sync_folders(&folders)
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

/// Syncs folders, where the system can.
pub(super) fn sync_folders(folders: &BTreeSet<PathBuf>) -> Result<(), LedgerError> {
    if cfg!(unix) { sync_all(&folders.iter().map(PathBuf::as_path).collect()) } else { Ok(()) }
}

fn sync_all(paths: &BTreeSet<&Path>) -> Result<(), LedgerError> {
    disk::sync_all(paths).map_err(|(path, error)| LedgerError::io("syncing", &path)(error))
}
