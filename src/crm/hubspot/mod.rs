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

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub use pace::Pace;
pub use settings::{ApiVersion, HubSpotSettings, PipelineSettings};

use self::api::Api;
use crate::crm::{Check, CheckLevel, ClosedWonUpdate, Crm, CrmError, Progress};
use crate::facts::{CrmName, Deal, DealId, Population, Secrets, Signature, Window};

/// The name of the token among the secrets.
const TOKEN: &str = "HUBSPOT_TOKEN";

/// The properties that the mapping reads, beyond those that are always read.
/// HubSpot leaves out what it does not know without a word, so the deal's are
/// checked against the account's before anything is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of the deal.
    pub deal: BTreeSet<String>,
    /// Of the company; not empty, the population has companies, too.
    pub company: BTreeSet<String>,
    /// Of the contacts.
    pub contacts: BTreeSet<String>,
    /// Of the line items.
    pub line_items: BTreeSet<String>,
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

    /// A mapped property that is not there any more is an error that names it.
    async fn check_wanted(&self) -> Result<(), CrmError> {
        let wanted = [
            ("deals", &self.wanted.deal),
            ("companies", &self.wanted.company),
            ("contacts", &self.wanted.contacts),
            ("line_items", &self.wanted.line_items),
        ];
        for (object, wanted) in wanted {
            if wanted.is_empty() {
                continue;
            }
            let known = read::property_names(&self.api, object).await?;
            let missing: Vec<&String> =
                wanted.iter().filter(|name| !known.contains(*name)).collect();
            let Some(first) = missing.first() else { continue };
            let names = missing.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(CrmError::Settings {
                message: format!(
                    "The mapping reads properties that HubSpot's {object} do not have: {names}."
                ),
                help: checks::near(first, known.iter()),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl Crm for HubSpot {
    fn name(&self) -> &CrmName {
        &self.name
    }

    async fn deal(&self, id: &DealId, signature: Option<&Signature>) -> Result<Deal, CrmError> {
        let account = read::account(&self.api, &self.settings).await?;
        self.check_wanted().await?;
        deal::read(&self.api, &self.name, id, &account, &self.wanted, signature).await
    }

    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError> {
        let account = read::account(&self.api, &self.settings).await?;
        self.check_wanted().await?;
        let with_company = !self.wanted.company.is_empty();
        let reader = population::Reader::new(
            &self.api,
            &self.settings,
            &self.name,
            &account,
            &self.wanted.deal,
            with_company,
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
