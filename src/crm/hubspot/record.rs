//! HubSpot's records as deals, companies, people and products, read for one deal.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Map, Value};

use super::account::{self, HubSpotAccount, Owners};
use super::api::{Failure, HubSpotApi};
use super::read::{self, Association};
use crate::crm::closed_won::not_after;
use crate::crm::connector::is_number;
use crate::crm::failure::{bad_field, cursor, without_id};
use crate::crm::reading::{RecordBatch, in_parts};
use crate::crm::record::{add_role, figures, mark_signers, role_word, website, won_at};
use crate::crm::{AskedDeal, CrmError};
use crate::model::{
    Company, Contact, CrmName, Deal, DealId, LineItem, Money, Outcome, Properties, RecordKind,
};

// Deals with all that a brief needs.

/// So many reps are asked for one by one; of more the list of all is shorter.
const FEW_OWNERS: usize = 3;

/// A deal's record, with the history of its stage; archived deals too.
pub(super) async fn find(
    api: &HubSpotApi,
    crm: &CrmName,
    id: &DealId,
    properties: &[&str],
) -> Result<Value, CrmError> {
    let mut found = find_all(api, crm, &[id], properties).await?;
    found.pop().expect("each id has its answer")
}

/// The records of deals, in the order of their ids.
async fn find_all(
    api: &HubSpotApi,
    crm: &CrmName,
    ids: &[&DealId],
    properties: &[&str],
) -> Result<Vec<Result<Value, CrmError>>, Failure> {
    let mut open: BTreeSet<String> = ids
        .iter()
        .map(|id| id.as_str().trim())
        .filter(|id| is_number(id))
        .map(str::to_owned)
        .collect();
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    let mut untold = BTreeSet::new();
    for archived in [false, true] {
        let asked: Vec<String> = open.iter().cloned().collect();
        if asked.is_empty() {
            break;
        }
        let read = read::batch(api, "deals", &asked, properties, &["dealstage"], archived).await;
        let batch = match read {
            Ok(batch) => batch,
            Err(failure) if failure.is(StatusCode::NOT_FOUND) && asked.len() == 1 => continue,
            Err(failure) => return Err(failure),
        };
        let alone = (asked.len() == 1 && batch.records.len() == 1).then(|| asked[0].clone());
        for (own, mut record) in batch.records {
            if archived {
                record["archived"] = Value::Bool(true);
            }
            // The survivor of a merge answers for the ids that were merged into it.
            let merged = record["properties"]["hs_merged_object_ids"].as_str().unwrap_or_default();
            let ids = merged.split(';').map(str::trim).chain([own.as_str()]);
            for id in ids.chain(alone.as_deref()) {
                if !batch.absent.contains(id) && open.remove(id) {
                    found.insert(id.to_owned(), record.clone());
                }
            }
        }
        untold.extend(batch.untold);
    }
    untold.retain(|id| open.contains(id));
    if let Some(id) = untold.first().filter(|_| ids.len() > 1) {
        let why = format!("leaves out {} deals without a reason, such as {id}", untold.len());
        return Err(Failure::nonsense("HubSpot", "deals/batch/read", StatusCode::OK, &why));
    }
    let answer = |id: &&DealId| {
        let text = id.as_str().trim();
        if let Some(record) = found.get(text) {
            return Ok(record.clone());
        }
        if untold.contains(text) {
            let why = format!("leaves out deal {text} without a reason");
            return Err(
                Failure::nonsense("HubSpot", "deals/batch/read", StatusCode::OK, &why).error
            );
        }
        let help = if is_number(text) {
            "It may be deleted, merged into another deal, or hidden from the token. The number is \
             the Record ID on the deal's page."
        } else {
            "HubSpot's ids are numbers: the Record ID on the deal's page."
        };
        Err(CrmError::NotFound { crm: crm.clone(), id: (*id).clone(), help: help.to_owned() })
    };
    Ok(ids.iter().map(answer).collect())
}

/// Deals with company, people, products and rep.
pub(super) struct HubSpotDeals<'a> {
    pub(super) api: &'a HubSpotApi,
    pub(super) crm: &'a CrmName,
    pub(super) account: &'a HubSpotAccount,
    pub(super) requested: &'a Properties,
    pub(super) asked: &'a [AskedDeal<'a>],
}

