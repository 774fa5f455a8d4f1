//! Pipedrive's records as deals, organizations, people and products, with custom
//! fields by their names.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, Utc};
use http::StatusCode;
use serde_json::{Map, Value};

use super::PipedriveSettings;
use super::api::{BY_IDS, PipedriveApi};
use crate::crm::closed_won::not_after;
use crate::crm::failure::{Failure, bad_field, without_id};
use crate::crm::reading::{RecordBatch, in_parts};
use crate::crm::record::{add_role, figures, mark_signers, number, role_word, website};
pub(super) use crate::crm::record::{text, won_at};
use crate::crm::requested_properties::KnownProperties;
use crate::crm::{AskedDeal, CrmError};
use crate::model::{
    Company, Contact, CrmName, Deal, DealId, LineItem, Money, Outcome, Person, RecordKind,
};

// Custom fields by their names. Pipedrive keeps them under random keys that
// differ from company to company, and choices as numbers.

/// One field of an object.
#[derive(Debug, Default)]
struct PipedriveField {
    name: String,
    custom: bool,
    options: BTreeMap<u64, String>,
}

/// The fields of an object, by key.
#[derive(Debug, Default)]
pub(super) struct PipedriveFields(BTreeMap<String, PipedriveField>);

impl PipedriveFields {
    /// Asks for the fields of `deal`, `organization` or `person`.
    pub(super) async fn read(api: &PipedriveApi, object: &str) -> Result<Self, Failure> {
        let list = api.list(&api.v2(&format!("{object}Fields"))).await?;
        let field = |field: &Value| {
            let options = field["options"].as_array().into_iter().flatten();
            let options = options.filter_map(|option| {
                Some((option["id"].as_u64()?, option["label"].as_str()?.to_owned()))
            });
            let read = PipedriveField {
                name: field["field_name"].as_str().unwrap_or_default().to_owned(),
                custom: field["is_custom_field"] == true,
                options: options.collect(),
            };
            Some((field["field_code"].as_str()?.to_owned(), read))
        };
        Ok(Self(list.iter().filter_map(field).collect()))
    }

    /// All names and keys.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let names = self.0.iter().flat_map(|(code, field)| [code, &field.name]);
        names.cloned().collect()
    }

    /// An error for names among these that several custom fields have.
    pub(super) fn told_apart(&self, names: &BTreeSet<String>) -> Result<(), CrmError> {
        for name in names {
            let keys: Vec<&str> = self
                .0
                .iter()
                .filter(|(_, field)| field.custom && field.name == *name)
                .map(|(code, _)| code.as_str())
                .collect();
            if keys.len() > 1 {
                return Err(CrmError::Settings {
                    message: format!(
                        "handoff.yaml reads {name}, and Pipedrive has {} deal fields of that name.",
                        keys.len()
                    ),
                    help: format!("Use the key of the one that is meant: {}.", keys.join(", ")),
                });
            }
        }
        Ok(())
    }

    /// A record's properties: what it holds itself, its custom fields under
    /// their names, with the words of choices, and under their keys.
    pub(super) fn properties(&self, record: &Value) -> Map<String, Value> {
        let mut properties = Map::new();
        for (code, value) in record.as_object().into_iter().flatten() {
            if code != "custom_fields" && holds(value) {
                properties.insert(code.clone(), value.clone());
            }
        }
        for (code, value) in record["custom_fields"].as_object().into_iter().flatten() {
            let field = self.0.get(code);
            let Some(value) = holds(value).then(|| told(value, field)).filter(holds) else {
                continue;
            };
            if let Some(field) = field.filter(|field| !field.name.is_empty()) {
                properties.entry(field.name.clone()).or_insert_with(|| value.clone());
            }
            properties.insert(code.clone(), value);
        }
        properties
    }

    /// The words of choices in a field of Pipedrive's own, such as `label_ids`.
    pub(super) fn words(&self, code: &str, ids: &Value) -> Vec<String> {
        let options = self.0.get(code).map(|field| &field.options);
        let ids = ids.as_array().into_iter().flatten().filter_map(Value::as_u64);
        ids.filter_map(|id| options?.get(&id).cloned()).collect()
    }
}

