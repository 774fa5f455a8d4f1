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
use crate::crm::{Check, ClosedWonUpdate, Crm, CrmError, Progress};
use crate::facts::{CrmName, Deal, DealId, Population, Secrets, Signature, Window};
use crate::net::Schedule;

/// The name of the token among the secrets.
const TOKEN: &str = "PIPEDRIVE_TOKEN";

/// A Pipedrive company.
#[derive(Debug)]
pub struct Pipedrive {
    name: CrmName,
    settings: PipedriveSettings,
    /// Properties that the company's own mapping names: they must be there.
    own: Vec<String>,
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
        Ok(Self { name: CrmName::new("pipedrive"), settings, own: Vec::new(), api })
    }

    /// The same; these properties of the deal must be there. All others come
    /// with the deal anyway.
    #[must_use]
    pub fn reading(mut self, own: &[String]) -> Self {
        self.own = own.to_vec();
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
        account.fields.check(&self.own)?;
        deal::read(&self.api, &self.name, id, &account, signature).await
    }

    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError> {
        let account = deal::account(&self.api, &self.settings).await?;
        account.fields.check(&self.own)?;
        let reader = population::Reader {
            api: &self.api,
            settings: &self.settings,
            crm: &self.name,
            account: &account,
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
        update::closed_won(api, settings, crm, &account, id, signed_at, brief_url).await
    }

    async fn checks(&self, properties: &[String], offline: bool) -> Vec<Check> {
        if offline {
            let detail = format!("{TOKEN} is set; not tried, because this is offline");
            return vec![Check::ok("pipedrive: token", detail)];
        }
        checks::all(&self.api, &self.settings, properties).await
    }
}
