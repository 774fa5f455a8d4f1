//! Second clocks: when commits reached the branch by what servers recorded and
//! checkpoints saw, and not by what their committers say.
//!
//! A record of pushes tells both ends: a commit was there after the first push
//! that holds it, and not before. A checkpoint tells one end alone, for it was
//! made at some moment in between: what it did not see was not there yet.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::folder_digest::{Arrival, Proof};
use super::report::ClockReport;
use crate::model::{CommitInfo, Gap, ObjectId, Push, PushRecord};

/// Two machines' clocks are seldom further apart.
pub(super) const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);

/// A push that took away what the branch had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostPush {
    /// The push.
    pub push: Push,
    /// Whose record it stands in.
    pub source: Arc<str>,
}

/// What second clocks say of one history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// For each commit of [`crate::model::History::commits`].
    pub commits: Vec<Option<Arrival>>,
    /// The commits (indices) that no push of the records can have brought.
    pub unrecorded: BTreeSet<u32>,
    /// What was forced out of the branch, or deleted with it.
    pub lost: Vec<LostPush>,
    /// Where two clocks contradict each other.
    pub faults: Vec<String>,
    /// The records.
    pub clocks: Vec<ClockReport>,
    /// What none of the records can tell.
    pub gaps: Vec<Gap>,
}

/// A first-parent history, and what second clocks recorded of it.
#[derive(Debug)]
pub struct PushClock<'a> {
    /// Commit and committer's time, oldest first.
    chain: &'a [(ObjectId, i64)],
    places: HashMap<ObjectId, usize>,
    records: &'a [PushRecord],
    until: DateTime<Utc>,
    /// What each push that took the branch further brought, by place.
    steps: Vec<EventStep<'a>>,
}

#[derive(Debug)]
struct EventStep<'a> {
    /// The places before this one were there before it; `None`: nothing is known of them.
    known_to: usize,
    /// From here on the push's own account of what it brought.
    own_from: usize,
    /// The last place it brought.
    last: usize,
    push: &'a Push,
    record: usize,
}

impl<'a> PushClock<'a> {
    /// A clock from what was recorded up to a moment.
    #[must_use]
    pub fn new(
        chain: &'a [(ObjectId, i64)],
        records: &'a [PushRecord],
        until: DateTime<Utc>,
    ) -> Self {
        let places: HashMap<ObjectId, usize> =
            chain.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect();
        let mut clock = Self { chain, places, records, until, steps: Vec::new() };
        let mut pushes: Vec<(usize, &Push)> = clock.pushes().collect();
        // Of the same moment the shorter one came first.
        let place = |id: Option<ObjectId>| id.and_then(|id| clock.places.get(&id).copied());
        pushes.sort_by_key(|(record, push)| (push.at, place(push.after), *record));
        let mut next = None;
        let mut steps = Vec::new();
        for (record, push) in pushes {
            let Some(last) = place(push.after) else { continue };
            if next.is_some_and(|next| last < next) {
                continue;
            }
            // A branch that was made had nothing; where it was forced, nobody can tell.
            let before = match push.before {
                None => 0,
                Some(_) => place(push.before).map_or(last, |before| before + 1),
            };
            // What stood there before the first push of the records is not in them.
            let known_to = next.unwrap_or(before);
            steps.push(EventStep { known_to, own_from: before.max(known_to), last, push, record });
            next = Some(last + 1);
        }
        clock.steps = steps;
        clock
    }

    fn pushes(&self) -> impl Iterator<Item = (usize, &'a Push)> {
        let until = self.until;
        let records = self.records.iter().enumerate();
        records
            .flat_map(|(at, record)| record.pushes.iter().map(move |push| (at, push)))
            .filter(move |(_, push)| push.at <= until)
    }

    /// The commit that the branch ended with at a moment. Before the first push
    /// of the records and behind the last, the committers' dates are all there is.
    #[must_use]
    pub fn tip_at(&self, at: DateTime<Utc>) -> Option<ObjectId> {
        let dated = |from: usize, to: usize| {
            let dated = self.chain.get(from..to)?.iter();
            dated.clone().rposition(|(_, when)| *when <= at.timestamp()).map(|place| from + place)
        };
        let done = self.steps.partition_point(|step| step.push.at <= at);
        let place = match done.checked_sub(1).map(|last| self.steps[last].last) {
            None => dated(0, self.steps.first()?.known_to)?,
            Some(last) if done < self.steps.len() => last,
            Some(last) => dated(last + 1, self.chain.len()).unwrap_or(last),
        };
        self.chain.get(place).map(|(id, _)| *id)
    }

