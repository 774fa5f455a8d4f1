//! Where the use cases happen: the ledger, its configuration and schema, and
//! the ports to the outside.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::error::WorkflowError;
use crate::brief::{Brief, RenderInput, Renderer, Schema};
use crate::config::Config;
use crate::crm::Crm;
use crate::deliver::Sink;
use crate::ledger::Ledger;

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

impl Context {
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
}
