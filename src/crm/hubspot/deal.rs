//! One deal with all that a brief needs.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::Value;

use super::api::{Api, Failure};
use super::read::{self, Link};
use super::record::{self, Account};
use crate::crm::CrmError;
use crate::crm::people::mark_signers;
use crate::model::{CrmName, Deal, DealId, Properties, RecordKind, Signature};

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
        let read = read::batch(api, "deals", &ids, properties, &["dealstage"], archived).await;
        let records = match read {
            Ok(batch) => batch.records,
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
    requested: &Properties,
    signature: Option<&Signature>,
) -> Result<Deal, CrmError> {
    let entered: Vec<String> =
        account.stages.won_ids().iter().map(|id| format!("hs_v2_date_entered_{id}")).collect();
    let mut properties = with(&record::DEAL, &requested.deal);
    properties.extend(entered.iter().map(String::as_str));
    let record = find(api, crm, id, &properties).await?;
    let mut deal = record::deal(crm, &record, account)?;
    if let Some(owner) = record::text(&deal.properties, "hubspot_owner_id") {
        deal.owner = match read::owner(api, owner).await {
            Ok(owner) => owner,
            // Without the scope for owners the brief says that the rep is unknown.
            Err(failure) if failure.status == Some(StatusCode::FORBIDDEN) => None,
            Err(failure) => return Err(failure.into()),
        };
    }
    for kind in [RecordKind::Company, RecordKind::Contact, RecordKind::LineItem] {
        add_linked(api, kind, requested, std::slice::from_mut(&mut deal)).await?;
    }
    mark_signers(&mut deal.contacts, signature);
    Ok(deal)
}

/// The company a deal belongs to: the primary one, else the only one. With
/// several and none of them primary, HubSpot does not say.
fn primary(links: &[Link]) -> Option<&String> {
    match links {
        [only] => Some(&only.to),
        several => several.iter().find(|link| link.primary).map(|link| &link.to),
    }
}

/// The records beside deals, with the properties that are wanted of them.
#[derive(Debug, Default)]
struct Linked {
    links: BTreeMap<String, Vec<Link>>,
    records: BTreeMap<String, Value>,
}

async fn linked(
    api: &Api,
    deals: &[String],
    kind: RecordKind,
    requested: &Properties,
) -> Result<Linked, Failure> {
    let none = BTreeSet::new();
    let always: &[&str] = match kind {
        RecordKind::Deal => &record::DEAL,
        RecordKind::Company => &record::COMPANY,
        RecordKind::Contact => &record::CONTACT,
        RecordKind::LineItem => &record::LINE_ITEM,
    };
    let properties = with(always, requested.of(kind).unwrap_or(&none));
    let object = read::object(kind);
    let links = read::links(api, "deals", deals, object).await?;
    let needed = links.values().flat_map(|links| match kind {
        RecordKind::Company if deals.len() > 1 => primary(links).into_iter().cloned().collect(),
        _ => links.iter().map(|link| link.to.clone()).collect::<Vec<_>>(),
    });
    let ids: BTreeSet<String> = needed.collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let records = read::records(api, object, &ids, &properties, &[], false).await?;
    Ok(Linked { links, records })
}

/// Gives each deal the records of one kind that stand beside it. The company
/// of a deal is its primary one, else the only one.
pub(super) async fn add_linked(
    api: &Api,
    kind: RecordKind,
    requested: &Properties,
    deals: &mut [Deal],
) -> Result<(), Failure> {
    let ids: Vec<String> = deals.iter().map(|deal| deal.id.as_str().to_owned()).collect();
    let Linked { links, records } = linked(api, &ids, kind, requested).await?;
    for deal in deals {
        let Some(links) = links.get(deal.id.as_str()) else { continue };
        let found = || links.iter().filter_map(|link| Some((link, records.get(&link.to)?)));
        match kind {
            RecordKind::Deal => {}
            RecordKind::Company => match primary(links) {
                Some(primary) => deal.company = records.get(primary).map(record::company),
                None => {
                    let names = found().map(|(_, company)| company["properties"]["name"].clone());
                    let names: Vec<Value> = names.collect();
                    if !names.is_empty() {
                        let names = Value::Array(names);
                        deal.properties.insert(read::SEVERAL_COMPANIES.to_owned(), names);
                    }
                }
            },
            RecordKind::Contact => {
                deal.contacts =
                    found().map(|(link, person)| record::contact(person, &link.labels)).collect();
            }
            RecordKind::LineItem => {
                deal.line_items = found().map(|(_, item)| record::line_item(item)).collect();
            }
        }
    }
    Ok(())
}

/// Names that are always read, and more.
pub(super) fn with<'a>(always: &[&'a str], more: &'a BTreeSet<String>) -> Vec<&'a str> {
    let mut names = always.to_vec();
    names.extend(more.iter().map(String::as_str).filter(|name| !always.contains(name)));
    names
}
