//! Pipedrive: deals by id, the closed-won population, and Closed Won kept
//! true. Vendor facts are from developers.pipedrive.com, API v2 (v1 where v2 has none).

mod activities;
mod api;
mod population;
mod record;
mod tasks;
mod webhook;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use self::api::PipedriveApi;
use self::record::{PipedriveAccount, PipedriveDeals};
use super::closed_won::note;
use super::connector::{CrmRow, is_number, number_behind};
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

use webhook::PipedriveWebhook;

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
    webhook_secret: Some(webhook::SECRET),
    company_page: Some(company_page),
};

fn company_page(deal_url: &str, company: &str) -> Option<String> {
    let (account, _) = deal_url.split_once("/deal/")?;
    Some(format!("{account}/organization/{company}"))
}

/// `https://acme.pipedrive.com/deal/42`.
fn of_address(address: &str) -> Option<DealId> {
    number_behind(&["deal"], address, |host| host.ends_with(".pipedrive.com"))
}

impl CrmSettings for PipedriveSettings {
    fn connect(&self, connection: &Connection<'_>) -> Result<Box<dyn Crm>, CrmError> {
        let mut pipedrive = Pipedrive::new(self.clone(), connection.secrets)?;
        pipedrive.api = pipedrive.api.with_limits(connection.limits);
        Ok(Box::new(pipedrive.reading(connection.requested.clone())))
    }

    fn trigger(&self) -> Option<Box<dyn Trigger>> {
        Some(Box::new(PipedriveWebhook(self.clone())))
    }

    fn updates_closed_won(&self) -> bool {
        self.update_closed_won
    }
}

/// A Pipedrive company.
#[derive(Debug)]
pub struct Pipedrive {
    name: CrmName,
    settings: PipedriveSettings,
    requested: RequestedProperties,
    api: PipedriveApi,
}

