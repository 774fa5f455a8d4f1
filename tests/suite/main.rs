//! The one integration-test binary.

mod brief_mapping;
mod brief_model;
mod brief_render;
mod brief_rules;
mod brief_schema;
mod esign;
mod audit;
mod time;
mod crm_config;
mod deals_file;
mod hubspot;
mod ledger_history;
