//! The one integration-test binary.

mod esign;
