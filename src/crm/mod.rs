//! Deals in: one file per CRM. A vendor's field names stop at the door of its
//! own file. May use floors below (`brief`, `door`, `facts`, `finding`, `time`, `text`, `yaml`, `net`).

mod amount;
mod checks;
mod closed_won;
mod config;
mod failure;
pub mod file;
pub mod hubspot;
mod note;
mod people;
pub mod pipedrive;
mod port;
mod reading;
pub mod salesforce;
mod trigger;
mod triggers;
mod wanted;

pub use config::{Connection, CrmConfig, build, open_file};
pub use port::{ClosedWonUpdate, Crm, CrmError, Progress};
pub use trigger::{DealNews, Told, Trigger};
pub use triggers::Triggers;
pub use wanted::Wanted;

pub use crate::facts::{Check, CheckLevel};
