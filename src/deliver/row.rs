//! What a sink's row says, and what its settings can make.

use std::fmt::Debug;

use super::messages::{Messages, TaskForm};
use super::read_back::Reader;
use super::sink::{BranchRequests, LentCrmTasks, Sink, WholeDays};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::http::BaseUrl;
use crate::model::Secrets;
use crate::settings::SettingsReader;

/// One kind of sink: everything that lists sinks reads these rows.
pub struct SinkRow {
    /// Its key below `deliver:`, and the `via` of its events.
    pub name: &'static str,
    /// The product's name, for people.
    pub title: &'static str,
    /// The names of all secrets that it may read.
    pub secrets: &'static [&'static str],
    /// The events that it makes; one that opens the CSM's first-touch task
    /// makes `task_opened`.
    pub events: &'static [EventKind],
    /// What its texts are written in.
    pub medium: Medium,
    /// Its section of the settings.
    pub settings: SettingsReader<dyn SinkSettings>,
}

impl Debug for SinkRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What a target needs of the workflows of a ledger on GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkflowNeeds {
    /// The label of handoff's own tasks, where they are on GitHub itself.
    pub label: Option<String>,
    /// Whether what people did is read back.
    pub reads_back: bool,
    /// Whether its deliveries are files on the machine.
    pub keeps_files: bool,
    /// Whether it delivers to the CRM that deals come from.
    pub is_crm: bool,
}

/// What is read back against.
#[derive(Clone)]
pub struct ReaderContext {
    /// The days of the deadlines.
    pub days: WholeDays,
    /// The tasks of the CRM that deals come from; `None` where it has none.
    pub crm_tasks: Option<LentCrmTasks>,
}

/// Sinks, or every reason why there are none.
pub type Sinks = Result<Vec<Box<dyn Sink>>, Vec<String>>;

/// What settings make where they ask for it, or everything that is wrong with them.
pub type Made<T> = Result<Option<Box<T>>, Vec<String>>;

/// What was made, unless something else is wrong with the settings.
pub(super) fn made<T>(
    made: Result<T, String>,
    mut problems: Vec<String>,
) -> Result<T, Vec<String>> {
    match made {
        Ok(made) if problems.is_empty() => return Ok(made),
        Ok(_) => {}
        Err(problem) => problems.push(problem),
    }
    Err(problems)
}

/// The settings of one sink.
pub trait SinkSettings: Debug + Send + Sync {
    /// Makes the sinks. `others` are the events that the sinks before it
    /// deliver.
    ///
    /// # Errors
    /// With every problem there is: missing secrets, values that cannot be used.
    fn sinks(&self, secrets: &Secrets, messages: &Messages, others: &[EventKind]) -> Sinks;

    /// Makes what reads back what people did; `None` where nothing can be read.
    ///
    /// # Errors
    /// As [`SinkSettings::sinks`].
    fn reader(&self, _: &Secrets, _: &ReaderContext) -> Made<dyn Reader> {
        Ok(None)
    }

    /// Makes what opens the pull request of a draft; `None` where there are
    /// no pull requests.
    ///
    /// # Errors
    /// As [`SinkSettings::sinks`].
    fn draft_request(&self, _: &Secrets, _: &Messages) -> Made<dyn Sink> {
        Ok(None)
    }

    /// Makes what opens pull requests of other branches; `None` where there are
    /// no pull requests.
    ///
    /// # Errors
    /// As [`SinkSettings::sinks`].
    fn branch_requests(&self, _: &Secrets, _: &Messages) -> Made<dyn BranchRequests> {
        Ok(None)
    }

    /// Makes what tells the rep of a draft what it lacks; `None` where people
    /// are not told that way.
    ///
    /// # Errors
    /// As [`SinkSettings::sinks`].
    fn draft_notice(&self, _: &Secrets, _: &Messages) -> Made<dyn Sink> {
        Ok(None)
    }

    /// What it needs of the workflows of a ledger on GitHub.
    fn workflow_needs(&self) -> WorkflowNeeds {
        WorkflowNeeds::default()
    }

    /// The form of the task that it opens.
    fn task_form(&self) -> TaskForm {
        TaskForm::Issue
    }

    /// The API of the forge it delivers to, where the settings name one.
    fn forge_api(&self) -> Option<&BaseUrl> {
        None
    }

    /// Whether a message that belongs to no handoff can go out this way.
    fn sends_notices(&self) -> bool {
        false
    }

    /// Whether it takes what no other sink delivers.
    fn takes_the_rest(&self) -> bool {
        false
    }
}

impl<S: SinkSettings + 'static> From<S> for Box<dyn SinkSettings> {
    fn from(settings: S) -> Self {
        Box::new(settings)
    }
}
