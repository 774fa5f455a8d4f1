//! HubSpot: deals by id, the closed-won population, and Closed Won kept true.
//! Vendor facts are from developers.hubspot.com, `/2026-09/`.

mod api;
mod checks;
mod deal;
mod pace;
mod population;
mod read;
mod record;
mod settings;
mod stages;
mod update;
mod webhook;

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub use pace::Pace;
pub use settings::{ApiVersion, HubSpotSettings, PipelineSettings};
pub use webhook::{TargetUrl, Webhook, WebhookSettings};

use self::api::Api;
use crate::crm::checks::must_have;
use crate::crm::{Check, CheckLevel, ClosedWonUpdate, Crm, CrmError, Progress};
use crate::facts::{CrmName, Deal, DealId, Population, Secrets, Signature, Window};

/// The name of the token among the secrets.
const TOKEN: &str = "HUBSPOT_TOKEN";

/// Properties by object, beyond those that are always read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// Of the deal.
    pub deal: BTreeSet<String>,
    /// Of the company; not empty, the population has companies, too.
    pub company: BTreeSet<String>,
    /// Of the contacts.
    pub contacts: BTreeSet<String>,
    /// Of the line items.
    pub line_items: BTreeSet<String>,
}

/// What the mapping reads. HubSpot leaves out what it does not know without a
/// word, so the account is asked first what it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What the company's own configuration names: must be there.
    pub named: Properties,
    /// What the shipped mapping suggests: read where it is there.
    pub shipped: Properties,
}

/// A HubSpot account.
#[derive(Debug)]
pub struct HubSpot {
    name: CrmName,
    settings: HubSpotSettings,
    wanted: Wanted,
    api: Api,
}

impl HubSpot {
    /// A connector; nothing is sent yet.
    ///
    /// # Errors
    /// When there is no token, or none that can be one.
    pub fn new(settings: HubSpotSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let token: SecretString = secrets.get(TOKEN).ok_or_else(|| CrmError::Denied {
            message: format!("{TOKEN} is not set."),
            help: format!(
                "Set {TOKEN}, or {TOKEN}_FILE, to a service key of the account \
                 (Settings, Integrations, Service Keys)."
            ),
        })?;
        let api = Api::new(&settings, token)?;
        Ok(Self { name: CrmName::new("hubspot"), settings, wanted: Wanted::default(), api })
    }

    /// The same, reading these properties too.
    #[must_use]
    pub fn reading(mut self, wanted: Wanted) -> Self {
        self.wanted = wanted;
        self
    }

    /// The same with other waits.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.api.pace = pace;
        self
    }

    /// The properties to ask for. One that the configuration names and that
    /// is not there any more is an error that names it.
    async fn properties(&self) -> Result<Properties, CrmError> {
        let Wanted { named, shipped } = &self.wanted;
        Ok(Properties {
            deal: self.there("deals", &named.deal, &shipped.deal).await?,
            company: self.there("companies", &named.company, &shipped.company).await?,
            contacts: self.there("contacts", &named.contacts, &shipped.contacts).await?,
            line_items: self.there("line_items", &named.line_items, &shipped.line_items).await?,
        })
    }

    async fn there(
        &self,
        object: &str,
        named: &BTreeSet<String>,
        shipped: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, CrmError> {
        if named.is_empty() && shipped.is_empty() {
            return Ok(BTreeSet::new());
        }
        let known = read::property_names(&self.api, object).await?;
        must_have("HubSpot", object, named.iter(), &known)?;
        Ok(named.union(shipped).filter(|name| known.contains(*name)).cloned().collect())
    }
}

#[async_trait]
impl Crm for HubSpot {
    fn name(&self) -> &CrmName {
        &self.name
    }

    async fn deal(&self, id: &DealId, signature: Option<&Signature>) -> Result<Deal, CrmError> {
        let account = read::account(&self.api, &self.settings).await?;
        let properties = self.properties().await?;
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
        let properties = self.properties().await?;
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

    async fn mark_closed_won(
        &self,
        id: &DealId,
        signed_at: DateTime<Utc>,
        brief_url: Option<&str>,
    ) -> Result<ClosedWonUpdate, CrmError> {
        let account = read::account(&self.api, &self.settings).await?;
        update::closed_won(
            &self.api,
            &self.settings,
            &self.name,
            &account,
            id,
            signed_at,
            brief_url,
        )
        .await
    }

    async fn checks(&self, properties: &[String], offline: bool) -> Vec<Check> {
        if offline {
            return vec![Check {
                what: "hubspot: token".to_owned(),
                level: CheckLevel::Ok,
                detail: format!("{TOKEN} is set; not tried, because this is offline"),
                remedy: None,
            }];
        }
        checks::all(&self.api, &self.settings, properties).await
    }
}
