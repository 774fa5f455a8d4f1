//! The `crm:` section and the CRM it stands for: one line for each kind.

use std::path::Path;

use serde::Deserialize;

use super::export::{FileCrm, FileSettings, WonTest};
use super::hubspot::{HubSpot, HubSpotSettings};
use super::pipedrive::{Pipedrive, PipedriveSettings};
use super::salesforce::{Salesforce, SalesforceSettings};
use super::{Crm, CrmError, RequestedProperties};
use crate::brief::Expression;
use crate::model::{Deal, Secrets};

/// Where deals come from; at most one of them is connected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrmConfig {
    /// HubSpot.
    pub hubspot: Option<HubSpotSettings>,
    /// Salesforce.
    pub salesforce: Option<SalesforceSettings>,
    /// Pipedrive.
    pub pipedrive: Option<PipedriveSettings>,
    /// An export file.
    pub file: Option<FileSettings>,
}

impl CrmConfig {
    /// Whether a signature is to be followed by Closed Won in the CRM.
    #[must_use]
    pub fn updates_closed_won(&self) -> bool {
        self.hubspot.as_ref().is_some_and(|settings| settings.update_closed_won)
            || self.salesforce.as_ref().is_some_and(|settings| settings.update_closed_won)
            || self.pipedrive.as_ref().is_some_and(|settings| settings.update_closed_won)
    }
}

/// What a connector needs beside its settings.
pub struct Connection<'a> {
    /// The secrets of the run.
    pub secrets: &'a Secrets,
    /// The ledger's folder, where relative paths start.
    pub root: &'a Path,
    /// The properties that the configuration reads.
    pub requested: &'a RequestedProperties,
}

/// Connects the configured CRM.
///
/// # Errors
/// When more than one is configured, or its settings or secrets do not do.
pub fn build(
    config: &CrmConfig,
    connection: &Connection<'_>,
) -> Result<Option<Box<dyn Crm>>, CrmError> {
    let mut made: Vec<Box<dyn Crm>> = Vec::new();
    if let Some(settings) = &config.hubspot {
        let hubspot = HubSpot::new(settings.clone(), connection.secrets)?;
        made.push(Box::new(hubspot.reading(connection.requested.clone())));
    }
    if let Some(settings) = &config.salesforce {
        let salesforce = Salesforce::new(settings.clone(), connection.secrets)?;
        made.push(Box::new(salesforce.reading(connection.requested.clone())));
    }
    if let Some(settings) = &config.pipedrive {
        let pipedrive = Pipedrive::new(settings.clone(), connection.secrets)?;
        made.push(Box::new(pipedrive.reading(connection.requested.clone())));
    }
    if let Some(settings) = &config.file {
        made.push(Box::new(open_file(settings.clone(), connection.root, None)?));
    }
    if made.len() > 1 {
        return Err(CrmError::Settings {
            message: "`crm:` names more than one place".to_owned(),
            help: "keep one: a handoff's key begins with its CRM's name".to_owned(),
        });
    }
    Ok(made.pop())
}

/// An export file as a CRM, with its `won` expression compiled. `given` are the
/// file's bytes where they came on standard input.
///
/// # Errors
/// When the expression is none, or the file cannot be read.
pub fn open_file(
    settings: FileSettings,
    root: &Path,
    given: Option<&[u8]>,
) -> Result<FileCrm, CrmError> {
    let won = settings.won.as_deref().map(won_test).transpose()?;
    FileCrm::open_given(settings, root, won, given)
}

fn won_test(source: &str) -> Result<WonTest, CrmError> {
    let settings = |message: String, help: Option<String>| CrmError::Settings {
        message: format!("crm.file.won: {message}"),
        help: help
            .unwrap_or_else(|| "write an expression such as deal.stage == 'Signed'".to_owned()),
    };
    let expression =
        Expression::compile(source).map_err(|error| settings(error.message, error.help))?;
    if let Some(unknown) = expression.problems(&["deal"]).into_iter().next() {
        return Err(settings(unknown.message, unknown.help));
    }
    Ok(Box::new(move |deal: &Deal| {
        expression.is_true(serde_json::json!({ "deal": deal })).map_err(|error| error.message)
    }))
}
