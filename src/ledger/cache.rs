//! What the last scan found, kept in the git folder. Never needed for a
//! correct answer: whatever does not fit (another format, a cut or foreign
//! file, a tip that is no longer in the history) is ignored without a word and
//! made anew.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::facts::{CommitInfo, ObjectId};

use super::history::HistoryError;
use super::scan::{Id, Record, Repository, Slot, State};

const FOLDER: &str = "handoff";
const RECORD_MAGIC: &[u8; 16] = b"handoff history\n";
const RECORD_FORMAT: u32 = 1;
const DIGEST_MAGIC: &[u8; 16] = b"handoff digests\n";
const CHECKSUM: usize = 32;
/// Below this, reading the news again costs less than writing the whole file.
const WORTH_WRITING: usize = 500;

/// The record of the last scan; `None` when there is none that fits.
pub(super) fn load_record(common: &Path) -> Option<Record> {
    decode(checked(&read(&record_path(common))?, RECORD_MAGIC, RECORD_FORMAT)?)
}

/// Whether a record is worth writing after this many new commits.
pub(super) fn is_worth_saving(record: &Record, fresh: usize) -> bool {
    fresh >= WORTH_WRITING || fresh == usize::try_from(record.walked).unwrap_or(usize::MAX)
}

/// Keeps the record for the next scan. A folder that cannot be written is no
/// error: the next scan is only slower.
pub(super) fn save_record(common: &Path, record: &Record) {
    let mut bytes = start(RECORD_MAGIC, RECORD_FORMAT);
    encode(record, &mut bytes);
    save(&record_path(common), bytes);
}

fn record_path(common: &Path) -> PathBuf {
    common.join(FOLDER).join("history")
}

fn start(magic: &[u8; 16], format: u32) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend_from_slice(&format.to_le_bytes());
    bytes
}

fn save(path: &Path, mut bytes: Vec<u8>) {
    let sum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&sum);
    if let Err(error) = write(path, &bytes) {
        tracing::debug!(path = %path.display(), %error, "the cache could not be written");
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().ok_or(std::io::ErrorKind::NotFound)?;
    std::fs::create_dir_all(folder)?;
    // A reader sees the old file or the new one; the checksum catches the rest.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

fn read(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).ok()
}

/// What stands between the header and the checksum, when both are right.
fn checked<'a>(bytes: &'a [u8], magic: &[u8; 16], format: u32) -> Option<&'a [u8]> {
    let body = bytes.strip_prefix(&start(magic, format)[..])?;
    let (body, sum) = body.split_at_checked(body.len().checked_sub(CHECKSUM)?)?;
    (Sha256::digest(&bytes[..bytes.len() - CHECKSUM])[..] == *sum).then_some(body)
}

fn encode(record: &Record, out: &mut Vec<u8>) {
    let count = |length: usize| u32::try_from(length).expect("git counts in u32").to_le_bytes();
    out.extend_from_slice(&record.tip);
    out.extend_from_slice(&record.walked.to_le_bytes());
    out.extend_from_slice(&count(record.commits.len()));
    for (at, commit) in &record.commits {
        out.extend_from_slice(&at.to_le_bytes());
        out.extend_from_slice(&commit.id.0);
        out.extend_from_slice(&commit.committed_at.to_le_bytes());
        out.push(u8::from(commit.parent_committed_at.is_some()));
        out.extend_from_slice(&commit.parent_committed_at.unwrap_or_default().to_le_bytes());
    }
    out.extend_from_slice(&count(record.schemas.len()));
    for (at, slot) in &record.schemas {
        out.extend_from_slice(&at.to_le_bytes());
        encode_slot(*slot, None, out);
    }
    out.extend_from_slice(&count(record.folders.len()));
    for (path, states) in &record.folders {
        out.extend_from_slice(&count(path.len()));
        out.extend_from_slice(path);
        out.extend_from_slice(&count(states.len()));
        let mut before: Option<&State> = None;
        for state in states {
            out.extend_from_slice(&state.at.to_le_bytes());
            encode_slot(state.brief, before.map(|b| b.brief), out);
            encode_slot(state.timeline, before.map(|b| b.timeline), out);
            before = Some(state);
        }
    }
}

fn encode_slot(slot: Slot, before: Option<Slot>, out: &mut Vec<u8>) {
    if before == Some(slot) {
        out.push(3);
        return;
    }
    match slot {
        Slot::Absent => out.push(0),
        Slot::Other => out.push(2),
        Slot::Blob(id) => {
            out.push(1);
            out.extend_from_slice(&id);
        }
    }
}

/// Takes values off the front; `None` when there is too little left.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
    fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    /// A count of things of which each takes some bytes, so that no lie about
    /// it can allocate more than the file holds.
    fn count(&mut self, each: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count.checked_mul(each)? <= self.0.len()).then_some(count)
    }
    fn slot(&mut self, before: Option<Slot>) -> Option<Slot> {
        match self.take(1)?[0] {
            0 => Some(Slot::Absent),
            1 => self.array().map(Slot::Blob),
            2 => Some(Slot::Other),
            3 => before,
            _ => None,
        }
    }
}

