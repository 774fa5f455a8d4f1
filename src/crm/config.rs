//! The list of CRMs, one row each, which everything that lists them reads; and
//! the `crm:` section of the configuration: one CRM or an export file.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use super::export::{ExportRoot, FileCrm, FileSettings, WonTest};
use super::{
    Connection, Crm, CrmError, CrmRow, CrmSettings, Told, Trigger, hubspot, pipedrive, salesforce,
};
use crate::brief::{BaseMapping, Expression};
use crate::model::{Deal, DealId, Properties, ReferenceRule, Secrets};
use crate::settings::{ConfigProblem, SettingsReader};
use crate::text::did_you_mean;
use crate::webhook::{Rejection, Request, Route, RouteNames};
use crate::yaml::{self, Node, Span};

/// Every CRM there is.
pub static CRMS: &[CrmRow] = &[
    hubspot::ROW,
    salesforce::ROW,
    pipedrive::ROW,
    CrmRow {
        name: "file",
        title: "an export file (CSV, JSON or a workbook)",
        secrets: &[],
        workflow_secrets: &[],
        settings: SettingsReader::of::<FileSettings>(),
        mapping: BaseMapping {
            name: "csv",
            source: include_str!("../../templates/mapping/csv.yaml"),
        },
        references: None,
        webhook_secret: None,
        company_page: None,
    },
];

/// The row with this name.
#[must_use]
pub fn row(name: &str) -> Option<&'static CrmRow> {
    CRMS.iter().find(|row| row.name == name)
}

/// Every default mapping: that of each CRM, and the one that reads the signed
/// document alone.
pub fn base_mappings() -> impl Iterator<Item = BaseMapping> {
    CRMS.iter().map(|row| row.mapping).chain([BaseMapping::DOCUMENT])
}

/// Every secret that a CRM may read.
pub fn secret_names() -> impl Iterator<Item = &'static str> {
    CRMS.iter().flat_map(|row| row.secrets.iter().copied())
}

/// How documents name the deals of each CRM.
#[must_use]
pub fn reference_rules() -> Vec<ReferenceRule> {
    CRMS.iter().filter_map(|row| row.references).collect()
}

/// A deal as a person names it: its id, or the address of its record.
#[must_use]
pub fn deal_id(text: &str) -> DealId {
    let text = text.trim();
    let of_address = reference_rules().iter().find_map(|rule| (rule.of_address)(text));
    of_address.unwrap_or_else(|| DealId::new(text))
}

/// Where deals come from, if from anywhere.
#[derive(Debug, Clone, Default)]
pub struct CrmConfig {
    connected: Option<(&'static CrmRow, Arc<dyn CrmSettings>)>,
    /// What `crm.file.won` reads, and where it stands.
    won: Option<(Properties, Span)>,
}

impl CrmConfig {
    /// Reads the section.
    ///
    /// # Errors
    /// Every problem: an unknown CRM, a second one, and what is wrong in its settings.
    pub fn read(node: &Node) -> Result<Self, Vec<ConfigProblem>> {
        if node.value == yaml::Value::Null {
            return Ok(Self::default());
        }
        let names = || CRMS.iter().map(|row| row.name);
        let list = names().collect::<Vec<_>>().join(", ");
        let Some(entries) = node.as_map() else {
            return Err(vec![
                ConfigProblem::at(
                    node.span,
                    "expected a CRM with its settings, such as `hubspot: {}`",
                )
                .help(format!("the CRMs are {list}")),
            ]);
        };
        let (mut problems, mut read, mut reads) = (Vec::new(), None, None);
        for (at, entry) in entries.iter().enumerate() {
            let Some(row) = CRMS.iter().find(|row| row.name == entry.key) else {
                problems.push(
                    ConfigProblem::at(entry.key_span, format!("unknown CRM `{}`", entry.key))
                        .help(did_you_mean(&entry.key, names())),
                );
                continue;
            };
            if at > 0 {
                problems.push(
                    ConfigProblem::at(
                        entry.key_span,
                        format!("a second CRM `{}` beside `{}`", row.name, entries[0].key),
                    )
                    .help("keep one: a handoff's key begins with its CRM's name"),
                );
            }
            if entry.node.value == yaml::Value::Null {
                problems.push(
                    ConfigProblem::at(entry.key_span, format!("`{}` has no settings", row.name))
                        .help(format!("write `{}: {{}}` to take the defaults", row.name)),
                );
                continue;
            }
            match row.settings.read(&entry.node) {
                Ok(settings) => {
                    let won = settings.as_file().and_then(|file| file.won.as_deref());
                    let span = entry.node.get("won").map_or(entry.key_span, |won| won.span);
                    match won.map(won_expression) {
                        Some(Ok(expression)) => {
                            reads = Some((expression.properties().clone(), span))
                        }
                        Some(Err((message, help))) => {
                            problems.push(ConfigProblem::at(span, message).help(help));
                        }
                        None => {}
                    }
                    read = Some((row, Arc::from(settings)));
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(Self { connected: read, won: reads }) } else { Err(problems) }
    }

    /// The section's JSON Schema.
    pub fn schema(generator: &mut SchemaGenerator) -> Schema {
        let sections: Map<String, Value> = CRMS
            .iter()
            .map(|row| (row.name.to_owned(), row.settings.schema(generator).to_value()))
            .collect();
        json_schema!({
            "description": "Where deals come from: one CRM, or an export file.",
            "type": ["object", "null"],
            "properties": sections,
            "additionalProperties": false,
            "maxProperties": 1,
        })
    }

    /// The row of the CRM that is configured.
    #[must_use]
    pub fn row(&self) -> Option<&'static CrmRow> {
        self.connected.as_ref().map(|(row, _)| *row)
    }

    /// The settings of the CRM that is configured.
    #[must_use]
    pub fn settings(&self) -> Option<&dyn CrmSettings> {
        self.connected.as_ref().map(|(_, settings)| settings.as_ref())
    }

    /// Whether a signature is to be followed by Closed Won in the CRM.
    #[must_use]
    pub fn updates_closed_won(&self) -> bool {
        self.settings().is_some_and(CrmSettings::updates_closed_won)
    }

    /// What `crm.file.won` reads of a deal, and where it stands in the settings.
    #[must_use]
    pub fn won_reads(&self) -> Option<(&Properties, Span)> {
        self.won.as_ref().map(|(read, span)| (read, *span))
    }

    /// The settings of the export file, if deals come from one.
    #[must_use]
    pub fn file(&self) -> Option<&FileSettings> {
        self.settings().and_then(CrmSettings::as_file)
    }
}

/// Connects the configured CRM.
///
/// # Errors
/// When its settings or secrets do not do.
pub fn build(
    config: &CrmConfig,
    connection: &Connection<'_>,
) -> Result<Option<Box<dyn Crm>>, CrmError> {
    config.settings().map(|settings| settings.connect(connection)).transpose()
}

impl CrmSettings for FileSettings {
    fn connect(&self, connection: &Connection<'_>) -> Result<Box<dyn Crm>, CrmError> {
        let settings = Self {
            company_zone: connection.company_zone,
            exports: connection.exports.map(Path::to_path_buf),
            ..self.clone()
        };
        Ok(Box::new(open_file(settings, connection.root.clone(), None)?))
    }

