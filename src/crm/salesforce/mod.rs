//! Salesforce: opportunities by id, the closed-won population, and Closed Won
//! kept true. Vendor facts are from developer.salesforce.com, REST API v66.0.

mod api;
mod checks;
mod deal;
mod outbound_message;
mod population;
mod record;
mod session;
mod settings;
mod soql;
mod stages;
mod update;
mod webhook;

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use settings::{ApiVersion, SalesforceSettings};
pub use webhook::{OrganizationId, Webhook, WebhookSettings};

use self::api::Api;
use crate::crm::checks::must_have;
use crate::crm::reading::Reading;
use crate::crm::{Check, ClosedWonUpdate, Crm, CrmError, Progress};
use crate::facts::{CrmName, Deal, DealId, Population, Secrets, Signature, Window};
use crate::net::Schedule;

/// A Salesforce org.
#[derive(Debug)]
pub struct Salesforce {
    name: CrmName,
    settings: SalesforceSettings,
    /// Fields that the company's own mapping names: the org must have them.
    own: BTreeSet<String>,
    /// Fields that the default mapping reads where the org has them.
    if_there: BTreeSet<String>,
    api: Api,
}

impl Salesforce {
    /// A connector; nothing is sent yet.
    ///
    /// # Errors
    /// When secrets or settings do not make a login.
    pub fn new(settings: SalesforceSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let api = Api::new(&settings, secrets)?;
        let name = CrmName::new("salesforce");
        Ok(Self { name, settings, own: BTreeSet::new(), if_there: BTreeSet::new(), api })
    }

    /// The same, reading these fields of the opportunity too: those that must
    /// be there, and those that are read where they are.
    #[must_use]
    pub fn reading(mut self, own: &[String], if_there: &[String]) -> Self {
        self.own = own.iter().cloned().collect();
        self.if_there = if_there.iter().cloned().collect();
        self
    }

    /// The same with other waits between tries.
    #[must_use]
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.api.session.schedule = schedule;
        self
    }
}

#[async_trait]
impl Crm for Salesforce {
    fn name(&self) -> &CrmName {
        &self.name
    }

    async fn deal(&self, id: &DealId, signature: Option<&Signature>) -> Result<Deal, CrmError> {
        let described = deal::describe(&self.api).await?;
        must_have("Salesforce", "opportunities", self.own.iter(), &described.fields)?;
        let org = deal::org(&self.api, &self.settings).await?;
        let wanted = self.own.union(&self.if_there).cloned().collect();
        deal::read(&self.api, &self.name, id, &org, &described, &wanted, signature).await
    }

    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError> {
        let described = deal::describe(&self.api).await?;
        must_have("Salesforce", "opportunities", self.own.iter(), &described.fields)?;
        let org = deal::org(&self.api, &self.settings).await?;
        let reader = population::Reader {
            api: &self.api,
            crm: &self.name,
            org: &org,
            select: population::select(&described.fields, &self.own),
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
        update::closed_won(&self.api, &self.settings, &self.name, id, signed_at, brief_url).await
    }

    async fn checks(&self, properties: &[String], offline: bool) -> Vec<Check> {
        if offline {
            let detail = "the secrets of a login are set; not tried, because this is offline";
            return vec![Check::ok("salesforce: login", detail)];
        }
        checks::all(&self.api, &self.settings, properties).await
    }
}
