//! Where the use cases happen: the ledger, its configuration and schema, and
//! the ports to the outside.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::pending_pull_request;
use crate::brief::{Brief, RenderInput, Renderer, Schema, SchemaError, Timeline};
use crate::config::Config;
use crate::crm::{Crm, CrmError};
use crate::deliver::Sink;
use crate::ledger::{Change, HistoryError, Ledger, LedgerError, Snapshot, blob_id};
use crate::model::{CrmName, DealId, Key, KeyError, Outcome, ProviderName};
use crate::text::{quoted, shorten};
use crate::yaml;

/// How long to wait for another writer of the same clone.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(60);

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
    /// Whether to push what is written, where there is a remote.
    pub push: bool,
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
    /// A deal was named and no CRM is configured.
    #[error("a deal was named, and `crm:` in handoff.yaml names no place to find it")]
    NoCrm,
    /// A webhook of a CRM that is not connected (any more).
    #[error("{sender} told of a deal, and `crm:` in handoff.yaml connects {connected}")]
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
    /// Whether the same may succeed later without anybody mending anything: a
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

/// One handoff as the ledger has it at the tip.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its folder.
    pub folder: String,
    /// The branch on which it waits for its pull request to be merged; `None`
    /// for one on the ledger's own branch.
    pub branch: Option<String>,
    /// The brief, if there is one.
    pub brief: Option<Brief>,
    /// The git blob of its file, hex.
    pub brief_blob: Option<String>,
    /// What happened.
    pub timeline: Timeline,
}

/// The handoff with this key in one commit of the ledger.
///
/// # Errors
/// When the commit or one of the two files cannot be read.
pub(super) fn stored_in(
    snapshot: &Snapshot,
    key: &Key,
    month: Option<&str>,
) -> Result<Option<Stored>, WorkflowError> {
    let Some(folder) = snapshot.find(key, month)? else { return Ok(None) };
    let files = snapshot.handoff(&folder)?;
    let read =
        |name: &str, error| WorkflowError::File { file: format!("{}/{name}", folder.path), error };
    let brief = files
        .brief
        .as_deref()
        .map(Brief::parse)
        .transpose()
        .map_err(|error| read("brief.yaml", error))?;
    let timeline = match files.timeline.as_deref() {
        Some(bytes) => Timeline::parse(bytes).map_err(|error| read("timeline.yaml", error))?,
        None => Timeline::new(key.clone()),
    };
    let brief_blob = files.brief.as_deref().map(|bytes| blob_id(bytes).to_string());
    Ok(Some(Stored { folder: folder.path, branch: None, brief, brief_blob, timeline }))
}

impl Context {
    /// The handoff with this key at the tip; else the signed one that waits
    /// on its own branch.
    ///
    /// # Errors
    /// When the ledger or one of the two files cannot be read.
    pub fn stored(&self, key: &Key, month: Option<&str>) -> Result<Option<Stored>, WorkflowError> {
        pending_pull_request::find(self, &self.ledger.snapshot()?, key, month)
    }

    /// The page of a brief.
    ///
    /// # Errors
    /// When the ledger's own template fails with this brief.
    pub fn render(&self, brief: &Brief) -> Result<String, WorkflowError> {
        self.renderer
            .readme(&RenderInput { brief, schema: &self.schema })
            .map_err(|error| WorkflowError::Template(error.to_string()))
    }

    /// How deep a handoff's folder lies below the ledger's root.
    pub(super) fn depth(folder: &str) -> usize {
        folder.split('/').count()
    }

    /// Renders the pages of folders into which two machines have written;
    /// whether there was anything to render.
    fn render_merged(&self, folders: &[String]) -> Result<bool, WorkflowError> {
        let mut rendered = false;
        for folder in folders {
            let mut writer = self.ledger.lock(LOCK_WAIT)?;
            let Some(key) = crate::ledger::key_of(folder) else { continue };
            let Some(Stored { folder, brief: Some(brief), .. }) =
                stored_in(&writer.snapshot()?, &key, None)?
            else {
                continue;
            };
            let customer = brief.view().customer_name().unwrap_or("customer").to_owned();
            let change = Change::of_handoff(folder, &customer, &key, self.now)
                .trailer("Handoff-Event", "merged")
                .put("README.md", self.render(&brief)?);
            rendered |= writer.commit(&change)?.is_some();
        }
        Ok(rendered)
    }

    /// Pushes, where there is a remote and it is wanted. What could not be
    /// pushed is said and stays committed; the next run pushes it.
    ///
    /// # Errors
    /// When the two sides have changed the same brief.
    pub fn push(&self, remarks: &mut Vec<String>) -> Result<(), WorkflowError> {
        self.push_branch(self.ledger.branch(), remarks)?;
        pending_pull_request::publish_all(self, remarks)
    }

    /// The remote that is pushed to, where there is one and it is wanted.
    pub(super) fn remote(&self) -> Option<String> {
        if self.push { self.ledger.remote() } else { None }
    }

    /// Pushes one branch as [`Context::push`] does; tells whether the remote
    /// has it now.
    pub(super) fn push_branch(
        &self,
        branch: &str,
        remarks: &mut Vec<String>,
    ) -> Result<bool, WorkflowError> {
        let Some(remote) = self.remote() else { return Ok(false) };
        match self.ledger.push_branch(&remote, branch, self.now) {
            Ok(pushed) => {
                remarks.extend(pushed.remarks.iter().map(ToString::to_string));
                if branch == self.ledger.branch() && self.render_merged(&pushed.merged)? {
                    self.ledger.push_branch(&remote, branch, self.now)?;
                }
                Ok(true)
            }
            Err(
                error @ (LedgerError::TimedOut { .. }
                | LedgerError::Program { .. }
                | LedgerError::Outrun { .. }
                | LedgerError::Rejected { .. }),
            ) => {
                remarks.push(format!(
                    "the commit is safe here and was not pushed to {remote}: {}; the next run pushes it",
                    shorten(&error.to_string(), 200)
                ));
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Commits what `init` laid down, and nothing else.
pub(super) fn commit_setup(
    ledger: &Ledger,
    files: Vec<(String, String)>,
    now: DateTime<Utc>,
) -> Result<Vec<String>, WorkflowError> {
    let mut change = Change::new("", "handoff: set up the ledger", now);
    for (path, text) in files {
        change = change.put(path, text);
    }
    let committed = ledger.lock(LOCK_WAIT)?.commit(&change)?;
    Ok(committed.map_or_else(Vec::new, |committed| {
        committed.remarks.iter().map(ToString::to_string).collect()
    }))
}
