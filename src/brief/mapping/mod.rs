//! From deal and signature to brief: where each answer comes from, as
//! expressions. The CRM's text is data and is never compiled.

#![expect(
    clippy::needless_pass_by_value,
    reason = "minijinja hands filters their arguments by value"
)]

mod apply;
mod compile;
mod expression;
mod filters;
mod people;
mod promises;
mod properties;
mod reads;
mod record;
mod values;

pub use apply::{MappedBrief, MappingInput, Remark};
pub use compile::{Mapping, MappingProblem};
pub use expression::{Expression, ExpressionError};
pub(crate) use record::fold as fold_property;

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
