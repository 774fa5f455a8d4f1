//! Deals in: one folder and one row per CRM. A vendor's field names stop at the
//! door of its folder. May use floors below (`brief`, `http`, `settings`, `webhook`, `finding`,
//! `time`, `yaml`, `model`, `text`).

mod activities;
mod closed_won;
mod config;
mod connector;
pub mod export;
mod failure;
pub mod hubspot;
pub mod pipedrive;
mod port;
mod reading;
mod record;
mod requested_properties;
pub mod salesforce;
mod trigger;

pub use config::{
    CRMS, CrmConfig, Triggers, base_mappings, build, deal_id, open_file, reference_rules, row,
    secret_names,
};
pub use connector::{Connection, CrmRow, CrmSettings};
pub use port::{
    ActivitiesOf, Activity, ActivityKind, AskedDeal, ClosedWonUpdate, Crm, CrmError, Progress,
    Signed,
};
pub use requested_properties::RequestedProperties;
pub use trigger::{DealNews, Told, Trigger};

pub use crate::model::{Check, CheckLevel};
