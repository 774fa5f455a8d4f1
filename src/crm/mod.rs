//! Deals in: one folder and one row per CRM. A vendor's field names stop at the
//! door of its folder. May use floors below (`brief`, `http`, `settings`, `webhook`, `finding`,
//! `time`, `yaml`, `model`, `text`).

mod activities;
mod closed_won;
mod config;
pub mod export;
mod failure;
pub mod hubspot;
pub mod pipedrive;
mod port;
mod reading;
mod record;
mod requested_properties;
mod rows;
pub mod salesforce;
mod trigger;

pub use config::{Connection, CrmConfig, CrmSettings, build, open_file};
pub use port::{
    ActivitiesOf, Activity, ActivityKind, ClosedWonUpdate, Crm, CrmError, Progress, Signed,
};
pub use requested_properties::RequestedProperties;
pub use rows::{CRMS, CrmRow, deal_id, reference_rules, row, secret_names};
pub use trigger::{DealNews, Told, Trigger, Triggers};

pub use crate::model::{Check, CheckLevel};