/// What Pipedrive's deals hold in its own words, whether or not it lists them
/// as fields, and what [`super::record`] adds.
const OF_DEALS: [&str; 14] = [
    "id",
    "title",
    "status",
    "value",
    "currency",
    "stage_id",
    "pipeline_id",
    "won_time",
    "first_won_time",
    "close_time",
    "expected_close_date",
    "is_archived",
    "label_ids",
    "labels",
];

#[async_trait]
impl KnownProperties for PipedriveApi {
    fn called(&self, kind: RecordKind) -> (&'static str, &'static str) {
        let records = match kind {
            RecordKind::Deal => "deals",
            RecordKind::Company => "organizations",
            RecordKind::Contact => "persons",
            RecordKind::LineItem => "products",
        };
        ("Pipedrive", records)
    }

    /// Products on a deal have no list of fields.
    async fn names(&self, kind: RecordKind) -> Result<Option<BTreeSet<String>>, Failure> {
        let (object, more): (_, &[&str]) = match kind {
            RecordKind::Deal => ("deal", &OF_DEALS),
            RecordKind::Company => ("organization", &[]),
            RecordKind::Contact => ("person", &[]),
            RecordKind::LineItem => return Ok(None),
        };
        let mut names = PipedriveFields::read(self, object).await?.names();
        names.extend(more.iter().map(|&name| name.to_owned()));
        Ok(Some(names))
    }
}

fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}

/// A custom field's value for people: a choice's words, an address in one
/// line, money with its currency.
fn told(value: &Value, field: Option<&PipedriveField>) -> Value {
    let word = |id: u64| field.and_then(|field| field.options.get(&id)).map(|w| w.clone().into());
    match value {
        Value::Object(parts) => {
            if let Some(label) = parts.get("label").filter(|label| label.is_string()) {
                return label.clone();
            }
            match (parts.get("value"), parts.get("currency").and_then(Value::as_str)) {
                (Some(Value::Null), _) => Value::Null,
                (Some(amount), Some(currency)) => format!("{amount} {currency}").into(),
                (Some(text @ Value::String(_)), None) => text.clone(),
                _ => value.clone(),
            }
        }
        Value::Array(list) => list.iter().map(|item| told(item, field)).collect(),
        Value::Number(number) => number.as_u64().and_then(word).unwrap_or_else(|| value.clone()),
        _ => value.clone(),
    }
}

// Deals with all that a brief needs.

/// So many reps are asked for one by one; of more the list of all is shorter.
const FEW_OWNERS: usize = 3;

/// The company's fields, pipelines and stages. A token of another company than
/// the configured one is refused before anything is read.
pub(super) async fn account(
    api: &PipedriveApi,
    settings: &PipedriveSettings,
) -> Result<PipedriveAccount, CrmError> {
    let path = api.v1("users/me");
    let me = api.get(&path).await?;
    if !me.is_object() {
        return Err(Failure::nonsense("Pipedrive", &path, StatusCode::OK, "names no user").into());
    }
    let actual = me["company_id"].as_u64();
    if let (Some(requested), Some(actual)) = (settings.company_id, actual)
        && requested != actual
    {
        return Err(CrmError::Settings {
            message: format!(
                "The Pipedrive token belongs to company {actual}, not to {requested}."
            ),
            help: "Set PIPEDRIVE_TOKEN to a token of the right company, or fix \
                   crm.pipedrive.company_id."
                .to_owned(),
        });
    }
    Ok(PipedriveAccount {
        deal_url: page(&me),
        fields: PipedriveFields::read(api, "deal").await?,
        pipelines: names(api, "pipelines").await?,
        stages: names(api, "stages").await?,
    })
}

