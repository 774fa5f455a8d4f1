//! A page that fails: `handoff audit` says which, and ends with 3.

use serde_json::json;

use super::{CRMS, DEALS, Fake, World};
use crate::hubspot;

/// An audit of thousands of deals, with and without its page seven.
fn check(crm: &'static str, settings: &str, part: &str, what: &str) {
    let world = World::large(crm, settings);
    let report = world.run(&["audit", "--format", "json"]).exits(1).json();
    assert_eq!(report["population"]["rows"], DEALS, "{crm}: {}", report["population"]);
    let missing = DEALS - u64::from(crm == "salesforce");
    assert_eq!(report["summary"]["missing"], missing, "{crm}: {}", report["summary"]);
    let body = json!({"message": "Bad gateway"});
    match &world.fake {
        Fake::HubSpot(fake) => {
            let broken = hubspot::fake::Planned::Answer(502, vec![], body);
            let pass = std::iter::repeat_n(hubspot::fake::Planned::Pass, 6);
            fake.plan(part, pass.chain(std::iter::repeat_n(broken, 5)));
        }
        Fake::Salesforce(fake) => {
            // The numbers of the queries start again.
            fake.state().cursors.clear();
            world.fail(part, 4, 502, &json!([{"errorCode": "X", "message": "Bad gateway"}]));
        }
        Fake::Pipedrive(_) => world.fail(part, 4, 502, &json!({"error": "Bad gateway"})),
    }
    let ran = world.run(&["audit"]).exits(3);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(what), "{crm}: {said}");
    assert!(said.contains("Bad gateway"), "{crm}: {said}");
}

#[test]
fn crm_binary_a_page_seven_of_hubspot_that_fails_ends_with_three_and_is_named() {
    check("hubspot", "", "deals/search", "page 7 of the search for deals that are won");
}

#[test]
fn crm_binary_a_page_seven_of_salesforce_that_fails_ends_with_three_and_is_named() {
    let what = "page 7 of the won and deleted opportunities";
    check("salesforce", ", bulk_from: 1000000", "query/1006", what);
}

#[test]
fn crm_binary_a_page_seven_of_a_salesforce_job_that_fails_ends_with_three_and_is_named() {
    let what = "page 7 of the won and deleted opportunities";
    check("salesforce", "", "locator=9000", what);
}

#[test]
fn crm_binary_a_page_seven_of_pipedrive_that_fails_ends_with_three_and_is_named() {
    check("pipedrive", "", "cursor=c%3D3000", "page 7 of the won deals");
}

#[test]
fn crm_binary_a_crm_that_cannot_be_read_at_all_ends_with_three() {
    for crm in CRMS {
        let world = World::of(crm, "");
        let part = match crm {
            "hubspot" => "deals/search",
            "salesforce" => "COUNT()",
            _ => "deals?status=won",
        };
        let body = json!([{"errorCode": "INSUFFICIENT_ACCESS", "message": "You may not"}]);
        world.fail(part, 9, 403, &body);
        let ran = world.run(&["audit"]).exits(3);
        assert!(ran.stderr.contains("does not allow this"), "{crm}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{crm}: no report of nothing");
    }
}
