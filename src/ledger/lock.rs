//! One writer at a time per clone.

use std::path::Path;
use std::time::{Duration, Instant};

use super::LedgerError;
use crate::disk::FileLock;

/// Becomes the one writer of a clone, for as long as the lock lives.
pub(super) fn become_writer(git_dir: &Path, timeout: Duration) -> Result<FileLock, LedgerError> {
    let path = git_dir.join("handoff.lock");
    let start = Instant::now();
    match FileLock::take(&path, timeout) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => {
            let holder = match FileLock::holder(&path) {
                None => String::new(),
                Some((process, None)) => format!(" (process {process})"),
                Some((process, Some(age))) => {
                    format!(" (process {process}, for {} s)", age.as_secs())
                }
            };
            Err(LedgerError::Locked { holder, path, waited: start.elapsed() })
        }
        Err(error) => Err(LedgerError::io("locking", &path)(error)),
    }
}
