//! Deliveries out: the planner, each sink against faults, hostile text.

mod config;
mod crm_task;
mod email;
mod events;
pub(crate) mod fake;
mod github;
mod github_follow;
mod lists;
mod outbox;
mod plan;
mod projects;
pub(crate) mod pulls;
mod run;
mod run_once;
mod sample;
mod slack;
mod teams;
pub(crate) mod testkit;
mod welcome;
