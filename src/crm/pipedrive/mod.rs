//! Pipedrive: deals by id, the closed-won population, and Closed Won kept
//! true. Vendor facts are from developers.pipedrive.com, API v2 (v1 where v2 has none).

mod api;
mod checks;
mod deal;
mod fields;
mod population;
mod record;
mod settings;
mod update;
mod webhook;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use settings::PipedriveSettings;
pub use webhook::Webhook;

use self::api::Api;
use crate::crm::reading::Reading;
use crate::crm::{
    Check, ClosedWonUpdate, Crm, CrmError, Progress, RequestedProperties, closed_won,
};
use crate::http::Schedule;
use crate::model::{
    CrmName, Deal, DealId, Population, Properties, RecordKind, Secrets, Signature, Window,
};

/// The name of the token among the secrets.
const TOKEN: &str = "PIPEDRIVE_TOKEN";

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

    async fn mark_closed_won(
        &self,
        id: &DealId,
        signed_at: DateTime<Utc>,
        brief_url: Option<&str>,
    ) -> Result<ClosedWonUpdate, CrmError> {
        let account = deal::account(&self.api, &self.settings).await?;
        let (api, settings, crm) = (&self.api, &self.settings, &self.name);
        let signed = update::Signed { api, settings, crm, account: &account };
        closed_won::keep(&signed, id, signed_at, brief_url).await
    }

    async fn checks(&self, named: &Properties, offline: bool) -> Vec<Check> {
        if offline {
            let detail = format!("{TOKEN} is set; not tried, because this is offline");
            return vec![Check::ok("pipedrive: token", detail)];
        }
        checks::all(&self.api, &self.settings, named).await
    }
}
