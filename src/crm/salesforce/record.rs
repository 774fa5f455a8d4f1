//! Salesforce's records as deals, accounts, people and products, merged accounts
//! followed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};

use super::api::{Described, SalesforceApi};
use super::update::SalesforceStages;
use super::{SalesforceSettings, soql};
use crate::crm::CrmError;
use crate::crm::closed_won::not_after;
use crate::crm::failure::{Failure, bad_field, without_id};
pub(super) use crate::crm::record::text;
use crate::crm::record::{
    add_role, figures, mark_signers, number, person, role_word, website, won_at,
};
use crate::model::{
    Company, Contact, CrmName, Deal, DealId, LineItem, Money, Outcome, Person, Properties,
    Signature, normalise_deal_id,
};

// Accounts that were merged: Salesforce deletes the one that goes and names
// the one that stays, so a merged account is not a deleted one.

/// The company's property with the id of the account that was merged into it.
pub(super) const MERGED_FROM: &str = "MergedFrom";

/// How often the account that stays may have been merged itself.
const DEEPEST: usize = 5;

/// Accounts of one query: a URL has 16,384 bytes at most.
const IDS: usize = 200;

/// Gives deals of merged accounts the account that stays, and says of how many
/// that was so.
pub(super) async fn follow(
    api: &SalesforceApi,
    fields: &[String],
    deals: &mut [Deal],
) -> Result<usize, Failure> {
    let master = |deal: &Deal| {
        let company = deal.company.as_ref()?;
        company.properties.get(MASTER)?.as_str().map(str::to_owned)
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
            company.properties.shift_remove(MASTER);
            let Some(account) = staying.get(&id) else { continue };
            let mut stays = company_of(&json!({"AccountId": id, "Account": account}));
            let first = company.properties.get(MERGED_FROM).cloned();
            let from = first.or_else(|| company.id.clone().map(Value::String));
            stays.properties.extend(from.map(|from| (MERGED_FROM.to_owned(), from)));
            *company = stays;
        }
    }
    Ok(merged)
}

async fn accounts(
    api: &SalesforceApi,
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
            if let Some(id) = text(&account, "Id") {
                found.insert(id, account);
            }
        }
    }
    Ok(found)
}

// One opportunity with all that a brief needs, in one query.

/// The instance and its stages.
pub(super) async fn org(
    api: &SalesforceApi,
    settings: &SalesforceSettings,
) -> Result<Org, Failure> {
    Ok(Org {
        base: api.base().await?,
        stages: SalesforceStages::read(api).await?,
        currency: settings.currency.clone(),
    })
}

/// An opportunity's record; deleted ones too, until the recycle bin is emptied.
pub(super) async fn find(
    api: &SalesforceApi,
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
    api: &SalesforceApi,
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
    let mut deal = deal(crm, &record, org)?;
    // A child that is empty is null; a long one has pages of its own.
    let roles = api.below(taken(&mut record, "OpportunityContactRoles")).await?;
    deal.contacts = contacts(&roles);
    let items = api.below(taken(&mut record, "OpportunityLineItems")).await?;
    deal.line_items = items.iter().map(line_item).collect();
    let soql = format!("{HISTORY} WHERE OpportunityId = {}", soql::quote(deal.id.as_str()));
    let mut first = FirstWon::default();
    first.add(&api.query(&soql).await?, crm, org)?;
    first.tell(&mut deal);
    follow(api, &fields, std::slice::from_mut(&mut deal)).await?;
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
            let Some(id) = text(row, "OpportunityId").filter(|_| won.contains(&stage)) else {
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
            won_at(deal, *at, "stage history");
        }
    }
}

/// All fields of the account: a mapping may read any of them. An account that
/// may not be read stays as the opportunity's query tells it.
async fn add_account(api: &SalesforceApi, company: &mut Company) -> Result<(), CrmError> {
    let Some(id) = company.id.as_ref().filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))
    else {
        return Ok(());
    };
    let account = match api.get(&format!("sobjects/Account/{id}")).await {
        Ok(account) => account,
        Err(failure) if failure.is_hidden() => return Ok(()),
        Err(failure) => return Err(failure.into()),
    };
    for (name, value) in properties(&account) {
        company.properties.entry(name).or_insert(value);
    }
    if company.website.is_none() {
        company.website = text(&account, "Website").map(|site| website(&site));
    }
    Ok(())
}

// Salesforce's records as deals, accounts, people and products.

/// What an org's records are read against.
#[derive(Debug)]
pub(super) struct Org {
    /// The instance's URL.
    pub(super) base: String,
    pub(super) stages: SalesforceStages,
    /// The currency of amounts without their own.
    pub(super) currency: Option<String>,
}

