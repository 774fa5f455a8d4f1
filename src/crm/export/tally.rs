//! What was assumed while deals were built, counted for the remarks.

use std::collections::{BTreeMap, BTreeSet};

/// What was assumed while deals were built, counted for the remarks.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) without_offset: usize,
    pub(super) whole_days: usize,
    pub(super) by_probability: BTreeMap<String, usize>,
    /// Cells that do not say whether a deal is won: how many, and the first row.
    pub(super) unknown_cells: BTreeMap<String, (usize, usize)>,
    pub(super) unknown_stages: BTreeSet<String>,
    pub(super) unknown: usize,
    /// Rows whose cells contradict each other or cannot be read, with why.
    pub(super) undecided: Vec<(usize, String)>,
    /// The first amount that was read as whole thousands, and what came of it.
    pub(super) likely_amount: Option<(usize, String)>,
    pub(super) repaired_ids: usize,
    /// The first of them, its row and what came of it.
    pub(super) repaired_id: Option<(usize, String)>,
    pub(super) without_amount: usize,
    pub(super) without_currency: usize,
    pub(super) weak: usize,
    pub(super) several_companies: usize,
    pub(super) unjoined: BTreeMap<usize, usize>,
    pub(super) likely_sign: usize,
    /// Amounts whose sign the other amounts proved.
    pub(super) proved_sign: usize,
    pub(super) won_without_date: usize,
    pub(super) controls: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.without_offset += other.without_offset;
        self.whole_days += other.whole_days;
        self.unknown += other.unknown;
        self.without_amount += other.without_amount;
        self.without_currency += other.without_currency;
        self.weak += other.weak;
        self.several_companies += other.several_companies;
        self.likely_sign += other.likely_sign;
        self.proved_sign += other.proved_sign;
        self.won_without_date += other.won_without_date;
        self.controls += other.controls;
        for (stage, n) in other.by_probability {
            *self.by_probability.entry(stage).or_default() += n;
        }
        for (cell, (n, row)) in other.unknown_cells {
            let entry = self.unknown_cells.entry(cell).or_insert((0, row));
            *entry = (entry.0 + n, entry.1.min(row));
        }
        self.unknown_stages.extend(other.unknown_stages);
        self.undecided.extend(other.undecided);
        self.undecided.sort();
        self.likely_amount = self.likely_amount.take().into_iter().chain(other.likely_amount).min();
        self.repaired_ids += other.repaired_ids;
        self.repaired_id = self.repaired_id.take().into_iter().chain(other.repaired_id).min();
        for (join, n) in other.unjoined {
            *self.unjoined.entry(join).or_default() += n;
        }
    }
}
