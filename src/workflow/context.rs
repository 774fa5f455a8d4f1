//! Where the use cases happen: the ledger, its configuration and schema, and
//! the ports to the outside; and why a use case was not carried out.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};

use crate::brief::{Brief, ConfirmedAnswers, RenderInput, Renderer, Schema, SchemaError};
use crate::config::Config;
use crate::crm::{Crm, CrmError};
use crate::deliver::Sink;
use crate::ledger::{HistoryError, Ledger, LedgerError};
use crate::model::{CrmName, DealId, Gap, Key, KeyError, Outcome, ProviderName};
use crate::text::quoted;
use crate::time::Clock;
use crate::yaml;

/// Where the use cases happen.
pub struct Context {
    /// The ledger.
    pub ledger: Ledger,
    /// Its configuration.
    pub config: Config,
    /// Its schema: the ledger's own copy, else the shipped one.
    pub schema: Arc<Schema>,
    /// Its way of rendering a brief.
    pub renderer: Renderer,
    /// Where deals come from, if anywhere.
    pub crm: Option<Box<dyn Crm>>,
    /// What a signed brief sets off.
    pub sinks: Vec<Box<dyn Sink>>,
    /// The moment of the run.
    pub now: DateTime<Utc>,
    /// The time that goes on while the run does; stands still where the run was
    /// told which moment it is.
    pub clock: Clock,
    /// Whether to push what is written, where there is a remote.
    pub push: bool,
}

impl Context {
    /// The page of a brief.
    ///
    /// # Errors
    /// When the ledger's own template fails with this brief.
    pub fn render(
        &self,
        brief: &Brief,
        confirmed: &ConfirmedAnswers,
    ) -> Result<String, WorkflowError> {
        self.renderer
            .readme(&RenderInput { brief, schema: &self.schema, confirmed })
            .map_err(|error| WorkflowError::Template(error.to_string()))
    }

    /// The moment it is now, in whole seconds: when something was just done.
    pub(super) fn moment(&self) -> DateTime<Utc> {
        (self.clock)().trunc_subsecs(0).max(self.now)
    }

    /// How deep a handoff's folder lies below the ledger's root.
    pub(super) fn depth(folder: &str) -> usize {
        folder.split('/').count()
    }
}

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
    /// Deals are needed and no CRM is configured.
    #[error("there is no place to read deals from: `crm:` in handoff.yaml names none")]
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
    /// A deal that needs no handoff by the rules of `scope:`.
    #[error("deal {id} is out of scope: {reason}")]
    OutOfScope {
        /// The deal.
        id: DealId,
        /// The rule's reason.
        reason: String,
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
    /// A part of the ledger that cannot be read, and may hold what is looked for.
    #[error("{} cannot be read: {}", .0.what, .0.why)]
    NotRead(Gap),
    /// There is no such handoff.
    #[error("the ledger has no handoff {0}")]
    NoHandoff(Key),
    /// There is no such promise.
    #[error("{key}: there is no promise {number}: {there}")]
    NoPromise {
        /// The handoff.
        key: Key,
        /// The number that was named.
        number: usize,
        /// Those that there are.
        there: String,
    },
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

    /// What cannot be done with this handoff as it is.
    pub(super) fn unfit(key: &Key, message: impl Into<String>) -> Self {
        Self::DoesNotFit { key: key.clone(), message: message.into() }
    }

    pub(super) fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), why: error.to_string() }
    }
}