/// Where a person of the company sees a deal, up to its id.
pub(super) fn page(me: &Value) -> Option<String> {
    let domain = text(me, "company_domain")
        .filter(|domain| domain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    domain.map(|domain| format!("https://{domain}.pipedrive.com/deal/"))
}

async fn names(api: &PipedriveApi, object: &str) -> Result<BTreeMap<u64, String>, Failure> {
    let list = api.list(&api.v2(object)).await?;
    Ok(list.iter().filter_map(|r| Some((r["id"].as_u64()?, text(r, "name")?))).collect())
}

/// A deal's record. The id of a deal that was merged gives the one it is in now.
pub(super) async fn find(
    api: &PipedriveApi,
    crm: &CrmName,
    id: &DealId,
) -> Result<Value, CrmError> {
    let not_found =
        |help: &str| CrmError::NotFound { crm: crm.clone(), id: id.clone(), help: help.to_owned() };
    let mut number: u64 = id.as_str().trim().parse().map_err(|_| {
        not_found("Pipedrive's ids are numbers: the one in the address of the deal's page.")
    })?;
    for _ in 0..5 {
        let path = api.v2(&format!(
            "deals/{number}?include_fields=first_won_time&include_option_labels=true"
        ));
        let record = match api.get(&path).await {
            Ok(record) if record.is_object() => record,
            Ok(_) => break,
            Err(failure) if failure.is(StatusCode::NOT_FOUND) => break,
            Err(failure) => return Err(failure.into()),
        };
        match record["merged_to_id"].as_u64() {
            Some(survivor) if survivor != number => number = survivor,
            _ => return Ok(record),
        }
    }
    Err(not_found(
        "It may be deleted for more than 30 days, merged into another deal, or hidden from the token's user.",
    ))
}

/// The records of deals, in the order of their ids: from the lists, which say
/// nothing of an id that they do not have; that one is asked for alone.
async fn find_all(
    api: &PipedriveApi,
    crm: &CrmName,
    ids: &[&DealId],
) -> Result<Vec<Result<Value, CrmError>>, Failure> {
    let number = |id: &DealId| id.as_str().trim().parse::<u64>().ok();
    let mut open: BTreeSet<u64> = ids.iter().filter_map(|id| number(id)).collect();
    let mut found: BTreeMap<u64, Value> = BTreeMap::new();
    for list in ["deals?", "deals/archived?"] {
        let asked: Vec<String> = open.iter().map(u64::to_string).collect();
        if asked.len() < 2 {
            break;
        }
        let more = "include_fields=first_won_time&include_option_labels=true";
        let path = api.v2(&format!("{list}ids={}&{more}", asked.join(",")));
        for record in api.list(&path).await? {
            // One that was merged into another is that other one now.
            if let Some(id) = record["id"].as_u64().filter(|_| record["merged_to_id"].is_null())
                && open.remove(&id)
            {
                found.insert(id, record);
            }
        }
    }
    let mut records = Vec::with_capacity(ids.len());
    for id in ids {
        records.push(match number(id).and_then(|id| found.get(&id)) {
            Some(record) => Ok(record.clone()),
            None => find(api, crm, id).await,
        });
    }
    Ok(records)
}

/// Deals with organization, people, products, rep and time of winning.
pub(super) struct PipedriveDeals<'a> {
    pub(super) api: &'a PipedriveApi,
    pub(super) crm: &'a CrmName,
    pub(super) account: &'a PipedriveAccount,
    pub(super) asked: &'a [AskedDeal<'a>],
}

impl PipedriveDeals<'_> {
    /// In their order.
    pub(super) async fn read_all(&self) -> Vec<Result<Deal, CrmError>> {
        let read = in_parts(self, self.asked.len(), BY_IDS).await;
        read.into_iter().map(|deal| deal.and_then(|deal| deal)).collect()
    }

    fn deal(&self, asked: &AskedDeal<'_>, record: &Value) -> Result<Deal, CrmError> {
        let mut deal = deal(self.crm, record, self.account)?;
        if deal.id.as_str() != asked.id.as_str().trim() {
            deal.merged_ids.push(DealId::new(asked.id.as_str().trim()));
        }
        Ok(deal)
    }

    async fn add_owners(&self, deals: &mut [Deal]) -> Result<(), Failure> {
        let ids: BTreeSet<u64> = deals.iter().filter_map(|deal| id_in(deal, "owner_id")).collect();
        let read = async {
            if ids.len() > FEW_OWNERS {
                let users = self.api.list(&self.api.v1("users")).await?;
                return Ok(by_id(&users).into_iter().map(|(id, it)| (id, person(it))).collect());
            }
            let mut owners: BTreeMap<u64, Person> = BTreeMap::new();
            for id in ids {
                match self.api.get(&self.api.v1(&format!("users/{id}"))).await {
                    Ok(user) => drop(owners.insert(id, person(&user))),
                    Err(failure) if failure.is_hidden() => {}
                    Err(failure) => return Err(failure),
                }
            }
            Ok(owners)
        };
        let owners: BTreeMap<u64, Person> = match read.await {
            Ok(owners) => owners,
            Err(failure) if failure.is_hidden() => BTreeMap::new(),
            Err(failure) => return Err(failure),
        };
        for deal in deals {
            deal.owner = id_in(deal, "owner_id").and_then(|id| owners.get(&id).cloned());
        }
        Ok(())
    }

    /// The time of winning as the changelog has it, which is one of each deal.
    async fn with_history(&self, mut deal: Deal) -> Result<Deal, CrmError> {
        match changelog(self.api, deal.id.as_str()).await {
            Ok(changes) => {
                if let Some(at) = first_won(&changes) {
                    won_at(&mut deal, at, "status history");
                }
                Ok(deal)
            }
            // Where the changelog may not be read, the deal's own time stands.
            Err(failure) if failure.is_hidden() => Ok(deal),
            Err(failure) => Err(failure.into()),
        }
    }
}