impl HubSpotDeals<'_> {
    /// In their order.
    pub(super) async fn read_all(&self) -> Vec<Result<Deal, CrmError>> {
        let read = in_parts(self, self.asked.len(), read::BATCH_WITH_HISTORY).await;
        read.into_iter().map(|deal| deal.and_then(|deal| deal)).collect()
    }

    async fn add_owners(&self, deals: &mut [Deal]) -> Result<(), Failure> {
        let id_of = |deal: &Deal| owned(&deal.properties, "hubspot_owner_id");
        let ids: BTreeSet<String> = deals.iter().filter_map(id_of).collect();
        let read = async {
            if ids.len() > FEW_OWNERS {
                return account::owners(self.api).await;
            }
            let mut owners = Owners::new();
            for id in ids {
                if let Some(owner) = account::owner(self.api, &id).await? {
                    owners.insert(id, owner);
                }
            }
            Ok(owners)
        };
        let owners = match read.await {
            Ok(owners) => owners,
            // Without the scope for owners the brief says that the rep is unknown.
            Err(failure) if failure.is(StatusCode::FORBIDDEN) => Owners::new(),
            Err(failure) => return Err(failure),
        };
        for deal in deals {
            deal.owner = id_of(deal).and_then(|id| owners.get(&id).cloned());
        }
        Ok(())
    }
}

#[async_trait]
impl RecordBatch for HubSpotDeals<'_> {
    type Item = Result<Deal, CrmError>;

    async fn read(&self, part: Range<usize>) -> Result<Vec<Self::Item>, Failure> {
        let asked = &self.asked[part];
        let won = self.account.stages.won_ids();
        let entered: Vec<String> =
            won.iter().map(|id| format!("hs_v2_date_entered_{id}")).collect();
        let mut properties = with(&DEAL, &self.requested.deal);
        properties.extend(entered.iter().map(String::as_str));
        let ids: Vec<&DealId> = asked.iter().map(|asked| asked.id).collect();
        let records = find_all(self.api, self.crm, &ids, &properties).await?;
        let mut read: Vec<Self::Item> =
            records.into_iter().map(|record| deal(self.crm, &record?, self.account)).collect();
        let mut deals: Vec<Deal> =
            read.iter().filter_map(|deal| deal.as_ref().ok()).cloned().collect();
        self.add_owners(&mut deals).await?;
        for kind in [RecordKind::Company, RecordKind::Contact, RecordKind::LineItem] {
            add_linked(self.api, kind, self.requested, &mut deals, true).await?;
        }
        let places = asked.iter().zip(&mut read).filter(|(_, place)| place.is_ok());
        for ((asked, place), mut deal) in places.zip(deals) {
            mark_signers(&mut deal.contacts, asked.signature);
            *place = Ok(deal);
        }
        Ok(read)
    }
}

/// The company a deal belongs to: the primary one, else the only one. With
/// several and none of them primary, HubSpot does not say.
fn primary(links: &[Association]) -> Option<&String> {
    match links {
        [only] => Some(&only.to),
        several => several.iter().find(|link| link.primary).map(|link| &link.to),
    }
}

/// The records beside deals, with the properties that are wanted of them.
#[derive(Debug, Default)]
struct LinkedRecords {
    links: BTreeMap<String, Vec<Association>>,
    records: BTreeMap<String, Value>,
}

async fn linked(
    api: &HubSpotApi,
    deals: &[String],
    kind: RecordKind,
    requested: &Properties,
    every_company: bool,
) -> Result<LinkedRecords, Failure> {
    let none = BTreeSet::new();
    let always: &[&str] = match kind {
        RecordKind::Deal => &DEAL,
        RecordKind::Company => &COMPANY,
        RecordKind::Contact => &CONTACT,
        RecordKind::LineItem => &LINE_ITEM,
    };
    let properties = with(always, requested.of(kind).unwrap_or(&none));
    let object = read::object(kind);
    let links = read::links(api, "deals", deals, object).await?;
    let needed = links.values().flat_map(|links| match kind {
        RecordKind::Company if !every_company => primary(links).into_iter().cloned().collect(),
        _ => links.iter().map(|link| link.to.clone()).collect::<Vec<_>>(),
    });
    let ids: BTreeSet<String> = needed.collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let records = read::records(api, object, &ids, &properties, &[], false).await?;
    Ok(LinkedRecords { links, records })
}

