//! The one integration-test binary.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value,
    clippy::cmp_owned,
    reason = "a test that fails should fail where it stands, and says what it skipped"
)]

mod architecture;
mod assistants;
mod audit;
mod audit_cli;
mod batches;
mod bounded;
mod brief_mapping;
mod brief_model;
mod brief_order;
mod brief_proposals;
mod brief_render;
mod brief_rules;
mod brief_schema;
mod browser;
mod cheats;
mod command_line;
mod config;
mod config_reference;
mod config_shapes;
mod crm_binary;
mod crm_config;
mod crm_faults;
mod crm_same_deal;
mod crm_sink;
mod crm_task;
mod dates;
mod deals_cli;
mod deals_file;
mod deliver;
mod demo;
mod docs;
mod draft;
mod esign;
mod export_only;
mod expressions;
mod follows;
mod form;
mod fuzzed;
mod getting_started;
mod hubspot;
mod init;
mod intake;
mod kept_facts;
mod killed;
mod ledger_checkout;
mod ledger_child;
mod ledger_crash;
mod ledger_draft;
mod ledger_history;
mod ledger_merge;
#[cfg(target_os = "linux")]
mod ledger_power;
mod ledger_race;
mod ledger_read;
mod ledger_remote;
mod ledger_subfolder;
mod ledger_world;
mod ledger_write;
mod network;
#[cfg(unix)]
mod paths;
mod payloads;
mod pipedrive;
mod plan;
mod plan_workflow;
mod promises;
mod propose;
mod pull_request;
mod recipes;
mod refresh;
mod remedies;
mod reminders;
mod report;
mod returned;
mod routing;
mod salesforce;
mod sandbox;
mod sign;
mod soak;
mod story;
mod sync;
mod sync_projects;
mod time;
mod touches;
mod triggers;
#[cfg(unix)]
mod validate_since;
mod why;
mod workflows;
mod yaml_readers;