#[async_trait]
impl RecordBatch for PipedriveDeals<'_> {
    type Item = Result<Deal, CrmError>;

    async fn read(&self, part: Range<usize>) -> Result<Vec<Self::Item>, Failure> {
        let asked = &self.asked[part];
        let ids: Vec<&DealId> = asked.iter().map(|asked| asked.id).collect();
        let records = find_all(self.api, self.crm, &ids).await?;
        let mut read: Vec<Self::Item> =
            asked.iter().zip(records).map(|(asked, record)| self.deal(asked, &record?)).collect();
        let mut deals: Vec<Deal> =
            read.iter().filter_map(|deal| deal.as_ref().ok()).cloned().collect();
        self.add_owners(&mut deals).await?;
        add_companies(self.api, &mut deals).await?;
        add_contacts(self.api, &mut deals).await?;
        add_products(self.api, &mut deals).await?;
        let places = asked.iter().zip(&mut read).filter(|(_, place)| place.is_ok());
        for ((asked, place), mut deal) in places.zip(deals) {
            mark_signers(&mut deal.contacts, asked.signature);
            *place = self.with_history(deal).await;
        }
        Ok(read)
    }
}

/// A deal's changes; `won_time` can be set by hand, this cannot.
pub(super) async fn changelog(api: &PipedriveApi, id: &str) -> Result<Vec<Value>, Failure> {
    api.list(&api.v1(&format!("deals/{id}/changelog"))).await
}

/// A number among a deal's own properties.
fn id_in(deal: &Deal, name: &str) -> Option<u64> {
    deal.properties.get(name)?.as_u64()
}

/// Gives each deal its organization, each of which is asked for once.
pub(super) async fn add_companies(api: &PipedriveApi, deals: &mut [Deal]) -> Result<(), Failure> {
    let ids: BTreeSet<u64> = deals.iter().filter_map(|deal| id_in(deal, "org_id")).collect();
    let ids: Vec<u64> = ids.into_iter().collect();
    let found = api.by_ids("organizations", &ids).await?;
    let fields = fields_for(api, "organization", &found).await?;
    let found = by_id(&found);
    for deal in deals {
        let org = id_in(deal, "org_id").and_then(|id| found.get(&id));
        deal.company = org.map(|org| company(org, &fields));
    }
    Ok(())
}

/// Gives each deal its person and its participants, each once. Participants
/// are asked for deal by deal: there is no other way.
pub(super) async fn add_contacts(api: &PipedriveApi, deals: &mut [Deal]) -> Result<(), Failure> {
    let mut on_deals: Vec<Vec<u64>> = Vec::with_capacity(deals.len());
    for deal in deals.iter() {
        on_deals.push(in_order(api, deal.id.as_str(), id_in(deal, "person_id")).await?);
    }
    let all: BTreeSet<u64> = on_deals.iter().flatten().copied().collect();
    let people = api.by_ids("persons", &all.into_iter().collect::<Vec<_>>()).await?;
    let fields = fields_for(api, "person", &people).await?;
    let people = by_id(&people);
    for (deal, ids) in deals.iter_mut().zip(on_deals) {
        let people = ids.iter().filter_map(|id| people.get(id));
        deal.contacts = people.map(|person| contact(person, &fields)).collect();
    }
    Ok(())
}

