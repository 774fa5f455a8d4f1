//! The one integration-test binary.

mod brief_mapping;
mod brief_model;
mod brief_render;
mod brief_rules;
mod brief_schema;
mod esign;
mod audit;
mod report;
mod time;
mod crm_config;
mod deals_file;
mod hubspot;
mod ledger_history;
mod ledger_checkout;
mod ledger_child;
mod ledger_crash;
mod ledger_draft;
mod ledger_merge;
mod ledger_race;
mod ledger_read;
mod ledger_remote;
mod ledger_world;
mod ledger_write;
mod deliver;
