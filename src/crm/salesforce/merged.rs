//! Accounts that were merged: Salesforce deletes the one that goes and names
//! the one that stays, so a merged account is not a deleted one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::api::Api;
use super::record;
use super::soql;
use crate::crm::failure::Failure;
use crate::model::Deal;

/// The company's property with the id of the account that was merged into it.
pub(super) const MERGED_FROM: &str = "MergedFrom";

/// How often the account that stays may have been merged itself.
const DEEPEST: usize = 5;

/// Accounts of one query: a URL has 16,384 bytes at most.
const IDS: usize = 200;

/// Gives deals of merged accounts the account that stays, and says of how many
/// that was so.
pub(super) async fn follow(
    api: &Api,
    fields: &[String],
    deals: &mut [Deal],
) -> Result<usize, Failure> {
    let master = |deal: &Deal| {
        let company = deal.company.as_ref()?;
        company.properties.get(record::MASTER)?.as_str().map(str::to_owned)
    };
    let mut merged = 0;
    for round in 0..DEEPEST {
        let masters: BTreeSet<String> = deals.iter().filter_map(master).collect();
        if masters.is_empty() {
            break;
        }
        let staying = accounts(api, fields, &masters).await?;
        for deal in deals.iter_mut() {
            let Some(id) = master(deal) else { continue };
            merged += usize::from(round == 0);
            let Some(company) = &mut deal.company else { continue };
            company.properties.shift_remove(record::MASTER);
            let Some(account) = staying.get(&id) else { continue };
            let mut stays = record::company(&json!({"AccountId": id, "Account": account}));
            let first = company.properties.get(MERGED_FROM).cloned();
            let from = first.or_else(|| company.id.clone().map(Value::String));
            stays.properties.extend(from.map(|from| (MERGED_FROM.to_owned(), from)));
            *company = stays;
        }
    }
    Ok(merged)
}

async fn accounts(
    api: &Api,
    fields: &[String],
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, Value>, Failure> {
    let own: Vec<&str> = fields.iter().filter_map(|name| name.strip_prefix("Account.")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut found = BTreeMap::new();
    for ids in ids.chunks(IDS) {
        let soql = format!(
            "SELECT Id, {} FROM Account WHERE Id IN {}",
            own.join(", "),
            soql::list(ids.iter().copied())
        );
        for account in api.query(&soql).await? {
            if let Some(id) = record::text(&account, "Id") {
                found.insert(id, account);
            }
        }
    }
    Ok(found)
}
