//! Deals in: one file per CRM. A vendor's field names stop at the door of its
//! own file. May use floors below (`brief`, `webhook`, `model`, `finding`, `time`, `text`, `yaml`, `http`).

mod amount;
mod checks;
mod closed_won;
mod config;
pub mod export;
mod failure;
pub mod hubspot;
mod note;
mod people;
pub mod pipedrive;
mod port;
mod reading;
mod reference_rules;
mod requested_properties;
pub mod salesforce;
mod trigger;
mod triggers;

pub use config::{Connection, CrmConfig, build, open_file};
pub use port::{ClosedWonUpdate, Crm, CrmError, Progress};
pub use reference_rules::reference_rules;
pub use requested_properties::RequestedProperties;
pub use trigger::{DealNews, Told, Trigger};
pub use triggers::Triggers;

pub use crate::model::{Check, CheckLevel};
