//! What an audit is given.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    Arrivals, CheckpointReport, FolderDigest, HandoffFacts, Policies, Policy, WebAddress, combine,
    gaps_of,
};
use crate::model::{
    CommitInfo, CrmName, Deal, DealId, Gap, History, ObjectId, Population, ProviderName, Push,
    Signature, Window,
};

/// All that an audit rests on.
pub struct AuditInput<'a> {
    /// The deals that were read.
    pub population: &'a Population,
    /// Which of them are asked for, by the time they were won.
    pub window: Window,
    /// The moment the audit speaks of.
    pub as_of: DateTime<Utc>,
    /// When the deals were read, or exported: what was won then had been won by
    /// then, also where it is dated ahead. [`DateTime::MAX_UTC`] where that is not
    /// known, and their dates alone say what was won at `as_of`.
    pub exported_at: DateTime<Utc>,
    /// The ledger, read as it was at `as_of`.
    pub ledger: &'a LedgerInput,
    /// Further ledgers, when several were given.
    pub more_ledgers: &'a [LedgerInput],
    /// What the e-sign providers completed, where they were asked.
    pub signatures: Option<&'a SignaturesInput>,
    /// What is on time and late, at each time.
    pub policies: &'a Policies,
    /// Whether a deal is outside the scope, with the reason. A rule that
    /// cannot be evaluated keeps the deal in scope and makes the audit incomplete.
    pub exclude: &'a (dyn Fn(&Deal) -> Result<Scope, Gap> + Sync),
    /// What deals say otherwise than their briefs, of promises and terms.
    pub differences: &'a Differences,
    /// The program and its version, `handoff 0.1.0`.
    pub generated_by: &'a str,
    /// The command that gives this audit again.
    pub command: &'a str,
}

/// What deals say otherwise than their briefs, in words, by CRM and normalised id.
pub type Differences = BTreeMap<(CrmName, DealId), Vec<String>>;

/// What the rules under `scope.exclude` say about one deal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Why it is outside the scope.
    pub excluded: Option<String>,
    /// The rules that could not be decided for it, as they are written; they
    /// leave it in scope.
    pub undecided: Vec<String>,
}

impl<'a> AuditInput<'a> {
    /// The rules in force at the end.
    pub(super) fn policy(&self) -> &'a Policy {
        &self.policies.last().policy
    }

    /// The rules in force when a deal was won.
    pub(super) fn policy_of(&self, deal: &Deal) -> &'a Policy {
        &self.policies.at(deal.closed_won_at).policy
    }

    /// Whether a won deal with this close date is won at the audit's moment.
    pub(super) fn is_there(&self, closed_won_at: Option<DateTime<Utc>>) -> bool {
        closed_won_at.is_none_or(|at| at.min(self.exported_at) <= self.as_of)
    }

    /// All ledgers.
    pub(super) fn ledgers(&self) -> impl Iterator<Item = &'a LedgerInput> {
        std::iter::once(self.ledger).chain(self.more_ledgers)
    }
}

/// A merge whose first parent is not what the branch ended with before it:
/// somebody merged the branch into a line of their own and pushed that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnedMerge {
    /// The merge.
    pub merge: ObjectId,
    /// What the branch ended with at some moment before.
    pub tip: ObjectId,
    /// Who saw that, `the checkpoint of 2026-11-03 10:00 UTC`.
    pub source: String,
    /// Who made the merge, `Riley Ross <riley@example.com>`.
    pub by: String,
}

/// What the providers told, and what the CRM said of the deals they name.
#[derive(Debug, Clone)]
pub struct SignaturesInput {
    /// From when until when documents were asked for.
    pub window: Window,
    /// Who was asked.
    pub providers: Vec<ProviderName>,
    /// The completed documents.
    pub signatures: Vec<Signature>,
    /// The CRM whose deals they name.
    pub crm: CrmName,
    /// Named deals that the population does not hold, asked for one by one.
    pub deals: Vec<Deal>,
    /// What could not be asked.
    pub gaps: Vec<Gap>,
}

