//! What an audit found: the report's data in the shape of its JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    ClassCounts, DealKey, DealRow, Metrics, Orphan, SignatureClass, SignatureRow, Values,
    ValuesByClass,
};
use crate::finding::{Finding, Severity};
use crate::model::{
    CheckpointDeal, DocumentId, Gap, HeldDocument, ObjectId, ProviderName, Push, Remarks, Window,
};
use crate::text::natural_order;

/// The version of the JSON shape; it changes when a reader would break.
pub const REPORT_VERSION: u32 = 1;

/// The result of an audit. Its JSON is a contract: `schema/audit.schema.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditReport {
    /// Always [`REPORT_VERSION`].
    pub version: u32,
    /// The program and its version, `handoff 0.1.0`.
    pub generated_by: String,
    /// Whether everything could be read. If not, `gaps` says what is missing.
    pub complete: bool,
    /// The moment the audit speaks of; later deals and events are not there.
    pub as_of: DateTime<Utc>,
    /// Which deals were asked for, by the time they were won.
    pub window: Window,
    /// The settings that decide on time and late.
    pub settings: Settings,
    /// The deals that were read.
    pub population: PopulationReport,
    /// The ledger that was read.
    pub ledger: LedgerReport,
    /// Further ledgers, when several were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_ledgers: Vec<LedgerReport>,
    /// How many closed-won deals each class has; they add up to `population.closed_won`.
    pub summary: ClassCounts,
    /// What they are worth; adds up to `population.value`.
    pub values: ValuesByClass,
    /// The closed-won deals, sorted by key.
    pub deals: Vec<DealRow>,
    /// The signed briefs without a closed-won deal, sorted by key.
    pub orphans: Vec<Orphan>,
    /// The documents that e-sign providers completed, where they were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signatures: Option<SignaturesReport>,
    /// The documents that are held in this clone's inbox: what is a contract
    /// among them is not in the ledger.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldDocument>,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// The figures.
    pub metrics: Metrics,
    /// What could not be read.
    pub gaps: Vec<Gap>,
    /// The command that gives this report again.
    pub command: String,
}

impl AuditReport {
    /// How the audit came out, for the exit code. What could not be read
    /// comes before what was found: a report with gaps is not a result.
    #[must_use]
    pub fn outcome(&self, fail_level: Severity) -> AuditOutcome {
        if !self.complete {
            AuditOutcome::Incomplete
        } else if self.findings.iter().any(|finding| finding.severity >= fail_level) {
            AuditOutcome::Findings
        } else if self.deals.is_empty()
            && self.signatures.as_ref().is_none_or(|signatures| signatures.completed == 0)
        {
            AuditOutcome::NothingMatched
        } else {
            AuditOutcome::Clean
        }
    }

    /// The row of a deal.
    #[must_use]
    pub fn deal(&self, key: &str) -> Option<&DealRow> {
        let at = self.deals.binary_search_by(|row| natural_order(row.key.as_str(), key)).ok()?;
        self.deals.get(at)
    }
}

impl HeldDocument {
    /// What it is called on one line: its name, else its id, else the event.
    #[must_use]
    pub fn title(&self) -> String {
        let id = self.document_id.as_ref().map(DocumentId::as_str);
        let name = self.document_name.as_deref().or(id).unwrap_or(&self.event);
        format!("{} ({})", crate::text::quoted(name), self.provider)
    }
}

/// How an audit came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// Every deal is accounted for. Exit code 0.
    Clean,
    /// Something is wrong. Exit code 1.
    Findings,
    /// Not everything could be read. Exit code 3.
    Incomplete,
    /// No closed-won deal is in the window. Exit code 4.
    NothingMatched,
}

/// The settings that decide on time and late, in words people configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// How long a handoff may take, such as `1h`.
    pub handoff_within: String,
    /// How long the first touch may take, such as `24h`.
    pub first_touch_within: String,
    /// The business calendar in one line; absent when plain hours count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<String>,
    /// The blob of the `handoff.yaml` that these are from; absent where no commit holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<ObjectId>,
    /// The blob of the schema; absent for the shipped one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_blob: Option<ObjectId>,
    /// The blobs of the `handoff.yaml` before, oldest first: a deal is judged
    /// by the one in force when it was won.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<ObjectId>,
}

/// Where the deals came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceReport {
    /// `file`, or the CRM's name.
    pub kind: String,
    /// The path or base URL.
    pub location: String,
    /// The query or filter in the source's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// What a reader should know about the source.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub remarks: Remarks,
}

