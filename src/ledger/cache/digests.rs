//! Digests of blobs: what the caller worked out about each, kept for the next
//! audit.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::facts::ObjectId;
use crate::ledger::history::HistoryError;
use crate::ledger::scan::Repository;

use super::file::{Cursor, body, load, save};

const MAGIC: &[u8; 16] = b"handoff digests\n";
const ROW: usize = 28;

/// What the caller worked out about each blob, kept beside the history so
/// that the next audit need not read it again. A blob's id is its content, so
/// a digest never goes stale; it only depends on the caller's `format`.
pub struct BlobDigests {
    path: PathBuf,
    format: u32,
    /// The file as it was read: rows of id, place and length sorted by id,
    /// then the digests.
    file: Vec<u8>,
    rows: usize,
    news: HashMap<ObjectId, Vec<u8>>,
}

impl std::fmt::Debug for BlobDigests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlobDigests")
            .field("path", &self.path)
            .field("kept", &self.rows)
            .field("news", &self.news.len())
            .finish_non_exhaustive()
    }
}

impl BlobDigests {
    /// Opens the digests of this name beside the history's cache; there are
    /// none when the file is missing, cut, or of another format.
    ///
    /// # Errors
    /// When the repository cannot be opened.
    pub fn open(git_dir: &Path, name: &str, format: u32) -> Result<Self, HistoryError> {
        let repository = Repository::open(git_dir)
            .map_err(|why| HistoryError::Open { path: git_dir.to_owned(), why })?;
        let path = repository.common.join(super::FOLDER).join(format!("{name}.digests"));
        let mut digests = Self { path, format, file: Vec::new(), rows: 0, news: HashMap::new() };
        if let Some(file) = load(&digests.path, MAGIC, format)
            && let Some(rows) = Cursor(body(&file)).count(ROW)
        {
            (digests.file, digests.rows) = (file, rows);
        }
        Ok(digests)
    }

    /// The digest of a blob.
    #[must_use]
    pub fn get(&self, id: ObjectId) -> Option<&[u8]> {
        if let Some(digest) = self.news.get(&id) {
            return Some(digest);
        }
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = low.midpoint(high);
            let (found, digest) = self.row(middle)?;
            match found.cmp(&id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(digest),
            }
        }
        None
    }

    /// Keeps the digest of a blob.
    pub fn insert(&mut self, id: ObjectId, digest: Vec<u8>) {
        self.news.insert(id, digest);
    }

    /// Writes the digests for the next audit, unless there is so little news
    /// that working it out again costs less. A folder that cannot be written
    /// is no error.
    pub fn save(&self) {
        if self.news.len() < super::WORTH_WRITING && (self.rows > 0 || self.news.is_empty()) {
            return;
        }
        let mut all: Vec<(ObjectId, &[u8])> = (0..self.rows)
            .filter_map(|at| self.row(at))
            .filter(|(id, _)| !self.news.contains_key(id))
            .collect();
        all.extend(self.news.iter().map(|(id, digest)| (*id, digest.as_slice())));
        all.sort_unstable_by_key(|(id, _)| *id);
        // Places and lengths are u32; four gigabytes of digests are not kept.
        let bytes: usize = all.iter().map(|(_, digest)| digest.len()).sum();
        let Ok(_) = u32::try_from(bytes.max(all.len())) else { return };
        let short = |length: usize| u32::try_from(length).expect("checked above").to_le_bytes();
        save(&self.path, MAGIC, self.format, |out| {
            out.write_all(&short(all.len()))?;
            let mut place = 0;
            for (id, digest) in &all {
                out.write_all(&id.0)?;
                out.write_all(&short(place))?;
                out.write_all(&short(digest.len()))?;
                place += digest.len();
            }
            all.iter().try_for_each(|(_, digest)| out.write_all(digest))
        });
    }

    fn row(&self, at: usize) -> Option<(ObjectId, &[u8])> {
        let body = body(&self.file);
        let mut row = Cursor(body.get(4 + at * ROW..)?);
        let id = ObjectId(row.array()?);
        let place = usize::try_from(row.number()?).ok()?;
        let length = usize::try_from(row.number()?).ok()?;
        let digests = body.get(4 + self.rows * ROW..)?;
        Some((id, digests.get(place..place.checked_add(length)?)?))
    }
}
