//! The one integration-test binary.

mod brief_rules;
