//! E-mails, calls and meetings of a colleague with the contacts of a deal.
//! Facts: developers.hubspot.com, the guides of `crm/activities`. An activity
//! without an association is invisible, so they are read through the contacts.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::api::{Failure, HubSpotApi};
use super::{read, record};
use crate::crm::activities::{FoundActivities, is_address_of, is_colleague};
use crate::crm::{ActivitiesOf, Activity, ActivityKind, CrmError};
use crate::model::{Evidence, Person};

/// What is read, and with which properties. Bodies are left alone: they need a
/// scope of their own.
pub(super) const OBJECTS: [(ActivityKind, &str, &[&str]); 3] = [
    (
        ActivityKind::Email,
        "emails",
        &[
            "hs_timestamp",
            "hs_createdate",
            "hs_email_direction",
            "hs_email_status",
            "hs_email_from_email",
            "hubspot_owner_id",
        ],
    ),
    (
        ActivityKind::Call,
        "calls",
        &[
            "hs_timestamp",
            "hs_createdate",
            "hs_call_status",
            "hs_call_disposition",
            "hubspot_owner_id",
        ],
    ),
    (
        ActivityKind::Meeting,
        "meetings",
        &[
            "hs_timestamp",
            "hs_createdate",
            "hs_meeting_start_time",
            "hs_meeting_outcome",
            "hubspot_owner_id",
        ],
    ),
];

/// HubSpot's own outcomes of calls that reached nobody: no answer, busy, left
/// voicemail, left live message, wrong number.
const NOT_REACHED: [&str; 5] = [
    "73a0d17f-1163-4015-bdd5-ec830791da20",
    "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "b2cf5968-551e-4856-9783-52b3da59a7d0",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff",
    "17b47fee-58de-441e-a44c-c6300d46f273",
];

pub(super) async fn read(
    api: &HubSpotApi,
    asked: &ActivitiesOf<'_>,
) -> Result<Evidence<Activity>, CrmError> {
    let mut found = FoundActivities::new("HubSpot", asked);
    let owners = read::owners(api).await?;
    let own: BTreeSet<&str> = owners
        .iter()
        .filter(|(_, owner)| is_colleague(owner, asked.by))
        .map(|(id, _)| id.as_str())
        .collect();
    if own.is_empty() {
        return Ok(found.nobody());
    }
    let deal = [asked.deal.as_str().trim().to_owned()];
    let links = read::links(api, "deals", &deal, "contacts").await?;
    let contacts: Vec<String> = links.into_values().flatten().map(|link| link.to).collect();
    if contacts.is_empty() {
        return Ok(found.without_contacts());
    }
    for (kind, object, properties) in OBJECTS {
        match of_contacts(api, &contacts, object, properties).await {
            Ok(records) => {
                for record in &records {
                    let properties = record::properties(record);
                    if is_contact(kind, &properties, &own, asked.by) {
                        add(&mut found, kind, object, record, &properties);
                    }
                }
            }
            Err(failure) => found.unread(object, &failure),
        }
    }
    Ok(found.finish())
}

async fn of_contacts(
    api: &HubSpotApi,
    contacts: &[String],
    object: &str,
    properties: &[&str],
) -> Result<Vec<Value>, Failure> {
    let links = read::links(api, "contacts", contacts, object).await?;
    let ids: BTreeSet<String> = links.into_values().flatten().map(|link| link.to).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let records = read::records(api, object, &ids, properties, &[], false).await?;
    Ok(records.into_values().collect())
}

fn add(
    found: &mut FoundActivities<'_>,
    kind: ActivityKind,
    object: &str,
    record: &Value,
    properties: &Map<String, Value>,
) {
    let time = |name: &str| record::text(properties, name).and_then(record::time);
    let reference = format!("{object}/{}", record["id"].as_str().unwrap_or_default());
    // `hs_timestamp` of a meeting is its start, too; the other one is set where both are.
    let at = time("hs_meeting_start_time").or_else(|| time("hs_timestamp"));
    match at {
        Some(at) => found.add(kind, at, time("hs_createdate"), reference),
        None => found.undated(&reference),
    }
}

/// Whether it is the colleague's and somebody was spoken or written to.
fn is_contact(
    kind: ActivityKind,
    properties: &Map<String, Value>,
    own: &BTreeSet<&str>,
    colleague: &Person,
) -> bool {
    let text = |name: &str| record::text(properties, name);
    let is_own = || text("hubspot_owner_id").is_some_and(|owner| own.contains(owner));
    match kind {
        ActivityKind::Email => {
            // The owner of an e-mail is often the contact's; its sender is who wrote it.
            let is_own = match text("hs_email_from_email") {
                Some(sender) if colleague.email.is_some() => is_address_of(sender, colleague),
                _ => is_own(),
            };
            text("hs_email_direction") == Some("EMAIL")
                && text("hs_email_status").is_none_or(|status| status == "SENT")
                && is_own
        }
        ActivityKind::Call => {
            text("hs_call_status").is_none_or(|status| status == "COMPLETED")
                && text("hs_call_disposition").is_none_or(|it| !NOT_REACHED.contains(&it))
                && is_own()
        }
        // One that stays `SCHEDULED` may never have taken place.
        ActivityKind::Meeting => {
            let outcome = text("hs_meeting_outcome");
            outcome.is_none_or(|outcome| outcome.eq_ignore_ascii_case("COMPLETED")) && is_own()
        }
    }
}
