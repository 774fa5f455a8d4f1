//! Closed Won kept true: the stage, the close date, and a note with the link to
//! the brief.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::account::HubSpotAccount;
use super::api::HubSpotApi;
use super::{HubSpotSettings, read, record};
use crate::crm::closed_won::note;
use crate::crm::{CrmError, closed_won};
use crate::model::{CrmName, Deal, DealId};
use crate::text::quoted;

/// The association of a note with a deal, as HubSpot numbers it.
const NOTE_TO_DEAL: u32 = 214;

/// Signed deals of an account.
pub(super) struct HubSpotTarget<'a> {
    pub(super) api: &'a HubSpotApi,
    pub(super) settings: &'a HubSpotSettings,
    pub(super) crm: &'a CrmName,
    pub(super) account: &'a HubSpotAccount,
}

#[async_trait]
impl closed_won::ClosedWonTarget for HubSpotTarget<'_> {
    async fn look(&self, id: &DealId) -> Result<Deal, CrmError> {
        let record = record::find(self.api, self.crm, id, &record::DEAL).await?;
        record::deal(self.crm, &record, self.account)
    }

    /// To the won stage of the deal's own pipeline.
    async fn win(&self, deal: &Deal, signed_at: DateTime<Utc>) -> Result<(), CrmError> {
        let pipeline = record::text(&deal.properties, "pipeline").unwrap_or_default();
        let won = self.account.stages.won_stage(pipeline, self.settings)?;
        let change = json!({"properties": {
            "dealstage": won.id,
            "closedate": signed_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        }});
        let changed = self.api.patch(&format!("deals/{}", deal.id), &change).await?;
        let now = changed["properties"]["dealstage"].as_str();
        match now {
            Some(now) if now == won.id => Ok(()),
            None => Err(CrmError::Unavailable {
                message: format!(
                    "HubSpot does not say in which stage deal {} is after the change.",
                    deal.id
                ),
                help: "It is checked again.".to_owned(),
            }),
            Some(now) => Err(CrmError::Refused {
                crm: self.crm.clone(),
                message: format!(
                    "the stage should be {}, and is {} after the change.",
                    quoted(&won.label),
                    quoted(now)
                ),
            }),
        }
    }

    async fn notes(&self, deal: &Deal) -> Result<Vec<String>, CrmError> {
        let links = read::links(self.api, "deals", &[deal.id.as_str().to_owned()], "notes").await?;
        let ids: Vec<String> = links.into_values().flatten().map(|link| link.to).collect();
        let notes = read::records(self.api, "notes", &ids, &["hs_note_body"], &[], false).await?;
        let body = |note: &serde_json::Value| {
            note["properties"]["hs_note_body"].as_str().map(str::to_owned)
        };
        Ok(notes.values().filter_map(body).collect())
    }

    async fn add_note(&self, deal: &Deal, url: &str, at: DateTime<Utc>) -> Result<(), CrmError> {
        let note = json!({
            "properties": {
                "hs_timestamp": at.to_rfc3339_opts(SecondsFormat::Millis, true),
                "hs_note_body": note(url),
            },
            "associations": [{
                "to": {"id": deal.id.as_str()},
                "types": [{
                    "associationCategory": "HUBSPOT_DEFINED",
                    "associationTypeId": NOTE_TO_DEAL,
                }],
            }],
        });
        self.api.create("notes", &note).await?;
        Ok(())
    }
}
