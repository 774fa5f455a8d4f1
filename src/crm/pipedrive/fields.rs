//! Custom fields by their names. Pipedrive keeps them under random keys that
//! differ from company to company, and choices as numbers.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::api::Api;
use crate::crm::CrmError;
use crate::crm::failure::Failure;
use crate::crm::requested_properties::Known;
use crate::model::RecordKind;

/// One field of an object.
#[derive(Debug, Default)]
struct Field {
    name: String,
    custom: bool,
    options: BTreeMap<u64, String>,
}

/// The fields of an object, by key.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, Field>);

impl Fields {
    /// Asks for the fields of `deal`, `organization` or `person`.
    pub(super) async fn read(api: &Api, object: &str) -> Result<Self, Failure> {
        let list = api.list(&api.v2(&format!("{object}Fields"))).await?;
        let field = |field: &Value| {
            let options = field["options"].as_array().into_iter().flatten();
            let options = options.filter_map(|option| {
                Some((option["id"].as_u64()?, option["label"].as_str()?.to_owned()))
            });
            let read = Field {
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
impl Known for Api {
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
        let mut names = Fields::read(self, object).await?.names();
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
fn told(value: &Value, field: Option<&Field>) -> Value {
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
