//! The e-sign providers: their list, their settings, and looking one up.

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::provider::{Provider, ProviderRow, ProviderSettings};
use super::sender::{Sender, SenderSettings};
use super::{adobe_sign, docusign, dropbox_sign, pandadoc, sender};
use crate::model::{ProviderName, ReferenceRule, SignatureEvent};
use crate::settings::{ConfigProblem, DocumentRule, read};
use crate::text;
use crate::webhook::{Malformed, Route, json};
use crate::yaml::{Node, Span};

// The list of e-sign providers.

/// Every provider there is, in the order in which payloads are looked at. A new
/// one is its folder and a row here.
pub static PROVIDERS: &[ProviderRow] =
    &[pandadoc::ROW, docusign::ROW, dropbox_sign::ROW, adobe_sign::ROW, sender::STANDARD_WEBHOOKS];

/// The names of all secrets that any provider or known sender reads.
#[must_use]
pub fn secret_names() -> Vec<String> {
    let rows = PROVIDERS.iter().flat_map(|row| row.secrets).map(|name| (*name).to_owned());
    rows.chain(sender::known_names().map(sender::secret_name)).collect()
}

// The `esign:` section of `handoff.yaml`: a section for each provider, read
// through its row, and the senders that are described by settings.

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
    pub fn read(node: &Node) -> Result<Self, Vec<ConfigProblem>> {
        let mut config = Self::default();
        if matches!(node.value, crate::yaml::Value::Null) {
            return Ok(config);
        }
        let Some(entries) = node.as_map() else {
            return Err(vec![
                ConfigProblem::at(node.span, "expected a mapping of e-sign providers")
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
                    ConfigProblem::at(entry.key_span, format!("`{}` is set twice", row.name))
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

    fn read_senders(&mut self, node: &Node, problems: &mut Vec<ConfigProblem>) {
        let Some(entries) = or_empty(node).as_map().map(<[_]>::to_vec) else {
            problems.push(
                ConfigProblem::at(node.span, "expected a mapping of senders")
                    .help("write for example `senders: {documenso: {}}`"),
            );
            return;
        };
        for entry in entries {
            if !sender::is_name(&entry.key) || row(&entry.key).is_some() {
                problems.push(
                    ConfigProblem::at(entry.key_span, format!("`{}` cannot be a sender's name", entry.key))
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
                    problems.push(ConfigProblem::at(entry.key_span, message).help(help));
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

fn unknown(entry: &crate::yaml::Entry) -> ConfigProblem {
    let problem =
        ConfigProblem::at(entry.key_span, format!("`esign` has no provider `{}`", entry.key));
    if sender::known_names().any(|known| known == entry.key) {
        return problem.help(format!("write `esign: {{senders: {{{}: {{}}}}}}`", entry.key));
    }
    let names: Vec<&str> = PROVIDERS.iter().map(|row| row.name).chain([SENDERS]).collect();
    problem.help(text::did_you_mean(&entry.key, names))
}

// The providers and senders of one configuration: looked up by name, and by
// what a payload looks like.

/// Why a payload is no notification of an e-sign provider that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is damaged, or none of the provider it was read as.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is another provider's.
    #[error(
        "this looks like a {actual} payload, not a {expected} one; pass --provider {actual_name}"
    )]
    LooksLike {
        /// The title of the provider it was read as.
        expected: &'static str,
        /// The title of the one it looks like.
        actual: &'static str,
        /// That one's name on the command line.
        actual_name: &'static str,
    },
    /// No provider knows it.
    #[error(
        "no provider sends payloads of this shape; name one with --provider ({names}), or send {{\"type\": \"contract.signed\", \"data\": {{\"id\": …}}}} as docs/esign.md describes"
    )]
    Unrecognised {
        /// The providers' names.
        names: String,
    },
    /// There is no provider with this name.
    #[error("there is no e-sign provider {name}; there are {names}")]
    UnknownProvider {
        /// The name as it was given, quoted.
        name: String,
        /// The providers' names.
        names: String,
    },
}

/// Every provider there is, with its settings, and every sender.
pub struct Providers(Vec<ListedProvider>);

struct ListedProvider {
    provider: Box<dyn Provider>,
    place: SetUp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SetUp {
    /// In `handoff.yaml`.
    Configured,
    /// A provider that has a row and no settings.
    Default,
    /// A sender that has a shipped description and no settings.
    Known,
}

impl Default for Providers {
    fn default() -> Self {
        Self::new(&EsignConfig::default(), &[])
    }
}

impl Providers {
    /// All providers with these settings, defaults where there are none, and
    /// with the CRMs' rules for how documents name deals.
    #[must_use]
    pub fn new(config: &EsignConfig, rules: &[ReferenceRule]) -> Self {
        let mut all: Vec<ListedProvider> = PROVIDERS
            .iter()
            .map(|row| match config.settings(row.name) {
                Some(settings) => {
                    ListedProvider { provider: settings.provider(rules), place: SetUp::Configured }
                }
                None => {
                    let nothing =
                        Node { value: crate::yaml::Value::Map(Vec::new()), span: Span::default() };
                    let settings = row
                        .settings
                        .read(&nothing)
                        .unwrap_or_else(|_| unreachable!("every setting has a default"));
                    ListedProvider { provider: settings.provider(rules), place: SetUp::Default }
                }
            })
            .collect();
        for (name, settings) in config.senders() {
            let provider = Box::new(Sender::new(name, settings.clone(), rules));
            all.push(ListedProvider { provider, place: SetUp::Configured });
        }
        for name in sender::known_names() {
            if !config.senders().any(|(configured, _)| configured == name) {
                let provider = Box::new(Sender::known(name, rules));
                all.push(ListedProvider { provider, place: SetUp::Known });
            }
        }
        Self(all)
    }

    /// The providers, then the senders that are configured, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Provider> {
        self.0.iter().filter(|listed| listed.place != SetUp::Known).map(|l| l.provider.as_ref())
    }

    /// Those the configuration names, in the same order.
    pub fn configured(&self) -> impl Iterator<Item = &dyn Provider> {
        self.0
            .iter()
            .filter(|listed| listed.place == SetUp::Configured)
            .map(|listed| listed.provider.as_ref())
    }

    /// The provider or sender with this name or alias in any case, a known
    /// sender without settings among them.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&dyn Provider> {
        self.everything().find(|provider| {
            let is = |known: &str| known.eq_ignore_ascii_case(name);
            is(provider.name())
                || provider.aliases().iter().any(|alias| is(alias))
                || dashed(name).eq_ignore_ascii_case(provider.name())
        })
    }

    /// The names, for messages: `pandadoc, docusign, …`.
    #[must_use]
    pub fn names(&self) -> String {
        self.everything().map(Route::name).collect::<Vec<_>>().join(", ")
    }

    fn everything(&self) -> impl Iterator<Item = &dyn Provider> {
        self.0.iter().map(|listed| listed.provider.as_ref())
    }

    /// The provider whose notification a body looks like. The general form is
    /// asked last.
    #[must_use]
    pub fn recognise(&self, body: &[u8]) -> Option<&dyn Provider> {
        let is_general = |provider: &&dyn Provider| provider.name() == sender::GENERAL;
        let special = self.everything().filter(|provider| !is_general(provider));
        special.chain(self.everything().filter(is_general)).find(|p| p.recognises(body))
    }

    /// Reads a payload somebody gave by hand: as the named provider's, or as
    /// that of whichever provider recognises it.
    ///
    /// # Errors
    /// When nobody recognises it, when it is another provider's than the one
    /// that was named, or when it is damaged.
    pub fn parse(
        &self,
        name: Option<&str>,
        body: &[u8],
    ) -> Result<(&dyn Provider, Vec<SignatureEvent>), ParseError> {
        let recognised = self.recognise(body);
        let Some(name) = name else {
            let Some(provider) = recognised else {
                // Damaged JSON is said to be that, with its place.
                json::read(body).map(|_: Value| ())?;
                return Err(ParseError::Unrecognised { names: self.names() });
            };
            return Ok((provider, provider.parse(body, None)?));
        };
        let provider = self.by_name(name).ok_or_else(|| ParseError::UnknownProvider {
            name: text::quoted(name),
            names: self.names(),
        })?;
        match (provider.parse(body, None), recognised) {
            (Ok(events), _) => Ok((provider, events)),
            (Err(_), Some(other)) if other.name() != provider.name() => {
                Err(ParseError::LooksLike {
                    expected: provider.title(),
                    actual: other.title(),
                    actual_name: other.name(),
                })
            }
            (Err(error), _) => Err(error.into()),
        }
    }
}
