//! The `esign:` section of `handoff.yaml`: a section for each provider, read
//! through its row, and the senders that are described by settings.

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::provider::{ProviderRow, ProviderSettings};
use super::rows::PROVIDERS;
use super::sender::{self, SenderSettings};
use crate::model::ProviderName;
use crate::settings::{DocumentRule, Problem, read};
use crate::text;
use crate::yaml::Node;

/// The key of the senders under `esign:`.
const SENDERS: &str = "senders";

/// Settings for each provider that is in use. A provider that is not named
/// here still reads payloads with its defaults; secrets decide what is
/// accepted from outside.
#[derive(Debug, Clone, Default)]
pub struct EsignConfig {
    providers: Vec<(&'static str, Arc<dyn ProviderSettings>)>,
    senders: Vec<(String, SenderSettings)>,
}

impl EsignConfig {
    /// Reads the section.
    ///
    /// # Errors
    /// Every problem in it, with its line.
    pub fn read(node: &Node) -> Result<Self, Vec<Problem>> {
        let mut config = Self::default();
        if matches!(node.value, crate::yaml::Value::Null) {
            return Ok(config);
        }
        let Some(entries) = node.as_map() else {
            return Err(vec![
                Problem::at(node.span, "expected a mapping of e-sign providers")
                    .help("write for example `esign: {pandadoc: {}}`"),
            ]);
        };
        let mut problems = Vec::new();
        for entry in entries {
            if entry.key == SENDERS {
                config.read_senders(&entry.node, &mut problems);
                continue;
            }
            let Some(row) = row(&entry.key) else {
                problems.push(unknown(entry));
                continue;
            };
            if config.settings(row.name).is_some() {
                problems.push(
                    Problem::at(entry.key_span, format!("`{}` is set twice", row.name))
                        .help(format!("keep one of `{}` and `{}`", row.name, dashed(row.name))),
                );
                continue;
            }
            match row.settings.read(&or_empty(&entry.node)) {
                Ok(settings) => config.providers.push((row.name, settings.into())),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn read_senders(&mut self, node: &Node, problems: &mut Vec<Problem>) {
        let Some(entries) = or_empty(node).as_map().map(<[_]>::to_vec) else {
            problems.push(
                Problem::at(node.span, "expected a mapping of senders")
                    .help("write for example `senders: {documenso: {}}`"),
            );
            return;
        };
        for entry in entries {
            if !sender::is_name(&entry.key) || row(&entry.key).is_some() {
                problems.push(
                    Problem::at(entry.key_span, format!("`{}` cannot be a sender's name", entry.key))
                        .help("use at most 40 letters a-z, digits and hyphens, and no provider's name: it becomes part of the webhook's URL"),
                );
                continue;
            }
            let settings = match read::<SenderSettings>(&or_empty(&entry.node)) {
                Ok(settings) => settings,
                Err(found) => {
                    problems.extend(found);
                    continue;
                }
            };
            match settings.over_known(&entry.key) {
                Ok(settings) => self.senders.push((entry.key.clone(), settings)),
                Err((message, help)) => {
                    problems.push(Problem::at(entry.key_span, message).help(help));
                }
            }
        }
    }

    /// The JSON Schema of the section.
    pub fn schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::new();
        for row in PROVIDERS {
            let mut schema = row.settings.schema(generator).to_value();
            // An empty section is one without settings.
            schema = json!({"anyOf": [schema, {"type": "null"}]});
            properties.insert(row.name.to_owned(), schema.clone());
            if row.name.contains('_') {
                properties.insert(dashed(row.name), schema);
            }
        }
        let one = generator.subschema_for::<SenderSettings>().to_value();
        properties.insert(
            SENDERS.to_owned(),
            json!({
                "description": "Senders that are described by settings, by name. The name is part of the webhook's URL. For the known ones `{}` is enough.",
                "type": ["object", "null"],
                "propertyNames": {"pattern": sender::NAME_PATTERN},
                "additionalProperties": {"anyOf": [one, {"type": "null"}]},
            }),
        );
        let twice: Vec<Value> = PROVIDERS
            .iter()
            .filter(|row| row.name.contains('_'))
            .map(|row| json!({"not": {"type": "object", "required": [row.name, dashed(row.name)]}}))
            .collect();
        json_schema!({
            "description": "The e-signature providers whose documents are handed over, each with its settings.",
            "type": ["object", "null"],
            "properties": properties,
            "allOf": twice,
            "additionalProperties": false,
        })
    }

    /// The settings of the provider with this row's name, when it is set up.
    pub(super) fn settings(&self, row: &str) -> Option<&dyn ProviderSettings> {
        self.providers.iter().find(|(name, _)| *name == row).map(|(_, settings)| settings.as_ref())
    }

    /// The providers' and senders' own rules for which documents are contracts.
    pub fn documents(&self) -> impl Iterator<Item = (ProviderName, &[DocumentRule])> {
        let providers = self
            .providers
            .iter()
            .map(|(name, settings)| (ProviderName::new(dashed(name)), settings.documents()));
        let senders = self
            .senders
            .iter()
            .map(|(name, settings)| (ProviderName::new(name.as_str()), &settings.documents[..]));
        providers.chain(senders).filter(|(_, rules)| !rules.is_empty())
    }

    /// The senders that are set up, each with what its known description adds.
    pub(super) fn senders(&self) -> impl Iterator<Item = (&str, &SenderSettings)> {
        self.senders.iter().map(|(name, settings)| (name.as_str(), settings))
    }
}

/// A row's name as it stands in URLs, and as it may stand in `handoff.yaml`.
pub(super) fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

fn row(key: &str) -> Option<&'static ProviderRow> {
    PROVIDERS.iter().find(|row| row.name == key || dashed(row.name) == key)
}

/// The node, or an empty mapping in the place of nothing.
fn or_empty(node: &Node) -> Node {
    let mut node = node.clone();
    if matches!(node.value, crate::yaml::Value::Null) {
        node.value = crate::yaml::Value::Map(Vec::new());
    }
    node
}

fn unknown(entry: &crate::yaml::Entry) -> Problem {
    let problem = Problem::at(entry.key_span, format!("`esign` has no provider `{}`", entry.key));
    if sender::known_names().any(|known| known == entry.key) {
        return problem.help(format!("write `esign: {{senders: {{{}: {{}}}}}}`", entry.key));
    }
    let names: Vec<&str> = PROVIDERS.iter().map(|row| row.name).chain([SENDERS]).collect();
    problem.help(text::did_you_mean(&entry.key, names))
}
