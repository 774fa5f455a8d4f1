//! Salesforce's records as deals, accounts, people and products, merged accounts
//! followed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};

use super::api::{Described, MERGED_FROM, SalesforceApi};
use super::stages::SalesforceStages;
use super::{SalesforceSettings, soql};
use crate::crm::closed_won::not_after;
use crate::crm::failure::{Failure, bad_field, without_id};
use crate::crm::reading::{RecordBatch, in_parts};
pub(super) use crate::crm::record::text;
use crate::crm::record::{
    add_role, figures, mark_signers, number, person, role_word, website, won_at,
};
use crate::crm::{AskedDeal, CrmError};
use crate::model::{
    Company, Contact, CrmName, Deal, DealId, LineItem, Money, Outcome, Person, Properties,
    normalise_deal_id,
};

// Accounts that were merged: Salesforce deletes the one that goes and names
// the one that stays, so a merged account is not a deleted one.

/// How often the account that stays may have been merged itself.
const DEEPEST: usize = 5;

/// Records of one query by their ids: an address with its headers has 16,384
/// bytes at most.
const IDS: usize = 200;

/// What of them a query may take: tokens in headers are long, too.
const ADDRESS: usize = 10_000;

/// So many records a query with this before its ids may ask for.
pub(super) fn ids_at_once(api: &SalesforceApi, select: &str) -> usize {
    // What an id takes of an address: `'006…', `, encoded.
    const ID: usize = 18 + "%27%27%2C+".len();
    let query = api.query_path(select, true).len();
    (ADDRESS.saturating_sub(query) / ID).clamp(1, IDS)
}

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
    let select = format!("SELECT Id, {} FROM Account WHERE Id IN", own.join(", "));
    for ids in ids.chunks(ids_at_once(api, &select)) {
        let soql = format!("{select} {}", soql::list(ids.iter().copied()));
        for account in api.query(&soql).await? {
            if let Some(id) = text(&account, "Id") {
                found.insert(id, account);
            }
        }
    }
    Ok(found)
}

// Opportunities with all that a brief needs, in one query.

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
    find_all(api, crm, &[id], select).await?.pop().expect("each id has its answer")
}

/// The records of opportunities, in the order of their ids.
async fn find_all(
    api: &SalesforceApi,
    crm: &CrmName,
    ids: &[&DealId],
    select: &[String],
) -> Result<Vec<Result<Value, CrmError>>, Failure> {
    let full: Vec<DealId> = ids.iter().map(|id| normalise_deal_id(crm, id)).collect();
    let is_id = |id: &&str| id.len() == 18 && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let asked: BTreeSet<&str> = full.iter().map(DealId::as_str).filter(is_id).collect();
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    if !asked.is_empty() {
        let select = select.join(", ");
        let soql = format!(
            "SELECT {select} FROM Opportunity WHERE Id IN {}",
            soql::list(asked.iter().copied())
        );
        for record in api.query(&soql).await? {
            found.extend(text(&record, "Id").map(|id| (id, record)));
        }
    }
    let answer = |(id, full): (&&DealId, &DealId)| {
        if let Some(record) = found.get(full.as_str()) {
            return Ok(record.clone());
        }
        let help = if is_id(&full.as_str()) {
            "It may be deleted for good, or not shared with the app's user. An opportunity's id \
             begins with 006."
        } else {
            "Salesforce's ids have 15 or 18 letters and digits: those in the address of the \
             opportunity's page."
        };
        Err(CrmError::NotFound { crm: crm.clone(), id: (*id).clone(), help: help.to_owned() })
    };
    Ok(ids.iter().zip(&full).map(answer).collect())
}

/// Opportunities with account, people, products, rep and time of winning.
pub(super) struct SalesforceDeals<'a> {
    api: &'a SalesforceApi,
    crm: &'a CrmName,
    org: &'a Org,
    fields: Vec<String>,
    /// The fields with the lists below an opportunity.
    select: Vec<String>,
    asked: &'a [AskedDeal<'a>],
}

