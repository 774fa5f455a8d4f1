//! The one reader and the one writer of YAML: briefs, timelines and
//! configuration all pass here. Bounded in size, depth and aliases; doubled
//! keys are refused; every value knows its line and column.

mod de;
mod node;
mod read;
mod write;

pub use de::{Located, from_node};
pub use node::{Entry, Node, Span, Value};
pub use read::{Error, read};
pub use write::write;
