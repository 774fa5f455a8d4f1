//! The files of an export: where they lie, which may be read, and whether one
//! has changed since.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::problem::many;
use super::settings::FileSettings;
use super::table::ExportTable;
use crate::crm::CrmError;
use crate::disk::{self, Inside};

/// Reads a file of a ledger that has commits and no checkout; the path is
/// relative to the ledger. The error is in words.
pub type ReadCommitted = dyn Fn(&str) -> Result<Option<Vec<u8>>, String> + Send + Sync;

/// Where the relative paths of settings start: a folder, or the files of a
/// commit where there is no checkout.
#[derive(Clone)]
pub struct ExportRoot {
    folder: PathBuf,
    committed: Option<Arc<ReadCommitted>>,
}

impl ExportRoot {
    /// The root of a ledger without a checkout, in the repository `folder`.
    #[must_use]
    pub fn committed(folder: &Path, read: Arc<ReadCommitted>) -> Self {
        Self { folder: folder.to_owned(), committed: Some(read) }
    }

    /// The folder, or the repository where there is no checkout.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl<P: Into<PathBuf>> From<P> for ExportRoot {
    fn from(folder: P) -> Self {
        Self { folder: folder.into(), committed: None }
    }
}

impl fmt::Debug for ExportRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_commit = self.committed.is_some();
        f.debug_struct("ExportRoot")
            .field("folder", &self.folder)
            .field("of_commit", &of_commit)
            .finish()
    }
}

/// A file and the state it was in when it was read.
#[derive(Debug)]
pub(super) enum Stamp {
    OnDisk { path: PathBuf, size: u64, modified: Option<SystemTime> },
    Committed { root: ExportRoot, path: PathBuf, sha256: [u8; 32] },
}

impl Stamp {
    fn of_disk(path: &Path) -> std::io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        let (size, modified) = (meta.len(), meta.modified().ok());
        Ok(Self::OnDisk { path: path.to_owned(), size, modified })
    }

    /// Whether the file is as it was.
    pub(super) fn holds(&self) -> bool {
        match self {
            Self::OnDisk { path, size, modified } => std::fs::metadata(path)
                .is_ok_and(|meta| meta.len() == *size && meta.modified().ok() == *modified),
            Self::Committed { root, path, sha256 } => {
                let read = root.committed.as_deref().map(|read| read_committed(read, path));
                matches!(read, Some(Ok(Inside::File(bytes))) if Sha256::digest(&bytes)[..] == sha256[..])
            }
        }
    }
}

pub(super) fn read_table(
    root: &ExportRoot,
    path: &Path,
    setting: &str,
    settings: &FileSettings,
) -> Result<(ExportTable, Stamp), CrmError> {
    let full = root.folder.join(path);
    // Where there is no checkout, what is not in the folder for exports is committed.
    let is_export =
        settings.may_lie_at(&full) && (root.committed.is_none() || full.symlink_metadata().is_ok());
    let may_lie_anywhere = setting == "deals" && settings.named || is_export;
    let committed = root.committed.as_deref().filter(|_| !may_lie_anywhere);
    let help = match committed {
        Some(_) => format!(
            "Commit the export to the ledger, or name another file under crm.file.{setting}: this clone has no checkout, so a relative path is read from the last commit."
        ),
        None => format!(
            "Put the export there, or name another file under crm.file.{setting}; a relative path starts at the ledger."
        ),
    };
    let unreadable = |why: &dyn fmt::Display| CrmError::Settings {
        message: format!("{}: the file cannot be read: {why}", path.display()),
        help: help.clone(),
    };
    let inside = |read: Inside| match read {
        Inside::File(bytes) => Ok(bytes),
        Inside::Nothing => Err(unreadable(&"there is none")),
        Inside::Refused { what, .. } => Err(refused(path, what, setting)),
    };
    let (bytes, stamp) = if let Some(read) = committed {
        let bytes = inside(read_committed(read, path).map_err(|error| unreadable(&error))?)?;
        let sha256 = Sha256::digest(&bytes).into();
        (bytes, Stamp::Committed { root: root.clone(), path: path.to_owned(), sha256 })
    } else {
        let stamp = Stamp::of_disk(&full);
        let read = match may_lie_anywhere {
            true => disk::read(&full).map(Inside::File),
            false => disk::read_inside(&root.folder, path),
        };
        // What is refused is refused whether or not it is there.
        let bytes = match (read.map_err(|error| unreadable(&error))?, &stamp) {
            (Inside::Nothing, Err(error)) => return Err(unreadable(error)),
            (read, _) => inside(read)?,
        };
        (bytes, stamp.map_err(|error| unreadable(&error))?)
    };
    let table = ExportTable::read(bytes, settings).map_err(|problem| many(path, &[problem]))?;
    Ok((table, stamp))
}

/// As [`disk::read_inside`], of a commit.
fn read_committed(read: &ReadCommitted, path: &Path) -> Result<Inside, String> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_string_lossy()),
            _ => {
                let path = path.display().to_string();
                return Ok(Inside::Refused { path, what: "outside of the ledger" });
            }
        }
    }
    Ok(read(&names.join("/"))?.map_or(Inside::Nothing, Inside::File))
}

/// What a settings file may not name: whoever changes it would read with the
/// rights of the machine that checks it.
fn refused(path: &Path, what: &str, setting: &str) -> CrmError {
    let named = if setting == "deals" { " give it with --deals FILE," } else { "" };
    CrmError::Settings {
        message: format!("crm.file.{setting}: {} is {what}", path.display()),
        help: format!(
            "Put the export into the ledger,{named} or set HANDOFF_EXPORTS to the folder that holds it."
        ),
    }
}
