//! One writer at a time per clone. The operating system gives the lock back
//! when its process ends, however it ends, so no lock is ever stale.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::LedgerError;

/// Held for as long as it lives.
#[derive(Debug)]
pub(super) struct WriterLock {
    _file: File,
}

impl WriterLock {
    pub(super) fn acquire(git_dir: &Path, timeout: Duration) -> Result<Self, LedgerError> {
        let path = git_dir.join("handoff.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(LedgerError::io("opening the lock file", &path))?;
        let start = Instant::now();
        let mut pause = Duration::from_millis(2);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => {
                    return Err(LedgerError::io("locking", &path)(source));
                }
                Err(TryLockError::WouldBlock) => {}
            }
            let waited = start.elapsed();
            if waited >= timeout {
                return Err(LedgerError::Locked { holder: holder(&path), path, waited });
            }
            sleep(pause.min(timeout.saturating_sub(waited)));
            pause = (pause * 3 / 2).min(Duration::from_millis(25));
        }
        // Who holds it is only for the message that others show; failing to say so is no reason to stop.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Ok(Self { _file: file })
    }
}

fn holder(path: &PathBuf) -> String {
    let pid = std::fs::read_to_string(path).unwrap_or_default();
    let pid = pid.trim();
    if pid.is_empty() || !pid.bytes().all(|c| c.is_ascii_digit()) {
        return String::new();
    }
    // The holder wrote its number when it took the lock, so the file is as old as the lock.
    match std::fs::metadata(path)
        .and_then(|meta| meta.modified())
        .ok()
        .and_then(|at| at.elapsed().ok())
    {
        Some(age) => format!(" (process {pid}, for {} s)", age.as_secs()),
        None => format!(" (process {pid})"),
    }
}