impl Pipedrive {
    /// A connector; nothing is sent yet.
    ///
    /// # Errors
    /// When there is no token, or none that can be one.
    pub fn new(settings: PipedriveSettings, secrets: &Secrets) -> Result<Self, CrmError> {
        let what = "the API token of an admin (Personal preferences, API)";
        let token = Connection::token(secrets, TOKEN, what)?;
        let api = PipedriveApi::new(&settings, token, Schedule::interactive())?;
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

    fn may_be_id(&self, id: &DealId) -> bool {
        is_number(id.as_str())
    }

    async fn read_deals(
        &self,
        asked: &[AskedDeal<'_>],
    ) -> Result<Vec<Result<Deal, CrmError>>, CrmError> {
        let account = record::account(&self.api, &self.settings).await?;
        let requested = self.requested.of_deal().whole(&RecordKind::ALL);
        let requested = requested.resolve(&self.api).await?;
        account.fields.told_apart(&requested.deal)?;
        let (api, crm) = (&self.api, &self.name);
        Ok(PipedriveDeals { api, crm, account: &account, asked }.read_all().await)
    }

    async fn population(
        &self,
        window: Window,
        progress: &dyn Progress,
    ) -> Result<Population, CrmError> {
        let account = record::account(&self.api, &self.settings).await?;
        let requested = self.requested.of_population().resolve(&self.api).await?;
        account.fields.told_apart(&requested.deal)?;
        let reader = population::PipedrivePopulation {
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
        asked: &[ActivitiesOf<'_>],
    ) -> Option<Vec<Result<Evidence<Activity>, CrmError>>> {
        // The API has no list of the activities or mails of several deals.
        let mut found = Vec::with_capacity(asked.len());
        for asked in asked {
            found.push(activities::read(&self.api, &self.name, asked).await);
        }
        Some(found)
    }

    async fn activity_checks(&self) -> Vec<Check> {
        activities::checks(&self.api).await
    }

    async fn mark_closed_won(&self, signed: &Signed<'_>) -> Result<ClosedWonUpdate, CrmError> {
        let account = record::account(&self.api, &self.settings).await?;
        let target = PipedriveTarget { api: &self.api, crm: &self.name, account: &account };
        let PipedriveSettings { update_closed_won: may_write, closed_won_from: from, .. } =
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

// The `crm.pipedrive` section of the configuration.

/// Where every company's API is.
const HOST: &str = "https://api.pipedrive.com";

/// Pipedrive: `crm.pipedrive` in `handoff.yaml`; the token is `PIPEDRIVE_TOKEN`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PipedriveSettings {
    /// Where the API is: this, or the company's own domain.
    pub base_url: BaseUrl,
    /// The company that the token must belong to.
    pub company_id: Option<u64>,
    /// Whether a signature marks an open deal as won.
    pub update_closed_won: bool,
    /// The stages from which a deal is moved, by label or id; any open stage without it.
    pub closed_won_from: Vec<String>,
    /// Whether an audit reads each won deal's changelog for the real time of
    /// winning: 20 tokens of the daily budget a deal.
    pub changelog: bool,
}

impl Default for PipedriveSettings {
    fn default() -> Self {
        Self {
            base_url: BaseUrl::parse(HOST).expect("a fixed URL is valid"),
            company_id: None,
            update_closed_won: false,
            closed_won_from: Vec::new(),
            changelog: false,
        }
    }
}

// What `doctor` looks at: token, company, lists, properties.

/// All checks, in the order in which they should be fixed.
async fn checks(
    api: &PipedriveApi,
    settings: &PipedriveSettings,
    named: &Properties,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let account = match record::account(api, settings).await {
        Ok(account) => account,
        Err(error) => return vec![failed("pipedrive: token", &error)],
    };
    let page = account.deal_url.as_deref().unwrap_or("a company that does not say its domain");
    checks.push(Check::ok("pipedrive: token", format!("accepted; deals are below {page}")));
    if let Ok(me) = api.get(&api.v1("users/me")).await {
        let admin = me["access"].as_array().into_iter().flatten().any(|part| part["admin"] == true);
        let what = "pipedrive: user";
        checks.push(if admin {
            Check::ok(what, "an admin, who sees every deal")
        } else {
            Check::warning(
                what,
                "the token's user is not an admin, and audits miss the deals hidden from them",
                "Use the API token of an admin.",
            )
        });
    }
    for (object, path) in [
        ("deals", api.v2("deals?status=won&limit=1")),
        ("archived deals", api.v2("deals/archived?status=won&limit=1")),
        ("organizations", api.v2("organizations?limit=1")),
        ("persons", api.v2("persons?limit=1")),
        ("users", api.v1("users")),
    ] {
        let read = api.read(&path).await.map(drop).map_err(CrmError::from);
        checks.push(may_read(format!("pipedrive: read {object}"), read));
    }
    checks.extend(check_properties(api, named).await);
    checks
}

// Closed Won kept true: the status, the time of winning, and a note with the
// link to the brief.

/// Signed deals of a company.
struct PipedriveTarget<'a> {
    api: &'a PipedriveApi,
    crm: &'a CrmName,
    account: &'a PipedriveAccount,
}

impl PipedriveTarget<'_> {
    fn refused(&self, message: &str) -> CrmError {
        CrmError::Refused { crm: self.crm.clone(), message: message.to_owned() }
    }
}

#[async_trait]
impl closed_won::ClosedWonTarget for PipedriveTarget<'_> {
    async fn look(&self, id: &DealId) -> Result<Deal, CrmError> {
        let record = record::find(self.api, self.crm, id).await?;
        record::deal(self.crm, &record, self.account)
    }

    async fn win(&self, deal: &Deal, signed_at: DateTime<Utc>) -> Result<(), CrmError> {
        // An archived deal cannot be edited.
        if deal.properties.get("is_archived").is_some_and(|archived| archived == true) {
            return Err(
                self.refused("the deal is archived. Take it out of the archive in Pipedrive.")
            );
        }
        let change = json!({
            "status": "won",
            "won_time": signed_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        });
        let changed = self.api.patch(&self.api.v2(&format!("deals/{}", deal.id)), &change).await?;
        if changed["status"].as_str().is_some_and(|status| status != "won") {
            return Err(self.refused("the deal is not won after the change."));
        }
        Ok(())
    }

    async fn notes(&self, deal: &Deal) -> Result<Vec<String>, CrmError> {
        let notes = self.api.list(&self.api.v1(&format!("notes?deal_id={}", deal.id))).await?;
        Ok(notes.iter().filter_map(|note| record::text(note, "content")).collect())
    }

    async fn add_note(&self, deal: &Deal, url: &str, _: DateTime<Utc>) -> Result<(), CrmError> {
        let number: u64 =
            deal.id.as_str().parse().expect("the id of a deal that was read is a number");
        let note = json!({"deal_id": number, "content": note(url)});
        Ok(self.api.create(&self.api.v1("notes"), &note).await.map(drop)?)
    }
}
