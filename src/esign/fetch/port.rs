//! What can be asked of a provider's API.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::model::{DocumentId, Evidence, Signature, SignatureEvent};

/// Why a provider's API did not tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// There is no key for the API.
    #[error("{provider}'s API needs {secret}; set it, or its file with {secret}_FILE")]
    NoSecret {
        /// The provider's title.
        provider: &'static str,
        /// The secret's name.
        secret: &'static str,
    },
    /// A setting that the API needs is missing.
    #[error("{provider}'s API needs {setting} in handoff.yaml; {help}")]
    NoSetting {
        /// The provider's title.
        provider: &'static str,
        /// The setting's path.
        setting: &'static str,
        /// Where to find its value.
        help: &'static str,
    },
    /// A notification that is only a hint, and nobody to ask.
    #[error(
        "notifications of {provider} do not prove what they say, and its API cannot be asked; set up its API (docs/esign.md)"
    )]
    CannotConfirm {
        /// The provider's name.
        provider: String,
    },
    /// The API says that the document is not completed. It may be a moment
    /// behind its own notification, or the notification was forged.
    #[error(
        "the provider's API says that document {document} is not completed ({state}); nothing is done until it is"
    )]
    NotCompleted {
        /// The document.
        document: DocumentId,
        /// The state it has.
        state: String,
    },
    /// There is no such document, or the key may not see it.
    #[error(
        "{provider} has no document {document} that this key may see; the key may belong to another workspace or account"
    )]
    NotFound {
        /// The provider's title.
        provider: &'static str,
        /// The document.
        document: DocumentId,
    },
    /// The key was refused.
    #[error("{provider} refused the key: {message}; check {secret}")]
    Denied {
        /// The provider's title.
        provider: &'static str,
        /// Its words, shortened.
        message: String,
        /// The secret to mend.
        secret: &'static str,
    },
    /// It could not be reached, is limited, or answered nonsense.
    #[error("{provider}: {message}")]
    Unavailable {
        /// The provider's title.
        provider: &'static str,
        /// What happened and where.
        message: String,
    },
}

impl FetchError {
    /// Whether the same question may be answered later without anybody
    /// mending anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NotCompleted { .. } | Self::Unavailable { .. })
    }
}

/// A provider's API.
#[async_trait]
pub trait Fetcher: Send + Sync {
    /// One document as the API knows it: `Completed` with all its facts, or
    /// what it is instead.
    ///
    /// # Errors
    /// See [`FetchError`].
    async fn document(&self, id: &DocumentId) -> Result<SignatureEvent, FetchError>;

    /// The documents that were completed from `since` (inclusive) until
    /// `until` (exclusive). The facts are those of the provider's list; ask
    /// [`Fetcher::document`] for the rest. A page that cannot be read is a gap,
    /// never a shorter list.
    async fn completed(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Evidence<Signature>;
}
