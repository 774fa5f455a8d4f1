//! The audit: every closed-won deal in exactly one class. Pure: joins,
//! classifies, judges and counts what others have read; no file, clock,
//! network or git. May use floors below (`facts`, `finding`, `time`, `text`, `brief`).

mod class;
mod figures;
mod report;
mod row;

pub use class::{Class, Counts, Values, ValuesByClass};
pub use figures::{
    Coverage, FieldCount, Figures, Group, Latencies, Latency, LatencyFigures, Metrics,
    QuestionCount, ReturnCount, Sample, Share, ValueShare,
};
pub use report::{
    AuditReport, Checkpoint, Exclusion, LedgerReport, Outcome, PopulationReport, REPORT_VERSION,
    Settings, SourceReport,
};
pub use row::{DealKey, DealRow, Matched, Orphan, OrphanWhy, Suggestion};
