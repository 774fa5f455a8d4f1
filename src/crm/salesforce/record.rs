//! Salesforce's records as deals, accounts, people and products.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

use super::stages::Stages;
use crate::crm::CrmError;
use crate::crm::amount::{number, settle};
use crate::crm::closed_won::not_after;
use crate::crm::failure::{bad_field, without_id};
use crate::crm::people::{add_role, role_word, website};
use crate::model::{
    Company, Contact, CrmName, Deal, DealId, LineItem, Outcome, Person, normalise_deal_id,
};

/// What an org's records are read against.
#[derive(Debug)]
pub(super) struct Org {
    /// The instance's URL.
    pub(super) base: String,
    pub(super) stages: Stages,
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

/// A field's text.
pub(super) fn text(record: &Value, name: &str) -> Option<String> {
    let text = record[name].as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
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
        deal.amount = Some(settle(amount, currency));
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
        .then(|| Person { name: text(owner, "Name"), email: text(owner, "Email") })
        .filter(|person| *person != Person::default());
    deal.company = record["Account"].is_object().then(|| company(record));
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

/// Sets when the deal was won, and how that is known.
pub(super) fn won_at(deal: &mut Deal, at: DateTime<Utc>, evidence: &str) {
    deal.closed_won_at = Some(at);
    deal.closed_won_evidence = Some(evidence.to_owned());
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
pub(super) fn company(record: &Value) -> Company {
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
    LineItem {
        name: text(&record["Product2"], "Name").or_else(|| text(record, "Name")),
        sku: text(record, "ProductCode"),
        quantity: number(&record["Quantity"]).map(|n| n.normalize().to_string()),
        price: number(&record["UnitPrice"]).map(|n| settle(n, None).amount.to_string()),
        properties: properties(record),
    }
}
