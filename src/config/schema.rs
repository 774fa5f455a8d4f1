//! The JSON Schema of `handoff.yaml`, made from the types that read it.

use std::sync::LazyLock;

use serde_json::Value;

use super::written::Written;
use crate::settings::schema_generator;

/// The JSON Schema of `handoff.yaml` (draft 2020-12).
pub static CONFIG_SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schema_generator().into_root_schema_for::<Written>();
    schema.insert("$id".to_owned(), "urn:handoff:schema:config:v1".into());
    schema.to_value()
});
