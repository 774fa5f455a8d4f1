//! Closed Won kept true: the stage, the close date, and a note with the link
//! to the brief.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::api::Api;
use super::deal;
use super::read;
use super::record::{self, Account};
use super::settings::HubSpotSettings;
use crate::crm::note::html;
use crate::crm::{ClosedWonUpdate, CrmError};
use crate::facts::{CrmName, DealId, Outcome};
use crate::text::quoted;

/// The association of a note with a deal, as HubSpot numbers it.
const NOTE_TO_DEAL: u32 = 214;

/// Moves an open deal to its own pipeline's won stage, and notes the link.
pub(super) async fn closed_won(
    api: &Api,
    settings: &HubSpotSettings,
    crm: &CrmName,
    account: &Account,
    id: &DealId,
    signed_at: DateTime<Utc>,
    brief_url: Option<&str>,
) -> Result<ClosedWonUpdate, CrmError> {
    let record = deal::find(api, crm, id, &record::DEAL).await?;
    let read = record::deal(crm, &record, account)?;
    let text = |name: &str| record::text(&read.properties, name).unwrap_or_default();
    let stage = read.stage.as_deref().unwrap_or("unknown");
    let refused = |message: String| CrmError::Refused { crm: crm.clone(), message };
    let update = match read.outcome {
        Outcome::Won => ClosedWonUpdate::AlreadyWon,
        _ if !settings.update_closed_won => return Ok(ClosedWonUpdate::NotSupported),
        Outcome::Lost => {
            return Err(refused(format!(
                "the deal is closed as {}, and a lost deal is not moved. Reopen it in HubSpot if \
                 the signature counts.",
                quoted(stage)
            )));
        }
        Outcome::Gone => {
            return Err(refused("the deal is archived. Restore it in HubSpot.".to_owned()));
        }
        Outcome::Unknown => {
            return Err(refused(format!(
                "the deal's stage {} is in none of the account's pipelines.",
                quoted(stage)
            )));
        }
        Outcome::Open => {
            let won = account.stages.won_stage(text("pipeline"), settings)?;
            let change = json!({"properties": {
                "dealstage": won.id,
                "closedate": signed_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            }});
            let changed = api.patch(&format!("deals/{}", read.id), &change).await?;
            let now = changed["properties"]["dealstage"].as_str();
            if now.is_some_and(|stage| stage != won.id) {
                return Err(refused(format!(
                    "the stage was to be {}, and is {} after the change.",
                    quoted(&won.label),
                    quoted(now.unwrap_or_default())
                )));
            }
            ClosedWonUpdate::Updated
        }
    };
    if let (true, Some(url)) = (settings.update_closed_won, brief_url) {
        note(api, read.id.as_str(), url, signed_at).await?;
    }
    Ok(update)
}

/// Writes the note, unless one with this link is there: what was written may
/// have been answered by an error.
async fn note(api: &Api, deal: &str, url: &str, at: DateTime<Utc>) -> Result<(), CrmError> {
    let url = html(url);
    let links = read::links(api, &[deal.to_owned()], "notes").await?;
    let ids: Vec<String> = links.into_values().flatten().map(|link| link.to).collect();
    let notes = read::records(api, "notes", &ids, &["hs_note_body"], &[], false).await?;
    let holds = |note: &Value| {
        note["properties"]["hs_note_body"].as_str().is_some_and(|body| body.contains(&url))
    };
    if notes.values().any(holds) {
        return Ok(());
    }
    let note = json!({
        "properties": {
            "hs_timestamp": at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "hs_note_body": format!("<p>Handoff to customer success: <a href=\"{url}\">{url}</a></p>"),
        },
        "associations": [{
            "to": {"id": deal},
            "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": NOTE_TO_DEAL}],
        }],
    });
    api.create("notes", &note).await?;
    Ok(())
}
