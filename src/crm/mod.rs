//! Deals in: one file per CRM. A vendor's field names stop at the door of its
//! own file. May use floors below (`facts`, `finding`, `time`, `text`, `yaml`, `net`).

mod amount;
mod config;
pub mod file;
pub mod hubspot;
mod people;
mod port;

pub use config::CrmConfig;
pub use port::{Check, CheckLevel, ClosedWonUpdate, Crm, CrmError, Progress};
