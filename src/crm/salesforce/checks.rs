//! What `doctor` looks at: login, requests left, objects, stages, properties.

use super::api::Api;
use super::deal;
use super::describe::describe;
use super::settings::SalesforceSettings;
use crate::crm::Check;
use crate::crm::requested_properties::{check_properties, failed};
use crate::model::Properties;

/// Objects that are read, each with what it is for.
const OBJECTS: [&str; 6] = [
    "Opportunity",
    "OpportunityHistory",
    "OpportunityContactRole",
    "OpportunityLineItem",
    "Account",
    "Contact",
];

/// Fields of opportunities on which an audit's figures depend.
const FIELDS: [&str; 6] = ["Amount", "CloseDate", "IsClosed", "IsWon", "Name", "StageName"];

/// All checks, in the order in which they should be fixed.
pub(super) async fn all(
    api: &Api,
    settings: &SalesforceSettings,
    named: &Properties,
) -> Vec<Check> {
    let mut checks = Vec::new();
    match api.base().await {
        Ok(base) => {
            checks.push(Check::ok("salesforce: login", format!("accepted; the org is {base}")));
        }
        Err(failure) => return vec![failed("salesforce: login", &failure.error)],
    }
    if let Ok(limits) = api.get("limits").await {
        checks.extend(requests(&limits["DailyApiRequests"]));
    }
    for object in OBJECTS {
        let what = format!("salesforce: read {object}");
        let path = api.query_path(&format!("SELECT Id FROM {object} LIMIT 1"), false);
        checks.push(match api.read(&path).await {
            Ok(_) => Check::ok(what, "allowed"),
            Err(failure) => failed(&what, &failure.error),
        });
    }
    match deal::org(api, settings).await {
        Ok(org) => {
            let what = "salesforce: won stages";
            let won = org.stages.active_won();
            checks.push(match won.as_slice() {
                [] => Check::warning(
                    what,
                    "the org has no active won stage, so no opportunity is ever handed over",
                    "Set a stage to Closed/Won in Setup, Object Manager, Opportunity, Stage.",
                ),
                won => Check::ok(what, won.join(", ")),
            });
            if settings.update_closed_won {
                let what = "salesforce: stage to set";
                checks.push(match org.stages.to_set(settings) {
                    Ok(stage) => Check::ok(what, stage),
                    Err(error) => failed(what, &error),
                });
            }
        }
        Err(failure) => checks.push(failed("salesforce: won stages", &failure.error)),
    }
    checks.extend(fields(api).await);
    checks.extend(check_properties(api, named).await);
    checks
}

/// The fields that every audit reads. Salesforce leaves those out of its
/// description that field-level security hides from the app's user.
async fn fields(api: &Api) -> Vec<Check> {
    let what = "salesforce: fields of opportunities";
    let described = match describe(api, "Opportunity").await {
        Ok(described) => described,
        Err(failure) => return vec![failed(what, &failure.error)],
    };
    let hidden: Vec<&str> =
        FIELDS.into_iter().filter(|name| !described.fields.contains_key(*name)).collect();
    if hidden.is_empty() {
        return vec![Check::ok(what, "all that an audit reads can be seen")];
    }
    vec![Check::failed(
        what,
        format!("the app's user cannot see {}", hidden.join(", ")),
        "Permit reading them: Setup, Object Manager, Opportunity, Fields, Set Field-Level Security, \
         or the permission set of the app's user.",
    )]
}

/// The requests left, where the org says.
fn requests(limit: &serde_json::Value) -> Option<Check> {
    let (left, most) = (limit["Remaining"].as_u64()?, limit["Max"].as_u64()?);
    let (what, detail) = ("salesforce: requests", format!("{left} of {most} are left today"));
    Some(if left < most / 10 {
        Check::warning(
            what,
            detail,
            "All integrations of the org share them; look for the greedy one.",
        )
    } else {
        Check::ok(what, detail)
    })
}
