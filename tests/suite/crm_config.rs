//! The `crm` section: what the documentation shows is valid, what is wrong
//! has its line.

use std::path::Path;

use handoff::crm::CrmConfig;
use handoff::yaml::{self, from_node};

fn parse(text: &str) -> Result<CrmConfig, yaml::Error> {
    let node = yaml::read(text.as_bytes())?;
    from_node(node.get("crm").expect("a crm section"))
}

#[test]
fn the_settings_in_the_documentation_are_valid() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/crm.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let blocks: Vec<&str> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 3, "each source has an example");
    for block in blocks {
        let config = parse(block).unwrap_or_else(|error| panic!("{error}\n{block}"));
        let named =
            config.hubspot.is_some() || config.salesforce.is_some() || config.pipedrive.is_some();
        assert!(config.file.is_some() || named, "{block}");
    }
    let plain = parse("crm:\n  hubspot: {}\n").expect("nothing is needed").hubspot;
    let plain = plain.expect("configured");
    assert_eq!(plain.base_url.as_str(), "https://api.hubapi.com");
    assert_eq!(plain.api_version.as_str(), "2026-09");
    assert!(!plain.update_closed_won, "nothing is written unless it is asked for");
}

#[test]
fn what_is_wrong_has_its_line_and_says_what_would_be_right() {
    for (text, line, wanted) in [
        ("crm:\n  hubspt: {}\n", 2, "unknown field"),
        ("crm:\n  file:\n    deals: x.csv\n    colums: {}\n", 4, "unknown field"),
        ("crm:\n  file:\n    deals: x.csv\n    columns: {identity: Nr}\n", 4, "unknown variant"),
        ("crm:\n  file:\n    deals: x.csv\n    dates: {timezone: Mars}\n", 4, "America/New_York"),
        ("crm:\n  file:\n    deals: x.csv\n    dates: {order: myd}\n", 4, "`mdy`"),
        ("crm:\n  file:\n    deals: x.csv\n    numbers: {decimal: \"'\"}\n", 4, "unknown variant"),
        ("crm:\n  file:\n    deals: x.csv\n    currency: dollars\n", 4, "ISO 4217"),
        ("crm:\n  hubspot:\n    api_version: v3\n", 3, "2026-09"),
        ("crm:\n  hubspot:\n    base_url: http://hub.example\n", 3, "loopback"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.line, line, "{text}{error}");
        assert!(error.to_string().contains(wanted), "{text}{error}");
    }
}
