//! What an audit is given.

use chrono::{DateTime, NaiveDateTime, NaiveTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::{Checkpoint, FolderDigest, HandoffFacts, Settings, SignaturesInput, combine, gaps_of};
use crate::model::{CommitInfo, Deal, Gap, History, ObjectId, Population, Window};
use crate::time::{Calendar, HumanDuration};

/// All that an audit rests on.
pub struct AuditInput<'a> {
    /// The deals that were read.
    pub population: &'a Population,
    /// Which of them are asked for, by the time they were won.
    pub window: Window,
    /// The moment the audit speaks of.
    pub as_of: DateTime<Utc>,
    /// Whether that moment is now, and the deals are those of now: a won deal
    /// dated ahead counts then. In the past it was not won yet.
    pub at_present: bool,
    /// The ledger, read as it was at `as_of`.
    pub ledger: &'a LedgerInput,
    /// Further ledgers, when several were given.
    pub more_ledgers: &'a [LedgerInput],
    /// What the e-sign providers completed, where they were asked.
    pub signatures: Option<&'a SignaturesInput>,
    /// What is on time and late.
    pub policy: &'a Policy,
    /// Whether a deal is outside the scope, with the reason. A rule that
    /// cannot be evaluated keeps the deal in scope and makes the audit incomplete.
    pub exclude: &'a (dyn Fn(&Deal) -> Result<Option<String>, Gap> + Sync),
    /// The program and its version, `handoff 0.1.0`.
    pub generated_by: &'a str,
    /// The command that gives this audit again.
    pub command: &'a str,
}

impl<'a> AuditInput<'a> {
    /// Whether a won deal with this close date is won at the audit's moment.
    pub(super) fn is_there(&self, closed_won_at: Option<DateTime<Utc>>) -> bool {
        self.at_present || closed_won_at.is_none_or(|at| at <= self.as_of)
    }

    /// All ledgers.
    pub(super) fn ledgers(&self) -> impl Iterator<Item = &'a LedgerInput> {
        std::iter::once(self.ledger).chain(self.more_ledgers)
    }
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
    pub checkpoints: Vec<Checkpoint>,
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
        Self {
            repository: repository.map(str::to_owned),
            head: history.head,
            branch: history.branch,
            walked: history.walked,
            commits: history.commits,
            handoffs: combine(digests, as_of, repository),
            gaps,
            checkpoints: Vec::new(),
        }
    }
}

/// What is on time and late, and how far two records may differ.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How long a handoff may take from the signature on; in plain time,
    /// because a machine makes it.
    pub handoff_within: HumanDuration,
    /// How long the first touch may take, where the brief names no deadline.
    pub first_touch_within: HumanDuration,
    /// The business calendar of the first touch and of the business times in the metrics.
    pub calendar: Option<Calendar>,
    /// The time zone for months and for dates without a time; the calendar's
    /// where there is one.
    pub zone: Tz,
    /// Whether a first-touch task is expected: some sink that opens one is configured.
    pub expects_task: bool,
    /// How far the amounts of deal and brief may differ before it is drift.
    pub amount_tolerance: Decimal,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            handoff_within: HumanDuration::hours(1),
            first_touch_within: HumanDuration::hours(24),
            calendar: None,
            zone: Tz::UTC,
            expects_task: true,
            amount_tolerance: Decimal::ONE,
        }
    }
}

impl Policy {
    /// The policy in the report's words.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            handoff_within: self.handoff_within.to_string(),
            first_touch_within: self.first_touch_within.to_string(),
            calendar: self.calendar.as_ref().map(ToString::to_string),
        }
    }

    /// Until when a handoff is in time that begins at `start`. A start of
    /// which only the day is known counts from the end of that day.
    #[must_use]
    pub(super) fn in_time_until(&self, start: DateTime<Utc>, only_the_day: bool) -> DateTime<Utc> {
        let start = if only_the_day {
            crate::time::deadline(start, HumanDuration::days(1), None)
        } else {
            start
        };
        crate::time::deadline(start, self.handoff_within, None)
    }

    /// What the clock in the configured zone shows; UTC at the ends of all time.
    #[must_use]
    pub(super) fn local(&self, moment: DateTime<Utc>) -> NaiveDateTime {
        let utc = moment.naive_utc();
        let offset = self.zone.offset_from_utc_datetime(&utc).fix();
        utc.checked_add_offset(offset).unwrap_or(utc)
    }

    /// Whether a moment looks like a date without a time: midnight in UTC or
    /// in the configured zone, which is how CRMs and exports write a bare date.
    #[must_use]
    pub(super) fn is_only_a_day(&self, moment: DateTime<Utc>) -> bool {
        moment.time() == NaiveTime::MIN || self.local(moment).time() == NaiveTime::MIN
    }
}
