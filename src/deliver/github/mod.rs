//! GitHub: the first-touch task as an issue or a pull request.

mod api;
mod checks;
mod issue;
mod marker;
mod people;
mod project;
mod settings;

pub use settings::{GithubSettings, ProjectSettings, Repository, TaskForm};

use std::sync::Arc;

use super::{Letters, Sink};
use crate::facts::Secrets;
use api::Api;

/// The sink that opens the task.
///
/// # Errors
/// When a credential is missing or a value cannot be used; every problem is named.
pub(super) fn sink(
    settings: &GithubSettings,
    secrets: &Secrets,
    letters: Letters,
) -> Result<Box<dyn Sink>, Vec<String>> {
    let mut problems = settings.problems();
    match Api::new(settings, secrets) {
        Ok(api) if problems.is_empty() => {
            Ok(Box::new(issue::GithubIssue::new(Arc::new(api), settings.clone(), letters)))
        }
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}
