//! The brief: model, schema check, rules, mapping, rendering. Pure: no file,
//! clock, network, environment or git.

mod timeline;

pub use timeline::{Event, EventKind, TIMELINE_SCHEMA, Timeline};
