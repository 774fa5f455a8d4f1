//! Activities and mails of a colleague with the people of a deal. Facts:
//! developers.pipedrive.com, `Activities` (version 2) and `Deals`, mail
//! messages (version 1).

use std::collections::BTreeSet;

use serde_json::Value;

use super::api::PipedriveApi;
use super::record;
use super::record::{person, text, time};
use crate::crm::activities::{FoundActivities, is_address_of, shows_touches};
use crate::crm::failure::Failure;
use crate::crm::{ActivitiesOf, Activity, ActivityKind, Check, CrmError};
use crate::model::{CrmName, Evidence};

/// Pipedrive's own types of activities that are a contact with somebody. Tasks
/// and deadlines are none, and what a company's own type means is not known.
const TYPES: [(&str, ActivityKind); 4] = [
    ("call", ActivityKind::Call),
    ("meeting", ActivityKind::Meeting),
    ("lunch", ActivityKind::Meeting),
    ("email", ActivityKind::Email),
];

pub(super) async fn read(
    api: &PipedriveApi,
    crm: &CrmName,
    asked: &ActivitiesOf<'_>,
) -> Result<Evidence<Activity>, CrmError> {
    let mut found = FoundActivities::new("Pipedrive", asked);
    let users = api.list(&api.v1("users")).await?;
    let own: BTreeSet<u64> = users
        .iter()
        .filter(|user| person(user).is_same(asked.by))
        .filter_map(|user| user["id"].as_u64())
        .collect();
    if own.is_empty() {
        return Ok(found.nobody());
    }
    let record = record::find(api, crm, asked.deal).await?;
    let number = record["id"].as_u64().unwrap_or_default();
    let people = record::people(api, number, record["person_id"].as_u64()).await?;
    if people.is_empty() {
        return Ok(found.without_contacts());
    }
    let mut lists = vec![format!("deal_id={number}")];
    lists.extend(people.iter().map(|person| format!("person_id={person}")));
    'lists: for of in &lists {
        for owner in &own {
            let path = api.v2(&format!("activities?{of}&owner_id={owner}&done=true"));
            match api.list(&path).await {
                Ok(records) => records.iter().for_each(|it| activity(&mut found, it, &people)),
                Err(failure) => {
                    found.unread("activities", &failure);
                    break 'lists;
                }
            }
        }
    }
    if let Err(failure) = mails(api, number, &own, &people, asked, &mut found).await {
        found.unread("mails", &failure);
    }
    Ok(found.finish())
}

/// Whether activities may be read, and the mails of a deal; of a company
/// without a won deal nothing is known of mails.
pub(super) async fn checks(api: &PipedriveApi) -> Vec<Check> {
    let told = |what: &str, result: Result<Value, Failure>, help: &str| {
        shows_touches(format!("pipedrive: read {what}"), "they show", result.map(drop), help)
    };
    let user = "Use the API token of a user who sees everybody's activities.";
    let mut checks =
        vec![told("activities", api.get(&api.v2("activities?done=true&limit=1")).await, user)];
    // Mails are read by deal alone.
    if let Ok(deals) = api.get(&api.v2("deals?status=won&limit=1")).await
        && let Some(deal) = deals[0]["id"].as_u64()
    {
        let mail = "Mails need Pipedrive's e-mail sync, and a token whose user may see them.";
        let path = api.v1(&format!("deals/{deal}/mailMessages?limit=1"));
        checks.push(told("mails of deals", api.get(&path).await, mail));
    }
    checks
}

/// An activity that was done; when it was marked so Pipedrive says, the time
/// that it is due people write.
fn activity(found: &mut FoundActivities<'_>, record: &Value, people: &BTreeSet<u64>) {
    let of = |id: &Value| id.as_u64().is_some_and(|id| people.contains(&id));
    let participants = record["participants"].as_array().into_iter().flatten();
    let with = of(&record["person_id"]) || participants.into_iter().any(|it| of(&it["person_id"]));
    let kind = TYPES.iter().find(|(name, _)| record["type"] == *name).map(|(_, kind)| *kind);
    let Some(kind) =
        kind.filter(|_| with && record["is_deleted"] != true && record["done"] == true)
    else {
        return;
    };
    let reference = format!("activities/{}", record["id"]);
    let of = |name: &str| text(record, name).and_then(|text| time(&text));
    match of("marked_as_done_time").or_else(|| of("update_time")) {
        Some(at) => found.add(kind, at, of("add_time"), reference),
        None => found.undated(&reference),
    }
}

async fn mails(
    api: &PipedriveApi,
    deal: u64,
    own: &BTreeSet<u64>,
    people: &BTreeSet<u64>,
    asked: &ActivitiesOf<'_>,
    found: &mut FoundActivities<'_>,
) -> Result<(), Failure> {
    for entry in api.list(&api.v1(&format!("deals/{deal}/mailMessages"))).await? {
        let mail = &entry["data"];
        let is = |name: &str| mail[name] == true || mail[name] == 1;
        let to = ["to", "cc"].iter().filter_map(|name| mail[*name].as_array()).flatten();
        let mut to = to.filter_map(|it| it["linked_person_id"].as_u64());
        let sender = mail["from"][0]["email_address"].as_str();
        let is_own = match sender {
            Some(sender) if asked.by.email.is_some() => is_address_of(sender, asked.by),
            _ => mail["user_id"].as_u64().is_some_and(|user| own.contains(&user)),
        };
        let is_sent = is("sent_flag") && !is("draft_flag") && !is("deleted_flag");
        if !is_sent || !is_own || !to.any(|person| people.contains(&person)) {
            continue;
        }
        let reference = format!("mailMessages/{}", mail["id"]);
        match text(mail, "message_time").and_then(|text| time(&text)) {
            Some(at) => found.add(ActivityKind::Email, at, None, reference),
            None => found.undated(&reference),
        }
    }
    Ok(())
}
