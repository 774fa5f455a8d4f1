//! One deal with all that a brief needs.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::Value;

use super::api::Api;
use super::fields::Fields;
use super::record::{self, Account};
use super::settings::PipedriveSettings;
use crate::crm::CrmError;
use crate::crm::failure::Failure;
use crate::crm::people::mark_signers;
use crate::model::{CrmName, Deal, DealId, Signature};

/// The company's fields, pipelines and stages. A token of another company than
/// the configured one is refused before anything is read.
pub(super) async fn account(api: &Api, settings: &PipedriveSettings) -> Result<Account, CrmError> {
    let path = api.v1("users/me");
    let me = api.get(&path).await?;
    if !me.is_object() {
        return Err(Failure::nonsense("Pipedrive", &path, StatusCode::OK, "names no user").into());
    }
    let actual = me["company_id"].as_u64();
    if let (Some(requested), Some(actual)) = (settings.company_id, actual)
        && requested != actual
    {
        return Err(CrmError::Settings {
            message: format!(
                "The Pipedrive token belongs to company {actual}, not to {requested}."
            ),
            help: "Set PIPEDRIVE_TOKEN to a token of the right company, or fix \
                   crm.pipedrive.company_id."
                .to_owned(),
        });
    }
    Ok(Account {
        deal_url: page(&me),
        fields: Fields::read(api, "deal").await?,
        pipelines: names(api, "pipelines").await?,
        stages: names(api, "stages").await?,
    })
}

/// Where a person of the company sees a deal, up to its id.
pub(super) fn page(me: &Value) -> Option<String> {
    let domain = record::text(me, "company_domain")
        .filter(|domain| domain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    domain.map(|domain| format!("https://{domain}.pipedrive.com/deal/"))
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
            Err(failure) if failure.is_hidden() => None,
            Err(failure) => return Err(failure.into()),
        };
    }
    let one = std::slice::from_mut(&mut deal);
    add_companies(api, one).await?;
    add_contacts(api, one).await?;
    add_products(api, one).await?;
    match changelog(api, deal.id.as_str()).await {
        Ok(changes) => {
            if let Some(at) = record::first_won(&changes) {
                record::won_at(&mut deal, at, "status history");
            }
        }
        // Where the changelog may not be read, the deal's own time stands.
        Err(failure) if failure.is_hidden() => {}
        Err(failure) => return Err(failure.into()),
    }
    mark_signers(&mut deal.contacts, signature);
    Ok(deal)
}

/// A deal's changes; `won_time` can be set by hand, this cannot.
pub(super) async fn changelog(api: &Api, id: &str) -> Result<Vec<Value>, Failure> {
    api.list(&api.v1(&format!("deals/{id}/changelog"))).await
}

/// A number among a deal's own properties.
fn number(deal: &Deal, name: &str) -> Option<u64> {
    deal.properties.get(name)?.as_u64()
}

/// Gives each deal its organization, each of which is asked for once.
pub(super) async fn add_companies(api: &Api, deals: &mut [Deal]) -> Result<(), Failure> {
    let ids: BTreeSet<u64> = deals.iter().filter_map(|deal| number(deal, "org_id")).collect();
    let ids: Vec<u64> = ids.into_iter().collect();
    let found = api.by_ids("organizations", &ids).await?;
    let fields = fields_for(api, "organization", &found).await?;
    let found = by_id(&found);
    for deal in deals {
        let org = number(deal, "org_id").and_then(|id| found.get(&id));
        deal.company = org.map(|org| record::company(org, &fields));
    }
    Ok(())
}

/// Gives each deal its person and its participants, each once. Participants
/// are asked for deal by deal: there is no other way.
pub(super) async fn add_contacts(api: &Api, deals: &mut [Deal]) -> Result<(), Failure> {
    let mut on_deals: Vec<Vec<u64>> = Vec::with_capacity(deals.len());
    for deal in deals.iter() {
        on_deals.push(in_order(api, deal.id.as_str(), number(deal, "person_id")).await?);
    }
    let all: BTreeSet<u64> = on_deals.iter().flatten().copied().collect();
    let people = api.by_ids("persons", &all.into_iter().collect::<Vec<_>>()).await?;
    let fields = fields_for(api, "person", &people).await?;
    let people = by_id(&people);
    for (deal, ids) in deals.iter_mut().zip(on_deals) {
        let people = ids.iter().filter_map(|id| people.get(id));
        deal.contacts = people.map(|person| record::contact(person, &fields)).collect();
    }
    Ok(())
}

/// The person of a deal and its participants, each once.
async fn in_order(api: &Api, deal: &str, person: Option<u64>) -> Result<Vec<u64>, Failure> {
    let mut ids: Vec<u64> = person.into_iter().collect();
    for participant in api.list(&api.v1(&format!("deals/{deal}/participants"))).await? {
        let person = participant["person_id"]["value"].as_u64();
        if let Some(person) = person.or_else(|| participant["person"]["id"].as_u64())
            && !ids.contains(&person)
        {
            ids.push(person);
        }
    }
    Ok(ids)
}

/// The people of a deal.
pub(super) async fn people(
    api: &Api,
    deal: u64,
    person: Option<u64>,
) -> Result<BTreeSet<u64>, Failure> {
    Ok(in_order(api, &deal.to_string(), person).await?.into_iter().collect())
}

/// Gives each deal its products, of a hundred deals in a request.
pub(super) async fn add_products(api: &Api, deals: &mut [Deal]) -> Result<(), Failure> {
    for chunk in deals.chunks_mut(100) {
        let path = match &*chunk {
            [deal] => format!("deals/{}/products", deal.id),
            several => {
                let ids: Vec<&str> = several.iter().map(|deal| deal.id.as_str()).collect();
                format!("deals/products?deal_ids={}", ids.join(","))
            }
        };
        let products = api.list(&api.v2(&path)).await?;
        let bought = || products.iter().filter(|product| product["is_enabled"] != false);
        for deal in chunk {
            let of = |product: &&Value| {
                product["deal_id"].as_u64().is_none_or(|id| deal.id.as_str() == id.to_string())
            };
            deal.line_items = bought().filter(of).map(record::line_item).collect();
        }
    }
    Ok(())
}

pub(super) fn by_id(records: &[Value]) -> BTreeMap<u64, &Value> {
    records.iter().filter_map(|record| Some((record["id"].as_u64()?, record))).collect()
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
