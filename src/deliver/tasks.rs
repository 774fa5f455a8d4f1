//! The onboarding tasks: a list in YAML, due so many working days after the
//! signature.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{SinkContext, TemplateError};
use crate::yaml;

const FILE: &str = "tasks.yaml";

/// Who does a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The owner of the first action.
    Csm,
    /// The owner of the deal.
    Rep,
}

/// One task of the list, before it meets a customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskSpec {
    task: String,
    days: u32,
    #[serde(default)]
    who: Option<Who>,
}

/// The onboarding tasks of each customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskList(Vec<TaskSpec>);

/// One task of one customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnboardingTask {
    /// What to do, on one line.
    pub what: String,
    /// By when.
    pub due: NaiveDate,
    /// By whom.
    pub who: Option<Who>,
}

impl TaskList {
    /// Reads the list in force.
    ///
    /// # Errors
    /// When it is not valid YAML, or no list of tasks; with the line.
    pub fn read(site: &SinkContext) -> Result<Self, TemplateError> {
        let source = site.templates.source(FILE);
        let read = yaml::read(source.as_bytes())
            .and_then(|node| yaml::from_node::<Vec<TaskSpec>>(&node))
            .map_err(|error| TemplateError::Template {
                name: FILE.to_owned(),
                line: error.line,
                message: error.message.clone(),
            })?;
        Ok(Self(read))
    }

    /// The tasks of one customer, with their days.
    ///
    /// # Errors
    /// When a task's text is no valid template.
    pub fn tasks(
        &self,
        site: &SinkContext,
        signed_at: DateTime<Utc>,
        context: &serde_json::Value,
    ) -> Result<Vec<OnboardingTask>, TemplateError> {
        self.0
            .iter()
            .map(|spec| {
                Ok(OnboardingTask {
                    what: site.templates.line(FILE, &spec.task, context)?,
                    due: (site.working_days)(signed_at, spec.days),
                    who: spec.who,
                })
            })
            .collect()
    }
}
