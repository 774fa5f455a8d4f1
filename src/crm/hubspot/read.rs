//! What is read from HubSpot, in as few requests as its limits allow.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use http::StatusCode;
use serde_json::{Value, json};

use super::api::{Failure, HubSpotApi};
use crate::crm::failure::{cursor, list};
use crate::crm::reading::PageSource;
use crate::crm::requested_properties::KnownProperties;
use crate::http::{ApiRequest, Page, PageWalk};
use crate::model::RecordKind;
use crate::text::{one_line, shorten};

/// Inputs of one batch read; fewer where history is asked for.
const BATCH: usize = 100;
pub(super) const BATCH_WITH_HISTORY: usize = 50;
const BATCH_ASSOCIATIONS: usize = 1_000;

/// The property under which a deal lists its companies where it has several
/// and none of them is primary.
pub(super) const SEVERAL_COMPANIES: &str = "associated_companies";

/// HubSpot's name for a kind of record.
pub(super) fn object(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Deal => "deals",
        RecordKind::Company => "companies",
        RecordKind::Contact => "contacts",
        RecordKind::LineItem => "line_items",
    }
}

/// One association: the other record's id and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Association {
    pub(super) to: String,
    pub(super) labels: Vec<String>,
    /// The deal's primary company (type 5).
    pub(super) primary: bool,
}

/// The names of all properties of an object.
pub(super) async fn property_names(
    api: &HubSpotApi,
    object: &str,
) -> Result<BTreeSet<String>, Failure> {
    let list = api.list("crm/properties", object).await?;
    if list.is_empty() {
        let why = "names no property";
        return Err(Failure::nonsense("HubSpot", "crm/properties", StatusCode::OK, why));
    }
    Ok(list
        .iter()
        .filter(|property| property["archived"] != true)
        .filter_map(|property| property["name"].as_str().map(str::to_owned))
        .collect())
}

/// What a batch read gave.
#[derive(Debug, Default)]
pub(super) struct BatchRead {
    pub(super) records: BTreeMap<String, Value>,
    /// Those that HubSpot neither gave nor said that it does not have.
    pub(super) untold: BTreeSet<String>,
    /// Those of which it says that it does not have them.
    pub(super) absent: BTreeSet<String>,
}

/// Records by id, and which of them HubSpot leaves out without a word. Those
/// that it says it does not have are in neither.
///
/// # Errors
/// When a request fails, or when HubSpot says that it could not read a record
/// that it has (status 207).
pub(super) async fn batch(
    api: &HubSpotApi,
    object: &str,
    ids: &[String],
    properties: &[&str],
    history: &[&str],
    archived: bool,
) -> Result<BatchRead, Failure> {
    let mut batch = BatchRead::default();
    let size = if history.is_empty() { BATCH } else { BATCH_WITH_HISTORY };
    let path = format!("{object}/batch/read{}", if archived { "?archived=true" } else { "" });
    for ids in ids.chunks(size) {
        let inputs: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        let body = json!({
            "inputs": inputs,
            "properties": properties,
            "propertiesWithHistory": history,
        });
        let (mut answer, _) = api.read("crm/objects", &path, &body).await?;
        let mut told = absent(&path, &answer)?;
        batch.absent.extend(told.iter().cloned());
        for record in list("HubSpot", &path, &mut answer, "results")? {
            // The survivor of a merge answers for the ids that were merged into it.
            let merged = record["properties"]["hs_merged_object_ids"].as_str().unwrap_or_default();
            told.extend(merged.split(';').map(|id| id.trim().to_owned()));
            if let Some(id) = cursor(&record["id"]) {
                told.insert(id.clone());
                batch.records.insert(id, record);
            }
        }
        batch.untold.extend(ids.iter().filter(|id| !told.contains(*id)).cloned());
    }
    Ok(batch)
}

/// As [`batch`], where no record may be left out without a word.
pub(super) async fn records(
    api: &HubSpotApi,
    object: &str,
    ids: &[String],
    properties: &[&str],
    history: &[&str],
    archived: bool,
) -> Result<BTreeMap<String, Value>, Failure> {
    let BatchRead { records, untold, .. } =
        batch(api, object, ids, properties, history, archived).await?;
    match untold.first() {
        None => Ok(records),
        Some(id) => {
            let why = format!("leaves out {} records without a reason, such as {id}", untold.len());
            Err(Failure::nonsense("HubSpot", object, StatusCode::OK, &why))
        }
    }
}

/// The ids of which an answer in parts (status 207) says that there is nothing.
///
/// # Errors
/// When it says of any that they could not be read.
pub(super) fn absent(path: &str, answer: &Value) -> Result<BTreeSet<String>, Failure> {
    let status = StatusCode::MULTI_STATUS;
    let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let mut ids = BTreeSet::new();
    for error in errors {
        let named = || {
            let lists = ["ids", "fromObjectId"].map(|name| error["context"][name].as_array());
            lists.into_iter().flatten().flatten().filter_map(cursor)
        };
        if error["category"] == "OBJECT_NOT_FOUND" {
            ids.extend(named());
            continue;
        }
        let message = error["message"].as_str().unwrap_or("it does not say why");
        let named: Vec<String> = named().take(5).collect();
        let why = format!(
            "leaves out records ({}): {}",
            if named.is_empty() { "it does not say which".to_owned() } else { named.join(", ") },
            shorten(&one_line(message), 200).trim_end_matches('.')
        );
        return Err(Failure::nonsense("HubSpot", path, status, &why));
    }
    match answer["numErrors"].as_u64() {
        Some(count) if count > 0 && errors.is_empty() => {
            let why = format!("speaks of {count} errors and names none");
            Err(Failure::nonsense("HubSpot", path, status, &why))
        }
        _ => Ok(ids),
    }
}

