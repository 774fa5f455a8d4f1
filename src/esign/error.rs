//! Why a file somebody gave by hand is not understood.

use crate::webhook::Malformed;

/// Why a payload is no notification of an e-sign provider that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is damaged, or none of the provider it was read as.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is another provider's.
    #[error(
        "this looks like a {actual} payload, not a {expected} one; pass --provider {actual_name}"
    )]
    LooksLike {
        /// The title of the provider it was read as.
        expected: &'static str,
        /// The title of the one it looks like.
        actual: &'static str,
        /// That one's name on the command line.
        actual_name: &'static str,
    },
    /// No provider knows it.
    #[error(
        "no provider sends payloads of this shape; name one with --provider ({names}), or send {{\"type\": \"contract.signed\", \"data\": {{\"id\": …}}}} as docs/esign.md describes"
    )]
    Unrecognised {
        /// The providers' names.
        names: String,
    },
    /// There is no provider with this name.
    #[error("there is no e-sign provider {name}; there are {names}")]
    UnknownProvider {
        /// The name as it was given, quoted.
        name: String,
        /// The providers' names.
        names: String,
    },
}
