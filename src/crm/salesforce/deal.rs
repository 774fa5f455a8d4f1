//! One opportunity with all that a brief needs, in one query.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;

use super::api::Api;
use super::record::{self, Org, time};
use super::settings::SalesforceSettings;
use super::soql;
use super::stages::Stages;
use crate::crm::CrmError;
use crate::crm::failure::Failure;
use crate::crm::people::{mark_signers, website};
use crate::facts::{Company, CrmName, Deal, DealId, Signature, normalise_deal_id};

/// What an org's opportunities have.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) fields: BTreeSet<String>,
    children: BTreeSet<String>,
}

/// Asks the org which fields and children its opportunities have.
pub(super) async fn describe(api: &Api) -> Result<Described, Failure> {
    let answer = api.get("sobjects/Opportunity/describe").await?;
    let names = |list: &Value, name: &str| -> BTreeSet<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|item| item[name].as_str().map(str::to_owned)).collect()
    };
    Ok(Described {
        fields: names(&answer["fields"], "name"),
        children: names(&answer["childRelationships"], "relationshipName"),
    })
}

/// The instance and its stages.
pub(super) async fn org(api: &Api, settings: &SalesforceSettings) -> Result<Org, Failure> {
    Ok(Org {
        base: api.base().await?,
        stages: Stages::read(api).await?,
        currency: settings.currency.clone(),
    })
}

/// An opportunity's record; deleted ones too, until the recycle bin is emptied.
pub(super) async fn find(
    api: &Api,
    crm: &CrmName,
    id: &DealId,
    select: &[String],
) -> Result<Value, CrmError> {
    let full = normalise_deal_id(crm, id);
    let not_found =
        |help: &str| CrmError::NotFound { crm: crm.clone(), id: id.clone(), help: help.to_owned() };
    let text = full.as_str();
    if text.len() != 18 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(not_found(
            "Salesforce's ids have 15 or 18 letters and digits: those in the address of the \
             opportunity's page.",
        ));
    }
    let soql =
        format!("SELECT {} FROM Opportunity WHERE Id = {}", select.join(", "), soql::quote(text));
    let found = api.query(&soql).await?;
    found.into_iter().next().ok_or_else(|| {
        not_found(
            "It may be deleted for good, or not shared with the app's user. An opportunity's id \
             begins with 006.",
        )
    })
}

/// The opportunity with account, people, products, rep and time of winning.
pub(super) async fn read(
    api: &Api,
    crm: &CrmName,
    id: &DealId,
    org: &Org,
    described: &Described,
    wanted: &BTreeSet<String>,
    signature: Option<&Signature>,
) -> Result<Deal, CrmError> {
    let mut select = soql::fields(&described.fields, wanted);
    for (child, query) in
        [("OpportunityContactRoles", soql::ROLES), ("OpportunityLineItems", soql::LINE_ITEMS)]
    {
        if described.children.contains(child) {
            select.push(query.to_owned());
        }
    }
    let mut record = find(api, crm, id, &select).await?;
    let mut deal = record::deal(crm, &record, org)?;
    // A child that is empty is null; a long one has pages of its own.
    let roles = api.whole(record["OpportunityContactRoles"].take()).await?;
    deal.contacts = record::contacts(&roles);
    let items = api.whole(record["OpportunityLineItems"].take()).await?;
    deal.line_items = items.iter().map(record::line_item).collect();
    let soql = format!("{HISTORY} WHERE OpportunityId = {}", soql::quote(deal.id.as_str()));
    if let Some(at) = first_won(&api.query(&soql).await?, crm, org)?.get(&deal.id) {
        record::won_at(&mut deal, *at, "stage history");
    }
    if let Some(company) = &mut deal.company {
        add_account(api, company).await?;
    }
    mark_signers(&mut deal.contacts, signature);
    Ok(deal)
}

/// The history of stages, before its condition.
pub(super) const HISTORY: &str =
    "SELECT OpportunityId, StageName, CreatedDate FROM OpportunityHistory";

/// The first entry of each opportunity into a won stage. The history has a row
/// for changes of amount and date, too, so the first one counts.
pub(super) fn first_won(
    history: &[Value],
    crm: &CrmName,
    org: &Org,
) -> Result<BTreeMap<DealId, DateTime<Utc>>, CrmError> {
    let won = org.stages.won_names();
    let mut first: BTreeMap<DealId, DateTime<Utc>> = BTreeMap::new();
    for row in history {
        let stage = row["StageName"].as_str().unwrap_or_default();
        let Some(id) = record::text(row, "OpportunityId").filter(|_| won.contains(&stage)) else {
            continue;
        };
        let written = row["CreatedDate"].as_str().unwrap_or_default();
        let at = time(written).ok_or_else(|| CrmError::BadData {
            place: format!("Salesforce opportunity {id}, its history"),
            message: format!("{} is no time.", crate::text::quoted(written)),
            help: "Run it again.".to_owned(),
        })?;
        let first = first.entry(normalise_deal_id(crm, &DealId::new(id))).or_insert(at);
        *first = at.min(*first);
    }
    Ok(first)
}

/// All fields of the account: a mapping may read any of them. An account that
/// may not be read stays as the opportunity's query tells it.
async fn add_account(api: &Api, company: &mut Company) -> Result<(), CrmError> {
    let Some(id) = company.id.as_ref().filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))
    else {
        return Ok(());
    };
    let account = match api.get(&format!("sobjects/Account/{id}")).await {
        Ok(account) => account,
        Err(f) if f.is(StatusCode::FORBIDDEN) || f.is(StatusCode::NOT_FOUND) => return Ok(()),
        Err(failure) => return Err(failure.into()),
    };
    for (name, value) in record::properties(&account) {
        company.properties.entry(name).or_insert(value);
    }
    if company.website.is_none() {
        company.website = record::text(&account, "Website").map(|site| website(&site));
    }
    Ok(())
}
