//! Pipedrive's records as deals, organizations, people and products.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use super::fields::Fields;
use crate::crm::CrmError;
use crate::crm::amount::{number, settle};
use crate::crm::closed_won::not_after;
use crate::crm::failure::{bad_field, without_id};
use crate::crm::people::{add_role, role_word, website};
use crate::model::{Company, Contact, CrmName, Deal, DealId, LineItem, Outcome, Person};

/// What a company's records are read against.
#[derive(Debug)]
pub(super) struct Account {
    /// Where a person sees a deal, up to its id.
    pub(super) deal_url: Option<String>,
    pub(super) fields: Fields,
    pub(super) pipelines: BTreeMap<u64, String>,
    pub(super) stages: BTreeMap<u64, String>,
}

/// A text that is not blank.
pub(super) fn text(record: &Value, name: &str) -> Option<String> {
    let text = record[name].as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A time: RFC 3339 in version 2, `2026-10-12 14:00:00` in UTC in version 1.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok().or_else(|| {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(|at| at.and_utc())
    })
}

/// A deal's own record; people, company and products are added later. Won is a
/// status here, not a stage. An archived deal is out of the way of its rep and
/// stays what it was.
pub(super) fn deal(crm: &CrmName, record: &Value, account: &Account) -> Result<Deal, CrmError> {
    let Some(id) = record["id"].as_u64() else {
        return Err(without_id("Pipedrive"));
    };
    let deal_id = DealId::new(id.to_string());
    let bad = |field: &str, requested: &str| {
        let written = record[field].to_string();
        bad_field("Pipedrive", &deal_id, &format!("field {field}"), &written, requested)
    };
    let mut deal = Deal::new(crm.clone(), deal_id.clone());
    deal.name = text(record, "title");
    deal.url = account.deal_url.as_ref().map(|start| format!("{start}{id}"));
    if !record["value"].is_null() {
        let amount = number(&record["value"]).ok_or_else(|| bad("value", "amount"))?;
        deal.amount = Some(settle(amount, text(record, "currency")));
    }
    let named = |names: &BTreeMap<u64, String>, field: &str| {
        record[field].as_u64().and_then(|id| names.get(&id)).cloned()
    };
    deal.pipeline = named(&account.pipelines, "pipeline_id");
    deal.stage = named(&account.stages, "stage_id");
    let status = record["status"].as_str().unwrap_or_default();
    deal.outcome = match status {
        _ if record["is_deleted"] == true || status == "deleted" => Outcome::Gone,
        "won" => Outcome::Won,
        "lost" => Outcome::Lost,
        "open" => Outcome::Open,
        _ => Outcome::Unknown,
    };
    for (field, evidence) in [("first_won_time", "first won time"), ("won_time", "won time")] {
        if let Some(written) = text(record, field) {
            let at = time(&written).ok_or_else(|| bad(field, "time"))?;
            let changed = text(record, "update_time").and_then(|text| time(&text));
            let (at, evidence) = not_after(at, evidence, changed);
            won_at(&mut deal, at, &evidence);
            break;
        }
    }
    deal.properties = account.fields.properties(record);
    let labels = account.fields.words("label_ids", &record["label_ids"]);
    if !labels.is_empty() {
        deal.properties.insert("labels".to_owned(), labels.into());
    }
    Ok(deal)
}

/// Sets when the deal was won, and how that is known.
pub(super) fn won_at(deal: &mut Deal, at: DateTime<Utc>, evidence: &str) {
    deal.closed_won_at = Some(at);
    deal.closed_won_evidence = Some(evidence.to_owned());
}

/// The first time that a changelog says a deal became won.
pub(super) fn first_won(changelog: &[Value]) -> Option<DateTime<Utc>> {
    let to_won = |change: &&Value| change["field_key"] == "status" && change["new_value"] == "won";
    changelog.iter().filter(to_won).filter_map(|c| time(c["time"].as_str()?)).min()
}

/// An organization.
pub(super) fn company(record: &Value, fields: &Fields) -> Company {
    let properties = fields.properties(record);
    let industry = match &record["industry"] {
        Value::Object(choice) => choice.get("label").and_then(Value::as_str).map(str::to_owned),
        Value::Number(id) => fields.words("industry", &Value::Array(vec![id.clone().into()])).pop(),
        _ => text(record, "industry"),
    };
    Company {
        id: record["id"].as_u64().map(|id| id.to_string()),
        name: text(record, "name"),
        website: text(record, "website").map(|site| website(&site)),
        industry,
        employees: record["employee_count"].as_u64(),
        properties,
    }
}

/// The primary one of e-mail addresses or telephone numbers, else the first.
fn primary(list: &Value) -> Option<String> {
    let list = list.as_array()?;
    let chosen = list.iter().find(|entry| entry["primary"] == true).or_else(|| list.first())?;
    text(chosen, "value")
}

/// Custom fields of a person that say what part somebody has.
const ROLE_FIELDS: [&str; 5] = ["role", "buying_role", "contact_role", "deal_role", "handoff_role"];

/// A person. Pipedrive has no roles: labels and a field named `Role` tell them.
pub(super) fn contact(record: &Value, fields: &Fields) -> Contact {
    let properties = fields.properties(record);
    let mut contact = Contact {
        id: record["id"].as_u64().map(|id| id.to_string()),
        name: text(record, "name"),
        email: primary(&record["emails"]),
        title: text(record, "job_title"),
        phone: primary(&record["phones"]),
        ..Contact::default()
    };
    for label in fields.words("label_ids", &record["label_ids"]) {
        add_role(&mut contact, role_word(&label));
    }
    for (name, value) in &properties {
        if ROLE_FIELDS.contains(&role_word(name).as_str()) {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            let words = values.iter().filter_map(Value::as_str).flat_map(|v| v.split([',', ';']));
            words.for_each(|word| add_role(&mut contact, role_word(word)));
        }
    }
    contact.properties = properties;
    contact
}

/// A product on a deal.
pub(super) fn line_item(record: &Value) -> LineItem {
    LineItem {
        name: text(record, "name"),
        sku: text(record, "code"),
        quantity: number(&record["quantity"]).map(|n| n.normalize().to_string()),
        price: number(&record["item_price"]).map(|n| settle(n, None).amount.to_string()),
        properties: Fields::default().properties(record),
    }
}

/// A user.
pub(super) fn person(record: &Value) -> Person {
    Person { name: text(record, "name"), email: text(record, "email") }
}
