//! The `crm` section: what the documentation shows is valid, what is wrong
//! has its line.

use std::path::Path;

use handoff::crm::hubspot::HubSpotSettings;
use handoff::crm::{CRMS, CrmConfig, Triggers, reference_rules};
use handoff::settings::{self, ConfigProblem};
use handoff::yaml;
use schemars::SchemaGenerator;

fn parse(text: &str) -> Result<CrmConfig, Vec<ConfigProblem>> {
    let node = yaml::read(text.as_bytes()).map_err(|error| vec![ConfigProblem::from(error)])?;
    CrmConfig::read(node.get("crm").expect("a crm section"))
}

#[test]
fn the_settings_in_the_documentation_are_valid() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/crm.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "each source has an example");
    for block in blocks {
        let config = parse(block).unwrap_or_else(|problems| panic!("{problems:?}\n{block}"));
        assert!(config.row().is_some(), "{block}");
    }
    assert!(!parse("crm:\n  hubspot: {}\n").expect("nothing is needed").updates_closed_won());
    let plain = yaml::read(b"{}").expect("yaml");
    let plain: HubSpotSettings = settings::read(&plain).expect("nothing is needed");
    assert_eq!(plain.base_url.as_str(), "https://api.hubapi.com");
    assert_eq!(plain.api_version.as_str(), "2026-09");
    assert!(!plain.update_closed_won, "nothing is written unless it is asked for");
}

#[test]
fn every_crm_is_a_row_that_is_whole() {
    let mut generator = SchemaGenerator::default();
    let schema = CrmConfig::schema(&mut generator);
    let triggers = Triggers::new(&CrmConfig::default());
    for row in CRMS {
        assert!(schema.as_value()["properties"][row.name].is_object(), "{}", row.name);
        assert!(row.workflow_secrets.iter().all(|name| row.secrets.contains(name)), "{}", row.name);
        assert!(!row.mapping.source.is_empty() && !row.title.is_empty(), "{}", row.name);
        // What documents name can also be told of: its webhook stands in the list.
        let has_webhook = triggers.by_name(row.name).is_some();
        assert_eq!(has_webhook, row.references.is_some(), "{}", row.name);
        assert!(row.webhook_secret.is_none_or(|name| row.secrets.contains(&name)), "{}", row.name);
    }
    assert_eq!(schema.as_value()["properties"].as_object().expect("all").len(), CRMS.len());
}

#[test]
fn an_address_of_a_deals_page_is_its_id_in_one_crm_alone() {
    for (address, crm, id) in [
        ("https://app.hubspot.com/contacts/123/record/0-3/987", "hubspot", "987"),
        ("https://app-eu1.hubspot.com/contacts/123/deal/987/?x=1#y", "hubspot", "987"),
        (
            "https://x.lightning.force.com/lightning/r/Opportunity/0065g00000XyZ12AAF/view",
            "salesforce",
            "0065g00000XyZ12AAF",
        ),
        ("https://x.my.salesforce.com/0065g00000XyZ12", "salesforce", "0065g00000XyZ12"),
        ("https://x.pipedrive.com/deal/12", "pipedrive", "12"),
        ("https://app.pipedrive.com/deal/12?tab=1#notes", "pipedrive", "12"),
        (
            "https://app-na2.hubspot.com/contacts/123/objects/0-3/views/all/list?query=x&recordId=987",
            "hubspot",
            "987",
        ),
        (
            "https://app.hubspot.com/contacts/123/objects/0-3/views/1/board?previewRecordId=987",
            "hubspot",
            "987",
        ),
        ("https://app.hubspot.com/deals/123/board/view/all/?recordId=987#x", "hubspot", "987"),
        ("https://app.hubspot.com/sales/123/deal/987", "hubspot", "987"),
        (
            "https://app-eu1.hubspot.com/contacts/123/record/0-3/987/view/1?eschref=%2Frecord%2F0-3%2F5",
            "hubspot",
            "987",
        ),
        (
            "https://x--uat.sandbox.lightning.force.com/lightning/r/0065g00000XyZ12AAF/view?0.source=alohaHeader",
            "salesforce",
            "0065g00000XyZ12AAF",
        ),
        (
            "https://x--uat.sandbox.my.salesforce.com/0065g00000XyZ12?srPos=0",
            "salesforce",
            "0065g00000XyZ12",
        ),
        (
            "https://x.lightning.force.com/one/one.app#/sObject/0065g00000XyZ12AAF/view",
            "salesforce",
            "0065g00000XyZ12AAF",
        ),
        (
            "https://na1.salesforce.com/apex/Quote?id=0065g00000XyZ12",
            "salesforce",
            "0065g00000XyZ12",
        ),
    ] {
        let found: Vec<(&str, String)> = reference_rules()
            .iter()
            .filter_map(|rule| Some((rule.crm, (rule.of_address)(address)?.as_str().to_owned())))
            .collect();
        assert_eq!(found, [(crm, id.to_owned())], "{address}");
    }
    for other in [
        "https://app.hubspot.com/contacts/123/record/0-1/987",
        "https://app.hubspot.com.evil.example/contacts/123/record/0-3/987",
        "https://x.pipedrive.com/person/12",
        "https://x.pipedrive.com/deal/",
        "https://app.hubspot.com/contacts/123/objects/0-2/views/all/list?recordId=987",
        "https://app.hubspot.com/contacts/123/objects/0-3/views/all/list",
        "https://app.hubspot.com/deals/123/board/view/all/",
        "https://x.lightning.force.com/lightning/o/Opportunity/list?filterName=00B5g00000XyZ12",
        "https://x.lightning.force.com/lightning/r/Account/0015g00000XyZ12AAF/view",
        "http://x.pipedrive.com/deal/12",
        "42",
        "",
    ] {
        assert!(reference_rules().iter().all(|rule| (rule.of_address)(other).is_none()), "{other}");
    }
}

#[test]
fn what_is_wrong_has_its_line_and_says_what_would_be_right() {
    for (text, line, wanted) in [
        ("crm:\n  hubspt: {}\n", 2, "did you mean `hubspot`?"),
        ("crm:\n  hubspot: {}\n  pipedrive: {}\n", 3, "a second CRM `pipedrive`"),
        ("crm: hubspot\n", 1, "expected a CRM with its settings"),
        ("crm:\n  hubspot:\n", 2, "write `hubspot: {}`"),
        ("crm:\n  file:\n    deals: x.csv\n    colums: {}\n", 4, "did you mean `columns`?"),
        ("crm:\n  file:\n    deals: x.csv\n    columns: {identity: Nr}\n", 4, "identity"),
        ("crm:\n  file:\n    deals: x.csv\n    dates: {timezone: Mars}\n", 4, "America/New_York"),
        ("crm:\n  file:\n    deals: x.csv\n    dates: {order: myd}\n", 4, "`mdy`"),
        ("crm:\n  file:\n    deals: x.csv\n    numbers: {decimal: \"'\"}\n", 4, "decimal"),
        ("crm:\n  file:\n    deals: x.csv\n    currency: dollars\n", 4, "ISO 4217"),
        ("crm:\n  hubspot:\n    api_version: v3\n", 3, "2026-09"),
        ("crm:\n  hubspot:\n    base_url: http://hub.example\n", 3, "loopback"),
    ] {
        let problems = parse(text).expect_err(text);
        let problem = &problems[0];
        assert_eq!(problem.line, line, "{text}{problem:?}");
        assert!(format!("{problem:?}").contains(wanted), "{text}{problem:?}");
    }
}