/// The associations of records, by record.
pub(super) async fn links(
    api: &HubSpotApi,
    of: &str,
    ids: &[String],
    to: &str,
) -> Result<BTreeMap<String, Vec<Association>>, Failure> {
    let mut found: BTreeMap<String, Vec<Association>> = BTreeMap::new();
    let path = format!("{of}/{to}/batch/read");
    for ids in ids.chunks(BATCH_ASSOCIATIONS) {
        let mut inputs: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        // An input with very many associations comes in pages of its own.
        let mut walks: BTreeMap<String, PageWalk> = BTreeMap::new();
        // HubSpot says of an input without associations that it has none.
        let mut untold: BTreeSet<String> = ids.iter().cloned().collect();
        while !inputs.is_empty() {
            let body = json!({"inputs": inputs});
            let (mut answer, _) = api.read("crm/associations", &path, &body).await?;
            for none in absent(&path, &answer)? {
                untold.remove(&none);
            }
            inputs = Vec::new();
            for mut result in list("HubSpot", &path, &mut answer, "results")? {
                let Some(from) = cursor(&result["from"]["id"]) else { continue };
                untold.remove(&from);
                let next = cursor(&result["paging"]["next"]["after"]);
                let records = list("HubSpot", &path, &mut result, "to")?;
                let links = found.entry(from.clone()).or_default();
                records.iter().for_each(|to| add_link(links, to));
                let walk = walks.entry(from.clone()).or_insert_with(|| PageWalk::new(""));
                walk.next();
                let page = Page { records, next: next.clone(), ..Page::default() };
                walk.take(&page).map_err(|fault| Failure::of_list("HubSpot", &fault))?;
                inputs.extend(next.map(|after| json!({"id": from, "after": after})));
            }
        }
        if let Some(id) = untold.first() {
            let why =
                format!("says nothing of {} of {} {of}, such as {id}", untold.len(), ids.len());
            return Err(Failure::nonsense("HubSpot", &path, StatusCode::OK, &why));
        }
    }
    Ok(found)
}

fn add_link(links: &mut Vec<Association>, to: &Value) {
    let Some(id) = cursor(&to["toObjectId"]) else { return };
    let types = || to["associationTypes"].as_array().into_iter().flatten();
    let labels = types().filter(|t| t["category"] == "USER_DEFINED");
    let labels = labels.filter_map(|t| t["label"].as_str().map(str::to_owned)).collect();
    let primary = types().any(|t| t["category"] == "HUBSPOT_DEFINED" && t["typeId"] == 5);
    // The same pair may come once for each label.
    match links.iter_mut().find(|link| link.to == id) {
        Some(link) => {
            link.labels.extend(labels);
            link.primary |= primary;
        }
        None => links.push(Association { to: id, labels, primary }),
    }
}

/// The cursor of the next page; HubSpot gives it ready for a URL.
pub(super) fn next(answer: &Value) -> Option<String> {
    let cursor = cursor(&answer["paging"]["next"]["after"])?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'%' | b'-' | b'_' | b'.' | b'~');
    if cursor.bytes().all(plain) {
        Some(cursor)
    } else {
        let encoded =
            percent_encoding::utf8_percent_encode(&cursor, percent_encoding::NON_ALPHANUMERIC);
        Some(encoded.to_string())
    }
}

#[async_trait]
impl KnownProperties for HubSpotApi {
    fn called(&self, kind: RecordKind) -> (&'static str, &'static str) {
        ("HubSpot", object(kind))
    }

    async fn names(&self, kind: RecordKind) -> Result<Option<BTreeSet<String>>, Failure> {
        let mut names = property_names(self, object(kind)).await?;
        if kind == RecordKind::Deal {
            // What `deal` itself adds to a deal.
            names.insert(SEVERAL_COMPANIES.to_owned());
        }
        Ok(Some(names))
    }
}

/// Lists of objects, by `deals?limit=100&…` with the cursor behind it.
#[async_trait]
impl PageSource for HubSpotApi {
    fn crm(&self) -> &'static str {
        "HubSpot"
    }

    async fn page(&self, at: &str, _: usize) -> Result<Page, Failure> {
        let answer = self.send(&ApiRequest::get(at)).await?;
        let mut body = self.object(at, &answer)?;
        absent(at, &body)?;
        let first = at.split("&after=").next().unwrap_or(at);
        let next = next(&body).map(|cursor| {
            let joint = if first.contains('?') { '&' } else { '?' };
            format!("{first}{joint}after={cursor}")
        });
        let records = list("HubSpot", at, &mut body, "results")?;
        Ok(Page { records, bytes: answer.body, total: None, next })
    }
}