/// The person of a deal and its participants, each once.
async fn in_order(
    api: &PipedriveApi,
    deal: &str,
    person: Option<u64>,
) -> Result<Vec<u64>, Failure> {
    let mut ids: Vec<u64> = person.into_iter().collect();
    for participant in api.list(&api.v1(&format!("deals/{deal}/participants"))).await? {
        let person = participant["person_id"]["value"].as_u64();
        if let Some(person) = person.or_else(|| participant["person"]["id"].as_u64())
            && !ids.contains(&person)
        {
            ids.push(person);
        }
    }
    Ok(ids)
}

/// The people of a deal.
pub(super) async fn people(
    api: &PipedriveApi,
    deal: u64,
    person: Option<u64>,
) -> Result<BTreeSet<u64>, Failure> {
    Ok(in_order(api, &deal.to_string(), person).await?.into_iter().collect())
}

/// Gives each deal its products, of a hundred deals in a request.
pub(super) async fn add_products(api: &PipedriveApi, deals: &mut [Deal]) -> Result<(), Failure> {
    for chunk in deals.chunks_mut(100) {
        let path = match &*chunk {
            [deal] => format!("deals/{}/products", deal.id),
            several => {
                let ids: Vec<&str> = several.iter().map(|deal| deal.id.as_str()).collect();
                format!("deals/products?deal_ids={}", ids.join(","))
            }
        };
        let products = api.list(&api.v2(&path)).await?;
        let bought = || products.iter().filter(|product| product["is_enabled"] != false);
        for deal in chunk {
            let of = |product: &&Value| {
                product["deal_id"].as_u64().is_none_or(|id| deal.id.as_str() == id.to_string())
            };
            deal.line_items = bought().filter(of).map(line_item).collect();
        }
    }
    Ok(())
}

pub(super) fn by_id(records: &[Value]) -> BTreeMap<u64, &Value> {
    records.iter().filter_map(|record| Some((record["id"].as_u64()?, record))).collect()
}

/// The fields of an object, asked for only where a record needs them.
async fn fields_for(
    api: &PipedriveApi,
    object: &str,
    records: &[Value],
) -> Result<PipedriveFields, Failure> {
    let filled = |record: &Value| {
        record["custom_fields"].as_object().is_some_and(|fields| !fields.is_empty())
            || record["label_ids"].as_array().is_some_and(|labels| !labels.is_empty())
            || record["industry"].is_number()
    };
    if records.iter().any(filled) {
        PipedriveFields::read(api, object).await
    } else {
        Ok(PipedriveFields::default())
    }
}

// Pipedrive's records as deals, organizations, people and products.

/// What a company's records are read against.
#[derive(Debug)]
pub(super) struct PipedriveAccount {
    /// Where a person sees a deal, up to its id.
    pub(super) deal_url: Option<String>,
    pub(super) fields: PipedriveFields,
    pub(super) pipelines: BTreeMap<u64, String>,
    pub(super) stages: BTreeMap<u64, String>,
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
pub(super) fn deal(
    crm: &CrmName,
    record: &Value,
    account: &PipedriveAccount,
) -> Result<Deal, CrmError> {
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
        deal.amount = Some(Money::settled(amount, text(record, "currency")));
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

/// The first time that a changelog says a deal became won.
pub(super) fn first_won(changelog: &[Value]) -> Option<DateTime<Utc>> {
    let to_won = |change: &&Value| change["field_key"] == "status" && change["new_value"] == "won";
    changelog.iter().filter(to_won).filter_map(|c| time(c["time"].as_str()?)).min()
}

/// An organization.
pub(super) fn company(record: &Value, fields: &PipedriveFields) -> Company {
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
pub(super) fn contact(record: &Value, fields: &PipedriveFields) -> Contact {
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
    let (quantity, price) = figures(number(&record["quantity"]), number(&record["item_price"]));
    LineItem {
        name: text(record, "name"),
        sku: text(record, "code"),
        quantity,
        price,
        properties: PipedriveFields::default().properties(record),
    }
}

/// A user.
pub(super) fn person(record: &Value) -> Person {
    crate::crm::record::person(record, "name", "email")
}
