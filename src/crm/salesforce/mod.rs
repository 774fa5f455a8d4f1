//! Salesforce: opportunities by id, the closed-won population, and Closed Won
//! kept true. Vendor facts are from developer.salesforce.com, REST API v66.0.

mod activities;
mod api;
mod bulk;
mod population;
mod record;
mod soql;
mod stages;
mod tasks;
mod update;
mod webhook;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use self::api::{SalesforceApi, describe};
use self::record::SalesforceDeals;
use super::connector::{CrmRow, api_version, is_number, parameter, path_of};
use super::reading::Reading;
use super::requested_properties::{check_properties, failed, may_read};
use super::{
    ActivitiesOf, Activity, AskedDeal, Check, ClosedWonUpdate, Connection, Crm, CrmError,
    CrmSettings, Progress, RequestedProperties, Signed, Trigger, closed_won,
};
use crate::brief::BaseMapping;
use crate::http::{BaseUrl, Schedule};
use crate::model::{
    CrmName, CrmTasks, Deal, DealId, Evidence, Population, Properties, RecordKind, ReferenceRule,
    Secrets, Window,
};
use crate::settings::SettingsReader;

pub use bulk::BulkPace;
use webhook::SalesforceWebhook;
pub use webhook::{OrganizationId, SalesforceWebhookSettings};

/// Salesforce in the list of CRMs.
pub(super) const ROW: CrmRow = CrmRow {
    name: "salesforce",
    title: "Salesforce",
    secrets: &[api::CLIENT_ID, api::CLIENT_SECRET, api::PRIVATE_KEY, webhook::SECRET],
    workflow_secrets: &[api::CLIENT_ID, api::CLIENT_SECRET, api::PRIVATE_KEY],
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
    webhook_secret: Some(webhook::SECRET),
    company_page: Some(company_page),
};

fn company_page(deal_url: &str, company: &str) -> Option<String> {
    let (account, _) = deal_url.split_once("/lightning/r/Opportunity/")?;
    Some(format!("{account}/lightning/r/Account/{company}/view"))
}

/// `https://acme.lightning.force.com/lightning/r/Opportunity/0065g…/view`, the
/// classic `https://acme.my.salesforce.com/0065g…`, and pages that take the id
/// as a parameter.
fn of_address(address: &str) -> Option<DealId> {
    const HOSTS: [&str; 6] = [
        ".force.com",
        ".salesforce.com",
        ".salesforce.mil",
        ".crmforce.mil",
        ".sfcrmproducts.cn",
        ".sfcrmapps.cn",
    ];
    let path = path_of(address, |host| HOSTS.iter().any(|it| host.ends_with(it)))?;
    // Ids of opportunities begin with 006.
    let is_id = |part: &&&str| {
        matches!(part.len(), 15 | 18)
            && part.starts_with("006")
            && part.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    let named = parameter(address, &["id", "recordId"]);
    path.iter().chain(&named).find(is_id).map(|id| DealId::new(*id))
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
        Some(Box::new(SalesforceWebhook(self.clone())))
    }

    fn updates_closed_won(&self) -> bool {
        self.update_closed_won
    }
}

/// A Salesforce org.
#[derive(Debug)]
pub struct Salesforce {
    name: CrmName,
    settings: SalesforceSettings,
    requested: RequestedProperties,
    api: SalesforceApi,
    bulk: BulkPace,
}

