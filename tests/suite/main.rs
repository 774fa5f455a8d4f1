//! The one integration-test binary.
mod crm_config;
mod deals_file;
mod hubspot;
