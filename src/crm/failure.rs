//! What a failed request of any CRM's API is: its status, the error, and the
//! gap it leaves. Words from outside come without secrets.

use http::{HeaderMap, HeaderName, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::CrmError;
use crate::http::{NetError, PagesFault, Response};
use crate::model::{DealId, Gap};
use crate::text::{one_line, shorten};

/// A failed request: the status where there is one, and the error it is.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: Option<StatusCode>,
    pub(super) error: CrmError,
    /// The place in a list is not known any more: the list may be read once
    /// more from its start.
    pub(super) starts_again: bool,
    /// No answer came, and what was asked for may have been done.
    pub(super) may_have_acted: bool,
}

impl From<Failure> for CrmError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Failure {
    pub(super) fn new(status: Option<StatusCode>, error: CrmError) -> Self {
        Self { status, error, starts_again: false, may_have_acted: false }
    }

    /// No answer came.
    pub(super) fn unreachable(error: &NetError, setting: &str, secrets: &[&SecretString]) -> Self {
        let told = CrmError::Unavailable {
            message: format!("{}.", clean(&error.to_string(), secrets)),
            help: format!("Check the network and {setting}, and run it again."),
        };
        let may_have_acted = matches!(error, NetError::Unclear { .. });
        Self { may_have_acted, ..Self::new(None, told) }
    }

    /// What the failure of a request that creates is: where the record may be
    /// there all the same, nobody may ask for it again without a look.
    pub(super) fn of_creation(self) -> CrmError {
        let answered = |status: StatusCode| status.is_success() || status.is_server_error();
        match self.error {
            CrmError::Unavailable { message, .. }
                if self.may_have_acted || self.status.is_some_and(answered) =>
            {
                CrmError::Unclear { message }
            }
            error => error,
        }
    }

    /// An answer that is not what was asked for, such as a proxy's page.
    pub(super) fn nonsense(crm: &str, path: &str, status: StatusCode, why: &str) -> Self {
        Self::new(
            Some(status),
            CrmError::Unavailable {
                message: format!("{crm}'s answer to {} {why}.", without_query(path)),
                help: format!(
                    "Run it again; if it stays so, a proxy may be answering instead of {crm}."
                ),
            },
        )
    }

    /// An answer that leads to another address. It is not followed, because
    /// the request carries credentials.
    pub(super) fn redirected(
        crm: &str,
        path: &str,
        answer: &Response,
        setting: &str,
    ) -> Option<Self> {
        if !answer.status.is_redirection() {
            return None;
        }
        let target = answer.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
        let target = target.map_or_else(
            || "nowhere".to_owned(),
            |to| shorten(&one_line(without_query(to.split('#').next().unwrap_or_default())), 200),
        );
        Some(Self::new(
            Some(answer.status),
            CrmError::Unavailable {
                message: format!(
                    "{crm}'s answer to {} is a redirect ({}) to {target}, which was not followed.",
                    without_query(path),
                    answer.status.as_u16()
                ),
                help: format!(
                    "Check {setting}: it must be the address of {crm}'s API itself. A login page or a proxy may be in between."
                ),
            },
        ))
    }

    /// A status that the CRM has no meaning of its own for; `said` are its
    /// words, as a sentence.
    pub(super) fn other_status(crm: &str, status: StatusCode, said: &str) -> CrmError {
        CrmError::Unavailable {
            message: if status.is_success() {
                format!("{crm} says that the request failed: {said}")
            } else {
                format!("{crm} answered {}: {said}", status.as_u16())
            },
            help: format!("Run it again; status.{}.com lists outages.", crm.to_ascii_lowercase()),
        }
    }

    /// A list that is not whole although each of its pages came.
    pub(super) fn of_list(crm: &str, fault: &PagesFault) -> Self {
        Self::new(
            None,
            CrmError::Unavailable {
                message: format!("{crm}'s list is not complete: {fault}."),
                help: "Run it again.".to_owned(),
            },
        )
    }

    /// Whether the answer had this status.
    pub(super) fn is(&self, status: StatusCode) -> bool {
        self.status == Some(status)
    }

    /// Whether it may be the matter of some of the records that were asked for,
    /// and not of the CRM or of the settings.
    pub(super) fn is_of_content(&self) -> bool {
        let is_answer = self.status.is_some_and(|status| match status {
            StatusCode::ACCEPTED => false,
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                true
            }
            status => status.is_success(),
        });
        is_answer && !matches!(self.error, CrmError::Settings { .. } | CrmError::Denied { .. })
    }

    /// Data that is there and cannot be used.
    pub(super) fn of_data(error: CrmError) -> Self {
        Self::new(Some(StatusCode::OK), error)
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

/// The answer's JSON object, where it is the whole answer.
pub(super) fn object(crm: &str, path: &str, answer: &Response) -> Result<Value, Failure> {
    match answer.status.as_u16() {
        // 202 is not ready, 206 and 207 are parts: nothing is missing of a plain answer.
        status @ (202 | 204..=299) => {
            let why = format!("is no whole answer (status {status})");
            Err(Failure::nonsense(crm, path, answer.status, &why))
        }
        _ => object_in_parts(crm, path, answer),
    }
}

/// The answer's JSON object, which may say itself that parts of it are missing. Nothing
/// else is an answer of a CRM: a list or a text would be read as one that holds nothing.
pub(super) fn object_in_parts(crm: &str, path: &str, answer: &Response) -> Result<Value, Failure> {
    let nonsense = |why: &str| Failure::nonsense(crm, path, answer.status, why);
    match answer.json() {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(other) => Err(nonsense(&format!("is {} and not an object", kind(&other)))),
        Err(_) if answer.headers.contains_key(header::CONTENT_ENCODING) => {
            let packed = answer.headers[header::CONTENT_ENCODING].to_str().unwrap_or_default();
            let packed = shorten(&one_line(packed), 40);
            Err(nonsense(&format!("is packed ({packed}), which was not asked for")))
        }
        Err(_) if answer.body.trim_ascii_start().starts_with(b"<") => {
            Err(nonsense("is a web page and not JSON, such as one for login or maintenance"))
        }
        Err(error) => Err(nonsense(&format!("is not JSON: {error}"))),
    }
}

/// The list of this name in an answer. One that is not there, or that holds
/// something else than records, is a failure and never an empty list.
pub(super) fn list(
    crm: &str,
    path: &str,
    answer: &mut Value,
    name: &str,
) -> Result<Vec<Value>, Failure> {
    let nonsense = |why: String| Failure::nonsense(crm, path, StatusCode::OK, &why);
    match answer.get_mut(name).map(Value::take) {
        Some(Value::Array(records)) => match records.iter().find(|record| !record.is_object()) {
            None => Ok(records),
            Some(other) => Err(nonsense(format!("has {} among its {name}", kind(other)))),
        },
        Some(Value::Null) | None => Err(nonsense(format!("has no {name}"))),
        Some(other) => Err(nonsense(format!("has {} as its {name}", kind(&other)))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A cursor, which servers write as a text or a number; empty is none.
pub(super) fn cursor(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

/// The header that carries a token. It shows in no log.
pub(super) fn secret_header(
    name: HeaderName,
    value: &str,
    secret: &str,
) -> Result<HeaderMap, CrmError> {
    crate::http::secret_header(name, value).ok_or_else(|| CrmError::Denied {
        message: format!("{secret} holds characters that no token has."),
        help: "Copy the token again, on one line.".to_owned(),
    })
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
        message: format!("{} is not a valid {requested}.", crate::text::quoted(written)),
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
