//! Every row as a deal, on all cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::deal::Builder;
use super::load::PIECE;
use super::problems::{self, Problem, SHOWN};
use super::remarks::Tally;
use super::table::Cursor;
use crate::crm::{CrmError, Progress};
use crate::model::Deal;

/// What one thread meets on its rows; handed over when it is done with them.
/// How rows are divided depends on the machine, so everything here comes out
/// the same however they are: sums, and the first problems by row.
struct Part<'a> {
    cursor: Cursor,
    tally: Tally,
    problems: Vec<Problem>,
    total: usize,
    all: &'a Mutex<Met>,
}

#[derive(Default)]
struct Met {
    tally: Tally,
    problems: Vec<Problem>,
    total: usize,
}

impl Part<'_> {
    fn build(&mut self, builder: &Builder<'_>, row: usize) -> Option<Deal> {
        let mut found = Vec::new();
        let deal = builder.build(row, &mut self.cursor, &mut self.tally, &mut found);
        self.total += found.len();
        // More than can be shown is counted only.
        if self.problems.len() < SHOWN {
            self.problems.extend(found);
        }
        deal
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.tally.add(std::mem::take(&mut self.tally));
        all.problems.append(&mut self.problems);
        all.total += self.total;
    }
}

/// All deals in the order of the file, or everything that is wrong with it.
pub(super) fn deals(
    builder: &Builder<'_>,
    progress: &dyn Progress,
) -> Result<(Vec<Deal>, Tally), CrmError> {
    let loaded = builder.loaded;
    let rows = loaded.table.len();
    let (all, read) = (Mutex::new(Met::default()), AtomicUsize::new(0));
    let part = || Part {
        cursor: Cursor::default(),
        tally: Tally::default(),
        problems: Vec::new(),
        total: 0,
        all: &all,
    };
    // Each deal is written in its place: a million of them are not moved.
    let mut deals: Vec<Option<Deal>> = Vec::new();
    (0..rows)
        .into_par_iter()
        .with_min_len(PIECE)
        .map_init(part, |part, row| {
            if row % PIECE == PIECE - 1 {
                progress.read(read.fetch_add(PIECE, Ordering::Relaxed) + PIECE, Some(rows));
            }
            part.build(builder, row)
        })
        .collect_into_vec(&mut deals);
    progress.read(rows, Some(rows));
    let met = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut found = loaded.table.broken.clone();
    found.extend(loaded.doubled_ids());
    let total = found.len() + met.total;
    found.extend(met.problems);
    found.sort_by_key(|problem| problem.row);
    match problems::error(&loaded.shown(), &found, total) {
        Some(error) => Err(error),
        // Mapped, not flattened: that is done in place.
        None => Ok((
            deals.into_iter().map(|deal| deal.expect("a row without a problem")).collect(),
            met.tally,
        )),
    }
}
