//! What `doctor` says of any CRM: an error as a check, and properties that the
//! CRM does not have.

use super::requested_properties::{Known, Names};
use super::{Check, CrmError};
use crate::model::{Properties, RecordKind};

/// An error with its remedy.
pub(super) fn failed(what: &str, error: &CrmError) -> Check {
    let remedy = match error {
        CrmError::NotFound { help, .. }
        | CrmError::BadData { help, .. }
        | CrmError::Settings { help, .. }
        | CrmError::Denied { help, .. }
        | CrmError::Unavailable { help, .. } => help.clone(),
        CrmError::Refused { .. } => {
            return Check { remedy: None, ..Check::failed(what, error.to_string(), "") };
        }
    };
    Check::failed(what, error.to_string(), remedy)
}

/// The properties that the configuration names, against those that are there:
/// of the deal, and of the records beside it where any of them is read.
pub(super) async fn properties(known: &dyn Known, named: &Properties) -> Vec<Check> {
    let mut checks = Vec::new();
    for kind in RecordKind::ALL {
        let Some(requested) = named.of(kind) else { continue };
        if kind != RecordKind::Deal && requested.is_empty() {
            continue;
        }
        let (crm, records) = known.called(kind);
        let what = format!("{}: properties of {records}", crm.to_lowercase());
        let names = match known.names(kind).await {
            Ok(Some(names)) => names,
            Ok(None) => {
                let detail = format!("{crm} does not say which ones it has");
                checks.push(Check::ok(what, detail));
                continue;
            }
            Err(failure) => {
                checks.push(failed(&what, &failure.error));
                continue;
            }
        };
        let names = Names::of(&names);
        let missing: Vec<&String> =
            requested.iter().filter(|name| names.spelled(name).is_empty()).collect();
        if missing.is_empty() {
            let detail = format!("all {} that handoff.yaml names are there", requested.len());
            checks.push(Check::ok(what.as_str(), detail));
        }
        checks.extend(missing.into_iter().map(|name| {
            Check::failed(
                what.as_str(),
                format!(
                    "handoff.yaml reads the {} property {name}, which {crm} does not have",
                    kind.word()
                ),
                names.near(crm, name),
            )
        }));
    }
    checks
}
