//! A filled issue form: its answers, and the word it stands for where there is
//! neither an e-signature nor a CRM.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::error::CliError;
use super::invocation::Invocation;
use super::relayed::{name_of, read_payload};
use crate::model::{DocumentId, Key, ProviderName, Signature};
use crate::text::quoted;
use crate::workflow::{self, Context, DealSource};

/// The provider of a handoff that an issue stands for.
const PROVIDER: &str = "github";

/// What a form is.
const FORM: &str = "give the body of an issue made with .github/ISSUE_TEMPLATE/handoff.yml, such as `gh issue view 12 --json body --jq .body` prints: a file, or - for standard input";

/// A form with the path it was given by.
pub(super) fn read_form<'a>(
    path: &'a Path,
    invocation: &Invocation,
) -> Result<(&'a Path, Vec<u8>), CliError> {
    Ok((path, read_payload(path, FORM, invocation)?))
}

/// The answers of a filled issue form; what could not be understood is said.
pub(super) fn form_answers(
    (path, bytes): &(&Path, Vec<u8>),
    context: &Context,
    invocation: &Invocation,
) -> Result<Map<String, Value>, CliError> {
    // The event of a workflow has the body in it.
    let event = crate::model::read_json(bytes).ok();
    let body = event.as_ref().and_then(|event| event["issue"]["body"].as_str());
    let body = body.map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), str::to_owned);
    let answers = crate::brief::read_form(&context.schema, &body).ok_or_else(|| {
        CliError::usage(format!("{} is not a filled-in handoff form", name_of(path))).help(FORM)
    })?;
    for problem in &answers.problems {
        invocation.warn(format!("warning: not taken from the form: {problem}"));
    }
    Ok(answers.sections)
}

/// The issue as the signed document. The time is the one given, else what the
/// brief says already, so that the same form again makes nothing new, else now.
pub(super) fn signature_of(
    issue: &str,
    at: Option<DateTime<Utc>>,
    context: &Context,
    invocation: &Invocation,
) -> Result<DealSource, CliError> {
    let number = number_of(issue)?;
    let provider = ProviderName::new(PROVIDER);
    let document_id = DocumentId::new(number);
    let key = Key::for_document(&provider, &document_id)
        .map_err(|error| CliError::usage(format!("--issue {}: {error}", quoted(issue))))?;
    let known = match at {
        Some(_) => None,
        None => workflow::status_of(context, &key)?.and_then(|row| row.signed_at),
    };
    Ok(DealSource::Signature(Box::new(Signature {
        document_name: Some(format!("issue {document_id}")),
        signed_at: Some(at.or(known).unwrap_or(invocation.now)),
        ..Signature::new(provider, document_id)
    })))
}

/// The number of an issue of the ledger's own repository. A URL is not taken:
/// issues of two repositories with one number would be one handoff.
fn number_of(issue: &str) -> Result<&str, CliError> {
    let number = issue.trim().trim_start_matches('#');
    if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(number);
    }
    Err(CliError::usage(format!("--issue {} is not an issue number", quoted(issue)))
        .help("give the number that the issue has in the ledger's repository, such as 12"))
}
