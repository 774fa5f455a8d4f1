//! Closed Won kept true: the status, the time of winning, and a note with the
//! link to the brief.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::api::Api;
use super::deal;
use super::record::{self, Account};
use super::settings::PipedriveSettings;
use crate::crm::note::html;
use crate::crm::{ClosedWonUpdate, CrmError};
use crate::facts::{CrmName, DealId, Outcome};

/// Marks an open deal as won, and notes the link.
pub(super) async fn closed_won(
    api: &Api,
    settings: &PipedriveSettings,
    crm: &CrmName,
    account: &Account,
    id: &DealId,
    signed_at: DateTime<Utc>,
    brief_url: Option<&str>,
) -> Result<ClosedWonUpdate, CrmError> {
    let found = deal::find(api, crm, id).await?;
    let read = record::deal(crm, &found, account)?;
    let refused = |message: &str| CrmError::Refused { crm: crm.clone(), message: message.into() };
    let update = match read.outcome {
        Outcome::Won => ClosedWonUpdate::AlreadyWon,
        _ if !settings.update_closed_won => return Ok(ClosedWonUpdate::NotSupported),
        Outcome::Lost => {
            return Err(refused(
                "the deal is lost, and a lost deal is not moved. Reopen it in Pipedrive if the \
                 signature counts.",
            ));
        }
        Outcome::Gone => {
            return Err(refused("the deal is deleted. Restore it in Pipedrive."));
        }
        Outcome::Unknown => return Err(refused("the deal's status is none that is known.")),
        Outcome::Open if found["is_archived"] == true => {
            return Err(refused("the deal is archived. Take it out of the archive in Pipedrive."));
        }
        Outcome::Open => {
            let change = json!({
                "status": "won",
                "won_time": signed_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            });
            let changed = api.patch(&api.v2(&format!("deals/{}", read.id)), &change).await?;
            if changed["status"].as_str().is_some_and(|status| status != "won") {
                return Err(refused("the deal is not won after the change."));
            }
            ClosedWonUpdate::Updated
        }
    };
    if let (true, Some(url)) = (settings.update_closed_won, brief_url) {
        note(api, &read.id, url).await?;
    }
    Ok(update)
}

/// Writes the note, unless one with this link is there: what was written may
/// have been answered by an error.
async fn note(api: &Api, id: &DealId, url: &str) -> Result<(), CrmError> {
    let url = html(url);
    let holds = |note: &Value| note["content"].as_str().is_some_and(|text| text.contains(&url));
    if api.list(&api.v1(&format!("notes?deal_id={id}"))).await?.iter().any(holds) {
        return Ok(());
    }
    let number: u64 = id.as_str().parse().expect("the id of a deal that was read is a number");
    let content = format!("<p>Handoff to customer success: <a href=\"{url}\">{url}</a></p>");
    api.create(&api.v1("notes"), &json!({"deal_id": number, "content": content})).await?;
    Ok(())
}
