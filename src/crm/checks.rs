//! What `doctor` says of any CRM: an error as a check, and properties that the
//! CRM does not have.

use std::collections::BTreeSet;

use super::{Check, CrmError};

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

/// What was meant, for a property that is not there.
pub(super) fn near<'a>(crm: &str, name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let best = known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(score, _)| *score > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((_, known)) => format!("Did you mean {known}?"),
        None => format!("Create the property in {crm}, or take it out of the mapping."),
    }
}

/// The properties that the mapping reads, against those that are there.
pub(super) fn properties(
    what: &str,
    crm: &str,
    wanted: &[String],
    known: &BTreeSet<String>,
) -> Vec<Check> {
    let missing: Vec<&String> = wanted.iter().filter(|name| !known.contains(*name)).collect();
    if missing.is_empty() {
        return vec![Check::ok(
            what,
            format!("all {} that the mapping reads are there", wanted.len()),
        )];
    }
    let check = |name: &&String| {
        Check::failed(
            what,
            format!("The mapping reads the deal property {name}, which {crm} does not have"),
            near(crm, name, known.iter()),
        )
    };
    missing.iter().map(check).collect()
}

/// An error that names the properties which the company's own mapping reads
/// and the CRM does not have.
pub(super) fn must_have<'a>(
    crm: &str,
    object: &str,
    wanted: impl Iterator<Item = &'a String>,
    known: &BTreeSet<String>,
) -> Result<(), CrmError> {
    let missing: Vec<&str> =
        wanted.filter(|name| !known.contains(*name)).map(String::as_str).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    Err(CrmError::Settings {
        message: format!(
            "The mapping reads properties that {crm}'s {object} do not have: {}.",
            missing.join(", ")
        ),
        help: near(crm, first, known.iter()),
    })
}
