//! Deals in: one file per CRM. A vendor's field names stop at the door of its
//! own file. May use floors below (`facts`, `finding`, `time`, `text`, `yaml`, `net`).

mod port;

pub use port::{ClosedWonUpdate, Crm, CrmError, Progress};

pub use crate::facts::{Check, CheckLevel};
