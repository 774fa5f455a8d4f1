//! A file of ours in the git folder: a word that names its kind, a format
//! number, a body, and a checksum over all of it, which is for accidents.

use std::io::{BufWriter, Write};
use std::path::Path;

use crc32fast::Hasher;

/// What stands before the body.
pub(super) const HEADER: usize = 20;
/// What stands behind it.
const CHECKSUM: usize = 4;

fn header(magic: &[u8; 16], format: u32) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..16].copy_from_slice(magic);
    bytes[16..].copy_from_slice(&format.to_le_bytes());
    bytes
}

/// Adds up what passes through it.
struct Summed<W> {
    inner: W,
    sum: Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.sum.update(&bytes[..count]);
        Ok(count)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a file whole or not at all. One that cannot be written is no error:
/// the next audit is only slower.
pub(super) fn save(
    path: &Path,
    magic: &[u8; 16],
    format: u32,
    body: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) {
    if let Err(error) = write(path, magic, format, body) {
        tracing::debug!(path = %path.display(), %error, "the cache could not be written");
    }
}

fn write(
    path: &Path,
    magic: &[u8; 16],
    format: u32,
    body: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let folder = path.parent().ok_or(std::io::ErrorKind::NotFound)?;
    std::fs::create_dir_all(folder)?;
    // A reader sees the old file or the new one; the checksum catches the rest.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let summed = Summed { inner: file.as_file_mut(), sum: Hasher::new() };
    let mut out = BufWriter::with_capacity(1 << 17, summed);
    out.write_all(&header(magic, format))?;
    body(&mut out)?;
    let summed = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
    summed.inner.write_all(&summed.sum.finalize().to_le_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// The file's bytes when kind, format and checksum are right.
pub(super) fn load(path: &Path, magic: &[u8; 16], format: u32) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    let end = bytes.len().checked_sub(CHECKSUM).filter(|end| *end >= HEADER)?;
    let fits = bytes.starts_with(&header(magic, format))
        && crc32fast::hash(&bytes[..end]).to_le_bytes() == bytes[end..];
    fits.then_some(bytes)
}

/// What stands between header and checksum in a file that [`load`] gave.
pub(super) fn body(file: &[u8]) -> &[u8] {
    &file[HEADER..file.len() - CHECKSUM]
}

/// Takes values off the front; `None` when there is too little left.
pub(super) struct ByteReader<'a>(pub(super) &'a [u8]);

impl<'a> ByteReader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
    pub(super) fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    /// A count of things of which each takes some bytes, so that no lie about
    /// it can allocate more than the file holds.
    pub(super) fn count(&mut self, each: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count.checked_mul(each)? <= self.0.len()).then_some(count)
    }
}
