//! E-mails, calls and meetings of a colleague with the contacts of a deal.
//! Facts: developers.hubspot.com, the guides of `crm/activities`. An activity
//! without an association is invisible, so they are read through the contacts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::account::{self, Owners};
use super::api::{Failure, HubSpotApi};
use super::read::Association;
use super::{read, record};
use crate::crm::activities::{FoundActivities, is_address_of};
use crate::crm::reading::{RecordBatch, in_parts};
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

/// Deals of one part: fewer links than that many deals have are one request.
const AT_ONCE: usize = 100;

/// The contacts with the customers of several deals, in their order.
pub(super) async fn read(
    api: &HubSpotApi,
    asked: &[ActivitiesOf<'_>],
) -> Vec<Result<Evidence<Activity>, CrmError>> {
    in_parts(&HubSpotActivities { api, asked }, asked.len(), AT_ONCE).await
}

struct HubSpotActivities<'a> {
    api: &'a HubSpotApi,
    asked: &'a [ActivitiesOf<'a>],
}

#[async_trait]
impl RecordBatch for HubSpotActivities<'_> {
    type Item = Evidence<Activity>;

    async fn read(&self, part: Range<usize>) -> Result<Vec<Self::Item>, Failure> {
        let asked = &self.asked[part];
        let owners = account::owners(self.api).await?;
        let id_of = |asked: &ActivitiesOf<'_>| asked.deal.as_str().trim().to_owned();
        let deals: BTreeSet<String> = asked.iter().map(id_of).collect();
        let deals: Vec<String> = deals.into_iter().collect();
        let links = read::links(self.api, "deals", &deals, "contacts").await?;
        let contacts: BTreeSet<String> =
            links.values().flatten().map(|link| link.to.clone()).collect();
        let contacts: Vec<String> = contacts.into_iter().collect();
        let mut held = Vec::new();
        for (kind, object, properties) in OBJECTS {
            match OfContacts::read(self.api, &contacts, object, properties).await {
                Err(failure) if asked.len() > 1 && failure.is_of_content() => return Err(failure),
                read => held.push((kind, object, read)),
            }
        }
        let of = |asked| {
            let contacts = links.get(&id_of(asked)).map(Vec::as_slice).unwrap_or_default();
            of_deal(asked, &owners, contacts, &held)
        };
        Ok(asked.iter().map(of).collect())
    }
}

/// What is held of one kind, or why it could not be read.
type Held = (ActivityKind, &'static str, Result<OfContacts, Failure>);

fn of_deal<'a>(
    asked: &'a ActivitiesOf<'a>,
    owners: &Owners,
    contacts: &[Association],
    held: &[Held],
) -> Evidence<Activity> {
    let mut found = FoundActivities::new("HubSpot", asked);
    let own: BTreeSet<&str> = owners
        .iter()
        .filter(|(_, owner)| owner.is_same(asked.by))
        .map(|(id, _)| id.as_str())
        .collect();
    if own.is_empty() {
        return found.nobody();
    }
    if contacts.is_empty() {
        return found.without_contacts();
    }
    for (kind, object, read) in held {
        match read {
            Ok(read) => {
                for record in read.of(contacts) {
                    let properties = record::properties(record);
                    if is_contact(*kind, &properties, &own, asked.by) {
                        add(&mut found, *kind, object, record, &properties);
                    }
                }
            }
            Err(failure) => found.unread(object, failure),
        }
    }
    found.finish()
}

/// Activities of one kind, by contact.
struct OfContacts {
    links: BTreeMap<String, Vec<Association>>,
    records: BTreeMap<String, Value>,
}

impl OfContacts {
    async fn read(
        api: &HubSpotApi,
        contacts: &[String],
        object: &str,
        properties: &[&str],
    ) -> Result<Self, Failure> {
        let links = read::links(api, "contacts", contacts, object).await?;
        let ids: BTreeSet<String> = links.values().flatten().map(|link| link.to.clone()).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let records = read::records(api, object, &ids, properties, &[], false).await?;
        Ok(Self { links, records })
    }

    /// Each once, in the order of their ids.
    fn of(&self, contacts: &[Association]) -> Vec<&Value> {
        let of_contact = |contact: &Association| self.links.get(&contact.to);
        let ids: BTreeSet<&String> =
            contacts.iter().filter_map(of_contact).flatten().map(|link| &link.to).collect();
        ids.into_iter().filter_map(|id| self.records.get(id)).collect()
    }
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
