//! Reads the files of the ledger in any of their versions, from many threads.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use crate::model::ObjectId;

use super::error::HistoryError;
use super::scan::{Kind, Objects, Reader, Repository};

/// What one reader remembers of the blobs that others are deltas of.
const READER_BYTES: usize = 8 << 20;
/// How many blobs one thread reads in a row: long enough that the bases its
/// neighbour decoded too do not matter.
const RUN: usize = 1024;

/// The blobs of one repository. Share it between threads by reference.
pub struct Blobs {
    objects: Arc<Objects>,
    idle: Mutex<Vec<Reader>>,
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
        let bytes = read(&mut reader, id);
        self.idle().push(reader);
        bytes
    }

    /// Reads many blobs in parallel, in the order in which the packs hold
    /// them (several times faster than in any other), and gives each to
    /// `each`; the results stand in the order of `ids`.
    pub fn read_many<T: Send>(
        &self,
        ids: &[ObjectId],
        each: impl Fn(ObjectId, Result<Vec<u8>, HistoryError>) -> T + Sync,
    ) -> Vec<T> {
        let mut order: Vec<(usize, u64, usize)> = ids
            .par_iter()
            .enumerate()
            .map(|(at, id)| {
                let (pack, offset) = self.objects.place(&id.0);
                (pack, offset, at)
            })
            .collect();
        order.par_sort_unstable();
        let read: Vec<Vec<(usize, T)>> = order
            .par_chunks(RUN)
            .map(|run| {
                let mut reader = self.take();
                let one = |&(_, _, at): &(usize, u64, usize)| {
                    (at, each(ids[at], read(&mut reader, ids[at])))
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

    fn take(&self) -> Reader {
        let idle = self.idle().pop();
        idle.unwrap_or_else(|| self.objects.reader(READER_BYTES))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(reader: &mut Reader, id: ObjectId) -> Result<Vec<u8>, HistoryError> {
    let fail = |why: String| HistoryError::Object { what: format!("blob {id}"), why };
    let bytes = reader.read_kind(&id.0, Kind::Blob).map_err(|fault| fail(fault.to_string()))?;
    let found = gix::objs::compute_hash(gix::hash::Kind::Sha1, Kind::Blob, &bytes)
        .map_err(|e| fail(e.to_string()))?;
    if found.as_slice() != id.0 {
        return Err(fail(format!("it is corrupt: its bytes have the id {found}")));
    }
    Ok(Arc::unwrap_or_clone(bytes))
}
