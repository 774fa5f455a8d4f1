//! The audit: every closed-won deal in exactly one class. Pure: joins,
//! classifies, judges and counts what others have read; no file, clock,
//! network or git. May use floors below (`model`, `finding`, `time`, `text`, `brief`).

mod brief_facts;
mod cache_codec;
mod class;
mod classify;
mod clock;
mod coverage;
mod digester;
mod events;
mod folder_digest;
mod handoff_facts;
mod input;
mod matching;
mod metric_values;
mod metrics;
mod orphans;
mod policy;
mod report;
mod row;
mod rows;
mod rules;
mod run;
mod selection;
mod signatures;
mod suggest;

pub use brief_facts::{BriefFacts, DealAsWritten, SignatureAsWritten, UnansweredField};
pub use cache_codec::KEPT_FORMAT;
pub use class::{Class, ClassCounts, Values, ValuesByClass};
pub use clock::{Arrivals, LostPush, PushClock};
pub use coverage::{
    COVERAGE_VERSION, CoverageInput, CoverageReport, DealAnswers, FieldCoverage, QuestionCoverage,
    RepCoverage, RequiredField, measure_coverage,
};
pub use digester::{BlobSource, Digester, ReadError, gaps_of};
pub use events::{Events, Happened, TimelineFacts};
pub use folder_digest::{
    Arrival, AtTip, BriefVersion, Delivery, Early, FolderDigest, FolderIncidents, ForeignEvent,
    ForgedSources, Forgery, Proof, RecordedCommit, Rewritten,
};
pub use handoff_facts::{Altered, FolderAtTip, HandoffFacts, HandoffIncidents, combine};
pub use input::{AuditInput, Differences, LedgerInput, Scope, SignaturesInput, TurnedMerge};
pub use metric_values::{
    Coverage, FieldCount, Figures, Group, Latencies, Latency, LatencyFigures, Metrics,
    QuestionCount, ReturnCount, Sample, Share, ValueShare,
};
pub use policy::{Policies, Policy, PolicyVersion, SettingsRemoval};
pub use report::{
    AskedProvider, AuditOutcome, AuditReport, CheckpointReport, ClockReport, Exclusion,
    LedgerReport, PopulationReport, REPORT_VERSION, Settings, SignaturesReport, SourceReport,
    UndecidedRule, WebAddress,
};
pub use row::{
    DealKey, DealRow, Matched, Orphan, OrphanWhy, SignatureClass, SignatureRow, Suggestion,
};
pub use rules::rules;
pub use run::{audit, classes};
