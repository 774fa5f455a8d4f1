//! The one integration-test binary.
mod time;