fn decode(body: &[u8]) -> Option<Record> {
    let mut from = Cursor(body);
    let tip: Id = from.array()?;
    let walked = from.number()?;
    let count = from.count(41)?;
    let mut commits = Vec::with_capacity(count);
    for _ in 0..count {
        let at = from.number().filter(|at| *at < walked)?;
        let id = ObjectId(from.array()?);
        let committed_at = from.array().map(i64::from_le_bytes)?;
        let has_parent = from.take(1)?[0] == 1;
        let parent = from.array().map(i64::from_le_bytes)?;
        let parent_committed_at = has_parent.then_some(parent);
        commits.push((at, CommitInfo { id, committed_at, parent_committed_at }));
    }
    let count = from.count(5)?;
    let mut schemas = Vec::with_capacity(count);
    for _ in 0..count {
        schemas.push((from.number().filter(|at| *at < walked)?, from.slot(None)?));
    }
    let count = from.count(8)?;
    let mut folders = Vec::with_capacity(count);
    for _ in 0..count {
        let length = from.count(1)?;
        let path = from.take(length)?.to_vec();
        let length = from.count(6)?;
        let mut states: Vec<State> = Vec::with_capacity(length);
        for _ in 0..length {
            let before = states.last();
            let at = from.number().filter(|at| *at < walked)?;
            let brief = from.slot(before.map(|b| b.brief))?;
            let timeline = from.slot(before.map(|b| b.timeline))?;
            states.push(State { at, brief, timeline });
        }
        folders.push((path, states));
    }
    from.0.is_empty().then_some(Record { tip, walked, commits, folders, schemas })
}

const ROW: usize = 28;

/// What the caller worked out about each blob, kept beside the history so
/// that the next audit need not read it again. A blob's id is its content, so
/// a digest never goes stale; it only depends on the caller's `format`.
pub struct BlobDigests {
    path: PathBuf,
    magic_format: u32,
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

const BODY: usize = 20;

impl BlobDigests {
    /// Opens the digests of this name beside the history's cache; there are
    /// none when the file is missing, cut, or of another format.
    ///
    /// # Errors
    /// When the repository cannot be opened.
    pub fn open(git_dir: &Path, name: &str, format: u32) -> Result<Self, HistoryError> {
        let repository = Repository::open(git_dir)
            .map_err(|why| HistoryError::Open { path: git_dir.to_owned(), why })?;
        let path = repository.common.join(FOLDER).join(format!("{name}.digests"));
        let mut digests =
            Self { path, magic_format: format, file: Vec::new(), rows: 0, news: HashMap::new() };
        if let Some(file) = read(&digests.path)
            && let Some(rows) = checked(&file, DIGEST_MAGIC, format).and_then(rows)
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
        if self.news.len() < WORTH_WRITING && (self.rows > 0 || self.news.is_empty()) {
            return;
        }
        let mut all: Vec<(ObjectId, &[u8])> = (0..self.rows)
            .filter_map(|at| self.row(at))
            .filter(|(id, _)| !self.news.contains_key(id))
            .collect();
        all.extend(self.news.iter().map(|(id, digest)| (*id, digest.as_slice())));
        all.sort_unstable_by_key(|(id, _)| *id);
        let Ok(count) = u32::try_from(all.len()) else { return };
        let mut bytes = start(DIGEST_MAGIC, self.magic_format);
        bytes.extend_from_slice(&count.to_le_bytes());
        let mut place = 0u64;
        for (id, digest) in &all {
            let Ok(length) = u32::try_from(digest.len()) else { return };
            // A place of 40 bits and a length of 24 would do; this is simple.
            let Ok(short) = u32::try_from(place) else { return };
            bytes.extend_from_slice(&id.0);
            bytes.extend_from_slice(&short.to_le_bytes());
            bytes.extend_from_slice(&length.to_le_bytes());
            place += u64::from(length);
        }
        for (_, digest) in &all {
            bytes.extend_from_slice(digest);
        }
        save(&self.path, bytes);
    }

    fn row(&self, at: usize) -> Option<(ObjectId, &[u8])> {
        let body = &self.file[BODY..self.file.len() - CHECKSUM];
        let mut row = Cursor(body.get(4 + at * ROW..)?);
        let id = ObjectId(row.array()?);
        let place = usize::try_from(row.number()?).ok()?;
        let length = usize::try_from(row.number()?).ok()?;
        let digests = body.get(4 + self.rows * ROW..)?;
        Some((id, digests.get(place..place.checked_add(length)?)?))
    }
}

fn rows(body: &[u8]) -> Option<usize> {
    Cursor(body).count(ROW)
}
