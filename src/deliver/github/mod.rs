//! GitHub: the first-touch task as an issue or a pull request.

mod acts;
mod api;
mod checks;
mod comment;
mod deadline;
mod issue;
mod marker;
mod people;
mod project;
mod pull;
mod read_back;
mod settings;
mod task_url;

pub use settings::{GithubSettings, ProjectSettings, Repository, TaskForm};

use std::sync::Arc;

use super::{Messages, Reader, Sink, WholeDays};
use crate::model::Secrets;
use api::Api;
use pull::{GithubPull, Purpose};

/// The sinks: one opens the task, in the configured form, one comments on it.
///
/// # Errors
/// When a credential is missing or a value cannot be used; every problem is named.
pub(super) fn sinks(
    settings: &GithubSettings,
    secrets: &Secrets,
    letters: &Messages,
) -> Result<Vec<Box<dyn Sink>>, Vec<String>> {
    let (api, settings) = connect(settings, secrets)?;
    let comment = comment::GithubComment { api: api.clone(), letters: letters.clone() };
    let letters = letters.clone();
    let task: Box<dyn Sink> = match settings.form {
        TaskForm::Issue => Box::new(issue::GithubIssue::new(api, settings, letters)),
        TaskForm::PullRequest => {
            Box::new(GithubPull { api, settings, letters, purpose: Purpose::Task })
        }
    };
    Ok(vec![task, Box::new(comment)])
}

/// The sink for a brief before its signature: a draft pull request of the
/// branch `handoff/<key>`, recorded as `drafted`. It belongs to the use case
/// of drafting and to no plan.
///
/// # Errors
/// As for the task: a credential is missing or a value cannot be used.
pub fn draft_pull_request(
    settings: &GithubSettings,
    secrets: &Secrets,
    letters: Messages,
) -> Result<Box<dyn Sink>, Vec<String>> {
    let (api, settings) = connect(settings, secrets)?;
    Ok(Box::new(GithubPull { api, settings, letters, purpose: Purpose::Draft }))
}

/// What reads back what people did about the tasks.
///
/// # Errors
/// As for the sink: a credential is missing or a value cannot be used.
pub(super) fn reader(
    settings: &GithubSettings,
    secrets: &Secrets,
    days: WholeDays,
) -> Result<Box<dyn Reader>, Vec<String>> {
    let (api, settings) = connect(settings, secrets)?;
    Ok(Box::new(read_back::GithubReader::new(api, settings, days)))
}

fn connect(
    settings: &GithubSettings,
    secrets: &Secrets,
) -> Result<(Arc<Api>, GithubSettings), Vec<String>> {
    let mut problems = settings.problems();
    match Api::new(settings, secrets) {
        Ok(api) if problems.is_empty() => Ok((Arc::new(api), settings.clone())),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}
