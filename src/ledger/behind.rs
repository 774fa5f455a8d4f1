//! Which checkouts have yet to follow the branch, and from where: written
//! before the branch moves, so that a killed writer's successor catches up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::Oid;

use super::LedgerError;
use super::durable::{make_folder, workshop};

/// For each checkout, by its git folder, what it still shows.
pub(super) type Behind = BTreeMap<PathBuf, CheckoutTip>;

/// What a checkout shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckoutTip {
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
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().filter_map(parse).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Behind::new()),
        Err(error) => Err(LedgerError::io("reading", &path)(error)),
    }
}

/// One checkout in a line.
pub(super) fn line(checkout: &Path, shown: &CheckoutTip) -> String {
    let id = shown.commit.unwrap_or(Oid::ZERO_SHA1);
    format!("{id} {} {}\n", shown.refname, checkout.display())
}

/// Reads a [`line`] without its end.
pub(super) fn parse(line: &str) -> Option<(PathBuf, CheckoutTip)> {
    let (id, rest) = line.split_once(' ')?;
    let (refname, checkout) = rest.split_once(' ')?;
    let id = Oid::from_str(id).ok()?;
    let commit = (!id.is_zero()).then_some(id);
    Some((PathBuf::from(checkout), CheckoutTip { refname: refname.to_owned(), commit }))
}

/// Notes what is left to do, for other processes; after a power failure the
/// write-ahead journal has it.
pub(super) fn note(git_dir: &Path, behind: &Behind) -> Result<(), LedgerError> {
    let path = path(git_dir);
    if behind.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(LedgerError::io("removing", &path)(error))
            }
            _ => Ok(()),
        };
    }
    let next = path.with_extension("next");
    make_folder(&workshop(git_dir), &mut BTreeSet::new())?;
    let text: String = behind.iter().map(|(checkout, shown)| line(checkout, shown)).collect();
    fs::write(&next, text).map_err(LedgerError::io("writing", &next))?;
    fs::rename(&next, &path).map_err(LedgerError::io("writing", &path))
}
