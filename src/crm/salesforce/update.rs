//! Closed Won kept true: the stage, the close date, and a completed task with
//! the link to the brief.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::api::Api;
use super::deal;
use super::record;
use super::settings::SalesforceSettings;
use super::soql;
use crate::crm::{ClosedWonUpdate, CrmError};
use crate::facts::{CrmName, DealId, Outcome};
use crate::text::quoted;

/// The subject by which the task is found again.
const SUBJECT: &str = "Handoff to customer success";

/// Moves an open opportunity to the won stage, and notes the link.
pub(super) async fn closed_won(
    api: &Api,
    settings: &SalesforceSettings,
    crm: &CrmName,
    id: &DealId,
    signed_at: DateTime<Utc>,
    brief_url: Option<&str>,
) -> Result<ClosedWonUpdate, CrmError> {
    let org = deal::org(api, settings).await?;
    let described = deal::describe(api).await?;
    let select = soql::fields(&described.fields, &BTreeSet::new());
    let read = record::deal(crm, &deal::find(api, crm, id, &select).await?, &org)?;
    let stage = read.stage.as_deref().unwrap_or("unknown");
    let refused = |message: String| CrmError::Refused { crm: crm.clone(), message };
    let update = match read.outcome {
        Outcome::Won => ClosedWonUpdate::AlreadyWon,
        _ if !settings.update_closed_won => return Ok(ClosedWonUpdate::NotSupported),
        Outcome::Lost => {
            return Err(refused(format!(
                "the opportunity is closed as {}, and a lost one is not moved. Reopen it in \
                 Salesforce if the signature counts.",
                quoted(stage)
            )));
        }
        Outcome::Gone => {
            return Err(refused(
                "the opportunity is in the recycle bin. Restore it in Salesforce.".to_owned(),
            ));
        }
        Outcome::Unknown => {
            return Err(refused(format!("the org has no stage {}.", quoted(stage))));
        }
        Outcome::Open => {
            // Salesforce itself takes the day in UTC where it sets the close date.
            let change = json!({
                "StageName": org.stages.to_set(settings)?,
                "CloseDate": signed_at.date_naive().to_string(),
            });
            api.patch(&format!("sobjects/Opportunity/{}", read.id), &change).await?;
            ClosedWonUpdate::Updated
        }
    };
    if let (true, Some(url)) = (settings.update_closed_won, brief_url) {
        note(api, &read.id, url, signed_at).await?;
    }
    Ok(update)
}

/// Writes the task, unless one with this link is there: what was written may
/// have been answered by an error.
async fn note(api: &Api, id: &DealId, url: &str, at: DateTime<Utc>) -> Result<(), CrmError> {
    let soql = format!(
        "SELECT Description FROM Task WHERE WhatId = {} AND Subject = {}",
        soql::quote(id.as_str()),
        soql::quote(SUBJECT)
    );
    let holds = |task: &Value| task["Description"].as_str().is_some_and(|text| text.contains(url));
    if api.query(&soql).await?.iter().any(holds) {
        return Ok(());
    }
    let task = json!({
        "WhatId": id.as_str(),
        "Subject": SUBJECT,
        "Description": url,
        "Status": "Completed",
        "ActivityDate": at.date_naive().to_string(),
    });
    api.create("sobjects/Task", &task).await?;
    Ok(())
}
