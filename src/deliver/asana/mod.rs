//! Asana: the onboarding project, made from a project template, with the
//! first-touch task in it. Both names end with the handoff's key in brackets,
//! by which they are found again.

mod api;
mod follow;
mod notes;
mod project;
mod read_back;

use api::{Api, AsanaSettings};
use follow::AsanaFollow;
use project::Asana;
use read_back::AsanaReader;

use super::messages::Messages;
use super::read_back::Reader;
use super::row::{ReaderContext, SinkRow, SinkSettings, Sinks, WorkflowNeeds};
use super::templates::Medium;
use crate::brief::EventKind;
use crate::model::Secrets;
use crate::settings::SettingsReader;

pub(super) const ROW: SinkRow = SinkRow {
    name: "asana",
    title: "Asana",
    secrets: &["ASANA_TOKEN"],
    events: &[EventKind::ProjectStarted, EventKind::CsmTold],
    medium: Medium::Plain,
    settings: SettingsReader::<dyn SinkSettings>::of::<AsanaSettings>(),
};

impl From<AsanaSettings> for Box<dyn SinkSettings> {
    fn from(settings: AsanaSettings) -> Self {
        Box::new(settings)
    }
}

impl SinkSettings for AsanaSettings {
    fn sinks(&self, secrets: &Secrets, messages: &Messages, _: &[EventKind]) -> Sinks {
        let (api, messages) = (Api::new(self, secrets)?, messages.clone());
        let follow = AsanaFollow { api: api.clone(), messages: messages.clone() };
        Ok(vec![Box::new(Asana { api, settings: self.clone(), messages }), Box::new(follow)])
    }

    fn workflow_needs(&self) -> WorkflowNeeds {
        WorkflowNeeds { reads_back: true, ..WorkflowNeeds::default() }
    }

    fn reader(
        &self,
        secrets: &Secrets,
        context: &ReaderContext,
    ) -> Result<Option<Box<dyn Reader>>, Vec<String>> {
        Ok(Some(Box::new(AsanaReader::new(Api::new(self, secrets)?, context.days))))
    }
}
