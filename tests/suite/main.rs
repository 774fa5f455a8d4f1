//! The one integration-test binary.

mod audit;
mod report;
mod time;