/// Gives each deal the records of one kind that stand beside it. The company
/// of a deal is its primary one, else the only one; the names of several are
/// told where each company is read.
pub(super) async fn add_linked(
    api: &HubSpotApi,
    kind: RecordKind,
    requested: &Properties,
    deals: &mut [Deal],
    every_company: bool,
) -> Result<(), Failure> {
    let ids: BTreeSet<String> = deals.iter().map(|deal| deal.id.as_str().to_owned()).collect();
    let ids: Vec<String> = ids.into_iter().collect();
    let LinkedRecords { links, records } =
        linked(api, &ids, kind, requested, every_company).await?;
    for deal in deals {
        let Some(links) = links.get(deal.id.as_str()) else { continue };
        let found = || links.iter().filter_map(|link| Some((link, records.get(&link.to)?)));
        match kind {
            RecordKind::Deal => {}
            RecordKind::Company => match primary(links) {
                Some(primary) => deal.company = records.get(primary).map(company),
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
                    found().map(|(link, person)| contact(person, &link.labels)).collect();
            }
            RecordKind::LineItem => {
                deal.line_items = found().map(|(_, item)| line_item(item)).collect();
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

// HubSpot's records as deals, companies, people and products.

/// The properties that every deal is read with.
pub(super) const DEAL: [&str; 14] = [
    "dealname",
    "dealstage",
    "pipeline",
    "closedate",
    "amount",
    "deal_currency_code",
    "amount_in_home_currency",
    "dealtype",
    "hubspot_owner_id",
    "hs_is_closed",
    "hs_is_closed_won",
    "hs_closed_won_date",
    "hs_lastmodifieddate",
    "hs_merged_object_ids",
];

/// The properties that every company is read with.
pub(super) const COMPANY: [&str; 8] = [
    "name",
    "domain",
    "website",
    "industry",
    "numberofemployees",
    "city",
    "country",
    "hs_parent_company_id",
];

/// The properties that every contact is read with.
pub(super) const CONTACT: [&str; 6] =
    ["firstname", "lastname", "email", "phone", "jobtitle", "hs_buying_role"];

/// The properties that every line item is read with.
pub(super) const LINE_ITEM: [&str; 11] = [
    "name",
    "description",
    "quantity",
    "price",
    "amount",
    "discount",
    "hs_discount_percentage",
    "recurringbillingfrequency",
    "hs_recurring_billing_period",
    "hs_recurring_billing_start_date",
    "hs_sku",
];

/// The properties of a record that hold something.
pub(super) fn properties(record: &Value) -> Map<String, Value> {
    let all = record["properties"].as_object().into_iter().flatten();
    all.filter(|(_, value)| !value.is_null() && value.as_str().is_none_or(|t| !t.trim().is_empty()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// A property's text.
pub(super) fn text<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    properties.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn owned(properties: &Map<String, Value>, name: &str) -> Option<String> {
    text(properties, name).map(str::to_owned)
}

/// A deal's own record; people, company and products are added later.
pub(super) fn deal(
    crm: &CrmName,
    record: &Value,
    account: &HubSpotAccount,
) -> Result<Deal, CrmError> {
    let Some(id) = cursor(&record["id"]) else {
        return Err(without_id("HubSpot"));
    };
    let properties = properties(record);
    let deal_id = DealId::new(id.as_str());
    let bad = |property: &str, value: &str, what: &str| {
        bad_field("HubSpot", &deal_id, &format!("property {property}"), value, what)
    };
    let mut deal = Deal::new(crm.clone(), deal_id.clone());
    deal.name = owned(&properties, "dealname");
    deal.url = record["url"]
        .as_str()
        .map(str::to_owned)
        .or_else(|| account.deal_url.as_ref().map(|start| format!("{start}{id}")));
    let currency = owned(&properties, "deal_currency_code").or_else(|| account.currency.clone());
    if let Some(amount) = text(&properties, "amount") {
        let number = amount.parse().map_err(|_| bad("amount", amount, "amount"))?;
        deal.amount = Some(Money::settled(number, currency));
    }
    let pipeline = text(&properties, "pipeline").unwrap_or_default();
    let stage_id = text(&properties, "dealstage").unwrap_or_default();
    let stage = account.stages.stage(pipeline, stage_id);
    deal.pipeline = account.stages.label(pipeline).map(str::to_owned);
    deal.stage = stage.map(|stage| stage.label.clone()).or_else(|| owned(&properties, "dealstage"));
    deal.outcome = if record["archived"] == true {
        Outcome::Gone
    } else {
        // A stage that the metadata does not know was deleted with its pipeline.
        let calculated = match text(&properties, "hs_is_closed_won") {
            Some("true") => Outcome::Won,
            Some("false") if text(&properties, "hs_is_closed") == Some("true") => Outcome::Lost,
            Some("false") => Outcome::Open,
            _ => Outcome::Unknown,
        };
        stage.map_or(calculated, |stage| stage.outcome)
    };
    if let Some((at, evidence)) = time_won(record, &properties, account, deal.outcome, &bad)? {
        won_at(&mut deal, at, &evidence);
    }
    let merged = text(&properties, "hs_merged_object_ids").unwrap_or_default();
    deal.merged_ids =
        merged.split(';').map(str::trim).filter(|id| !id.is_empty()).map(DealId::new).collect();
    deal.properties = properties;
    Ok(deal)
}

/// When the deal was won, from the best evidence there is: the first entry
/// into any won stage in the history; HubSpot's date of entering the stage
/// (off for new pipelines, overwritten on re-entry); its closed-won date; the
/// close date, which people edit. A deal that was won and is not now keeps the
/// time of its history.
fn time_won(
    record: &Value,
    properties: &Map<String, Value>,
    account: &HubSpotAccount,
    outcome: Outcome,
    bad: &dyn Fn(&str, &str, &str) -> CrmError,
) -> Result<Option<(DateTime<Utc>, String)>, CrmError> {
    let won = account.stages.won_ids();
    let history = record.pointer("/propertiesWithHistory/dealstage").and_then(Value::as_array);
    let mut first: Option<DateTime<Utc>> = None;
    for entry in history.into_iter().flatten() {
        if !entry["value"].as_str().is_some_and(|stage| won.contains(stage)) {
            continue;
        }
        let written = entry["timestamp"].as_str().unwrap_or_default();
        let at = time(written).ok_or_else(|| bad("dealstage (history)", written, "time"))?;
        first = Some(first.map_or(at, |before| before.min(at)));
    }
    if let Some(at) = first {
        return Ok(Some((at, "stage history".to_owned())));
    }
    if !matches!(outcome, Outcome::Won | Outcome::Gone) {
        return Ok(None);
    }
    let stage = text(properties, "dealstage").unwrap_or_default();
    if outcome == Outcome::Gone && !won.contains(stage) {
        return Ok(None);
    }
    let entered = format!("hs_v2_date_entered_{stage}");
    for (name, evidence) in [
        (entered.as_str(), "date entered stage"),
        ("hs_closed_won_date", "closed-won date"),
        ("closedate", "close date"),
    ] {
        if let Some(written) = text(properties, name) {
            let at = time(written).ok_or_else(|| bad(name, written, "time"))?;
            let changed = text(properties, "hs_lastmodifieddate").and_then(time);
            return Ok(Some(not_after(at, evidence, changed)));
        }
    }
    Ok(None)
}

/// A time as HubSpot writes it: RFC 3339, or milliseconds since 1970.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.to_utc())
        .ok()
        .or_else(|| DateTime::from_timestamp_millis(text.parse().ok()?))
}

/// A company's record.
pub(super) fn company(record: &Value) -> Company {
    let properties = properties(record);
    let site = text(&properties, "website").or_else(|| text(&properties, "domain")).map(website);
    Company {
        id: cursor(&record["id"]),
        name: owned(&properties, "name"),
        website: site,
        industry: owned(&properties, "industry"),
        employees: text(&properties, "numberofemployees")
            .and_then(|text| text.split('.').next()?.parse().ok()),
        properties,
    }
}

/// A contact's record with the labels of its association.
pub(super) fn contact(record: &Value, labels: &[String]) -> Contact {
    let properties = properties(record);
    let names = [text(&properties, "firstname"), text(&properties, "lastname")];
    let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let mut contact = Contact {
        id: cursor(&record["id"]),
        name: (!name.is_empty()).then_some(name),
        email: owned(&properties, "email"),
        title: owned(&properties, "jobtitle"),
        phone: owned(&properties, "phone"),
        roles: Vec::new(),
        properties: Map::new(),
    };
    for label in labels {
        add_role(&mut contact, role_word(label));
    }
    for role in text(&properties, "hs_buying_role").unwrap_or_default().split(';') {
        add_role(&mut contact, role_word(role));
    }
    contact.properties = properties;
    contact
}

/// A line item's record.
pub(super) fn line_item(record: &Value) -> LineItem {
    let properties = properties(record);
    let number = |name: &str| text(&properties, name)?.parse::<rust_decimal::Decimal>().ok();
    let (quantity, price) = figures(number("quantity"), number("price"));
    LineItem {
        name: owned(&properties, "name"),
        sku: owned(&properties, "hs_sku"),
        quantity,
        price,
        properties,
    }
}
