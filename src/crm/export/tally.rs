//! What was assumed while deals were built, counted for the remarks.

use std::collections::BTreeMap;

use super::won::Evidence;
use crate::model::Deal;
use crate::text::quoted;

/// What was assumed while deals were built, counted for the remarks.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) without_offset: usize,
    pub(super) whole_days: usize,
    pub(super) by_probability: BTreeMap<String, usize>,
    pub(super) unknown_stages: BTreeMap<String, usize>,
    pub(super) unknown: usize,
    pub(super) without_amount: usize,
    pub(super) without_currency: usize,
    pub(super) weak: usize,
    pub(super) several_companies: usize,
    pub(super) unjoined: BTreeMap<usize, usize>,
    pub(super) likely_sign: usize,
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
        self.won_without_date += other.won_without_date;
        self.controls += other.controls;
        for (stage, n) in other.by_probability {
            *self.by_probability.entry(stage).or_default() += n;
        }
        for (stage, n) in other.unknown_stages {
            *self.unknown_stages.entry(stage).or_default() += n;
        }
        for (join, n) in other.unjoined {
            *self.unjoined.entry(join).or_default() += n;
        }
    }
}

/// Counts a deal whose stage does not say for itself whether it is won.
pub(super) fn count_stage(deal: &Deal, evidence: Evidence, tally: &mut Tally) {
    let into = match evidence {
        Evidence::Said => return,
        Evidence::Probability => &mut tally.by_probability,
        Evidence::Nothing => {
            tally.unknown += 1;
            &mut tally.unknown_stages
        }
    };
    let stage = deal.stage.as_deref().map(quoted).unwrap_or_default();
    if !stage.is_empty() {
        *into.entry(stage).or_default() += 1;
    }
}
