//! The one integration-test binary.

mod ledger_checkout;
mod ledger_read;
mod ledger_world;
mod ledger_write;
