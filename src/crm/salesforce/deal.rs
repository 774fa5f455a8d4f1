//! One opportunity with all that a brief needs, in one query.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::api::Api;
use super::describe::Described;
use super::merged;
use super::record::{self, Org, time};
use super::settings::SalesforceSettings;
use super::soql;
use super::stages::Stages;
use crate::crm::CrmError;
use crate::crm::failure::{Failure, bad_field};
use crate::crm::people::{mark_signers, website};
use crate::model::{Company, CrmName, Deal, DealId, Properties, Signature, normalise_deal_id};

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
    requested: &Properties,
    signature: Option<&Signature>,
) -> Result<Deal, CrmError> {
    let fields = soql::fields(&described.fields, requested);
    let mut select = fields.clone();
    for (child, fields) in [
        ("OpportunityContactRoles", soql::roles(requested)),
        ("OpportunityLineItems", soql::line_items(requested)),
    ] {
        if described.children.contains(child) {
            // Deleted ones come with deleted opportunities only.
            let fields = fields.join(", ");
            select.push(format!("(SELECT {fields} FROM {child} WHERE IsDeleted = false)"));
        }
    }
    let mut record = find(api, crm, id, &select).await?;
    let mut deal = record::deal(crm, &record, org)?;
    // A child that is empty is null; a long one has pages of its own.
    let roles = api.below(taken(&mut record, "OpportunityContactRoles")).await?;
    deal.contacts = record::contacts(&roles);
    let items = api.below(taken(&mut record, "OpportunityLineItems")).await?;
    deal.line_items = items.iter().map(record::line_item).collect();
    let soql = format!("{HISTORY} WHERE OpportunityId = {}", soql::quote(deal.id.as_str()));
    let mut first = FirstWon::default();
    first.add(&api.query(&soql).await?, crm, org)?;
    first.tell(&mut deal);
    merged::follow(api, &fields, std::slice::from_mut(&mut deal)).await?;
    if let Some(company) = &mut deal.company {
        add_account(api, company).await?;
    }
    mark_signers(&mut deal.contacts, signature);
    Ok(deal)
}

/// A list inside of a record; null where it is empty.
fn taken(record: &mut Value, name: &str) -> Value {
    record.get_mut(name).map(Value::take).unwrap_or_default()
}

/// The history of stages, before its condition.
pub(super) const HISTORY: &str =
    "SELECT OpportunityId, StageName, CreatedDate FROM OpportunityHistory";

/// The first entry of each opportunity into a won stage. The history has a row
/// for changes of amount and date, too, so the first one counts.
#[derive(Debug, Default)]
pub(super) struct FirstWon(pub(super) BTreeMap<DealId, DateTime<Utc>>);

impl FirstWon {
    /// Takes rows of the history in.
    pub(super) fn add(&mut self, rows: &[Value], crm: &CrmName, org: &Org) -> Result<(), CrmError> {
        let won = org.stages.won_names();
        for row in rows {
            let stage = row["StageName"].as_str().unwrap_or_default();
            let Some(id) = record::text(row, "OpportunityId").filter(|_| won.contains(&stage))
            else {
                continue;
            };
            let id = normalise_deal_id(crm, &DealId::new(id));
            let written = row["CreatedDate"].as_str().unwrap_or_default();
            let at = time(written)
                .ok_or_else(|| bad_field("Salesforce", &id, "its history", written, "time"))?;
            let first = self.0.entry(id).or_insert(at);
            *first = at.min(*first);
        }
        Ok(())
    }

    /// Sets the time of winning of a deal that the history knows.
    pub(super) fn tell(&self, deal: &mut Deal) {
        if let Some(at) = self.0.get(&deal.id) {
            record::won_at(deal, *at, "stage history");
        }
    }
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
        Err(failure) if failure.is_hidden() => return Ok(()),
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
