//! The one integration-test binary.
mod deals_file;
mod hubspot;
