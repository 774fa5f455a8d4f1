//! The one integration-test binary.

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
