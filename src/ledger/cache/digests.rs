//! What a caller worked out about each folder of the ledger, kept for the next
//! audit.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::ledger::error::HistoryError;
use crate::ledger::scan::common_dir;
use crate::model::ObjectId;

use super::file::{ByteReader, body, load, save};

const MAGIC: &[u8; 16] = b"handoff digests\n";
const ROW: usize = 28;

/// What the caller worked out, by a fingerprint of all that it depends on: so
/// nothing here goes stale, it only depends on the caller's `format`.
pub struct KeptDigests {
    /// The file as it was read: rows of fingerprint, place and length sorted
    /// by fingerprint, then the digests.
    file: Vec<u8>,
    rows: usize,
}

impl std::fmt::Debug for KeptDigests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptDigests").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl KeptDigests {
    /// Opens the digests of this name beside the history's cache; there are
    /// none when the file is missing, cut, or of another format.
    ///
    /// # Errors
    /// When the repository cannot be opened.
    pub fn open(git_dir: &Path, name: &str, format: u32) -> Result<Self, HistoryError> {
        Ok(load(&path(git_dir, name)?, MAGIC, format)
            .and_then(|file| Some(Self { rows: ByteReader(body(&file)).count(ROW)?, file }))
            .unwrap_or_else(Self::none))
    }

    /// No digests.
    #[must_use]
    pub fn none() -> Self {
        Self { file: Vec::new(), rows: 0 }
    }

    /// The digest with this fingerprint.
    #[must_use]
    pub fn get(&self, fingerprint: ObjectId) -> Option<&[u8]> {
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = low.midpoint(high);
            let (found, digest) = self.row(middle)?;
            match found.cmp(&fingerprint) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(digest),
            }
        }
        None
    }

    /// Whether so many new digests are worth writing the file again: working
    /// out a few costs less.
    #[must_use]
    pub fn is_worth_replacing(&self, news: usize) -> bool {
        news >= super::WORTH_WRITING || (self.rows == 0 && news > 0)
    }

    /// Keeps these digests and no others. A folder that cannot be written is
    /// no error: the next audit is only slower.
    ///
    /// # Errors
    /// When the repository cannot be opened.
    pub fn save(
        git_dir: &Path,
        name: &str,
        format: u32,
        digests: &[(ObjectId, Cow<'_, [u8]>)],
    ) -> Result<(), HistoryError> {
        let path = path(git_dir, name)?;
        // Places and lengths are u32; four gigabytes of digests are not kept.
        let bytes: usize = digests.iter().map(|(_, digest)| digest.len()).sum();
        let Ok(_) = u32::try_from(bytes.max(digests.len())) else { return Ok(()) };
        let short = |length: usize| u32::try_from(length).expect("checked above").to_le_bytes();
        let mut place = 0;
        let mut rows: Vec<(ObjectId, usize, usize)> = Vec::with_capacity(digests.len());
        for (fingerprint, digest) in digests {
            rows.push((*fingerprint, place, digest.len()));
            place += digest.len();
        }
        rows.sort_unstable();
        save(&path, MAGIC, format, |out| {
            out.write_all(&short(rows.len()))?;
            for (fingerprint, place, length) in &rows {
                out.write_all(&fingerprint.0)?;
                out.write_all(&short(*place))?;
                out.write_all(&short(*length))?;
            }
            digests.iter().try_for_each(|(_, digest)| out.write_all(digest))
        });
        Ok(())
    }

    fn row(&self, at: usize) -> Option<(ObjectId, &[u8])> {
        let body = body(&self.file);
        let mut row = ByteReader(body.get(4 + at * ROW..)?);
        let fingerprint = ObjectId(row.array()?);
        let place = usize::try_from(row.number()?).ok()?;
        let length = usize::try_from(row.number()?).ok()?;
        let digests = body.get(4 + self.rows * ROW..)?;
        Some((fingerprint, digests.get(place..place.checked_add(length)?)?))
    }
}

fn path(git_dir: &Path, name: &str) -> Result<PathBuf, HistoryError> {
    let common =
        common_dir(git_dir).map_err(|why| HistoryError::Open { path: git_dir.to_owned(), why })?;
    Ok(common.join(super::FOLDER).join(format!("{name}.digests")))
}