impl<'a> SalesforceDeals<'a> {
    pub(super) fn new(
        api: &'a SalesforceApi,
        crm: &'a CrmName,
        org: &'a Org,
        described: &Described,
        requested: &Properties,
        asked: &'a [AskedDeal<'a>],
    ) -> Self {
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
        Self { api, crm, org, fields, select, asked }
    }

    /// In their order.
    pub(super) async fn read_all(&self) -> Vec<Result<Deal, CrmError>> {
        let at_once = ids_at_once(self.api, &self.select.join(", "));
        let read = in_parts(self, self.asked.len(), at_once).await;
        read.into_iter().map(|deal| deal.and_then(|deal| deal)).collect()
    }

    /// One opportunity with the lists below it.
    async fn with_lists(&self, record: Result<Value, CrmError>) -> Result<Deal, CrmError> {
        let mut record = record?;
        let mut deal = deal(self.crm, &record, self.org)?;
        // A child that is empty is null; a long one has pages of its own.
        let roles = self.api.below(taken(&mut record, "OpportunityContactRoles")).await?;
        deal.contacts = contacts(&roles);
        let items = self.api.below(taken(&mut record, "OpportunityLineItems")).await?;
        deal.line_items = items.iter().map(line_item).collect();
        Ok(deal)
    }
}

#[async_trait]
impl RecordBatch for SalesforceDeals<'_> {
    type Item = Result<Deal, CrmError>;

    async fn read(&self, part: Range<usize>) -> Result<Vec<Self::Item>, Failure> {
        let asked = &self.asked[part];
        let ids: Vec<&DealId> = asked.iter().map(|asked| asked.id).collect();
        let mut read = Vec::with_capacity(asked.len());
        for record in find_all(self.api, self.crm, &ids, &self.select).await? {
            read.push(self.with_lists(record).await);
        }
        let mut deals: Vec<Deal> =
            read.iter().filter_map(|deal| deal.as_ref().ok()).cloned().collect();
        if !deals.is_empty() {
            let ids = soql::list(deals.iter().map(|deal| deal.id.as_str()));
            let soql = format!("{HISTORY} WHERE OpportunityId IN {ids}");
            let mut first = FirstWon::default();
            let rows = self.api.query(&soql).await?;
            first.add(&rows, self.crm, self.org).map_err(Failure::of_data)?;
            deals.iter_mut().for_each(|deal| first.tell(deal));
            follow(self.api, &self.fields, &mut deals).await?;
            add_accounts(self.api, &mut deals).await?;
        }
        let places = asked.iter().zip(&mut read).filter(|(_, place)| place.is_ok());
        for ((asked, place), mut deal) in places.zip(deals) {
            mark_signers(&mut deal.contacts, asked.signature);
            *place = Ok(deal);
        }
        Ok(read)
    }
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

/// All fields of the accounts: a mapping may read any of them. An account that
/// may not be read stays as the opportunity's query tells it.
async fn add_accounts(api: &SalesforceApi, deals: &mut [Deal]) -> Result<(), Failure> {
    let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let ids: BTreeSet<&str> = deals
        .iter()
        .filter_map(|deal| deal.company.as_ref()?.id.as_deref())
        .filter(is_id)
        .collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut accounts = BTreeMap::new();
    for ids in ids.chunks(IDS) {
        // All fields at once are given of 200 records at most, with that limit written down.
        let ids = soql::list(ids.iter().copied());
        let soql = format!("SELECT FIELDS(ALL) FROM Account WHERE Id IN {ids} LIMIT {IDS}");
        match api.all(&api.query_path(&soql, false)).await {
            Ok(records) => {
                let by_id = |record: Value| Some((text(&record, "Id")?, record));
                accounts.extend(records.into_iter().filter_map(by_id));
            }
            Err(failure) if failure.is_hidden() => return Ok(()),
            Err(failure) => return Err(failure),
        }
    }
    for company in deals.iter_mut().filter_map(|deal| deal.company.as_mut()) {
        let Some(account) = company.id.as_ref().and_then(|id| accounts.get(id)) else { continue };
        for (name, value) in properties(account) {
            company.properties.entry(name).or_insert(value);
        }
        if company.website.is_none() {
            company.website = text(account, "Website").map(|site| website(&site));
        }
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

/// The account beside an opportunity, as far as the query returns it.
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
