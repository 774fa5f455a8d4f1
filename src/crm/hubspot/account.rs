//! What a HubSpot account's records are read against: its pipelines, currency,
//! pages and owners.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::Value;

use super::HubSpotSettings;
use super::api::{Failure, HubSpotApi};
use super::stages::HubSpotStages;
use crate::crm::CrmError;
use crate::crm::failure::cursor;
use crate::model::Person;

/// What an account's records are read against.
#[derive(Debug)]
pub(super) struct HubSpotAccount {
    pub(super) stages: HubSpotStages,
    /// The currency of amounts without their own: the account has only one.
    pub(super) currency: Option<String>,
    /// Where a person sees a deal, up to its id.
    pub(super) deal_url: Option<String>,
}

impl HubSpotAccount {
    /// Pipelines, currency and the address of a deal's page. A token for another
    /// account than the configured one is refused before anything is read.
    pub(super) async fn read(
        api: &HubSpotApi,
        settings: &HubSpotSettings,
    ) -> Result<Self, CrmError> {
        let details = match api.get("account-info", "details").await {
            Ok(details) => details,
            // Whether service keys may ask is not documented; only the check of the
            // account depends on it.
            Err(failure) if failure.status == Some(StatusCode::FORBIDDEN) => {
                if settings.portal_id.is_some() {
                    return Err(CrmError::Denied {
                        message: "HubSpot does not say to which account the token belongs."
                            .to_owned(),
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
        if portal.is_none() && !details.is_null() {
            let why = "does not say which account it is of";
            return Err(Failure::nonsense("HubSpot", "account-info", StatusCode::OK, why).into());
        }
        if let (Some(requested), Some(actual)) = (settings.portal_id, portal)
            && requested != actual
        {
            return Err(CrmError::Settings {
                message: format!(
                    "The HubSpot token belongs to account {actual}, not to {requested}."
                ),
                help: "Set HUBSPOT_TOKEN to a token of the right account, or fix \
                   crm.hubspot.portal_id."
                    .to_owned(),
            });
        }
        let domain = details["uiDomain"].as_str().unwrap_or("app.hubspot.com");
        Ok(Self {
            stages: HubSpotStages::read(api).await?,
            currency: details["companyCurrency"].as_str().map(str::to_owned),
            deal_url: portal
                .map(|portal| format!("https://{domain}/contacts/{portal}/record/0-3/")),
        })
    }
}

/// Owners by id.
pub(super) type Owners = BTreeMap<String, Person>;

/// An owner's record.
pub(super) fn person(record: &Value) -> Person {
    let part = |name: &str| record[name].as_str().map(str::trim).filter(|t| !t.is_empty());
    let name = [part("firstName"), part("lastName")].into_iter().flatten().collect::<Vec<_>>();
    Person {
        name: (!name.is_empty()).then(|| name.join(" ")),
        email: part("email").map(str::to_owned),
    }
}

/// One owner, also one who has left.
pub(super) async fn owner(api: &HubSpotApi, id: &str) -> Result<Option<Person>, Failure> {
    for archived in ["", "?archived=true"] {
        match api.get("crm/owners", &format!("{id}{archived}")).await {
            Ok(record) => return Ok(Some(person(&record))),
            Err(failure) if failure.is(StatusCode::NOT_FOUND) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// All owners, also those who have left.
pub(super) async fn owners(api: &HubSpotApi) -> Result<Owners, Failure> {
    let mut owners = Owners::new();
    for archived in ["true", "false"] {
        for record in api.list("crm/owners", &format!("?limit=100&archived={archived}")).await? {
            if let Some(id) = cursor(&record["id"]) {
                owners.insert(id, person(&record));
            }
        }
    }
    Ok(owners)
}
