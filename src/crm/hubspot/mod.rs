//! HubSpot: deals by id, the closed-won population, and Closed Won kept true.
//! Vendor facts are from developers.hubspot.com, `/2026-09/`.

mod activities;
mod api;
mod checks;
mod deal;
mod pace;
mod population;
mod read;
mod record;
mod settings;
mod stages;
mod tasks;
mod update;
mod webhook;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub use pace::Pace;
pub use settings::{ApiVersion, HubSpotSettings, PipelineSettings};
pub use webhook::{TargetUrl, Webhook, WebhookSettings};

use self::api::Api;
use crate::brief::BaseMapping;
use crate::crm::rows::{CrmRow, path_of};
use crate::crm::{
    ActivitiesOf, Activity, Check, ClosedWonUpdate, Connection, Crm, CrmError, CrmSettings,
    Progress, RequestedProperties, Signed, Trigger, closed_won,
};
use crate::http::Limits;
use crate::model::{
    CrmName, CrmTasks, Deal, DealId, Evidence, Population, Properties, ReferenceRule, Secrets,
    Signature, Window,
};
use crate::settings::SettingsReader;

/// The name of the token among the secrets.
const TOKEN: &str = "HUBSPOT_TOKEN";

/// HubSpot in the list of CRMs.
pub(super) const ROW: CrmRow = CrmRow {
    name: "hubspot",
    title: "HubSpot",
    secrets: &[TOKEN, webhook::SECRET],
    workflow_secrets: &[TOKEN],
    settings: SettingsReader::of::<HubSpotSettings>(),
    mapping: BaseMapping {
        name: "hubspot",
        source: include_str!("../../../templates/mapping/hubspot.yaml"),
    },
    references: Some(ReferenceRule {
        crm: "hubspot",
        names: &["hubspot_deal_id", "hubspot_deal", "hs_deal_id", "hubspot_record_id"],
        of_address,
    }),
    trigger: Some(|| Box::new(Webhook::new(None))),
};

/// `https://app.hubspot.com/contacts/1/record/0-3/9876543210` and the older
/// `…/contacts/1/deal/9876543210`.
fn of_address(address: &str) -> Option<DealId> {
    let path = path_of(address, |host| host == "hubspot.com" || host.ends_with(".hubspot.com"))?;
    let at = path.iter().position(|part| matches!(*part, "0-3" | "deal"))?;
    let id = path.get(at + 1)?;
    (!id.is_empty() && id.bytes().all(|c| c.is_ascii_digit())).then(|| DealId::new(*id))
}

impl CrmSettings for HubSpotSettings {
    fn connect(&self, connection: &Connection<'_>) -> Result<Box<dyn Crm>, CrmError> {
        let hubspot = HubSpot::connect(self.clone(), connection.secrets, connection.limits)?;
        Ok(Box::new(hubspot.reading(connection.requested.clone())))
    }

    fn trigger(&self) -> Option<Box<dyn Trigger>> {
        Some(Box::new(Webhook::new(Some(self.clone()))))
    }

    fn updates_closed_won(&self) -> bool {
        self.update_closed_won
    }
}

impl From<HubSpotSettings> for Box<dyn CrmSettings> {
    fn from(settings: HubSpotSettings) -> Self {
        Box::new(settings)
    }
}

/// A HubSpot account.
#[derive(Debug)]
pub struct HubSpot {
    name: CrmName,
    settings: HubSpotSettings,
    requested: RequestedProperties,
    api: Api,
}

impl HubSpot {
    /// A connector; nothing is sent yet.
    ///
    /// # Errors
    /// When there is no token, or none that can be one.
    pub fn new(settings: HubSpotSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        Self::connect(settings, secrets, Limits::default())
    }

    fn connect(
        settings: HubSpotSettings,
        secrets: &Secrets,
        limits: Limits,
    ) -> Result<Self, CrmError> {
        let token: SecretString = secrets.get(TOKEN).ok_or_else(|| CrmError::Denied {
            message: format!("{TOKEN} is not set."),
            help: format!(
                "Set {TOKEN}, or {TOKEN}_FILE, to a service key of the account \
                 (Settings, Integrations, Service Keys)."
            ),
        })?;
        let api = Api::new(&settings, token, limits)?;
        Ok(Self {
            name: CrmName::new("hubspot"),
            settings,
            requested: RequestedProperties::default(),
            api,
        })
    }

    /// The same, reading these properties too. HubSpot leaves out what it does
    /// not know without a word, so the account is asked first what it has.
    #[must_use]
    pub fn reading(mut self, requested: RequestedProperties) -> Self {
        self.requested = requested;
        self
    }

    /// The same with other waits.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.api.pace = pace;
        self
    }
}

#[async_trait]
impl Crm for HubSpot {
    fn name(&self) -> &CrmName {
        &self.name
    }

    async fn deal(&self, id: &DealId, signature: Option<&Signature>) -> Result<Deal, CrmError> {
        let account = read::account(&self.api, &self.settings).await?;
        let properties = self.requested.of_deal().resolve(&self.api).await?;
        deal::read(&self.api, &self.name, id, &account, &properties, signature).await
    }

    fn counts(&self, deal: &Deal) -> bool {
        let id = deal.properties.get("pipeline").and_then(serde_json::Value::as_str);
        self.settings.pipelines.counts(&[id, deal.pipeline.as_deref()])
    }

    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError> {
        let account = read::account(&self.api, &self.settings).await?;
        let properties = self.requested.of_population().resolve(&self.api).await?;
        let reader = population::Reader::new(
            &self.api,
            &self.settings,
            &self.name,
            &account,
            &properties,
            progress,
        );
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
        activities::read(&self.api, asked).await.map(Some)
    }

    async fn mark_closed_won(&self, signed: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError> {
        let account = read::account(&self.api, &self.settings).await?;
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
            return vec![Check::ok("hubspot: token", detail)];
        }
        checks::all(&self.api, &self.settings, named).await
    }
}