    /// When commits arrived. Of checkpoints, `seen` has tip and moment: what
    /// is not behind the tip was not there yet.
    #[must_use]
    pub fn arrivals(&self, commits: &[CommitInfo], seen: &[(ObjectId, DateTime<Utc>)]) -> Arrivals {
        let sources: Vec<Arc<str>> =
            self.records.iter().map(|record| record.source.as_str().into()).collect();
        let placed = seen.iter().filter_map(|(tip, at)| Some((*self.places.get(tip)?, *at)));
        let mut sights: Vec<(usize, DateTime<Utc>)> = placed.collect();
        sights.sort_unstable();
        // For each place the latest moment at which a shorter history was seen.
        let mut latest = DateTime::<Utc>::MIN_UTC;
        for (_, at) in &mut sights {
            latest = latest.max(*at);
            *at = latest;
        }
        let mut told = Arrivals { clocks: self.reports(), ..Arrivals::default() };
        for (commit, order) in commits.iter().zip(0u32..) {
            let place = self.places.get(&commit.id).copied();
            let recorded = place.and_then(|place| self.recorded(place, commit, &sources));
            let seen = place.and_then(|place| not_before(&sights, place));
            let claimed = recorded.as_ref().map_or_else(
                || DateTime::from_timestamp(commit.committed_at, 0).unwrap_or_default(),
                |arrival| arrival.at,
            );
            let arrival = match seen.filter(|seen| claimed + CLOCK_SKEW < *seen) {
                None => recorded,
                Some(seen) => {
                    let source: Arc<str> =
                        format!("the checkpoint of {}", seen.format("%Y-%m-%d %H:%M UTC")).into();
                    if let Some(recorded) = &recorded
                        && recorded.proof != Proof::NotBefore
                    {
                        told.faults.push(format!(
                            "{} has commit {} since {}, and {source} did not see it",
                            recorded.source,
                            &commit.id.to_string()[..10],
                            recorded.at.format("%Y-%m-%d %H:%M UTC")
                        ));
                    }
                    Some(Arrival { at: seen, source, by: None, proof: Proof::NotBefore })
                }
            };
            if place.is_some_and(|place| self.is_unrecorded(place)) {
                told.unrecorded.insert(order);
            }
            told.commits.push(arrival);
        }
        told.lost = self.lost(&sources);
        if !self.records.is_empty() && self.steps.is_empty() {
            told.gaps.push(Gap {
                what: format!("when commits reached the branch, by {}", self.names()),
                why: "it holds no push of this history".to_owned(),
                help: Some(
                    "Give --clock the record of this repository and branch; `handoff init --server-hook` keeps one on a server of your own."
                        .to_owned(),
                ),
            });
        }
        told
    }

    /// What the records say of a place in the history.
    fn recorded(&self, place: usize, commit: &CommitInfo, sources: &[Arc<str>]) -> Option<Arrival> {
        let step = self.steps.partition_point(|step| step.last < place);
        let arrival = |step: &EventStep<'_>, proof| Arrival {
            at: step.push.at,
            source: Arc::clone(&sources[step.record]),
            by: step.push.by.as_deref().map(Arc::from),
            proof,
        };
        let Some(found) = self.steps.get(step) else {
            // Behind the last push: it came later, whatever its date says.
            let last = self.steps.last()?;
            let claimed = DateTime::from_timestamp(commit.committed_at, 0)?;
            return (claimed + CLOCK_SKEW < last.push.at)
                .then(|| Arrival { by: None, ..arrival(last, Proof::NotBefore) });
        };
        if place < found.known_to {
            return None;
        }
        let proof = if place < found.own_from { Proof::BehindGap } else { Proof::Recorded };
        Some(arrival(found, proof))
    }

    fn is_unrecorded(&self, place: usize) -> bool {
        self.steps.last().is_some_and(|last| place > last.last)
    }

    fn lost(&self, sources: &[Arc<str>]) -> Vec<LostPush> {
        let is_gone = |id: &ObjectId| !self.places.contains_key(id);
        let Some(last) = self.steps.last().map(|step| step.push.at) else { return Vec::new() };
        let pushes = self
            .pushes()
            .filter(|(_, push)| push.at <= last && (push.is_forced || push.after.is_none()));
        pushes
            .filter(|(_, push)| push.before.as_ref().is_some_and(is_gone))
            .map(|(record, push)| LostPush {
                push: push.clone(),
                source: Arc::clone(&sources[record]),
            })
            .collect()
    }

    fn reports(&self) -> Vec<ClockReport> {
        let report = |record: &PushRecord| {
            let is_here = |push: &&Push| {
                push.at <= self.until && push.after.is_some_and(|id| self.places.contains_key(&id))
            };
            let times = || record.pushes.iter().filter(is_here).map(|push| push.at);
            ClockReport {
                source: record.source.clone(),
                pushes: times().count(),
                from: times().min(),
                until: times().max(),
            }
        };
        self.records.iter().map(report).collect()
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.records.iter().map(|record| record.source.as_str()).collect();
        names.join(" and ")
    }
}

/// The latest moment at which a checkpoint saw a history that ends before a place.
fn not_before(sights: &[(usize, DateTime<Utc>)], place: usize) -> Option<DateTime<Utc>> {
    let before = sights.partition_point(|(tip, _)| *tip < place);
    sights[..before].last().map(|(_, at)| *at)
}