/// Why some closed-won deals are outside the scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// The reason the configuration gives.
    pub reason: String,
    /// How many deals.
    pub count: usize,
    /// What they are worth.
    pub value: Values,
    /// Which.
    pub deals: Vec<DealKey>,
}

/// The deals that were read and counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PopulationReport {
    /// Where they came from.
    pub source: SourceReport,
    /// SHA-256 of the bytes read.
    pub sha256: String,
    /// Rows or records that were read, won or not.
    pub rows: usize,
    /// Won deals in the window; what the classes add up to.
    pub closed_won: usize,
    /// Of these, the deals in scope.
    pub in_scope: usize,
    /// Of these, the deals outside the scope.
    pub excluded: usize,
    /// Won deals without a date; counted, and a gap.
    pub undated: usize,
    /// Won deals without an amount; counted, and worth nothing in `value`.
    pub without_amount: usize,
    /// What the won deals in the window are worth.
    pub value: Values,
    /// The reasons for exclusion.
    pub exclusions: Vec<Exclusion>,
    /// The rules of the scope that could not be decided for some deals, which
    /// therefore stay in scope.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<UndecidedRule>,
}

/// A rule of the scope that asks for what some deals do not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndecidedRule {
    /// The condition as it is written.
    pub rule: String,
    /// For how many deals.
    pub count: usize,
    /// Which.
    pub deals: Vec<DealKey>,
}

/// The ledger that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerReport {
    /// The folder or name of the repository, as given; absent for the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The commit the audit read.
    pub head: ObjectId,
    /// The branch, or the revision that was asked for.
    pub branch: String,
    /// The length of the first-parent history.
    pub commits: usize,
    /// The signed briefs on the default branch at `as_of`.
    pub briefs: usize,
    /// Checkpoints that earlier audits left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<CheckpointReport>,
    /// Commits that only this clone has; they do not count.
    #[serde(skip_serializing_if = "is_zero")]
    pub unpushed: usize,
    /// Why there was no history to read; then `head` is all zeros.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// Where people read it, for links; no part of the contract, as it differs
    /// from clone to clone.
    #[serde(skip)]
    pub web: Option<WebAddress>,
    /// The second clocks that decide when a commit arrived.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<ClockReport>,
    /// What they recorded, for a checkpoint to keep.
    #[serde(skip)]
    pub pushes: Vec<Push>,
    /// Whether the remote was asked for its branch right before it was read,
    /// or there is none.
    #[serde(skip)]
    pub is_current: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The addresses of a ledger on its forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAddress {
    /// What stands before a folder's path.
    pub folders: String,
    /// What stands before a commit's id.
    pub commits: String,
}

/// What an earlier audit left behind to be compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckpointReport {
    /// The ref that holds it.
    pub name: String,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The tip of the branch then.
    pub tip: ObjectId,
    /// Whether the history read now still contains that tip.
    pub contained: bool,
    /// The merge behind which that tip stands, where audits read another parent
    /// of it: then the history that was read is not what the checkpoint saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub displaced_by: Option<ObjectId>,
    /// Whether it has a signature, of whomever.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_signed: bool,
    /// Who of those trusted signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// What is wrong with it, as the end of a sentence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Whether it had asked the remote for its branch, so that what it did not
    /// see was not there yet.
    #[serde(skip)]
    pub is_current: bool,
    /// The deals it saw.
    #[serde(skip)]
    pub deals: Vec<CheckpointDeal>,
}

/// What the report says of one second clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockReport {
    /// Whose record it is, in a reader's words.
    pub source: String,
    /// The pushes that brought what the audited history holds.
    pub pushes: usize,
    /// The first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// How many documents one provider told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskedProvider {
    /// The provider.
    pub provider: ProviderName,
    /// Its completed documents, each once for each deal that it names.
    pub completed: usize,
}

/// The completed documents of an audit. The classes add up to `completed`, and
/// so do the providers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignaturesReport {
    /// From when until when documents were asked for.
    pub window: Window,
    /// Who was asked.
    pub providers: Vec<AskedProvider>,
    /// How many documents they have, each once for each deal that it names.
    pub completed: usize,
    /// How many each class has.
    pub summary: BTreeMap<SignatureClass, usize>,
    /// The documents, by provider and id.
    pub documents: Vec<SignatureRow>,
}
