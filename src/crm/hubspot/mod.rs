//! HubSpot: deals by id, the closed-won population, and Closed Won kept true.
//! Vendor facts are from developers.hubspot.com, `/2026-09/`.

mod account;
mod activities;
mod api;
mod population;
mod read;
mod record;
mod stages;
mod tasks;
mod update;
mod webhook;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use self::account::HubSpotAccount;
use self::api::{Failure, HubSpotApi};
use self::record::HubSpotDeals;
use super::connector::{CrmRow, api_version, is_number, number_behind, parameter, path_of};
use super::requested_properties::{check_properties, failed, may_read};
use super::{
    ActivitiesOf, Activity, AskedDeal, Check, ClosedWonUpdate, Connection, Crm, CrmError,
    CrmSettings, Progress, RequestedProperties, Signed, Trigger, closed_won,
};
use crate::brief::BaseMapping;
use crate::http::{BaseUrl, Limits};
use crate::model::{
    CrmName, CrmTasks, Deal, DealId, Evidence, Population, Properties, ReferenceRule, Secrets,
    Window,
};
use crate::settings::SettingsReader;

pub use api::Pace;
use webhook::HubSpotWebhook;
pub use webhook::{HubSpotWebhookSettings, TargetUrl};

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
    webhook_secret: Some(webhook::SECRET),
    company_page: Some(company_page),
};

fn company_page(deal_url: &str, company: &str) -> Option<String> {
    let (account, _) = deal_url.split_once("/record/0-3/")?;
    Some(format!("{account}/record/0-2/{company}"))
}

/// `https://app-eu1.hubspot.com/contacts/1/record/0-3/9876543210`, the older
/// `…/contacts/1/deal/9876543210`, and a list or board with a deal open in it:
/// `…/contacts/1/objects/0-3/views/all/list?recordId=9876543210`.
fn of_address(address: &str) -> Option<DealId> {
    let fits = |host: &str| host == "hubspot.com" || host.ends_with(".hubspot.com");
    number_behind(&["0-3", "deal"], address, fits).or_else(|| {
        let path = path_of(address, fits)?;
        let is_of_deals = path.contains(&"0-3") || path.first() == Some(&"deals");
        let id = parameter(address, &["recordId", "previewRecordId", "objectId"])?;
        (is_of_deals && is_number(id)).then(|| DealId::new(id))
    })
}

impl CrmSettings for HubSpotSettings {
    fn connect(&self, connection: &Connection<'_>) -> Result<Box<dyn Crm>, CrmError> {
        let hubspot = HubSpot::connect(self.clone(), connection.secrets, connection.limits)?;
        Ok(Box::new(hubspot.reading(connection.requested.clone())))
    }

    fn trigger(&self) -> Option<Box<dyn Trigger>> {
        Some(Box::new(HubSpotWebhook(self.clone())))
    }

    fn updates_closed_won(&self) -> bool {
        self.update_closed_won
    }
}

/// A HubSpot account.
#[derive(Debug)]
pub struct HubSpot {
    name: CrmName,
    settings: HubSpotSettings,
    requested: RequestedProperties,
    api: HubSpotApi,
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
        let what = "a service key of the account (Settings, Integrations, Service Keys)";
        let token = Connection::token(secrets, TOKEN, what)?;
        let api = HubSpotApi::new(&settings, token, limits)?;
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

    fn may_be_id(&self, id: &DealId) -> bool {
        is_number(id.as_str())
    }

