//! Why a use case was not carried out.

use std::path::Path;

use crate::brief::SchemaError;
use crate::crm::CrmError;
use crate::ledger::{HistoryError, LedgerError};
use crate::model::{CrmName, DealId, Key, KeyError, Outcome, ProviderName};
use crate::text::quoted;
use crate::yaml;

/// Why a use case was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger's history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The CRM.
    #[error(transparent)]
    Crm(#[from] CrmError),
    /// An id that gives no key.
    #[error("this handoff can have no key: {0}")]
    Key(#[from] KeyError),
    /// The ledger's schema.
    #[error("schema/brief.schema.json: {0}")]
    Schema(#[from] SchemaError),
    /// A deal was named and no CRM is configured.
    #[error("a deal was named, and `crm:` in handoff.yaml names no place to find it")]
    NoCrm,
    /// A webhook of a CRM that is not connected (any more).
    #[error("{sender} sent a deal, and `crm:` in handoff.yaml connects {connected}")]
    OtherCrm {
        /// Who told.
        sender: ProviderName,
        /// The CRM that is connected.
        connected: CrmName,
    },
    /// A deal was named that is not won.
    #[error("deal {id} is not won: {}", stage.as_deref().map_or_else(|| format!("{outcome:?}").to_lowercase(), quoted))]
    NotWon {
        /// The deal.
        id: DealId,
        /// Its stage.
        stage: Option<String>,
        /// Where it stands.
        outcome: Outcome,
    },
    /// Two deals or documents whose ids give the same key.
    #[error("{key} is the handoff of {there} already, and {here} would get the same key")]
    KeyCollision {
        /// The key.
        key: Key,
        /// What the ledger has.
        there: String,
        /// What came.
        here: String,
    },
    /// A file of the ledger that cannot be read as what it is.
    #[error("{file}:{error}")]
    File {
        /// The file, relative to the ledger.
        file: String,
        /// What is wrong and where.
        error: yaml::Error,
    },
    /// There is no such handoff.
    #[error("the ledger has no handoff {0}")]
    NoHandoff(Key),
    /// The event does not fit what has happened so far.
    #[error("{key}: {message}")]
    DoesNotFit {
        /// The handoff.
        key: Key,
        /// Why.
        message: String,
    },
    /// Somebody may not do this.
    #[error("{key}: {message}")]
    NotAllowed {
        /// The handoff.
        key: Key,
        /// Who may not, and why.
        message: String,
        /// Who may.
        help: String,
    },
    /// The settings that are there cannot be used.
    #[error("handoff.yaml:{line}: {problem}")]
    Settings {
        /// The line of the first problem.
        line: usize,
        /// The first problem.
        problem: String,
    },
    /// A template of the ledger fails.
    #[error("{0}")]
    Template(String),
    /// A file of the surroundings.
    #[error("{path}: {why}")]
    Io {
        /// The path.
        path: String,
        /// The system's words.
        why: String,
    },
}

impl WorkflowError {
    /// Whether the same may succeed later without anybody fixing anything: a
    /// CRM that is down, another writer, a full disk, a remote out of reach.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Crm(error) => matches!(error, CrmError::Unavailable { .. }),
            Self::Ledger(error) => matches!(
                error,
                LedgerError::Locked { .. }
                    | LedgerError::BranchBusy { .. }
                    | LedgerError::Outrun { .. }
                    | LedgerError::Program { .. }
                    | LedgerError::TimedOut { .. }
                    | LedgerError::Git { .. }
                    | LedgerError::Io { .. }
            ),
            Self::Io { .. } => true,
            _ => false,
        }
    }

    /// A file that could not be read or written.
    pub(super) fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), why: error.to_string() }
    }
}
