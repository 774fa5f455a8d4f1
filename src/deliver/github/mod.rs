//! GitHub: the first-touch task as an issue or a pull request.

mod api;
mod checks;
mod follow;
mod forge;
mod issue;
mod marker;
mod model;
mod project;
mod pull;
mod read_back;
mod settings;
mod task_url;

use std::sync::Arc;

use api::Api;
use follow::GithubFollow;
pub use forge::Forge;
use issue::GithubIssue;
use pull::{GithubPull, Purpose};
use read_back::GithubReader;
use settings::GithubSettings;

use super::messages::{Messages, TaskForm};
use super::read_back::Reader;
use super::row::{SinkRow, SinkSettings, Sinks, WorkflowNeeds};
use super::sink::{BranchRequests, Sink, WholeDays};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::http::BaseUrl;
use crate::model::Secrets;
use crate::settings::SettingsReader;

pub(super) const ROW: SinkRow = SinkRow {
    name: "github",
    title: "GitHub",
    secrets: &["GITHUB_TOKEN", "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"],
    events: &[EventKind::TaskOpened, EventKind::CsmTold],
    medium: Medium::Markdown,
    settings: SettingsReader::<dyn SinkSettings>::of::<GithubSettings>(),
};

impl From<GithubSettings> for Box<dyn SinkSettings> {
    fn from(settings: GithubSettings) -> Self {
        Box::new(settings)
    }
}

impl SinkSettings for GithubSettings {
    /// One opens the task, in the configured form, one keeps it in line.
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let (api, settings) = (connect(self, secrets)?, self.clone());
        let messages = messages.clone();
        let follow = GithubFollow {
            api: api.clone(),
            settings: settings.clone(),
            messages: messages.clone(),
        };
        let task: Box<dyn Sink> = match settings.form {
            TaskForm::Issue => Box::new(GithubIssue::new(api, settings, messages)),
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

    fn reader(
        &self,
        secrets: &Secrets,
        days: WholeDays,
    ) -> Result<Option<Box<dyn Reader>>, Vec<String>> {
        let api = connect(self, secrets)?;
        Ok(Some(Box::new(GithubReader::new(api, self.clone(), days))))
    }

    /// A draft pull request of the branch `handoff/<key>`, recorded as
    /// `drafted`. It belongs to the use case of drafting and to no plan.
    fn draft_request(
        &self,
        secrets: &Secrets,
        messages: &Messages,
    ) -> Result<Option<Box<dyn Sink>>, Vec<String>> {
        let (api, settings, messages) = (connect(self, secrets)?, self.clone(), messages.clone());
        Ok(Some(Box::new(GithubPull { api, settings, messages, purpose: Purpose::Draft })))
    }

    fn branch_requests(
        &self,
        secrets: &Secrets,
        messages: &Messages,
    ) -> Result<Option<Box<dyn BranchRequests>>, Vec<String>> {
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

fn connect(settings: &GithubSettings, secrets: &Secrets) -> Result<Arc<Api>, Vec<String>> {
    let mut problems = settings.problems();
    match Api::new(settings, secrets) {
        Ok(api) if problems.is_empty() => return Ok(Arc::new(api)),
        Ok(_) => {}
        Err(problem) => problems.push(problem),
    }
    Err(problems)
}
