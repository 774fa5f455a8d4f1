//! Closed Won kept true: the stage, the close date, and a completed task with
//! the link to the brief.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::api::{SalesforceApi, describe};
use super::record::Org;
use super::{SalesforceSettings, record, soql};
use crate::crm::{CrmError, closed_won};
use crate::model::{CrmName, Deal, DealId, Properties};

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
impl closed_won::ClosedWonTarget for SalesforceTarget<'_> {
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
