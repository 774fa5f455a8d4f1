//! Pipedrive: deals by id, the closed-won population, and Closed Won kept
//! true. Vendor facts are from developers.pipedrive.com, API v2 (v1 where v2 has none).

mod activities;
mod api;
mod checks;
mod deal;
mod fields;
mod population;
mod record;
mod settings;
mod tasks;
mod update;
mod webhook;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use settings::PipedriveSettings;
pub use webhook::Webhook;

use self::api::Api;
use crate::brief::BaseMapping;
use crate::crm::reading::Reading;
use crate::crm::rows::{CrmRow, path_of};
use crate::crm::{
    ActivitiesOf, Activity, Check, ClosedWonUpdate, Connection, Crm, CrmError, CrmSettings,
    Progress, RequestedProperties, Signed, Trigger, closed_won,
};
use crate::http::Schedule;
use crate::model::{
    CrmName, CrmTasks, Deal, DealId, Evidence, Population, Properties, RecordKind, ReferenceRule,
    Secrets, Signature, Window,
};
use crate::settings::SettingsReader;

/// The name of the token among the secrets.
const TOKEN: &str = "PIPEDRIVE_TOKEN";

/// Pipedrive in the list of CRMs.
pub(super) const ROW: CrmRow = CrmRow {
    name: "pipedrive",
    title: "Pipedrive",
    secrets: &[TOKEN, webhook::SECRET],
    workflow_secrets: &[TOKEN],
    settings: SettingsReader::of::<PipedriveSettings>(),
    mapping: BaseMapping {
        name: "pipedrive",
        source: include_str!("../../../templates/mapping/pipedrive.yaml"),
    },
    references: Some(ReferenceRule {
        crm: "pipedrive",
        names: &["pipedrive_deal_id", "pipedrive_deal"],
        of_address,
    }),
    trigger: Some(|| Box::new(Webhook::new(None))),
};

/// `https://acme.pipedrive.com/deal/42`.
fn of_address(address: &str) -> Option<DealId> {
    let path = path_of(address, |host| host.ends_with(".pipedrive.com"))?;
    let at = path.iter().position(|part| *part == "deal")?;
    let id = path.get(at + 1)?;
    (!id.is_empty() && id.bytes().all(|c| c.is_ascii_digit())).then(|| DealId::new(*id))
}

impl CrmSettings for PipedriveSettings {
    fn connect(&self, connection: &Connection<'_>) -> Result<Box<dyn Crm>, CrmError> {
        let mut pipedrive = Pipedrive::new(self.clone(), connection.secrets)?;
        pipedrive.api = pipedrive.api.with_limits(connection.limits);
        Ok(Box::new(pipedrive.reading(connection.requested.clone())))
    }

    fn trigger(&self) -> Option<Box<dyn Trigger>> {
        Some(Box::new(Webhook::new(Some(self.clone()))))
    }

    fn updates_closed_won(&self) -> bool {
        self.update_closed_won
    }
}

impl From<PipedriveSettings> for Box<dyn CrmSettings> {
    fn from(settings: PipedriveSettings) -> Self {
        Box::new(settings)
    }
}

/// A Pipedrive company.
#[derive(Debug)]
pub struct Pipedrive {
    name: CrmName,
    settings: PipedriveSettings,
    requested: RequestedProperties,
    api: Api,
}

impl Pipedrive {
    /// A connector; nothing is sent yet.
    ///
    /// # Errors
    /// When there is no token, or none that can be one.
    pub fn new(settings: PipedriveSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let token = secrets.get(TOKEN).ok_or_else(|| CrmError::Denied {
            message: format!("{TOKEN} is not set."),
            help: format!(
                "Set {TOKEN}, or {TOKEN}_FILE, to the API token of an admin (Personal \
                 preferences, API)."
            ),
        })?;
        let api = Api::new(&settings, token, Schedule::interactive())?;
        Ok(Self {
            name: CrmName::new("pipedrive"),
            settings,
            requested: RequestedProperties::default(),
            api,
        })
    }

    /// The same; what somebody named of these properties must be there. All
    /// others come with the deal anyway.
    #[must_use]
    pub fn reading(mut self, requested: RequestedProperties) -> Self {
        self.requested = requested;
        self
    }

    /// The same with other waits between tries.
    ///
    /// # Errors
    /// Never after [`Pipedrive::new`]: the token was looked at there.
    pub fn with_schedule(self, schedule: Schedule) -> Result<Self, CrmError> {
        let api = self.api.with_schedule(&self.settings, schedule)?;
        Ok(Self { api, ..self })
    }
}

#[async_trait]
impl Crm for Pipedrive {
    fn name(&self) -> &CrmName {
        &self.name
    }

    async fn deal(&self, id: &DealId, signature: Option<&Signature>) -> Result<Deal, CrmError> {
        let account = deal::account(&self.api, &self.settings).await?;
        let requested = self.requested.of_deal().whole(&RecordKind::ALL).resolve(&self.api).await?;
        account.fields.told_apart(&requested.deal)?;
        deal::read(&self.api, &self.name, id, &account, signature).await
    }

    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError> {
        let account = deal::account(&self.api, &self.settings).await?;
        let requested = self.requested.of_population().resolve(&self.api).await?;
        account.fields.told_apart(&requested.deal)?;
        let reader = population::Reader {
            api: &self.api,
            settings: &self.settings,
            crm: &self.name,
            account: &account,
            requested: &requested,
            progress,
            reading: Reading::default(),
        };
        reader.read(window).await
    }

    async fn changed_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Option<Evidence<DealId>>, CrmError> {
        population::changed_since(&self.api, since).await.map(Some)
    }

    async fn activities(
        &self,
        asked: &ActivitiesOf<'_>,
    ) -> Result<Option<Evidence<Activity>>, CrmError> {
        activities::read(&self.api, &self.name, asked).await.map(Some)
    }

    async fn mark_closed_won(&self, signed: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError> {
        let account = deal::account(&self.api, &self.settings).await?;
        let (api, settings, crm) = (&self.api, &self.settings, &self.name);
        let target = update::Target { api, settings, crm, account: &account };
        closed_won::keep(&target, signed).await
    }

    fn tasks(&self) -> Option<&dyn CrmTasks<CrmError>> {
        Some(self)
    }

    async fn checks(&self, named: &Properties, offline: bool) -> Vec<Check> {
        if offline {
            let detail = format!("{TOKEN} is set; not tried, because this is offline");
            return vec![Check::ok("pipedrive: token", detail)];
        }
        checks::all(&self.api, &self.settings, named).await
    }
}