/// The fields of a record that hold something; records beside it left out.
pub(super) fn properties(record: &Value) -> Map<String, Value> {
    let fields = record.as_object().into_iter().flatten();
    fields
        .filter(|(_, value)| match value {
            Value::Null | Value::Object(_) => false,
            Value::String(text) => !text.trim().is_empty(),
            _ => true,
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// An opportunity's own record; history, people and products are added later.
pub(super) fn deal(crm: &CrmName, record: &Value, org: &Org) -> Result<Deal, CrmError> {
    let Some(id) = text(record, "Id").map(|id| normalise_deal_id(crm, &DealId::new(id))) else {
        return Err(without_id("Salesforce"));
    };
    let bad = |field: &str, requested: &str| {
        bad_field(
            "Salesforce",
            &id,
            &format!("field {field}"),
            &record[field].to_string(),
            requested,
        )
    };
    let mut deal = Deal::new(crm.clone(), id.clone());
    deal.name = text(record, "Name");
    deal.url = Some(format!("{}/lightning/r/Opportunity/{id}/view", org.base));
    if !record["Amount"].is_null() {
        let amount = number(&record["Amount"]).ok_or_else(|| bad("Amount", "amount"))?;
        let currency = text(record, "CurrencyIsoCode").or_else(|| org.currency.clone());
        deal.amount = Some(Money::settled(amount, currency));
    }
    deal.stage = text(record, "StageName");
    deal.pipeline = text(&record["RecordType"], "Name");
    let closed = (record["IsWon"].as_bool(), record["IsClosed"].as_bool());
    deal.outcome = match closed {
        _ if record["IsDeleted"] == true => Outcome::Gone,
        (Some(true), _) => Outcome::Won,
        (_, Some(true)) => Outcome::Lost,
        (_, Some(false)) => Outcome::Open,
        _ => deal.stage.as_deref().and_then(|s| org.stages.outcome(s)).unwrap_or(Outcome::Unknown),
    };
    if matches!(deal.outcome, Outcome::Won | Outcome::Gone) && record["IsWon"] == true {
        let changed = text(record, "LastStageChangeDate");
        let closed = text(record, "CloseDate");
        if let Some(written) = changed {
            let at = time(&written).ok_or_else(|| bad("LastStageChangeDate", "time"))?;
            won_at(&mut deal, at, "last stage change");
        } else if let Some(written) = closed {
            let day: NaiveDate = written.parse().map_err(|_| bad("CloseDate", "day"))?;
            let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
            let changed = text(record, "SystemModstamp").and_then(|text| time(&text));
            let (at, evidence) = not_after(midnight, "close date", changed);
            won_at(&mut deal, at, &evidence);
        }
    }
    let owner = &record["Owner"];
    deal.owner = owner
        .is_object()
        .then(|| person(owner, "Name", "Email"))
        .filter(|person| *person != Person::default());
    deal.company = record["Account"].is_object().then(|| company_of(record));
    deal.properties = properties(record);
    // The parts of the record beside it that a mapping or a rule may ask for.
    for (key, value) in
        [("Owner.IsActive", &owner["IsActive"]), ("RecordType.Name", &record["RecordType"]["Name"])]
    {
        if !value.is_null() {
            deal.properties.insert(key.to_owned(), value.clone());
        }
    }
    for list in ["OpportunityContactRoles", "OpportunityLineItems", "attributes"] {
        deal.properties.shift_remove(list);
    }
    Ok(deal)
}

/// A time as Salesforce writes it: `2026-10-30T16:42:11.000+0000`.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z")
        .or_else(|_| DateTime::parse_from_rfc3339(text))
        .ok()
        .map(|at| at.to_utc())
}

/// The account's field with the one that it was merged into.
pub(super) const MASTER: &str = "MasterRecordId";

/// The account beside an opportunity, as far as the query tells of it.
pub(super) fn company_of(record: &Value) -> Company {
    let account = &record["Account"];
    let mut properties = properties(account);
    if let Some(parent) = text(&account["Parent"], "Name") {
        properties.insert("Parent.Name".to_owned(), parent.into());
    }
    Company {
        id: text(record, "AccountId").or_else(|| text(account, "Id")),
        name: text(account, "Name"),
        website: text(account, "Website").map(|site| website(&site)),
        industry: text(account, "Industry"),
        employees: account["NumberOfEmployees"].as_u64(),
        properties,
    }
}

/// The people of contact roles: a contact may hold several.
pub(super) fn contacts(roles: &[Value]) -> Vec<Contact> {
    let mut contacts: Vec<Contact> = Vec::new();
    for role in roles {
        let person = &role["Contact"];
        let id = text(role, "ContactId").or_else(|| text(person, "Id"));
        let known = contacts.iter().position(|contact| id.is_some() && contact.id == id);
        let at = known.unwrap_or_else(|| {
            contacts.push(Contact {
                id,
                name: text(person, "Name"),
                email: text(person, "Email"),
                title: text(person, "Title"),
                phone: text(person, "Phone"),
                roles: Vec::new(),
                properties: properties(person),
            });
            contacts.len() - 1
        });
        if let Some(role) = text(role, "Role") {
            add_role(&mut contacts[at], role_word(&role));
        }
        if role["IsPrimary"] == true {
            contacts[at].properties.insert("IsPrimary".to_owned(), Value::Bool(true));
        }
    }
    contacts
}

/// A line item. Its own name repeats the opportunity's; the product's is the one.
pub(super) fn line_item(record: &Value) -> LineItem {
    let (quantity, price) = figures(number(&record["Quantity"]), number(&record["UnitPrice"]));
    LineItem {
        name: text(&record["Product2"], "Name").or_else(|| text(record, "Name")),
        sku: text(record, "ProductCode"),
        quantity,
        price,
        properties: properties(record),
    }
}
