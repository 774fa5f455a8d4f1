//! How a connector's row reads and describes its own section.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::{Problem, read};
use crate::yaml::Node;

/// Reads one connector's section (`crm.hubspot`, `deliver.slack`, …) into
/// what its room works with, `T`, and describes it for the JSON Schema.
pub struct SettingsReader<T: ?Sized> {
    read: fn(&Node) -> Result<Box<T>, Vec<Problem>>,
    schema: fn(&mut SchemaGenerator) -> Schema,
}

impl<T: ?Sized> SettingsReader<T> {
    /// A section that is written as `S`.
    #[must_use]
    pub const fn of<S: DeserializeOwned + JsonSchema + Into<Box<T>>>() -> Self {
        Self {
            read: |node| read::<S>(node).map(Into::into),
            schema: |generator| generator.subschema_for::<S>(),
        }
    }

    /// Reads the section.
    ///
    /// # Errors
    /// Every problem in it, with its line.
    pub fn read(&self, node: &Node) -> Result<Box<T>, Vec<Problem>> {
        (self.read)(node)
    }

    /// The section's JSON Schema.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }
}
