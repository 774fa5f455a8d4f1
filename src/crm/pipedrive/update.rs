//! Closed Won kept true: the status, the time of winning, and a note with the
//! link to the brief.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::api::Api;
use super::deal;
use super::record::{self, Account};
use super::settings::PipedriveSettings;
use crate::crm::CrmError;
use crate::crm::closed_won::{self, note};
use crate::model::{CrmName, Deal, DealId};

/// Signed deals of a company.
pub(super) struct Target<'a> {
    pub(super) api: &'a Api,
    pub(super) settings: &'a PipedriveSettings,
    pub(super) crm: &'a CrmName,
    pub(super) account: &'a Account,
}

impl Target<'_> {
    fn refused(&self, message: &str) -> CrmError {
        CrmError::Refused { crm: self.crm.clone(), message: message.to_owned() }
    }
}

#[async_trait]
impl closed_won::Target for Target<'_> {
    fn vendor(&self) -> &'static str {
        "Pipedrive"
    }

    fn may_write(&self) -> bool {
        self.settings.update_closed_won
    }

    fn stages_to_move_from(&self) -> &[String] {
        &self.settings.closed_won_from
    }

    async fn look(&self, id: &DealId) -> Result<Deal, CrmError> {
        let record = deal::find(self.api, self.crm, id).await?;
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
