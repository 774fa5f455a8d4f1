//! Why a webhook request is not accepted, and why a body is not understood.

use chrono::{DateTime, Utc};

/// Why a request was refused. The words are for the log of whoever runs
/// `handoff`, and hold neither secret nor signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is nothing to verify it with.
    #[error(
        "no {secret} is set, so nothing that claims to come from {provider} is accepted; set it to what {provider} shows for this webhook"
    )]
    NoSecret {
        /// The provider's title.
        provider: &'static str,
        /// The secret's name.
        secret: &'static str,
    },
    /// It is not among the connections of this ledger.
    #[error(
        "{provider} is not connected: `crm.{crm}` is not in handoff.yaml, so nothing it tells is acted upon; connect it, or take the webhook away in {provider}"
    )]
    NotConnected {
        /// The sender's title.
        provider: &'static str,
        /// Its name under `crm:`.
        crm: &'static str,
    },
    /// A setting is missing without which it cannot be verified.
    #[error(
        "`{setting}` is not in handoff.yaml, so nothing that claims to come from {provider} is accepted; docs/crm.md says what it is"
    )]
    NoSetting {
        /// The sender's title.
        provider: &'static str,
        /// The setting's path.
        setting: &'static str,
    },
    /// The secret cannot be used as a key.
    #[error("{secret} cannot be used: {why}")]
    UnusableSecret {
        /// The secret's name.
        secret: &'static str,
        /// What is wrong, without the secret.
        why: String,
    },
    /// It carries no proof.
    #[error("the request has no {what}; {help}")]
    Unsigned {
        /// What is missing, such as `signature in its query`.
        what: &'static str,
        /// Where to switch it on.
        help: &'static str,
    },
    /// Its proof fits none of the keys.
    #[error(
        "the {what} fits none of the keys in {secret}; compare the key with the one {provider} shows, and see that nothing between rewrites the body"
    )]
    BadSignature {
        /// What was compared.
        what: &'static str,
        /// The secret's name.
        secret: &'static str,
        /// The provider's title.
        provider: &'static str,
    },
    /// It carries something where the proof should be that is none.
    #[error(
        "the {what} is not {expected}; see that nothing between {provider} and here rewrites or shortens it"
    )]
    MalformedSignature {
        /// What was to be compared.
        what: &'static str,
        /// What it should be, such as `base64`.
        expected: &'static str,
        /// The provider's title.
        provider: &'static str,
    },
    /// It is of another account than the one that is connected.
    #[error("the message is of {provider}'s account {got}, and `{setting}` names another")]
    OtherAccount {
        /// The sender's title.
        provider: &'static str,
        /// The setting that names the account.
        setting: &'static str,
        /// The account it names, quoted and shortened.
        got: String,
    },
    /// It is too old, or from the future: a replay, or a clock that is wrong.
    #[error(
        "the notification is of {sent}, outside the window that ends at {now}; a replay, or a clock that is wrong"
    )]
    Stale {
        /// When it says it was sent.
        sent: DateTime<Utc>,
        /// When it arrived.
        now: DateTime<Utc>,
    },
    /// Neither POST, nor what the provider tests the address with.
    #[error("{provider} sends notifications with POST")]
    WrongMethod {
        /// The provider's title.
        provider: &'static str,
    },
    /// The body is of a kind that this provider does not send.
    #[error("{provider} sends {expected}, and this is {got}")]
    WrongContentType {
        /// The provider's title.
        provider: &'static str,
        /// What it sends.
        expected: &'static str,
        /// What came, quoted and shortened.
        got: String,
    },
    /// The body is larger than a notification without documents can be.
    #[error(
        "the body has {bytes} bytes and at most {limit} are read; switch off the documents in {provider}'s webhook settings"
    )]
    TooLarge {
        /// The provider's title.
        provider: &'static str,
        /// The body's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The sender was verified and the body cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Rejection {
    /// The status to answer with. Never 410, and 503 while no key is set, so
    /// that the provider tries again and nothing is lost meanwhile.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NoSecret { .. } | Self::UnusableSecret { .. } | Self::NoSetting { .. } => 503,
            Self::NotConnected { .. } => 404,
            Self::Unsigned { .. }
            | Self::BadSignature { .. }
            | Self::MalformedSignature { .. }
            | Self::OtherAccount { .. }
            | Self::Stale { .. } => 401,
            Self::WrongMethod { .. } => 405,
            Self::WrongContentType { .. } => 415,
            Self::TooLarge { .. } => 413,
            Self::Malformed(_) => 400,
        }
    }

    /// A word for metrics and structured logs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoSecret { .. } => "no_secret",
            Self::NotConnected { .. } => "not_connected",
            Self::NoSetting { .. } => "no_setting",
            Self::UnusableSecret { .. } => "unusable_secret",
            Self::Unsigned { .. } => "unsigned",
            Self::BadSignature { .. } => "bad_signature",
            Self::MalformedSignature { .. } => "malformed_signature",
            Self::OtherAccount { .. } => "other_account",
            Self::Stale { .. } => "stale",
            Self::WrongMethod { .. } => "wrong_method",
            Self::WrongContentType { .. } => "wrong_content_type",
            Self::TooLarge { .. } => "too_large",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// Why a body is no notification that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing at all.
    #[error("the payload is empty; save the provider's request body to the file, byte for byte")]
    Empty,
    /// The JSON ends in the middle.
    #[error("the JSON is cut off at line {line}, column {column}; save the whole request body")]
    Truncated {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// Not JSON.
    #[error("this is not JSON: {why} at line {line}, column {column}")]
    NotJson {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// The reader's words.
        why: String,
    },
    /// Not XML, or XML that is not taken.
    #[error("this XML is not accepted: {why}, at byte {at}")]
    NotXml {
        /// How many bytes were read before.
        at: u64,
        /// What is wrong.
        why: String,
    },
    /// A form that cannot be taken apart.
    #[error(
        "the form could not be read: {why}; {provider} puts its JSON into the form field \"json\""
    )]
    BadForm {
        /// The provider's title.
        provider: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The event says that everybody has signed, and the document itself that it is
    /// at another point.
    #[error("{provider}: the event says completed, and the document in it is {status:?}")]
    Contradicts {
        /// The provider's title.
        provider: &'static str,
        /// What the document is by its own words.
        status: String,
    },
    /// JSON of another shape than this provider's.
    #[error("this is not a notification of {provider}: {why}")]
    NotMine {
        /// The provider's title.
        provider: &'static str,
        /// What is missing or different.
        why: String,
    },
    /// A field without which nothing can be done.
    #[error(
        "{provider}: the notification has no {field}, without which the document cannot be told"
    )]
    Missing {
        /// The provider's title.
        provider: &'static str,
        /// The field's path.
        field: &'static str,
    },
    /// An older form that is refused.
    #[error("{provider}: {what}; {help}")]
    Legacy {
        /// The provider's title.
        provider: &'static str,
        /// What came.
        what: &'static str,
        /// What to switch to.
        help: &'static str,
    },
}
