//! An object as a file of its own, in git's format: a zlib stream of header
//! and content. The stream is stored and not deflated: a file smaller than a
//! block of the disk takes a block either way, and `git gc` deflates it later.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::{Decompress, FlushDecompress, Status};
use git2::{ObjectType, Oid};

use super::LedgerError;
use super::durable::make_folder;

const LARGEST_BLOCK: usize = 0xFFFF;

/// An object that is new to the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) id: Oid,
    pub(super) kind: ObjectType,
    pub(super) bytes: Vec<u8>,
}

/// Writes an object into the repository, whole or not at all, and notes which
/// folders and files changed; nothing is synced.
pub(super) fn install(
    git_dir: &Path,
    object: &Object,
    touched: &mut BTreeSet<PathBuf>,
) -> Result<(), LedgerError> {
    let file = file(git_dir, object.id);
    let folder = file.parent().expect("an object's file is in a folder").to_path_buf();
    make_folder(&folder, touched)?;
    // git knows such a name for something unfinished, and removes it some day.
    let made = folder.join(format!("tmp_obj_{}", object.id));
    match fs::remove_file(&made) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(LedgerError::io("removing", &made)(error));
        }
        _ => {}
    }
    write(&made, object.kind, &object.bytes)
        .and_then(|()| fs::rename(&made, &file))
        .map_err(LedgerError::io("writing the object", &file))?;
    touched.extend([folder, file]);
    Ok(())
}

/// Whether an object's own file is whole and holds it; `None` where there is no
/// such file. libgit2 reads a cut one without end.
pub(super) fn holds(git_dir: &Path, object: &Object) -> Option<bool> {
    let file = fs::read(file(git_dir, object.id)).ok()?;
    let header = format!("{} {}\0", object.kind.str(), object.bytes.len());
    let found = inflate(&file);
    Some(found.is_some_and(|it| it.strip_prefix(header.as_bytes()) == Some(&object.bytes)))
}

/// Whether an object has a file of its own that is cut or damaged.
pub(super) fn is_torn(git_dir: &Path, id: Oid) -> bool {
    fs::read(file(git_dir, id)).is_ok_and(|file| inflate(&file).is_none())
}

/// Whether any object that has a file of its own is cut or damaged: `git gc`
/// keeps such files few.
pub(super) fn is_any_torn(git_dir: &Path) -> bool {
    let listed = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let is_id = |text: &str| text.len() == 40 && text.bytes().all(|it| it.is_ascii_hexdigit());
    listed(&git_dir.join("objects")).any(|folder| {
        let above = folder.file_name().to_string_lossy().into_owned();
        above.len() == 2
            && listed(&folder.path()).any(|file| {
                let id = format!("{above}{}", file.file_name().to_string_lossy());
                is_id(&id) && fs::read(file.path()).is_ok_and(|it| inflate(&it).is_none())
            })
    })
}

fn file(git_dir: &Path, id: Oid) -> PathBuf {
    let hex = id.to_string();
    git_dir.join("objects").join(&hex[..2]).join(&hex[2..])
}

/// Header and content of an object's file, where the file is whole.
pub(super) fn inflate(file: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut stream) = (Vec::with_capacity(file.len() + 64), Decompress::new(true));
    loop {
        let (read, made) = (usize::try_from(stream.total_in()).ok()?, out.len());
        let status = stream.decompress_vec(&file[read..], &mut out, FlushDecompress::None).ok()?;
        let read_now = usize::try_from(stream.total_in()).ok()?;
        match status {
            Status::StreamEnd => return (read_now == file.len()).then_some(out),
            _ if out.len() == out.capacity() => out.reserve(out.len() + 1_024),
            _ if (read_now, out.len()) == (read, made) => return None,
            _ => {}
        }
    }
}

/// Writes an object's file; it is not synced.
pub(super) fn write(path: &Path, kind: ObjectType, content: &[u8]) -> io::Result<()> {
    let mut object = format!("{} {}\0", kind.str(), content.len()).into_bytes();
    object.extend_from_slice(content);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o444);
    options.open(path)?.write_all(&stored(&object))
}

/// A zlib stream without compression (RFC 1950, RFC 1951 section 3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    out.extend_from_slice(&[0x78, 0x01]);
    let mut blocks = bytes.chunks(LARGEST_BLOCK).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("a block is at most 65,535 bytes");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&adler32(bytes).to_be_bytes());
    out
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    // So many additions cannot overflow 32 bits (RFC 1950, section 9).
    for part in bytes.chunks(5_552) {
        for byte in part {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % 65_521, b % 65_521);
    }
    (b << 16) | a
}