    fn as_file(&self) -> Option<&FileSettings> {
        Some(self)
    }
}

/// An export file as a CRM, with its `won` expression compiled. `given` are the
/// file's bytes where they came on standard input.
///
/// # Errors
/// When the expression is none, or the file cannot be read.
pub fn open_file(
    settings: FileSettings,
    root: impl Into<ExportRoot>,
    given: Option<&[u8]>,
) -> Result<FileCrm, CrmError> {
    let won = settings.won.as_deref().map(won_test).transpose();
    let won = won.map_err(|(message, help)| CrmError::Settings {
        message: format!("crm.file.won: {message}"),
        help,
    })?;
    FileCrm::open_given(settings, root, won, given)
}

/// `crm.file.won` as a test of deals; else what is wrong, and what to write instead.
fn won_test(source: &str) -> Result<WonTest, (String, String)> {
    let expression = won_expression(source)?;
    Ok(Box::new(move |deal: &Deal| {
        expression.decide(serde_json::json!({ "deal": deal })).map_err(|error| error.message)
    }))
}

/// Compiles `crm.file.won`.
fn won_expression(source: &str) -> Result<Expression, (String, String)> {
    let told = |message: String, help: Option<String>| {
        let example = || "write an expression such as deal.stage == 'Signed'".to_owned();
        (message, help.unwrap_or_else(example))
    };
    let expression =
        Expression::compile(source).map_err(|error| told(error.message, error.help))?;
    if let Some(unknown) = expression.problems(&["deal"]).into_iter().next() {
        return Err(told(unknown.message, unknown.help));
    }
    Ok(expression)
}

/// Every CRM's webhook, with its settings. Those of a CRM that is not
/// connected refuse everything.
pub struct Triggers(Vec<Box<dyn Trigger>>);

impl Triggers {
    /// All of them with these settings.
    #[must_use]
    pub fn new(config: &CrmConfig) -> Self {
        let connected = config.row().map(|row| row.name);
        let own = |row: &CrmRow| config.settings().filter(|_| connected == Some(row.name));
        let trigger = |row: &'static CrmRow| -> Option<Box<dyn Trigger>> {
            row.webhook_secret?;
            let connected = own(row).and_then(CrmSettings::trigger);
            Some(connected.unwrap_or_else(|| Box::new(Unconnected(row))))
        };
        Self(CRMS.iter().filter_map(trigger).collect())
    }

    /// The one with this name or alias.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&dyn Trigger> {
        self.iter().find(|trigger| trigger.name() == name || trigger.aliases().contains(&name))
    }

    /// All of them, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Trigger> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// That of the CRM that is connected.
    #[must_use]
    pub fn connected(&self) -> Option<&dyn Trigger> {
        self.iter().find(|trigger| trigger.is_connected())
    }
}

/// The webhook of a CRM that deals are not read from: it refuses everything.
struct Unconnected(&'static CrmRow);

impl Route for Unconnected {
    fn names(&self) -> RouteNames<'_> {
        RouteNames {
            name: self.0.name,
            title: self.0.title,
            aliases: &[],
            secrets: self.0.webhook_secret.as_slice(),
        }
    }
}

impl Trigger for Unconnected {
    fn is_connected(&self) -> bool {
        false
    }

    fn receive(&self, _: &Request<'_>, _: &Secrets, _: DateTime<Utc>) -> Result<Told, Rejection> {
        Err(Rejection::NotConnected { provider: self.0.title, crm: self.0.name })
    }
}
