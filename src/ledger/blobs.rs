//! Reads the files of the ledger in any of their versions, from many threads.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use crate::model::ObjectId;

use super::change::trailer;
use super::error::HistoryError;
use super::scan::{InPack, Kind, ObjectReader, Objects, Repository};

/// What one reader remembers of the blobs that others are deltas of.
const READER_BYTES: usize = 8 << 20;
/// How many blobs one thread reads in a row: long enough that the bases its
/// neighbour decoded too do not matter.
const RUN: usize = 1024;
/// And at least so many.
const SHORTEST_RUN: usize = 64;

/// So many commits behind a merge are looked at.
const LONGEST_SIDE: usize = 1_000;

/// Who made a commit, as far as its message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maker {
    /// It carries the trailer of handoff's own commits.
    Handoff,
    /// It does not.
    People,
    /// A merge; the handoffs that handoff's own commits behind it are about.
    Merge(BTreeSet<String>),
}

/// What of a commit tells who made it.
struct Commit {
    first_parent: Option<ObjectId>,
    /// The other parents.
    merged: Vec<ObjectId>,
    /// The handoff that it says it is about.
    key: Option<String>,
}

impl Commit {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let commit = gix::objs::CommitRef::from_bytes(bytes, gix::hash::Kind::Sha1).ok()?;
        let id = |id: gix::ObjectId| Some(ObjectId(id.as_slice().try_into().ok()?));
        let mut parents = commit.parents().filter_map(id);
        let message = String::from_utf8_lossy(commit.message);
        Some(Self {
            first_parent: parents.next(),
            merged: parents.collect(),
            key: trailer(&message, "Handoff-Key").map(str::to_owned),
        })
    }
}

/// The blobs of one repository. Share it between threads by reference.
pub struct Blobs {
    objects: Arc<Objects>,
    idle: Mutex<Vec<ObjectReader>>,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").finish_non_exhaustive()
    }
}

impl Blobs {
    /// Opens the blobs of the repository whose git folder this is.
    ///
    /// # Errors
    /// When the repository cannot be opened.
    pub fn open(git_dir: &Path) -> Result<Self, HistoryError> {
        let repository = Repository::open(git_dir)
            .map_err(|why| HistoryError::Open { path: git_dir.to_owned(), why })?;
        Ok(Self { objects: repository.objects, idle: Mutex::new(Vec::new()) })
    }

    /// The bytes of one blob, checked against its id.
    ///
    /// # Errors
    /// When the blob is missing, corrupt, or not a blob.
    pub fn read(&self, id: ObjectId) -> Result<Vec<u8>, HistoryError> {
        let mut reader = self.take();
        let bytes = read(&mut reader, self.objects.place(&id.0), id, Kind::Blob);
        self.idle().push(reader);
        bytes.map(Arc::unwrap_or_clone)
    }

    /// Reads many blobs in parallel, in the order in which the packs hold
    /// them (several times faster than in any other), and gives each to
    /// `each` with its place in `ids`; the results stand in that order.
    pub fn read_many<T: Send>(
        &self,
        ids: &[ObjectId],
        each: impl Fn(usize, Result<&[u8], HistoryError>) -> T + Sync,
    ) -> Vec<T> {
        self.read_objects(ids, Kind::Blob, each)
    }

    /// Who made each of these commits; `None` where one cannot be read.
    #[must_use]
    pub fn makers(&self, commits: &[ObjectId]) -> Vec<Option<Maker>> {
        let made = self.read_objects(commits, Kind::Commit, |_, bytes| Commit::parse(bytes.ok()?));
        let makers = made.into_iter().map(|commit| {
            let commit = commit?;
            Some(match (commit.key, &commit.merged[..]) {
                (Some(_), _) => Maker::Handoff,
                (None, []) => Maker::People,
                (None, merged) => Maker::Merge(self.keys_below(commit.first_parent, merged)),
            })
        });
        makers.collect()
    }

    /// The handoffs that commits behind the merged sides of a merge are about,
    /// and none that the branch had before.
    fn keys_below(&self, branch: Option<ObjectId>, merged: &[ObjectId]) -> BTreeSet<String> {
        let mut reader = self.take();
        let mut commit = |id: ObjectId| {
            let bytes = read(&mut reader, self.objects.place(&id.0), id, Kind::Commit);
            bytes.ok().and_then(|bytes| Commit::parse(&bytes))
        };
        let mut seen = BTreeSet::new();
        let mut before = branch;
        while let Some(id) = before.filter(|id| seen.len() < LONGEST_SIDE && seen.insert(*id)) {
            before = commit(id).and_then(|commit| commit.first_parent);
        }
        let mut keys = BTreeSet::new();
        let mut next: Vec<ObjectId> = merged.to_vec();
        while let Some(id) = next.pop().filter(|_| seen.len() < 2 * LONGEST_SIDE) {
            if seen.insert(id)
                && let Some(commit) = commit(id)
            {
                next.extend(commit.first_parent.into_iter().chain(commit.merged));
                keys.extend(commit.key);
            }
        }
        self.idle().push(reader);
        keys
    }

    fn read_objects<T: Send>(
        &self,
        ids: &[ObjectId],
        kind: Kind,
        each: impl Fn(usize, Result<&[u8], HistoryError>) -> T + Sync,
    ) -> Vec<T> {
        let mut order: Vec<(Option<InPack>, usize)> =
            ids.par_iter().enumerate().map(|(at, id)| (self.objects.place(&id.0), at)).collect();
        order.par_sort_unstable();
        // Few are divided so that the threads end together.
        let run = (ids.len() / (4 * rayon::current_num_threads())).clamp(SHORTEST_RUN, RUN);
        let read: Vec<Vec<(usize, T)>> = order
            .par_chunks(run)
            .map(|run| {
                let mut reader = self.take();
                let one = |&(place, at): &(Option<InPack>, usize)| {
                    let given = match read(&mut reader, place, ids[at], kind) {
                        Ok(bytes) => each(at, Ok(&bytes)),
                        Err(error) => each(at, Err(error)),
                    };
                    (at, given)
                };
                let done = run.iter().map(one).collect();
                self.idle().push(reader);
                done
            })
            .collect();
        let mut results: Vec<Option<T>> = ids.iter().map(|_| None).collect();
        for (at, result) in read.into_iter().flatten() {
            results[at] = Some(result);
        }
        results.into_iter().map(|result| result.expect("each place was read once")).collect()
    }

    fn take(&self) -> ObjectReader {
        let idle = self.idle().pop();
        idle.unwrap_or_else(|| self.objects.reader(READER_BYTES))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<ObjectReader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(
    reader: &mut ObjectReader,
    place: Option<InPack>,
    id: ObjectId,
    kind: Kind,
) -> Result<Arc<Vec<u8>>, HistoryError> {
    let fail = |why: String| HistoryError::Object { what: format!("{kind} {id}"), why };
    let bytes = reader.read_kind_at(place, &id.0, kind);
    let bytes = bytes.map_err(|fault| fail(fault.to_string()))?;
    let found = gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, &bytes)
        .map_err(|e| fail(e.to_string()))?;
    if found.as_slice() != id.0 {
        return Err(fail(format!("it is corrupt: its bytes have the id {found}")));
    }
    Ok(bytes)
}
