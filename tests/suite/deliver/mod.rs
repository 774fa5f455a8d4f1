//! Deliveries out: the planner, each sink against faults, hostile text.

mod fake;
mod github;
mod outbox;
mod plan;
mod run;
mod sample;
mod testkit;