    async fn read_deals(
        &self,
        asked: &[AskedDeal<'_>],
    ) -> Result<Vec<Result<Deal, CrmError>>, CrmError> {
        let account = HubSpotAccount::read(&self.api, &self.settings).await?;
        let requested = self.requested.of_deal().resolve(&self.api).await?;
        let (api, crm) = (&self.api, &self.name);
        let whole = HubSpotDeals { api, crm, account: &account, requested: &requested, asked };
        Ok(whole.read_all().await)
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
        let account = HubSpotAccount::read(&self.api, &self.settings).await?;
        let properties = self.requested.of_population().resolve(&self.api).await?;
        let reader = population::HubSpotPopulation::new(
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
        asked: &[ActivitiesOf<'_>],
    ) -> Option<Vec<Result<Evidence<Activity>, CrmError>>> {
        Some(activities::read(&self.api, asked).await)
    }

    async fn activity_checks(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        for (_, object, _) in activities::OBJECTS {
            let what = format!("hubspot: read {object}");
            checks.push(match scope(one_page(&self.api, object).await) {
                Ok(()) => Check::ok(what, "allowed; they show first touches"),
                Err(error) => failed(&what, &error),
            });
        }
        checks
    }

    async fn mark_closed_won(&self, signed: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError> {
        let account = HubSpotAccount::read(&self.api, &self.settings).await?;
        let (api, settings, crm) = (&self.api, &self.settings, &self.name);
        let target = update::HubSpotTarget { api, settings, crm, account: &account };
        let HubSpotSettings { update_closed_won: may_write, closed_won_from: from, .. } =
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

// The `crm.hubspot` section of the configuration.

/// HubSpot: `crm.hubspot` in `handoff.yaml`; the token is `HUBSPOT_TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HubSpotSettings {
    /// Where the API is; another one for sandboxes behind a proxy and tests.
    pub base_url: BaseUrl,
    /// The dated version of the API.
    #[serde(deserialize_with = "dated_version")]
    pub api_version: String,
    /// Whether a signature moves an open deal to its pipeline's won stage.
    pub update_closed_won: bool,
    /// The stages from which a deal is moved, by label or id; any open stage without it.
    pub closed_won_from: Vec<String>,
    /// The account that the token must belong to.
    pub portal_id: Option<u64>,
    /// Which pipelines count; all of them without it.
    pub pipelines: PipelineSettings,
    /// The won stages to set, by label or id, where a pipeline has several.
    pub won_stages: Vec<String>,
    /// The webhook that reports won deals, where one is set up.
    pub webhook: Option<HubSpotWebhookSettings>,
}

impl Default for HubSpotSettings {
    fn default() -> Self {
        Self {
            base_url: BaseUrl::parse("https://api.hubapi.com").expect("a fixed URL is valid"),
            api_version: "2026-09".to_owned(),
            update_closed_won: false,
            closed_won_from: Vec::new(),
            portal_id: None,
            pipelines: PipelineSettings::default(),
            won_stages: Vec::new(),
            webhook: None,
        }
    }
}

/// Which pipelines count, by label or id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipelineSettings {
    /// Only these; all of them when it is empty.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

impl PipelineSettings {
    /// Whether the pipeline with this id and label counts.
    fn counts(&self, names: &[Option<&str>]) -> bool {
        let is_in = |list: &[String]| list.iter().any(|name| names.contains(&Some(name)));
        (self.include.is_empty() || is_in(&self.include)) && !is_in(&self.exclude)
    }
}

/// A version such as `2026-09`: HubSpot dates its API's paths.
fn dated_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let is_dated = |text: &str| {
        let parts = text.split_once('-');
        parts.is_some_and(|(year, month)| {
            year.len() == 4 && month.len() == 2 && is_number(year) && is_number(month)
        })
    };
    api_version(deserializer, is_dated, "2026-09")
}

// What `doctor` looks at: token, account, scopes, stages, properties.

/// All checks, in the order in which they should be fixed.
async fn checks(api: &HubSpotApi, settings: &HubSpotSettings, named: &Properties) -> Vec<Check> {
    let mut checks = Vec::new();
    let account = match HubSpotAccount::read(api, settings).await {
        Ok(account) => account,
        Err(error) => {
            checks.push(failed("hubspot: token", &error));
            return checks;
        }
    };
    let page = account.deal_url.as_deref().unwrap_or("an account that does not say its number");
    checks.push(Check::ok("hubspot: token", format!("accepted; deals are below {page}")));
    let told = account.stages.told();
    for (pipeline, won) in &told {
        checks.push(match won.as_slice() {
            [] => Check::warning(
                format!("hubspot: pipeline {pipeline}"),
                "it has no won stage, so none of its deals ever gets a handoff",
                "Give one of its stages the status Won in HubSpot.",
            ),
            won => Check::ok(
                format!("hubspot: pipeline {pipeline}"),
                format!("won is {}", won.join(", ")),
            ),
        });
    }
    match account.stages.counted(&settings.pipelines) {
        Ok(None) => {}
        Ok(Some(ids)) => {
            let labels: Vec<&str> = ids.iter().filter_map(|id| account.stages.label(id)).collect();
            checks
                .push(Check::ok("hubspot: pipelines", format!("only {} count", labels.join(", "))));
        }
        Err(error) => checks.push(failed("hubspot: pipelines", &error)),
    }
    let reads = [
        ("deals", scope(search(api).await)),
        ("companies", scope(one_page(api, "companies").await)),
        ("contacts", scope(one_page(api, "contacts").await)),
        ("line_items", scope(one_page(api, "line_items").await)),
        ("owners", scope(api.get("crm/owners", "?limit=1").await.map(|_| ()))),
    ];
    for (object, result) in reads {
        checks.push(may_read(format!("hubspot: read {object}"), result));
    }
    checks.extend(check_properties(api, named).await);
    if settings.update_closed_won {
        for (pipeline, won) in &told {
            if won.len() > 1 && !settings.won_stages.iter().any(|n| won.contains(&n.as_str())) {
                checks.push(Check::warning(
                    format!("hubspot: won stage of {pipeline}"),
                    format!("there are several: {}", won.join(", ")),
                    "Name the one to set under crm.hubspot.won_stages.",
                ));
            }
        }
    }
    checks
}

async fn search(api: &HubSpotApi) -> Result<(), Failure> {
    api.search(&json!({"filterGroups": [], "properties": [], "limit": 1})).await.map(|_| ())
}

async fn one_page(api: &HubSpotApi, object: &str) -> Result<(), Failure> {
    api.get("crm/objects", &format!("{object}?limit=1")).await.map(|_| ())
}

fn scope(result: Result<(), Failure>) -> Result<(), CrmError> {
    match result {
        // A refusal for any other reason means that reading is allowed.
        Err(failure) if failure.status == Some(StatusCode::BAD_REQUEST) => Ok(()),
        other => other.map_err(CrmError::from),
    }
}
