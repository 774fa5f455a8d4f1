//! Jira Cloud: the onboarding as one epic with its tasks. Each carries the
//! label `handoff-<key>` and a property that names its step.

mod adf;
mod api;
mod epic;
mod follow;
mod read_back;

use api::{Api, JiraSettings};
use epic::Jira;
use follow::JiraFollow;
use read_back::JiraReader;

use super::messages::Messages;
use super::read_back::Reader;
use super::row::{ReaderContext, SinkRow, SinkSettings, Sinks, WorkflowNeeds};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::model::Secrets;
use crate::settings::SettingsReader;

pub(super) const ROW: SinkRow = SinkRow {
    name: "jira",
    title: "Jira",
    secrets: &["JIRA_EMAIL", "JIRA_TOKEN"],
    events: &[EventKind::ProjectStarted, EventKind::CsmTold],
    medium: Medium::Plain,
    settings: SettingsReader::<dyn SinkSettings>::of::<JiraSettings>(),
};

impl From<JiraSettings> for Box<dyn SinkSettings> {
    fn from(settings: JiraSettings) -> Self {
        Box::new(settings)
    }
}

impl SinkSettings for JiraSettings {
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let (api, messages) = (Api::new(self, secrets)?, messages.clone());
        let made = std::sync::Mutex::default();
        let settings = self.clone();
        let follow =
            JiraFollow { api: api.clone(), settings: settings.clone(), messages: messages.clone() };
        Ok(vec![Box::new(Jira { api, settings, messages, made }), Box::new(follow)])
    }

    fn workflow_needs(&self) -> WorkflowNeeds {
        WorkflowNeeds { reads_back: true, ..WorkflowNeeds::default() }
    }

    fn reader(
        &self,
        secrets: &Secrets,
        context: &ReaderContext,
    ) -> Result<Option<Box<dyn Reader>>, Vec<String>> {
        Ok(Some(Box::new(JiraReader::new(Api::new(self, secrets)?, self.clone(), context.days))))
    }
}
