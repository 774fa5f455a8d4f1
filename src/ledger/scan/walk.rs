//! Compares a chain of commits pair by pair, in a few threads.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::model::Gap;

use super::Id;
use super::chain::{Chain, Link};
use super::diff::{Differ, TreeChange};
use super::objects::Objects;

/// A piece of the chain: large enough that the bases which two pieces decode
/// twice do not matter, small enough that the threads end together.
const PIECE: usize = 4096;
/// A short chain is divided among the threads in pieces of at least this.
const SMALLEST_PIECE: usize = 1024;
/// More threads read the same few directories of one pack and only cost memory.
const MOST_THREADS: usize = 4;
/// The largest months of a large ledger, some fifty versions of them.
const READER_BYTES: usize = 24 << 20;

/// What the commits of one piece changed.
pub(in crate::ledger) struct PieceChanges {
    /// The changes, newest first.
    pub(super) changes: Vec<TreeChange>,
    /// The folders' paths by the number in the changes.
    pub(super) folders: Vec<Vec<u8>>,
    gaps: Vec<(Id, Gap)>,
}

/// What each commit of the chain changed, oldest piece first, and what could
/// not be read. `progress` hears how many commits are done.
pub(in crate::ledger) fn compare(
    objects: &Arc<Objects>,
    chain: &Chain,
    prefix: &str,
    first: u32,
    progress: &dyn Fn(usize),
) -> (Vec<PieceChanges>, Vec<Gap>) {
    let links = &chain.links;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let length = links.len().div_ceil(cores.min(MOST_THREADS)).clamp(SMALLEST_PIECE, PIECE);
    let pieces = links.len().div_ceil(length);
    let threads = cores.min(MOST_THREADS).min(pieces.max(1));
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let mut parts: Vec<Option<PieceChanges>> = (0..pieces).map(|_| None).collect();
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel();
        for _ in 0..threads {
            let (send, next, done) = (send.clone(), &next, &done);
            scope.spawn(move || {
                loop {
                    // Newest first: the largest directories come before the small ones.
                    let taken = next.fetch_add(1, Ordering::Relaxed);
                    if taken >= pieces {
                        return;
                    }
                    let piece = pieces - 1 - taken;
                    let range = piece * length..links.len().min((piece + 1) * length);
                    let part = compare_piece(objects, chain, prefix, first, range, done);
                    if send.send((piece, part)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        loop {
            match receive.recv_timeout(Duration::from_millis(100)) {
                Ok((piece, part)) => parts[piece] = Some(part),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            progress(done.load(Ordering::Relaxed));
        }
    });
    // Two commits or two pieces may meet the same broken object.
    let mut gaps = BTreeMap::new();
    let mut whole = Vec::with_capacity(parts.len());
    for part in parts {
        let mut part = part.expect("each piece is sent once, and a panic ends the scope");
        for (id, gap) in part.gaps.drain(..) {
            gaps.entry(id).or_insert(gap);
        }
        whole.push(part);
    }
    (whole, gaps.into_values().collect())
}

fn compare_piece(
    objects: &Arc<Objects>,
    chain: &Chain,
    prefix: &str,
    first: u32,
    range: Range<usize>,
    done: &AtomicUsize,
) -> PieceChanges {
    let mut differ = Differ::new(objects.reader(READER_BYTES), prefix);
    for at in range.rev() {
        let link = &chain.links[at];
        let parent: Option<&Link> =
            if at == 0 { chain.base.as_ref() } else { Some(&chain.links[at - 1]) };
        differ.check_commit(&link.id);
        let place = first + u32::try_from(at).expect("fewer commits than git can count");
        differ.compare(place, &link.tree, parent.map(|parent| &parent.tree));
        done.fetch_add(1, Ordering::Relaxed);
    }
    PieceChanges { changes: differ.changes, folders: differ.folders, gaps: differ.gaps }
}
