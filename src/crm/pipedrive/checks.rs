//! What `doctor` looks at: token, company, lists, properties.

use super::api::Api;
use super::deal;
use super::settings::PipedriveSettings;
use crate::crm::Check;
use crate::crm::requested_properties::{check_properties, failed};
use crate::model::Properties;

/// All checks, in the order in which they should be fixed.
pub(super) async fn all(api: &Api, settings: &PipedriveSettings, named: &Properties) -> Vec<Check> {
    let mut checks = Vec::new();
    let account = match deal::account(api, settings).await {
        Ok(account) => account,
        Err(error) => return vec![failed("pipedrive: token", &error)],
    };
    let page = account.deal_url.as_deref().unwrap_or("a company that does not say its domain");
    checks.push(Check::ok("pipedrive: token", format!("accepted; deals are below {page}")));
    if let Ok(me) = api.get(&api.v1("users/me")).await {
        let admin = me["access"].as_array().into_iter().flatten().any(|part| part["admin"] == true);
        let what = "pipedrive: user";
        checks.push(if admin {
            Check::ok(what, "an admin, who sees every deal")
        } else {
            Check::warning(
                what,
                "the token's user is no admin, and deals hidden from them are in no audit",
                "Use the API token of an admin.",
            )
        });
    }
    for (object, path) in [
        ("deals", api.v2("deals?status=won&limit=1")),
        ("archived deals", api.v2("deals/archived?status=won&limit=1")),
        ("organizations", api.v2("organizations?limit=1")),
        ("persons", api.v2("persons?limit=1")),
        ("users", api.v1("users")),
    ] {
        let what = format!("pipedrive: read {object}");
        checks.push(match api.read(&path).await {
            Ok(_) => Check::ok(what, "allowed"),
            Err(failure) => failed(&what, &failure.error),
        });
    }
    checks.extend(check_properties(api, named).await);
    checks
}
