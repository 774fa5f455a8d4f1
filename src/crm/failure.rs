//! What a failed request of any CRM's API is: its status, the error, and the
//! gap it leaves. Words from outside come without secrets.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::CrmError;
use crate::http::{NetError, Response};
use crate::model::{DealId, Gap};
use crate::text::{one_line, shorten};

/// A failed request: the status where there is one, and the error it is.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: Option<StatusCode>,
    pub(super) error: CrmError,
}

impl From<Failure> for CrmError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Failure {
    /// No answer came.
    pub(super) fn unreachable(error: &NetError, setting: &str, secrets: &[&SecretString]) -> Self {
        Self {
            status: None,
            error: CrmError::Unavailable {
                message: format!("{}.", clean(&error.to_string(), secrets)),
                help: format!("Check the network and {setting}, and run it again."),
            },
        }
    }

    /// An answer that is not what was asked for, such as a proxy's page.
    pub(super) fn nonsense(crm: &str, path: &str, answer: &Response, why: &str) -> Self {
        Self {
            status: Some(answer.status),
            error: CrmError::Unavailable {
                message: format!(
                    "{crm}'s answer to {} {why}.",
                    path.split('?').next().unwrap_or_default()
                ),
                help: format!("Run it again; if it stays so, a proxy may answer in {crm}'s place."),
            },
        }
    }

    /// Whether the answer had this status.
    pub(super) fn is(&self, status: StatusCode) -> bool {
        self.status == Some(status)
    }

    /// Whether the record is not there, or may not be seen.
    pub(super) fn is_hidden(&self) -> bool {
        self.is(StatusCode::FORBIDDEN) || self.is(StatusCode::NOT_FOUND)
    }

    /// What is missing because of it.
    pub(super) fn gap(&self, what: String) -> Gap {
        Gap { what, why: self.error.to_string(), help: Some("Run the audit again.".to_owned()) }
    }
}

/// The answer as JSON.
pub(super) fn json(crm: &str, path: &str, answer: &Response) -> Result<Value, Failure> {
    answer
        .json()
        .map_err(|error| Failure::nonsense(crm, path, answer, &format!("is no JSON: {error}")))
}

/// The header that carries a token. It shows in no log.
pub(super) fn secret_header(
    name: HeaderName,
    value: &str,
    secret: &str,
) -> Result<HeaderMap, CrmError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| CrmError::Denied {
        message: format!("{secret} holds characters that no token has."),
        help: "Copy the token again, on one line.".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(name, value)]))
}

/// A record without the id that all of them have.
pub(super) fn without_id(crm: &str) -> CrmError {
    CrmError::Unavailable {
        message: format!("{crm} gave a deal without an id."),
        help: "Run it again.".to_owned(),
    }
}

/// A field that holds something else than it should: `Salesforce`,
/// `opportunity`, `006…`, the field, its text, `time`.
pub(super) fn bad_field(
    crm: &str,
    id: &DealId,
    field: &str,
    written: &str,
    requested: &str,
) -> CrmError {
    CrmError::BadData {
        place: format!("{crm} deal {id}, {field}"),
        message: format!("{} is no {requested}.", crate::text::quoted(written)),
        help: format!("Correct the deal in {crm}."),
    }
}

/// Words from outside on one line, without these secrets, should a server
/// ever repeat them.
pub(super) fn clean(text: &str, secrets: &[&SecretString]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        if !secret.expose_secret().is_empty() {
            text = text.replace(secret.expose_secret(), "[redacted]");
        }
    }
    shorten(&one_line(&text), 400)
}
