//! Files that are on the disk when a function returns.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::SystemTime;

/// Writes a new file whole, with this modification time, and waits for the disk.
pub(super) fn write_synced(path: &Path, bytes: &[u8], modified: SystemTime) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.set_modified(modified)?;
    file.sync_all()
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    // Other systems cannot open a folder as a file; there the file system does it by itself.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
