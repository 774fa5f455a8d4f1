//! `handoff` turns the moment a contract is signed into a complete
//! sales-to-customer-success handoff in git, and proves that none was missed.
//!
//! The rooms and their floors (a room imports only from lower floors, which
//! `tests/suite/architecture.rs` checks):
//!
//! ```text
//! floor 5   cli
//! floor 4   workflow  intake
//! floor 3   config  report
//! floor 2   audit  esign  crm  ledger  deliver
//! floor 1   brief  net
//! floor 0   facts  finding  time  text  yaml
//! ```

pub mod audit;
pub mod brief;
pub mod crm;
pub mod deliver;
pub mod esign;
pub mod facts;
pub mod finding;
pub mod ledger;
pub mod net;
pub mod report;
pub mod text;
pub mod time;
pub mod yaml;
