//! Salesforce: opportunities by id, the closed-won population, and Closed Won
//! kept true. Vendor facts are from developer.salesforce.com, REST API v66.0.

mod activities;
mod api;
mod bulk;
mod checks;
mod deal;
mod describe;
mod merged;
mod outbound_message;
mod population;
mod record;
mod session;
mod settings;
mod soql;
mod stages;
mod tasks;
mod update;
mod webhook;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use bulk::BulkPace;
pub use settings::{ApiVersion, SalesforceSettings};
pub use webhook::{OrganizationId, Webhook, WebhookSettings};

use self::api::Api;
use self::describe::describe;
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

/// Salesforce in the list of CRMs.
pub(super) const ROW: CrmRow = CrmRow {
    name: "salesforce",
    title: "Salesforce",
    secrets: &[session::CLIENT_ID, session::CLIENT_SECRET, session::PRIVATE_KEY, webhook::SECRET],
    workflow_secrets: &[session::CLIENT_ID, session::CLIENT_SECRET, session::PRIVATE_KEY],
    settings: SettingsReader::of::<SalesforceSettings>(),
    mapping: BaseMapping {
        name: "salesforce",
        source: include_str!("../../../templates/mapping/salesforce.yaml"),
    },
    references: Some(ReferenceRule {
        crm: "salesforce",
        names: &[
            "salesforce_opportunity_id",
            "salesforce_opportunity",
            "sfdc_opportunity_id",
            "opportunity_id",
        ],
        of_address,
    }),
    trigger: Some(|| Box::new(Webhook::new(None))),
};

/// `https://acme.lightning.force.com/lightning/r/Opportunity/0065g…/view` and
/// the classic `https://acme.my.salesforce.com/0065g…`.
fn of_address(address: &str) -> Option<DealId> {
    let path =
        path_of(address, |host| host.ends_with(".force.com") || host.ends_with(".salesforce.com"))?;
    // Ids of opportunities begin with 006.
    let is_id = |part: &&&str| {
        matches!(part.len(), 15 | 18)
            && part.starts_with("006")
            && part.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    path.iter().find(is_id).map(|id| DealId::new(*id))
}

impl CrmSettings for SalesforceSettings {
    fn connect(&self, connection: &Connection<'_>) -> Result<Box<dyn Crm>, CrmError> {
        if self.has_two_addresses() {
            return Err(CrmError::Settings {
                message: "crm.salesforce has both `login_url` and `base_url`.".to_owned(),
                help: "Keep one: they are two names for one address.".to_owned(),
            });
        }
        let mut salesforce = Salesforce::new(self.clone(), connection.secrets)?;
        salesforce.api.session.limits = connection.limits;
        Ok(Box::new(salesforce.reading(connection.requested.clone())))
    }

    fn trigger(&self) -> Option<Box<dyn Trigger>> {
        Some(Box::new(Webhook::new(Some(self.clone()))))
    }

    fn updates_closed_won(&self) -> bool {
        self.update_closed_won
    }
}

impl From<SalesforceSettings> for Box<dyn CrmSettings> {
    fn from(settings: SalesforceSettings) -> Self {
        Box::new(settings)
    }
}

/// A Salesforce org.
#[derive(Debug)]
pub struct Salesforce {
    name: CrmName,
    settings: SalesforceSettings,
    requested: RequestedProperties,
    api: Api,
    bulk: BulkPace,
}

impl Salesforce {
    /// A connector; nothing is sent yet.
    ///
    /// # Errors
    /// When secrets or settings do not make a login.
    pub fn new(settings: SalesforceSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let api = Api::new(&settings, secrets)?;
        let name = CrmName::new("salesforce");
        Ok(Self {
            name,
            settings,
            requested: RequestedProperties::default(),
            api,
            bulk: BulkPace::default(),
        })
    }

    /// The same, reading these fields too. One unknown field fails a whole
    /// query, so the org is asked first what it has.
    #[must_use]
    pub fn reading(mut self, requested: RequestedProperties) -> Self {
        self.requested = requested;
        self
    }

    /// The same with other waits between tries.
    #[must_use]
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.api.session.schedule = schedule;
        self
    }

    /// The same with other waits for the jobs of the Bulk API.
    #[must_use]
    pub fn with_bulk_pace(mut self, pace: BulkPace) -> Self {
        self.bulk = pace;
        self
    }
}

#[async_trait]
impl Crm for Salesforce {
    fn name(&self) -> &CrmName {
        &self.name
    }

    async fn deal(&self, id: &DealId, signature: Option<&Signature>) -> Result<Deal, CrmError> {
        // The account comes whole in a request of its own.
        let requested = self.requested.of_deal().whole(&[RecordKind::Company]);
        let requested = requested.resolve(&self.api).await?;
        let described = describe(&self.api, "Opportunity").await?;
        let org = deal::org(&self.api, &self.settings).await?;
        deal::read(&self.api, &self.name, id, &org, &described, &requested, signature).await
    }

    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError> {
        let requested = self.requested.of_population().resolve(&self.api).await?;
        let described = describe(&self.api, "Opportunity").await?;
        let org = deal::org(&self.api, &self.settings).await?;
        let reader = population::Reader {
            api: &self.api,
            crm: &self.name,
            org: &org,
            described: &described,
            requested: &requested,
            bulk_from: self.settings.bulk_from,
            bulk_pace: &self.bulk,
            progress,
            reading: Reading::default(),
        };
        reader.read(window).await
    }

    async fn changed_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Option<Evidence<DealId>>, CrmError> {
        // Deleted ones are changed ones, too.
        let since = soql::moment(since);
        let changed = self
            .api
            .query(&format!("SELECT Id FROM Opportunity WHERE SystemModstamp >= {since}"))
            .await?;
        let ids = changed.iter().filter_map(|record| record::text(record, "Id"));
        Ok(Some(Evidence::complete(ids.map(DealId::new).collect())))
    }

    async fn activities(
        &self,
        asked: &ActivitiesOf<'_>,
    ) -> Result<Option<Evidence<Activity>>, CrmError> {
        activities::read(&self.api, &self.name, asked).await.map(Some)
    }

    async fn mark_closed_won(&self, signed: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError> {
        let org = deal::org(&self.api, &self.settings).await?;
        let (api, settings, crm) = (&self.api, &self.settings, &self.name);
        let target = update::Target { api, settings, crm, org: &org };
        closed_won::keep(&target, signed).await
    }

    fn tasks(&self) -> Option<&dyn CrmTasks<CrmError>> {
        Some(self)
    }

    async fn checks(&self, named: &Properties, offline: bool) -> Vec<Check> {
        if offline {
            let detail = "the secrets of a login are set; not tried, because this is offline";
            return vec![Check::ok("salesforce: login", detail)];
        }
        checks::all(&self.api, &self.settings, named).await
    }
}
