//! The JSON Schema of `handoff.yaml`, made from the types that read it.

use std::sync::LazyLock;

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::written::Written;
use crate::settings::schema_generator;

/// The JSON Schema of `handoff.yaml` (draft 2020-12).
pub static CONFIG_SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schema_generator().into_root_schema_for::<Written>();
    schema.insert(
        "$id".to_owned(),
        "https://github.com/handoff-hq/handoff/schema/config.schema.json".into(),
    );
    schema.to_value()
});

// The sections of the rooms below. As long as a room has no `schema` of its
// own, what was written by hand before stands in.

pub(super) fn esign_section(_: &mut SchemaGenerator) -> Schema {
    by_hand("esign")
}

pub(super) fn crm_section(_: &mut SchemaGenerator) -> Schema {
    by_hand("crm")
}

pub(super) fn deliver_section(_: &mut SchemaGenerator) -> Schema {
    by_hand("deliver")
}

fn by_hand(section: &str) -> Schema {
    let sections: Value =
        serde_json::from_str(include_str!("sections.json")).expect("the file is tested to be JSON");
    Schema::try_from(sections[section].clone()).expect("a schema is an object")
}
