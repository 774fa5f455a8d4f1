//! How many open handoffs each CSM has, for the rule that gives the next one
//! to whoever has the fewest.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, Days, Utc};

use super::customers::Customers;
use super::folder_facts::{Kind, facts};
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
        let new: Vec<String> =
            months.iter().filter(|month| !known.contains_key(*month)).cloned().collect();
        known.extend(read(context, snapshot, new));
        for counts in months.iter().filter_map(|month| known.get(month)) {
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

/// The counts of these months, read together: what is kept of them is one file.
fn read(context: &Context, snapshot: &Snapshot, months: Vec<String>) -> BTreeMap<String, Counts> {
    let mut folders = Vec::new();
    let mut month_of = Vec::new();
    for (at, month) in months.iter().enumerate() {
        // What cannot be read here only makes the counts less even; validate and audit report it.
        let (some, _) = snapshot.folders(Some(month)).into_parts();
        month_of.resize(month_of.len() + some.len(), at);
        folders.extend(some);
    }
    let kind =
        Kind { name: "open", basis: &[u8::from(context.config.first_touch.needs_evidence())] };
    let owners = facts(context, snapshot, &folders, &kind, |_, files| {
        let timeline = files.timeline.as_deref().and_then(|bytes| Timeline::parse(bytes).ok());
        let brief = files
            .brief
            .as_deref()
            .filter(|_| !timeline.as_ref().is_some_and(|timeline| is_settled(context, timeline)));
        let brief = brief.map(Brief::parse).transpose().map_err(|error| error.to_string())?;
        Ok(brief.map_or_else(Vec::new, |brief| {
            owner(&brief).into_iter().map(str::to_owned).collect::<Vec<String>>()
        }))
    });
    let mut counts = vec![Counts::new(); months.len()];
    for (month, words) in month_of.into_iter().zip(owners.unwrap_or_default()) {
        let csm = words.unwrap_or_default().iter().find_map(|word| context.config.team.find(word));
        if let Some(csm) = csm {
            *counts[month].entry(csm).or_insert(0) += 1;
        }
    }
    months.into_iter().zip(counts).collect()
}

fn is_settled(context: &Context, timeline: &Timeline) -> bool {
    let needs_evidence = context.config.first_touch.needs_evidence();
    timeline.first_touch(needs_evidence).is_some() || timeline.first(EventKind::Exempted).is_some()
}

/// The place in the team of whoever has the first action.
fn csm(context: &Context, brief: &Brief) -> Option<usize> {
    owner(brief).into_iter().find_map(|word| context.config.team.find(word))
}

/// What the brief calls whoever has the first action.
fn owner(brief: &Brief) -> Vec<&str> {
    let owner = brief.view().first_action_owner();
    owner.iter().flat_map(|owner| [owner.github, owner.email, owner.name]).flatten().collect()
}
