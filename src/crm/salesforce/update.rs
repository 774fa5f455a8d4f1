//! Closed Won kept true: the org's stages, the close date, and a completed task
//! with the link.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::api::{SalesforceApi, describe};
use super::record::Org;
use super::{SalesforceSettings, record, soql};
use crate::crm::failure::Failure;
use crate::crm::{CrmError, closed_won};
use crate::model::{CrmName, Deal, DealId, Outcome, Properties};
use crate::text::quoted;

// An org's stages, renamed and inactive ones included. A stage is won by what
// the org says of it, never by its name.

/// One stage.
#[derive(Debug)]
struct SalesforceStage {
    /// The label and the name in the API; histories may hold either.
    names: [String; 2],
    active: bool,
    outcome: Outcome,
}

/// All stages of an org.
#[derive(Debug, Default)]
pub(super) struct SalesforceStages(Vec<SalesforceStage>);

impl SalesforceStages {
    /// Reads them.
    pub(super) async fn read(api: &SalesforceApi) -> Result<Self, Failure> {
        let soql = "SELECT MasterLabel, ApiName, IsActive, IsClosed, IsWon FROM OpportunityStage \
                    ORDER BY SortOrder";
        let records = api.query_once(soql).await?;
        Ok(Self(records.iter().map(stage).collect()))
    }

    /// The names of all won stages, for the history.
    pub(super) fn won_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.won().flat_map(|stage| &stage.names).map(String::as_str).collect();
        names.retain(|name| !name.is_empty());
        names.dedup();
        names
    }

    /// Where a deal in this stage stands.
    pub(super) fn outcome(&self, name: &str) -> Option<Outcome> {
        let stage = self.0.iter().find(|stage| stage.names.iter().any(|known| known == name));
        stage.map(|stage| stage.outcome)
    }

    /// The stages that a deal can be moved to and is won in.
    pub(super) fn active_won(&self) -> Vec<&str> {
        self.won().filter(|stage| stage.active).map(|stage| stage.names[1].as_str()).collect()
    }

    /// The won stage that an opportunity is moved to.
    pub(super) fn to_set(&self, settings: &SalesforceSettings) -> Result<&str, CrmError> {
        let won = self.active_won();
        let wrong = |message: String| CrmError::Settings {
            message,
            help: format!(
                "crm.salesforce.stage names one of the org's active won stages: {}.",
                won.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
            ),
        };
        match (&settings.stage, won.as_slice()) {
            (Some(name), _) => self
                .won()
                .find(|stage| stage.active && stage.names.contains(name))
                .map(|stage| stage.names[1].as_str())
                .ok_or_else(|| wrong(format!("The org has no active won stage {}.", quoted(name)))),
            (None, [only]) => Ok(only),
            (None, []) => Err(wrong("The org has no active won stage.".to_owned())),
            (None, _) => Err(wrong("The org has several won stages.".to_owned())),
        }
    }

    fn won(&self) -> impl Iterator<Item = &SalesforceStage> {
        self.0.iter().filter(|stage| stage.outcome == Outcome::Won)
    }
}

fn stage(record: &Value) -> SalesforceStage {
    let label = record["MasterLabel"].as_str().unwrap_or_default();
    let outcome = match (record["IsWon"] == true, record["IsClosed"] == true) {
        (true, _) => Outcome::Won,
        (false, true) => Outcome::Lost,
        (false, false) => Outcome::Open,
    };
    SalesforceStage {
        names: [label.to_owned(), record["ApiName"].as_str().unwrap_or(label).to_owned()],
        active: record["IsActive"] != false,
        outcome,
    }
}

// Closed Won kept true: the stage, the close date, and a completed task with
// the link to the brief.

/// The subject by which the task is found again.
const SUBJECT: &str = "Handoff to customer success";

/// A signed opportunity of an org.
pub(super) struct SalesforceTarget<'a> {
    pub(super) api: &'a SalesforceApi,
    pub(super) settings: &'a SalesforceSettings,
    pub(super) crm: &'a CrmName,
    pub(super) org: &'a Org,
}

#[async_trait]
impl closed_won::Target for SalesforceTarget<'_> {
    async fn look(&self, id: &DealId) -> Result<Deal, CrmError> {
        let described = describe(self.api, "Opportunity").await?;
        let select = soql::fields(&described.fields, &Properties::default());
        let record = record::find(self.api, self.crm, id, &select).await?;
        record::deal(self.crm, &record, self.org)
    }

    async fn win(&self, deal: &Deal, signed_at: DateTime<Utc>) -> Result<(), CrmError> {
        // Salesforce itself takes the day in UTC where it sets the close date.
        let change = json!({
            "StageName": self.org.stages.to_set(self.settings)?,
            "CloseDate": signed_at.date_naive().to_string(),
        });
        Ok(self.api.patch(&format!("sobjects/Opportunity/{}", deal.id), &change).await?)
    }

    async fn notes(&self, deal: &Deal) -> Result<Vec<String>, CrmError> {
        let soql = format!(
            "SELECT Description FROM Task WHERE WhatId = {} AND Subject = {}",
            soql::quote(deal.id.as_str()),
            soql::quote(SUBJECT)
        );
        let tasks = self.api.query(&soql).await?;
        Ok(tasks.iter().filter_map(|task| record::text(task, "Description")).collect())
    }

    async fn add_note(&self, deal: &Deal, url: &str, at: DateTime<Utc>) -> Result<(), CrmError> {
        let task = json!({
            "WhatId": deal.id.as_str(),
            "Subject": SUBJECT,
            "Description": url,
            "Status": "Completed",
            "ActivityDate": at.date_naive().to_string(),
        });
        self.api.create("sobjects/Task", &task).await?;
        Ok(())
    }
}
