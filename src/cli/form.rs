//! A filled issue form: its answers, and the word it stands for where there is
//! neither an e-signature nor a CRM.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::context::Context;
use super::error::CliError;
use super::sign::read_payload;
use crate::facts::{DocumentId, Key, ProviderName, Signature};
use crate::text::quoted;
use crate::workflow::{self, DealSource, Workplace};

/// The provider of a handoff that an issue stands for.
const PROVIDER: &str = "github";

/// The answers of a filled issue form; what could not be understood is said.
pub(super) fn form_answers(
    path: Option<&str>,
    place: &Workplace,
    context: &Context,
) -> Result<Option<Map<String, Value>>, CliError> {
    let Some(path) = path else { return Ok(None) };
    let bytes = read_payload(path, context)?;
    let answers = crate::brief::read_form(&place.schema, &String::from_utf8_lossy(&bytes))
        .ok_or_else(|| {
            CliError::usage(format!("{path} is no filled handoff form")).help(
                "give the body of an issue made with .github/ISSUE_TEMPLATE/handoff.yml, such as `gh issue view 12 --json body --jq .body`",
            )
        })?;
    for problem in &answers.problems {
        context.warn(format!("warning: not taken from the form: {problem}"));
    }
    Ok(Some(answers.sections))
}

/// The issue as the signed document. The time is the one given, else what the
/// brief says already, so that the same form again makes nothing new, else now.
pub(super) fn signature_of(
    issue: &str,
    at: Option<DateTime<Utc>>,
    place: &Workplace,
    context: &Context,
) -> Result<DealSource, CliError> {
    let number = number_of(issue)?;
    let provider = ProviderName::new(PROVIDER);
    let document_id = DocumentId::new(number);
    let key = Key::for_document(&provider, &document_id)
        .map_err(|error| CliError::usage(format!("--issue {}: {error}", quoted(issue))))?;
    let known = match at {
        Some(_) => None,
        None => workflow::status_of(place, &key)?.and_then(|row| row.signed_at),
    };
    Ok(DealSource::Signature(Box::new(Signature {
        provider,
        document_name: Some(format!("issue {document_id}")),
        signed_at: Some(at.or(known).unwrap_or(context.now)),
        url: None,
        document_id,
        signers: Vec::new(),
        deal_refs: Vec::new(),
        amount: None,
        metadata: Map::new(),
        remarks: Vec::new(),
    })))
}

/// The number of an issue of the ledger's own repository. A URL is not taken:
/// issues of two repositories with one number would be one handoff.
fn number_of(issue: &str) -> Result<&str, CliError> {
    let number = issue.trim().trim_start_matches('#');
    if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(number);
    }
    Err(CliError::usage(format!("--issue {} is no issue's number", quoted(issue)))
        .help("give the number that the issue has in the ledger's repository, such as 12"))
}