impl Salesforce {
    /// A connector; nothing is sent yet.
    ///
    /// # Errors
    /// When secrets or settings do not make a login.
    pub fn new(settings: SalesforceSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let api = SalesforceApi::new(&settings, secrets)?;
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

    fn may_be_id(&self, id: &DealId) -> bool {
        let id = id.as_str();
        matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    async fn read_deals(
        &self,
        asked: &[AskedDeal<'_>],
    ) -> Result<Vec<Result<Deal, CrmError>>, CrmError> {
        // The accounts come whole in a request of their own.
        let requested = self.requested.of_deal().whole(&[RecordKind::Company]);
        let requested = requested.resolve(&self.api).await?;
        let described = describe(&self.api, "Opportunity").await?;
        let org = record::org(&self.api, &self.settings).await?;
        let (api, crm) = (&self.api, &self.name);
        Ok(SalesforceDeals::new(api, crm, &org, &described, &requested, asked).read_all().await)
    }

    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError> {
        let requested = self.requested.of_population().resolve(&self.api).await?;
        let described = describe(&self.api, "Opportunity").await?;
        let org = record::org(&self.api, &self.settings).await?;
        let reader = population::SalesforcePopulation {
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
        asked: &[ActivitiesOf<'_>],
    ) -> Option<Vec<Result<Evidence<Activity>, CrmError>>> {
        Some(activities::read(&self.api, &self.name, asked).await)
    }

    async fn activity_checks(&self) -> Vec<Check> {
        activities::checks(&self.api).await
    }

    async fn mark_closed_won(&self, signed: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError> {
        let org = record::org(&self.api, &self.settings).await?;
        let (api, settings, crm) = (&self.api, &self.settings, &self.name);
        let target = update::SalesforceTarget { api, settings, crm, org: &org };
        let SalesforceSettings { update_closed_won: may_write, closed_won_from: from, .. } =
            &self.settings;
        let policy = closed_won::ClosedWonPolicy { vendor: ROW.title, may_write: *may_write, from };
        closed_won::keep(&target, &policy, signed).await
    }

    fn tasks(&self) -> Option<&dyn CrmTasks<CrmError>> {
        Some(self)
    }

    async fn checks(&self, named: &Properties) -> Vec<Check> {
        checks(&self.api, &self.settings, named).await
    }
}

// The `crm.salesforce` section of the configuration.

/// Salesforce: `crm.salesforce` in `handoff.yaml`. The secrets are
/// `SALESFORCE_CLIENT_ID` with `SALESFORCE_CLIENT_SECRET`, or with
/// `SALESFORCE_PRIVATE_KEY` and the setting `username`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SalesforceSettings {
    /// Where tokens are asked for: the org's My Domain. All other requests go
    /// to the `instance_url` that the answer names.
    pub login_url: BaseUrl,
    /// The same by the name that every other vendor's section has for it.
    pub base_url: Option<BaseUrl>,
    /// The version of the API.
    #[serde(deserialize_with = "numbered_version")]
    pub api_version: String,
    /// The user a JWT speaks for.
    pub username: Option<String>,
    /// Whom a JWT addresses; by default the login of production, or that of
    /// sandboxes for a sandbox's URL.
    pub audience: Option<String>,
    /// Whether a signature moves an open opportunity to the won stage.
    pub update_closed_won: bool,
    /// The stages from which a deal is moved, by label or id; any open stage without it.
    pub closed_won_from: Vec<String>,
    /// The won stage to set, where the org has several.
    pub stage: Option<String>,
    /// The currency of an org that has only one: its records do not say.
    pub currency: Option<String>,
    /// From how many opportunities on an audit reads by the Bulk API 2.0. Its
    /// jobs take a while to start and no part of the requests of a day; below
    /// this, pages of 2,000 are there sooner.
    pub bulk_from: usize,
    /// The outbound messages that report won opportunities, where they are set up.
    pub webhook: Option<SalesforceWebhookSettings>,
}

impl Default for SalesforceSettings {
    fn default() -> Self {
        Self {
            login_url: BaseUrl::parse("https://login.salesforce.com").expect("a fixed URL"),
            base_url: None,
            api_version: "v66.0".to_owned(),
            username: None,
            audience: None,
            update_closed_won: false,
            closed_won_from: Vec::new(),
            stage: None,
            currency: None,
            bulk_from: 10_000,
            webhook: None,
        }
    }
}

impl SalesforceSettings {
    /// Whether both names of the login address are used, and differ.
    fn has_two_addresses(&self) -> bool {
        let is_set = self.login_url != Self::default().login_url;
        is_set && self.base_url.as_ref().is_some_and(|base| *base != self.login_url)
    }

    /// Where tokens are asked for.
    fn login(&self) -> &BaseUrl {
        self.base_url.as_ref().unwrap_or(&self.login_url)
    }

    /// Whether the URL is a login page that serves every org: client
    /// credentials are not valid there.
    fn is_shared_login(&self) -> bool {
        ["https://login.salesforce.com", "https://test.salesforce.com"]
            .contains(&self.login().as_str())
    }

    /// Whom a JWT addresses.
    fn audience(&self) -> String {
        let url = self.login().as_str();
        let sandbox = url.contains(".sandbox.") || url == "https://test.salesforce.com";
        self.audience.clone().unwrap_or_else(|| {
            let name = if sandbox { "test" } else { "login" };
            format!("https://{name}.salesforce.com")
        })
    }
}

/// A version such as `v66.0`.
fn numbered_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let is_numbered = |text: &str| {
        let parts = text.strip_prefix('v').and_then(|rest| rest.split_once('.'));
        parts.is_some_and(|(major, minor)| is_number(major) && is_number(minor))
    };
    api_version(deserializer, is_numbered, "v66.0")
}

// What `doctor` looks at: login, requests left, objects, stages, properties.

/// Objects that are read, each with what it is for.
const OBJECTS: [&str; 6] = [
    "Opportunity",
    "OpportunityHistory",
    "OpportunityContactRole",
    "OpportunityLineItem",
    "Account",
    "Contact",
];

/// Fields of opportunities on which an audit's figures depend.
const FIELDS: [&str; 6] = ["Amount", "CloseDate", "IsClosed", "IsWon", "Name", "StageName"];

/// All checks, in the order in which they should be fixed.
async fn checks(
    api: &SalesforceApi,
    settings: &SalesforceSettings,
    named: &Properties,
) -> Vec<Check> {
    let mut checks = Vec::new();
    match api.base().await {
        Ok(base) => {
            checks.push(Check::ok("salesforce: login", format!("accepted; the org is {base}")));
        }
        Err(failure) => return vec![failed("salesforce: login", &failure.error)],
    }
    if let Ok(limits) = api.get("limits").await {
        checks.extend(requests(&limits["DailyApiRequests"]));
    }
    for object in OBJECTS {
        let what = format!("salesforce: read {object}");
        let path = api.query_path(&format!("SELECT Id FROM {object} LIMIT 1"), false);
        let read = api.read(&path).await;
        checks.push(may_read(what, read.map(drop).map_err(CrmError::from)));
    }
    match record::org(api, settings).await {
        Ok(org) => {
            let what = "salesforce: won stages";
            let won = org.stages.active_won();
            checks.push(match won.as_slice() {
                [] => Check::warning(
                    what,
                    "the org has no active won stage, so no opportunity ever gets a handoff",
                    "Set a stage to Closed/Won in Setup, Object Manager, Opportunity, Stage.",
                ),
                won => Check::ok(what, won.join(", ")),
            });
            if settings.update_closed_won {
                let what = "salesforce: stage to set";
                checks.push(match org.stages.to_set(settings) {
                    Ok(stage) => Check::ok(what, stage),
                    Err(error) => failed(what, &error),
                });
            }
        }
        Err(failure) => checks.push(failed("salesforce: won stages", &failure.error)),
    }
    checks.extend(fields(api).await);
    checks.extend(check_properties(api, named).await);
    checks
}

/// The fields that every audit reads. Salesforce leaves those out of its
/// description that field-level security hides from the app's user.
async fn fields(api: &SalesforceApi) -> Vec<Check> {
    let what = "salesforce: fields of opportunities";
    let described = match describe(api, "Opportunity").await {
        Ok(described) => described,
        Err(failure) => return vec![failed(what, &failure.error)],
    };
    let hidden: Vec<&str> =
        FIELDS.into_iter().filter(|name| !described.fields.contains_key(*name)).collect();
    if hidden.is_empty() {
        return vec![Check::ok(what, "all that an audit reads can be seen")];
    }
    vec![Check::failed(
        what,
        format!("the app's user cannot see {}", hidden.join(", ")),
        "Permit reading them: Setup, Object Manager, Opportunity, Fields, Set Field-Level Security, \
         or the permission set of the app's user.",
    )]
}

/// The requests left, where the org says.
fn requests(limit: &serde_json::Value) -> Option<Check> {
    let (left, most) = (limit["Remaining"].as_u64()?, limit["Max"].as_u64()?);
    let (what, detail) = ("salesforce: requests", format!("{left} of {most} are left today"));
    Some(if left < most / 10 {
        Check::warning(
            what,
            detail,
            "All integrations of the org share them; find the one that uses most.",
        )
    } else {
        Check::ok(what, detail)
    })
}
