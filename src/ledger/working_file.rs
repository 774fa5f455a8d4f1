//! A file of a checkout, written whole or not at all, with what the index
//! notes of it so that git need not read it again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use git2::{IndexEntry, IndexTime, Oid};

/// An index entry of a file of which nothing is known but its content.
pub(super) fn bare_entry(path: &str, id: Oid, mode: i32) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode: u32::try_from(mode).unwrap_or(0o100_644),
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_bytes().to_vec(),
    }
}

/// Writes a file beside, in the git folder, and renames it; where that is
/// another file system, beside the file itself. Fills in the entry's times,
/// where the system has them.
pub(super) fn put(
    git_dir: &Path,
    target: &Path,
    bytes: &[u8],
    entry: &mut IndexEntry,
) -> io::Result<()> {
    let is_executable = entry.mode == 0o100_755;
    let spare = git_dir.join("handoff-file");
    let mut file = write(&spare, bytes, is_executable)?;
    if let Err(error) = fs::rename(&spare, target) {
        let _ = fs::remove_file(&spare);
        if error.kind() != io::ErrorKind::CrossesDevices {
            return Err(error);
        }
        let spare = target.with_extension("handoff-part");
        file = write(&spare, bytes, is_executable)?;
        fs::rename(&spare, target)?;
    }
    note(&file, entry)
}

fn write(path: &Path, bytes: &[u8], is_executable: bool) -> io::Result<File> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    if is_executable {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = file.metadata()?.permissions().mode();
        file.set_permissions(fs::Permissions::from_mode(mode | ((mode & 0o444) >> 2)))?;
    }
    #[cfg(not(unix))]
    let _ = is_executable;
    Ok(file)
}

/// What `stat` says of the file that was written, through its handle: should
/// another file lie at the path by now, git sees the difference. The numbers
/// are cut to 32 bits, as git does.
#[cfg(unix)]
fn note(file: &File, entry: &mut IndexEntry) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = file.metadata()?;
    let time = |seconds: i64, nanos: i64| IndexTime::new(seconds as i32, nanos as u32);
    entry.ctime = time(meta.ctime(), meta.ctime_nsec());
    entry.mtime = time(meta.mtime(), meta.mtime_nsec());
    entry.dev = meta.dev() as u32;
    entry.ino = meta.ino() as u32;
    entry.uid = meta.uid();
    entry.gid = meta.gid();
    entry.file_size = meta.size() as u32;
    Ok(())
}

#[cfg(not(unix))]
fn note(_: &File, _: &mut IndexEntry) -> io::Result<()> {
    Ok(())
}
