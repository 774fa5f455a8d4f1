//! How many open handoffs each CSM has, for the rule that gives the next one
//! to whoever has the fewest.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, Days, Utc};

use super::customers::{Customers, entries};
use super::{Context, pending_pull_request};
use crate::brief::{Brief, EventKind, Timeline};
use crate::ledger::{Snapshot, month_for};

/// Open handoffs by the CSM's place in the team.
type Counts = BTreeMap<usize, usize>;

/// The counts of the months that were asked for. Each month is read once;
/// what is made of it afterwards is added.
#[derive(Debug, Default)]
pub(super) struct OpenHandoffs {
    months: RefCell<BTreeMap<String, Counts>>,
    /// The customers, which the same run asks for.
    pub(super) customers: Customers,
}

impl OpenHandoffs {
    /// Over this month and the one before, and those that wait for their
    /// merge: signed, and not touched yet.
    pub(super) fn count(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        signed_at: DateTime<Utc>,
    ) -> Counts {
        let layout = context.config.layout.as_str();
        let mut months: Vec<String> = [signed_at, signed_at - Days::new(28)]
            .into_iter()
            .filter_map(|when| month_for(layout, when).ok())
            .collect();
        months.dedup();
        let (mut known, mut open) = (self.months.borrow_mut(), Counts::new());
        for month in months {
            let counts =
                known.entry(month).or_insert_with_key(|month| read(context, snapshot, month));
            for (csm, count) in counts {
                *open.entry(*csm).or_insert(0) += *count;
            }
        }
        for (_, stored) in
            pending_pull_request::all(context, snapshot).map(|(all, _)| all).unwrap_or_default()
        {
            let csm = stored.brief.as_ref().and_then(|brief| csm(context, brief));
            if let Some(csm) = csm.filter(|_| !is_settled(context, &stored.timeline)) {
                *open.entry(csm).or_insert(0) += 1;
            }
        }
        open
    }

    /// A handoff that was just made in this folder.
    pub(super) fn add(&self, context: &Context, folder: &str, brief: &Brief) {
        let month = folder.split_once('/').and_then(|(_, path)| path.rsplit_once('/'));
        let month = month.map_or("", |(month, _)| month);
        // A month that was not read yet is read with this one in it.
        if let Some(counts) = self.months.borrow_mut().get_mut(month)
            && let Some(csm) = csm(context, brief)
        {
            *counts.entry(csm).or_insert(0) += 1;
        }
    }
}

fn read(context: &Context, snapshot: &Snapshot, month: &str) -> Counts {
    let mut open = Counts::new();
    // What cannot be read here only makes the counts less even; validate and audit report it.
    for csm in entries(context, snapshot, month).iter().filter_map(|entry| entry.awaits(context)) {
        *open.entry(csm).or_insert(0) += 1;
    }
    open
}

fn is_settled(context: &Context, timeline: &Timeline) -> bool {
    let needs_evidence = context.config.first_touch.needs_evidence();
    timeline.first_touch(needs_evidence).is_some() || timeline.first(EventKind::Exempted).is_some()
}

/// The place in the team of whoever has the first action.
fn csm(context: &Context, brief: &Brief) -> Option<usize> {
    let owner = brief.view().first_action_owner();
    let words = owner.iter().flat_map(|owner| [owner.github, owner.email, owner.name]).flatten();
    words.into_iter().find_map(|word| context.config.team.find(word))
}
