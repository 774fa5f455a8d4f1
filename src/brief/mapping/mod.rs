//! From deal and signature to brief: where each answer comes from, as
//! expressions.

mod apply;
mod compile;
mod propose;
mod trace;

pub use apply::{FirstTouch, MappedBrief, MappingInput, Remark};
pub use compile::{Mapping, MappingProblem};
pub use propose::{Proposal, propose};
pub use trace::TracedAnswer;

/// A default mapping that is compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseMapping {
    /// The word in `map:`.
    pub name: &'static str,
    /// Its file, with comments for whoever writes their own.
    pub source: &'static str,
}

/// The default mappings: one line and one file each.
pub const BASE_MAPPINGS: [BaseMapping; 5] = [
    BaseMapping {
        name: "hubspot",
        source: include_str!("../../../templates/mapping/hubspot.yaml"),
    },
    BaseMapping {
        name: "salesforce",
        source: include_str!("../../../templates/mapping/salesforce.yaml"),
    },
    BaseMapping {
        name: "pipedrive",
        source: include_str!("../../../templates/mapping/pipedrive.yaml"),
    },
    BaseMapping { name: "csv", source: include_str!("../../../templates/mapping/csv.yaml") },
    BaseMapping { name: "none", source: include_str!("../../../templates/mapping/none.yaml") },
];
