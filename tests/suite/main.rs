//! The one integration-test binary.

mod report;
mod audit;
mod time;
