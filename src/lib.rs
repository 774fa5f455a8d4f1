//! `handoff` turns the moment a contract is signed into a complete
//! sales-to-customer-success handoff in git, and proves that none was missed.
//!
//! The rooms and their floors (a room imports only from lower floors, which
//! `tests/suite/architecture.rs` checks):
//!
//! ```text
//! floor 6   cli
//! floor 5   workflow  intake
//! floor 4   config  report
//! floor 3   audit  esign  crm  ledger  deliver
//! floor 2   brief  http  link  settings  webhook
//! floor 1   finding  time  yaml
//! floor 0   disk  model  text
//! ```

pub mod audit;
pub mod brief;
pub mod cli;
pub mod config;
pub mod crm;
pub mod deliver;
pub mod disk;
pub mod esign;
pub mod finding;
pub mod http;
pub mod intake;
pub mod ledger;
pub mod link;
pub mod model;
pub mod report;
pub mod settings;
pub mod text;
pub mod time;
pub mod webhook;
pub mod workflow;
pub mod yaml;
