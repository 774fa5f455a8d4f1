//! What a failed request of any CRM's API is: its status, the error, and the
//! gap it leaves. Words from outside come without secrets.

use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};

use super::CrmError;
use crate::facts::Gap;
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
    /// Whether the answer had this status.
    pub(super) fn is(&self, status: StatusCode) -> bool {
        self.status == Some(status)
    }

    /// What is missing because of it.
    pub(super) fn gap(&self, what: String) -> Gap {
        Gap { what, why: self.error.to_string(), help: Some("Run the audit again.".to_owned()) }
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