/// One ledger as it was read.
#[derive(Debug, Clone)]
pub struct LedgerInput {
    /// The folder or name, when there are several ledgers.
    pub repository: Option<String>,
    /// The commit that was read.
    pub head: ObjectId,
    /// The branch, or the revision that was asked for.
    pub branch: String,
    /// The length of the first-parent history.
    pub walked: usize,
    /// The commits the scan recorded, oldest first.
    pub commits: Vec<CommitInfo>,
    /// The handoffs.
    pub handoffs: Vec<HandoffFacts>,
    /// What could not be read: of the history, and of the briefs.
    pub gaps: Vec<Gap>,
    /// What earlier audits left behind.
    pub checkpoints: Vec<CheckpointReport>,
    /// What is wrong with their chain as a whole.
    pub checkpoint_faults: Vec<String>,
    /// The versions of the schema, as [`History::schemas`].
    pub schemas: Vec<(u32, Option<ObjectId>)>,
    /// The versions of the settings, as [`History::settings`].
    pub settings: Vec<(u32, Option<ObjectId>)>,
    /// What a person should know of how it was read.
    pub notes: Vec<String>,
    /// How many commits only this clone has, where a remote counts.
    pub unpushed: usize,
    /// Why there is no history to read, where there is none: no ledger yet, or
    /// none at that moment. Then no deal has a handoff.
    pub absent: Option<String>,
    /// Where people read it in their browser.
    pub web: Option<WebAddress>,
    /// Author and committer of the commits that brought exemptions, or events that
    /// handoff did not record, `Riley Ross <riley@example.com>`.
    pub people: BTreeMap<ObjectId, Vec<String>>,
    /// What second clocks say of its commits.
    pub arrivals: Arrivals,
    /// What they recorded, for a checkpoint to keep.
    pub pushes: Vec<Push>,
    /// The merges of the branch into another line, behind which the branch's own was read.
    pub turned: Vec<TurnedMerge>,
    /// Whether the remote was asked for its branch right before, or there is none.
    pub is_current: bool,
}

impl LedgerInput {
    /// A ledger from its history and the digests of its folders. `scan_gaps`
    /// is what the scan could not read; what the digests could not read is
    /// added to it. `repository` names the ledger when there are several.
    #[must_use]
    pub fn new(
        history: History,
        digests: Vec<FolderDigest>,
        scan_gaps: Vec<Gap>,
        as_of: DateTime<Utc>,
        repository: Option<&str>,
    ) -> Self {
        let mut gaps = scan_gaps;
        gaps.extend(gaps_of(&digests));
        let History { head, branch, walked, commits, folders, schemas, settings } = history;
        // The digests hold what counts of them.
        drop(folders);
        Self {
            repository: repository.map(str::to_owned),
            head,
            branch,
            walked,
            commits,
            handoffs: combine(digests, as_of, repository),
            gaps,
            schemas,
            settings,
            ..Self::without_history()
        }
    }

    /// No ledger, or none at that moment; `why` is a sentence without its stop.
    #[must_use]
    pub fn absent(why: impl Into<String>) -> Self {
        Self { absent: Some(why.into()), ..Self::without_history() }
    }

    fn without_history() -> Self {
        Self {
            repository: None,
            head: ObjectId([0; 20]),
            branch: String::new(),
            walked: 0,
            commits: Vec::new(),
            handoffs: Vec::new(),
            gaps: Vec::new(),
            checkpoints: Vec::new(),
            checkpoint_faults: Vec::new(),
            schemas: Vec::new(),
            settings: Vec::new(),
            notes: Vec::new(),
            unpushed: 0,
            absent: None,
            web: None,
            people: BTreeMap::new(),
            arrivals: Arrivals::default(),
            pushes: Vec::new(),
            turned: Vec::new(),
            is_current: false,
        }
    }

    /// The checkpoints whose word counts: where one of those who are trusted signed
    /// some, those alone. Anybody who may push can add others, which are named and
    /// neither accuse nor hide what was seen before them.
    pub(super) fn telling_checkpoints(
        &self,
    ) -> impl DoubleEndedIterator<Item = &CheckpointReport> + '_ {
        let is_signed = self.checkpoints.iter().any(|it| it.signer.is_some());
        self.checkpoints.iter().filter(move |it| !is_signed || it.signer.is_some())
    }

    /// Lets second clocks decide when briefs were delivered. A delivery that
    /// stands behind the end of a record is a gap: nobody can tell its time.
    pub fn set_arrivals(&mut self, arrivals: Arrivals) {
        let arrival = |order: u32| arrivals.commits.get(usize::try_from(order).ok()?)?.clone();
        for delivery in self.handoffs.iter_mut().filter_map(|it| it.delivered.as_mut()) {
            delivery.arrival = arrival(delivery.change.order).map(Box::new);
        }
        let deliveries = self.handoffs.iter().filter_map(|handoff| handoff.delivered.as_ref());
        let unrecorded: BTreeSet<ObjectId> = deliveries
            .filter(|delivery| arrivals.unrecorded.contains(&delivery.change.order))
            .map(|delivery| delivery.change.commit)
            .collect();
        let names: Vec<&str> = arrivals.clocks.iter().map(|it| it.source.as_str()).collect();
        let until = arrivals.clocks.iter().filter_map(|it| it.until).max();
        if let (Some(first), Some(until)) = (unrecorded.first(), until) {
            let others = match unrecorded.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.gaps.push(Gap {
                what: format!("when commit {first}{others} reached the branch"),
                why: format!(
                    "{} ends with the push of {}, which does not have it",
                    names.join(" and "),
                    until.format("%Y-%m-%d %H:%M UTC")
                ),
                help: Some("Download the record again, then repeat the audit.".to_owned()),
            });
        }
        self.gaps.extend(arrivals.gaps.iter().cloned());
        self.checkpoint_faults.extend(arrivals.faults.iter().cloned());
        self.arrivals = arrivals;
    }
}
