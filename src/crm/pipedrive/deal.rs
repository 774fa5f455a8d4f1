//! One deal with all that a brief needs.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::Value;

use super::api::Api;
use super::fields::Fields;
use super::record::{self, Account};
use super::settings::PipedriveSettings;
use crate::crm::CrmError;
use crate::crm::failure::Failure;
use crate::crm::people::mark_signers;
use crate::facts::{Contact, CrmName, Deal, DealId, Signature};

/// The company's fields, pipelines and stages. A token of another company than
/// the configured one is refused before anything is read.
pub(super) async fn account(api: &Api, settings: &PipedriveSettings) -> Result<Account, CrmError> {
    let me = api.get(&api.v1("users/me")).await?;
    let actual = me["company_id"].as_u64();
    if let (Some(wanted), Some(actual)) = (settings.company_id, actual)
        && wanted != actual
    {
        return Err(CrmError::Settings {
            message: format!("The Pipedrive token belongs to company {actual}, not to {wanted}."),
            help: "Set PIPEDRIVE_TOKEN to a token of the right company, or mend \
                   crm.pipedrive.company_id."
                .to_owned(),
        });
    }
    let domain = record::text(&me, "company_domain")
        .filter(|domain| domain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    Ok(Account {
        deal_url: domain.map(|domain| format!("https://{domain}.pipedrive.com/deal/")),
        fields: Fields::read(api, "deal").await?,
        pipelines: names(api, "pipelines").await?,
        stages: names(api, "stages").await?,
    })
}

async fn names(api: &Api, object: &str) -> Result<BTreeMap<u64, String>, Failure> {
    let list = api.list(&api.v2(object)).await?;
    Ok(list.iter().filter_map(|r| Some((r["id"].as_u64()?, record::text(r, "name")?))).collect())
}

/// A deal's record. The id of a deal that was merged gives the one it is in now.
pub(super) async fn find(api: &Api, crm: &CrmName, id: &DealId) -> Result<Value, CrmError> {
    let not_found =
        |help: &str| CrmError::NotFound { crm: crm.clone(), id: id.clone(), help: help.to_owned() };
    let mut number: u64 = id.as_str().trim().parse().map_err(|_| {
        not_found("Pipedrive's ids are numbers: the one in the address of the deal's page.")
    })?;
    for _ in 0..5 {
        let path = api.v2(&format!(
            "deals/{number}?include_fields=first_won_time&include_option_labels=true"
        ));
        let record = match api.get(&path).await {
            Ok(record) if record.is_object() => record,
            Ok(_) => break,
            Err(failure) if failure.is(StatusCode::NOT_FOUND) => break,
            Err(failure) => return Err(failure.into()),
        };
        match record["merged_to_id"].as_u64() {
            Some(survivor) if survivor != number => number = survivor,
            _ => return Ok(record),
        }
    }
    Err(not_found(
        "It may be deleted for more than 30 days, merged into another deal, or out of sight of \
         the token's user.",
    ))
}

/// The deal with organization, people, products, rep and time of winning.
pub(super) async fn read(
    api: &Api,
    crm: &CrmName,
    id: &DealId,
    account: &Account,
    signature: Option<&Signature>,
) -> Result<Deal, CrmError> {
    let record = find(api, crm, id).await?;
    let mut deal = record::deal(crm, &record, account)?;
    if deal.id.as_str() != id.as_str().trim() {
        deal.merged_ids.push(DealId::new(id.as_str().trim()));
    }
    if let Some(owner) = record["owner_id"].as_u64() {
        deal.owner = match api.get(&api.v1(&format!("users/{owner}"))).await {
            Ok(user) => Some(record::person(&user)),
            Err(f) if f.is(StatusCode::FORBIDDEN) || f.is(StatusCode::NOT_FOUND) => None,
            Err(failure) => return Err(failure.into()),
        };
    }
    if let Some(org) = record["org_id"].as_u64() {
        let found = api.by_ids("organizations", &[org]).await?;
        let fields = fields_for(api, "organization", &found).await?;
        deal.company = found.first().map(|org| record::company(org, &fields));
    }
    deal.contacts = contacts(api, &record, deal.id.as_str()).await?;
    let products = api.list(&api.v2(&format!("deals/{}/products", deal.id))).await?;
    let bought = products.iter().filter(|product| product["is_enabled"] != false);
    deal.line_items = bought.map(record::line_item).collect();
    match changelog(api, deal.id.as_str()).await {
        Ok(changes) => {
            if let Some(at) = record::first_won(&changes) {
                record::won_at(&mut deal, at, "status history");
            }
        }
        // Where the changelog may not be read, the deal's own time stands.
        Err(f) if f.is(StatusCode::FORBIDDEN) || f.is(StatusCode::NOT_FOUND) => {}
        Err(failure) => return Err(failure.into()),
    }
    mark_signers(&mut deal.contacts, signature);
    Ok(deal)
}

/// A deal's changes; `won_time` can be set by hand, this cannot.
pub(super) async fn changelog(api: &Api, id: &str) -> Result<Vec<Value>, Failure> {
    api.list(&api.v1(&format!("deals/{id}/changelog"))).await
}

/// The deal's person and its participants, each once.
async fn contacts(api: &Api, record: &Value, id: &str) -> Result<Vec<Contact>, CrmError> {
    let participants = api.list(&api.v1(&format!("deals/{id}/participants"))).await?;
    let mut ids: Vec<u64> = record["person_id"].as_u64().into_iter().collect();
    for participant in &participants {
        let person = participant["person_id"]["value"].as_u64();
        if let Some(person) = person.or_else(|| participant["person"]["id"].as_u64())
            && !ids.contains(&person)
        {
            ids.push(person);
        }
    }
    let people = api.by_ids("persons", &ids).await?;
    let fields = fields_for(api, "person", &people).await?;
    let find = |id: &u64| people.iter().find(|person| person["id"].as_u64() == Some(*id));
    Ok(ids.iter().filter_map(find).map(|person| record::contact(person, &fields)).collect())
}

/// The fields of an object, asked for only where a record needs them.
async fn fields_for(api: &Api, object: &str, records: &[Value]) -> Result<Fields, Failure> {
    let filled = |record: &Value| {
        record["custom_fields"].as_object().is_some_and(|fields| !fields.is_empty())
            || record["label_ids"].as_array().is_some_and(|labels| !labels.is_empty())
            || record["industry"].is_number()
    };
    if records.iter().any(filled) { Fields::read(api, object).await } else { Ok(Fields::default()) }
}
