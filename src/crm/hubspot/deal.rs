//! One deal with all that a brief needs.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::Value;

use super::Properties;
use super::api::{Api, Failure};
use super::read::{self, Link};
use super::record::{self, Account};
use crate::crm::CrmError;
use crate::crm::people::mark_signers;
use crate::facts::{CrmName, Deal, DealId, Signature};

/// A deal's record, with the history of its stage; archived deals too.
pub(super) async fn find(
    api: &Api,
    crm: &CrmName,
    id: &DealId,
    properties: &[&str],
) -> Result<Value, CrmError> {
    let text = id.as_str().trim();
    let not_found =
        |help: &str| CrmError::NotFound { crm: crm.clone(), id: id.clone(), help: help.to_owned() };
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(not_found("HubSpot's ids are numbers: the Record ID on the deal's page."));
    }
    let ids = [text.to_owned()];
    for archived in [false, true] {
        let read = read::records(api, "deals", &ids, properties, &["dealstage"], archived).await;
        let records = match read {
            Ok(records) => records,
            Err(failure) if failure.status == Some(StatusCode::NOT_FOUND) => continue,
            Err(failure) => return Err(failure.into()),
        };
        // The survivor of a merge answers for the ids that were merged into it.
        if let Some((_, mut record)) = records.into_iter().next() {
            if archived {
                record["archived"] = Value::Bool(true);
            }
            return Ok(record);
        }
    }
    Err(not_found(
        "It may be deleted, merged into another deal, or out of the token's sight. The number is \
         the Record ID on the deal's page.",
    ))
}

/// The deal with company, people, products and rep.
pub(super) async fn read(
    api: &Api,
    crm: &CrmName,
    id: &DealId,
    account: &Account,
    wanted: &Properties,
    signature: Option<&Signature>,
) -> Result<Deal, CrmError> {
    let entered: Vec<String> =
        account.stages.won_ids().iter().map(|id| format!("hs_v2_date_entered_{id}")).collect();
    let mut properties = with(&record::DEAL, &wanted.deal);
    properties.extend(entered.iter().map(String::as_str));
    let record = find(api, crm, id, &properties).await?;
    let mut deal = record::deal(crm, &record, account)?;
    let id = deal.id.as_str().to_owned();
    if let Some(owner) = record::text(&deal.properties, "hubspot_owner_id") {
        deal.owner = match read::owner(api, owner).await {
            Ok(owner) => owner,
            // Without the scope for owners the brief says that the rep is unknown.
            Err(failure) if failure.status == Some(StatusCode::FORBIDDEN) => None,
            Err(failure) => return Err(failure.into()),
        };
    }
    add_companies(api, &id, wanted, &mut deal).await?;
    add_contacts(api, &id, wanted, &mut deal).await?;
    add_line_items(api, &id, wanted, &mut deal).await?;
    mark_signers(&mut deal.contacts, signature);
    Ok(deal)
}

/// The company a deal belongs to: the primary one, else the only one. With
/// several and none of them primary, HubSpot does not say.
pub(super) fn primary(links: &[Link]) -> Option<&String> {
    match links {
        [only] => Some(&only.to),
        several => several.iter().find(|link| link.primary).map(|link| &link.to),
    }
}

async fn linked(
    api: &Api,
    deal: &str,
    object: &str,
    properties: &[&str],
) -> Result<(Vec<Link>, BTreeMap<String, Value>), Failure> {
    let mut links = read::links(api, &[deal.to_owned()], object).await?;
    let links = links.remove(deal).unwrap_or_default();
    let ids: Vec<String> = links.iter().map(|link| link.to.clone()).collect();
    let records = read::records(api, object, &ids, properties, &[], false).await?;
    Ok((links, records))
}

async fn add_companies(
    api: &Api,
    id: &str,
    wanted: &Properties,
    deal: &mut Deal,
) -> Result<(), CrmError> {
    let properties = with(&record::COMPANY, &wanted.company);
    let (links, records) = linked(api, id, "companies", &properties).await?;
    match primary(&links) {
        Some(primary) => deal.company = records.get(primary).map(record::company),
        None => {
            let names = links.iter().filter_map(|link| records.get(&link.to));
            let names: Vec<Value> = names.map(|r| r["properties"]["name"].clone()).collect();
            if !names.is_empty() {
                deal.properties.insert("associated_companies".to_owned(), Value::Array(names));
            }
        }
    }
    Ok(())
}

async fn add_contacts(
    api: &Api,
    id: &str,
    wanted: &Properties,
    deal: &mut Deal,
) -> Result<(), CrmError> {
    let properties = with(&record::CONTACT, &wanted.contacts);
    let (links, records) = linked(api, id, "contacts", &properties).await?;
    let read = |link: &Link| Some(record::contact(records.get(&link.to)?, &link.labels));
    deal.contacts = links.iter().filter_map(read).collect();
    Ok(())
}

async fn add_line_items(
    api: &Api,
    id: &str,
    wanted: &Properties,
    deal: &mut Deal,
) -> Result<(), CrmError> {
    let properties = with(&record::LINE_ITEM, &wanted.line_items);
    let (links, records) = linked(api, id, "line_items", &properties).await?;
    let read = |link: &Link| records.get(&link.to).map(record::line_item);
    deal.line_items = links.iter().filter_map(read).collect();
    Ok(())
}

/// Names that are always read, and more.
pub(super) fn with<'a>(
    always: &[&'a str],
    more: &'a std::collections::BTreeSet<String>,
) -> Vec<&'a str> {
    let mut names = always.to_vec();
    names.extend(more.iter().map(String::as_str).filter(|name| !always.contains(name)));
    names
}
