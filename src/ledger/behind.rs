//! Which checkouts have yet to follow the branch, and from where: written
//! before the branch moves, so that a killed writer's successor catches up.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::Oid;

use super::LedgerError;
use super::durable::{make_folder, workshop};

/// For each checkout, by its git folder, what it still shows.
pub(super) type Behind = BTreeMap<PathBuf, Shown>;

/// What a checkout shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The ref that it has checked out.
    pub(super) refname: String,
    /// The commit; `None` before the first.
    pub(super) commit: Option<Oid>,
}

fn path(git_dir: &Path) -> PathBuf {
    workshop(git_dir).join("checkouts-behind")
}

/// What is noted. A line that cannot be read is passed by: then that checkout
/// shows the new files as deleted, and `git restore` brings them.
pub(super) fn read(git_dir: &Path) -> Result<Behind, LedgerError> {
    let path = path(git_dir);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Behind::new()),
        Err(error) => return Err(LedgerError::io("reading", &path)(error)),
    };
    Ok(text
        .lines()
        .filter_map(|line| {
            let (id, rest) = line.split_once(' ')?;
            let (refname, dir) = rest.split_once(' ')?;
            let id = Oid::from_str(id).ok()?;
            let commit = (!id.is_zero()).then_some(id);
            Some((PathBuf::from(dir), Shown { refname: refname.to_owned(), commit }))
        })
        .collect())
}

/// Writes the next journal beside the present one; the two paths are to be
/// moved into place together with the objects.
pub(super) fn prepare(git_dir: &Path, behind: &Behind) -> Result<(PathBuf, PathBuf), LedgerError> {
    let path = path(git_dir);
    let next = path.with_extension("next");
    make_folder(&workshop(git_dir), &mut std::collections::BTreeSet::new())?;
    let text: String = behind
        .iter()
        .map(|(dir, shown)| {
            let id = shown.commit.unwrap_or(Oid::ZERO_SHA1);
            format!("{id} {} {}\n", shown.refname, dir.display())
        })
        .collect();
    fs::write(&next, text).map_err(LedgerError::io("writing", &next))?;
    Ok((next, path))
}

/// Notes what is left to do; nothing, as a rule. Without a sync: doing a
/// catch-up twice does no harm.
pub(super) fn settle(git_dir: &Path, behind: &Behind) -> Result<(), LedgerError> {
    let path = path(git_dir);
    if behind.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(LedgerError::io("removing", &path)(error))
            }
            _ => Ok(()),
        };
    }
    let (next, path) = prepare(git_dir, behind)?;
    fs::rename(&next, &path).map_err(LedgerError::io("writing", &path))
}
