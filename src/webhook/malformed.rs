//! Why a body is not understood.

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
