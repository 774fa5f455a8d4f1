//! What is read from HubSpot, in as few requests as its limits allow.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde_json::{Value, json};

use super::api::{Api, Failure};
use super::record::{self, Account, Owners};
use super::settings::HubSpotSettings;
use super::stages::Stages;
use crate::crm::CrmError;
use crate::model::{Person, RecordKind};

/// Inputs of one batch read; fewer where history is asked for.
const BATCH: usize = 100;
const BATCH_WITH_HISTORY: usize = 50;
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
pub(super) struct Link {
    pub(super) to: String,
    pub(super) labels: Vec<String>,
    /// The deal's primary company (type 5).
    pub(super) primary: bool,
}

/// Pipelines, currency and the address of a deal's page. A token for another
/// account than the configured one is refused before anything is read.
pub(super) async fn account(api: &Api, settings: &HubSpotSettings) -> Result<Account, CrmError> {
    let details = match api.get("account-info", "details").await {
        Ok(details) => details,
        // Whether service keys may ask is not documented; only the check of the
        // account depends on it.
        Err(failure) if failure.status == Some(StatusCode::FORBIDDEN) => {
            if settings.portal_id.is_some() {
                return Err(CrmError::Denied {
                    message: "HubSpot does not say to which account the token belongs.".to_owned(),
                    help: "Give the token access to account information, or take \
                           crm.hubspot.portal_id out."
                        .to_owned(),
                });
            }
            Value::Null
        }
        Err(failure) => return Err(failure.into()),
    };
    let portal = details["portalId"].as_u64();
    if let (Some(requested), Some(actual)) = (settings.portal_id, portal)
        && requested != actual
    {
        return Err(CrmError::Settings {
            message: format!("The HubSpot token belongs to account {actual}, not to {requested}."),
            help: "Set HUBSPOT_TOKEN to a token of the right account, or mend \
                   crm.hubspot.portal_id."
                .to_owned(),
        });
    }
    let domain = details["uiDomain"].as_str().unwrap_or("app.hubspot.com");
    Ok(Account {
        stages: Stages::read(api).await?,
        currency: details["companyCurrency"].as_str().map(str::to_owned),
        deal_url: portal.map(|portal| format!("https://{domain}/contacts/{portal}/record/0-3/")),
    })
}

/// The names of all properties of an object.
pub(super) async fn property_names(api: &Api, object: &str) -> Result<BTreeSet<String>, Failure> {
    let answer = api.get("crm/properties", object).await?;
    let list = answer["results"].as_array().into_iter().flatten();
    Ok(list
        .filter(|property| property["archived"] != true)
        .filter_map(|property| property["name"].as_str().map(str::to_owned))
        .collect())
}

/// Records by id. Ids that HubSpot does not have are simply not in the answer.
pub(super) async fn records(
    api: &Api,
    object: &str,
    ids: &[String],
    properties: &[&str],
    history: &[&str],
    archived: bool,
) -> Result<BTreeMap<String, Value>, Failure> {
    let mut records = BTreeMap::new();
    let size = if history.is_empty() { BATCH } else { BATCH_WITH_HISTORY };
    let path = format!("{object}/batch/read{}", if archived { "?archived=true" } else { "" });
    for ids in ids.chunks(size) {
        let inputs: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        let body = json!({
            "inputs": inputs,
            "properties": properties,
            "propertiesWithHistory": history,
        });
        let (answer, _) = api.read("crm/objects", &path, &body).await?;
        for record in answer["results"].as_array().into_iter().flatten() {
            if let Some(id) = record::id(&record["id"]) {
                records.insert(id, record.clone());
            }
        }
    }
    Ok(records)
}

/// The associations of deals, by deal.
pub(super) async fn links(
    api: &Api,
    ids: &[String],
    to: &str,
) -> Result<BTreeMap<String, Vec<Link>>, Failure> {
    let mut found: BTreeMap<String, Vec<Link>> = BTreeMap::new();
    let path = format!("deals/{to}/batch/read");
    for ids in ids.chunks(BATCH_ASSOCIATIONS) {
        let mut inputs: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        // An input with very many associations comes in pages of its own.
        while !inputs.is_empty() {
            let body = json!({"inputs": inputs});
            let (answer, _) = api.read("crm/associations", &path, &body).await?;
            inputs = Vec::new();
            for result in answer["results"].as_array().into_iter().flatten() {
                let Some(from) = record::id(&result["from"]["id"]) else { continue };
                let links = found.entry(from.clone()).or_default();
                for to in result["to"].as_array().into_iter().flatten() {
                    add_link(links, to);
                }
                if let Some(after) = record::id(&result["paging"]["next"]["after"]) {
                    inputs.push(json!({"id": from, "after": after}));
                }
            }
        }
    }
    Ok(found)
}

fn add_link(links: &mut Vec<Link>, to: &Value) {
    let Some(id) = record::id(&to["toObjectId"]) else { return };
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
        None => links.push(Link { to: id, labels, primary }),
    }
}

/// One owner, also one who has left.
pub(super) async fn owner(api: &Api, id: &str) -> Result<Option<Person>, Failure> {
    for archived in ["", "?archived=true"] {
        match api.get("crm/owners", &format!("{id}{archived}")).await {
            Ok(record) => return Ok(Some(record::owner(&record))),
            Err(failure) if failure.is(StatusCode::NOT_FOUND) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// All owners, also those who have left.
pub(super) async fn owners(api: &Api) -> Result<Owners, Failure> {
    let mut owners = Owners::new();
    for archived in ["true", "false"] {
        let mut after = String::new();
        loop {
            let rest = format!("?limit=100&archived={archived}{after}");
            let answer = api.get("crm/owners", &rest).await?;
            for record in answer["results"].as_array().into_iter().flatten() {
                if let Some(id) = record::id(&record["id"]) {
                    owners.insert(id, record::owner(record));
                }
            }
            match next(&answer) {
                Some(cursor) => after = format!("&after={cursor}"),
                None => break,
            }
        }
    }
    Ok(owners)
}

/// The cursor of the next page; HubSpot gives it ready for a URL.
pub(super) fn next(answer: &Value) -> Option<String> {
    let cursor = record::id(&answer["paging"]["next"]["after"])?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'%' | b'-' | b'_' | b'.' | b'~');
    if cursor.bytes().all(plain) {
        Some(cursor)
    } else {
        let encoded =
            percent_encoding::utf8_percent_encode(&cursor, percent_encoding::NON_ALPHANUMERIC);
        Some(encoded.to_string())
    }
}
