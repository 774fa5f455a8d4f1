//! What `doctor` looks at: token, account, scopes, stages, properties.

use http::StatusCode;
use serde_json::json;

use super::api::{Api, Failure};
use super::read;
use super::settings::HubSpotSettings;
use crate::crm::requested_properties::{check_properties, failed};
use crate::crm::{Check, CrmError};
use crate::model::Properties;

/// All checks, in the order in which they should be fixed.
pub(super) async fn all(api: &Api, settings: &HubSpotSettings, named: &Properties) -> Vec<Check> {
    let mut checks = Vec::new();
    let account = match read::account(api, settings).await {
        Ok(account) => account,
        Err(error) => {
            checks.push(failed("hubspot: token", &error));
            return checks;
        }
    };
    let page = account.deal_url.as_deref().unwrap_or("an account that does not say its number");
    checks.push(Check::ok("hubspot: token", format!("accepted; deals are below {page}")));
    let told = account.stages.told();
    for (pipeline, won) in &told {
        checks.push(match won.as_slice() {
            [] => Check::warning(
                format!("hubspot: pipeline {pipeline}"),
                "it has no won stage, so none of its deals is ever handed over",
                "Give one of its stages the status Won in HubSpot.",
            ),
            won => Check::ok(
                format!("hubspot: pipeline {pipeline}"),
                format!("won is {}", won.join(", ")),
            ),
        });
    }
    match account.stages.counted(&settings.pipelines) {
        Ok(None) => {}
        Ok(Some(ids)) => {
            let labels: Vec<&str> = ids.iter().filter_map(|id| account.stages.label(id)).collect();
            checks
                .push(Check::ok("hubspot: pipelines", format!("only {} count", labels.join(", "))));
        }
        Err(error) => checks.push(failed("hubspot: pipelines", &error)),
    }
    let reads = [
        ("deals", scope(search(api).await)),
        ("companies", scope(one_page(api, "companies").await)),
        ("contacts", scope(one_page(api, "contacts").await)),
        ("line_items", scope(one_page(api, "line_items").await)),
        ("owners", scope(api.get("crm/owners", "?limit=1").await.map(|_| ()))),
    ];
    for (object, result) in reads {
        let what = format!("hubspot: read {object}");
        checks.push(match result {
            Ok(()) => Check::ok(what, "allowed"),
            Err(error) => failed(&what, &error),
        });
    }
    checks.extend(check_properties(api, named).await);
    if settings.update_closed_won {
        for (pipeline, won) in &told {
            if won.len() > 1 && !settings.won_stages.iter().any(|n| won.contains(&n.as_str())) {
                checks.push(Check::warning(
                    format!("hubspot: won stage of {pipeline}"),
                    format!("there are several: {}", won.join(", ")),
                    "Name the one to set under crm.hubspot.won_stages.",
                ));
            }
        }
    }
    checks
}

async fn search(api: &Api) -> Result<(), Failure> {
    api.search(&json!({"filterGroups": [], "properties": [], "limit": 1})).await.map(|_| ())
}

async fn one_page(api: &Api, object: &str) -> Result<(), Failure> {
    api.get("crm/objects", &format!("{object}?limit=1")).await.map(|_| ())
}

fn scope(result: Result<(), Failure>) -> Result<(), CrmError> {
    match result {
        // A refusal for any other reason means that reading is allowed.
        Err(failure) if failure.status == Some(StatusCode::BAD_REQUEST) => Ok(()),
        other => other.map_err(CrmError::from),
    }
}
