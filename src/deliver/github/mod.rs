//! GitHub: the first-touch task as an issue or a pull request; and what `doctor`
//! asks.

mod api;
mod forge;
mod project;
mod pull;
mod read_back;
mod settings;
mod task;

use std::sync::Arc;

use api::GithubApi;
use pull::{GithubPull, Purpose};
use read_back::GithubReader;
use settings::GithubSettings;
use task::{GithubFollow, GithubIssue};

use super::follow::Follow;
use super::messages::{Messages, TaskForm};
use super::read_back::Reader;
use super::row::{Made, ReaderContext, SinkRow, SinkSettings, Sinks, WorkflowNeeds, made};
use super::sink::{BranchRequests, Sink};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::http::BaseUrl;
use crate::model::{Check, Secrets};
use crate::settings::SettingsReader;
use crate::text;

pub use forge::Forge;

pub(super) const ROW: SinkRow = SinkRow {
    name: "github",
    title: "GitHub",
    secrets: &["GITHUB_TOKEN", "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"],
    events: &[EventKind::TaskOpened, EventKind::CsmTold],
    medium: Medium::Markdown,
    settings: SettingsReader::<dyn SinkSettings>::of::<GithubSettings>(),
};

impl SinkSettings for GithubSettings {
    /// One opens the task, in the configured form, one keeps it in line.
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let (api, settings) = (connect(self, secrets)?, self.clone());
        let messages = messages.clone();
        let follow = Follow(GithubFollow {
            api: api.clone(),
            settings: settings.clone(),
            messages: messages.clone(),
        });
        let task: Box<dyn Sink> = match settings.form {
            TaskForm::Issue | TaskForm::Crm => Box::new(GithubIssue::new(api, settings, messages)),
            TaskForm::PullRequest => {
                Box::new(GithubPull { api, settings, messages, purpose: Purpose::Task })
            }
        };
        Ok(vec![task, Box::new(follow)])
    }

    fn workflow_needs(&self) -> WorkflowNeeds {
        WorkflowNeeds {
            label: self.labels.first().cloned(),
            reads_back: true,
            ..WorkflowNeeds::default()
        }
    }

    fn reader(&self, secrets: &Secrets, context: &ReaderContext) -> Made<dyn Reader> {
        let api = connect(self, secrets)?;
        Ok(Some(Box::new(GithubReader::new(api, self.clone(), context.days))))
    }

    /// A draft pull request of the branch `handoff/<key>`, recorded as
    /// `drafted`. It belongs to the use case of drafting and to no plan.
    fn draft_request(&self, secrets: &Secrets, messages: &Messages) -> Made<dyn Sink> {
        let (api, settings, messages) = (connect(self, secrets)?, self.clone(), messages.clone());
        Ok(Some(Box::new(GithubPull { api, settings, messages, purpose: Purpose::Draft })))
    }

    fn branch_requests(&self, secrets: &Secrets, messages: &Messages) -> Made<dyn BranchRequests> {
        let (api, settings, messages) = (connect(self, secrets)?, self.clone(), messages.clone());
        Ok(Some(Box::new(GithubPull { api, settings, messages, purpose: Purpose::Draft })))
    }

    fn task_form(&self) -> TaskForm {
        self.form
    }

    fn forge_api(&self) -> Option<&BaseUrl> {
        self.base_url.as_ref()
    }
}

fn connect(settings: &GithubSettings, secrets: &Secrets) -> Result<Arc<GithubApi>, Vec<String>> {
    made(GithubApi::new(settings, secrets).map(Arc::new), settings.problems())
}

/// Repository, issues, rights and labels.
async fn checks(api: &GithubApi, settings: &GithubSettings, offline: bool) -> Vec<Check> {
    let what = format!("github: {}", settings.repository);
    if offline {
        return vec![Check::ok(what, format!("credentials are set, {} was not asked", api.base()))];
    }
    let answer = match api.get(&settings.repository.path("")).await.and_then(api::ApiAnswer::ok) {
        Ok(answer) => answer,
        Err(error) => return vec![error.as_check(what, "check the network and try again")],
    };
    let repository = &answer.body;
    let mut checks = vec![Check::ok(what.clone(), "the repository can be read")];
    if let Some(now) = repository["full_name"].as_str()
        && !now.eq_ignore_ascii_case(&settings.repository.to_string())
    {
        checks.push(Check::warning(
            what.clone(),
            format!(
                "the repository is called {} now; requests are sent on to it",
                text::quoted(now)
            ),
            "write the new name under deliver.github.repository",
        ));
    }
    if repository["archived"] == true {
        checks.push(Check::failed(
            what.clone(),
            "the repository is archived",
            "unarchive it, or configure another",
        ));
    }
    if settings.form == TaskForm::Issue && repository["has_issues"] == false {
        checks.push(Check::failed(
            what.clone(),
            "issues are turned off",
            "turn them on in the repository's settings, or use as: pull_request",
        ));
    }
    // An app's answer has no permissions of a person; then nothing is said.
    if repository["permissions"]["push"] == false {
        checks.push(Check::warning(
            what.clone(),
            "the token may not push: labels, assignees and milestones will be dropped in silence",
            "give the token write access to the repository",
        ));
    }
    for label in &settings.labels {
        let name = percent_encoding::utf8_percent_encode(label, percent_encoding::NON_ALPHANUMERIC);
        let path = settings.repository.path(&format!("/labels/{name}"));
        if let Ok(answer) = api.get(&path).await
            && answer.status.as_u16() == 404
        {
            checks.push(Check::warning(
                what.clone(),
                format!("the label {label} does not exist"),
                "make it, so that it has a colour and a description; otherwise the first task makes it",
            ));
        }
    }
    checks
}
