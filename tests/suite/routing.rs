//! Which CSM gets a handoff: rules over the brief, the fewest open handoffs,
//! the fallback.

use std::fmt::Write as _;
use std::fs;

use crate::sandbox::Sandbox;

const TEAM: &str = "team:
  csms:
    - {name: Sam Lee, email: sam@example.com, github: samlee}
    - {name: Ana Diaz, email: ana@example.com, github: anadiaz}
    - {name: Joe Roy, email: joe@example.com, github: joeroy}
";

/// A ledger with a team, and won deals of these companies.
fn ledger(assign: &str, companies: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--crm", "file", "--yes"]).exits(0);
    let mut deals = String::from(
        "Record ID,Deal Name,Deal Stage,Close Date,Amount,Currency,Is Closed Won,Associated Company\n",
    );
    for (index, company) in companies.iter().enumerate() {
        writeln!(
            deals,
            "{index}00,{company} 2026,Closed Won,2026-11-1{index} 15:00,1000.00,USD,true,{company}"
        )
        .unwrap();
    }
    sandbox.write("ledger/deals.csv", deals);
    sandbox.write(
        "ledger/handoff.yaml",
        format!("version: 1\ncrm: {{file: {{deals: deals.csv}}}}\nmap: csv\n{TEAM}{assign}"),
    );
    sandbox
}

/// Signs the deals one after the other; who got each, and what was remarked.
fn csms(sandbox: &Sandbox, deals: usize) -> (Vec<String>, String) {
    let mut remarks = String::new();
    let csms = (0..deals).map(|index| {
        let signed = sandbox
            .handoff("ledger", &["sign", "--deal", &format!("{index}00"), "--format", "json"])
            .exits(0);
        remarks.push_str(&signed.stderr);
        let key = signed.json()["key"].as_str().unwrap().to_owned();
        let row = sandbox.handoff("ledger", &["status", &key, "--format", "json"]).exits(0).json();
        let row = if row["csm"].is_null() { row["handoffs"][0].clone() } else { row };
        row["csm"].as_str().unwrap_or_else(|| panic!("{row:#}")).to_owned()
    });
    (csms.collect(), remarks)
}

#[test]
fn a_rule_over_the_brief_comes_first_then_whoever_has_the_fewest_open() {
    let rules = "  assign:
    - {when: \"customer.name == 'Big Corp'\", to: [anadiaz]}
    - {to: least_open}
";
    let companies = ["Big Corp", "One", "Big Corp", "Two", "Three", "Four"];
    let sandbox = ledger(rules, &companies);
    let (csms, _) = csms(&sandbox, companies.len());
    assert_eq!(
        csms,
        ["Ana Diaz", "Sam Lee", "Ana Diaz", "Joe Roy", "Sam Lee", "Joe Roy"],
        "of equals whoever stands first in the file"
    );
}

#[test]
fn a_touched_handoff_is_not_open_any_more() {
    let sandbox = ledger("  assign: [{to: [samlee, anadiaz]}]\n", &["One", "Two", "Three"]);
    let (first, _) = csms(&sandbox, 2);
    assert_eq!(first, ["Sam Lee", "Ana Diaz"]);
    let status = sandbox.handoff("ledger", &["status", "--format", "json"]).exits(0).stdout;
    assert!(status.contains("Ana Diaz"), "{status}");
    let keys: Vec<_> = fs::read_dir(sandbox.join("ledger/briefs/2026/11"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("two--"))
        .collect();
    let (_, key) = keys[0].split_once("--").unwrap();
    sandbox.handoff("ledger", &["touch", key, "--by", "Ana Diaz"]).exits(0);
    let (all, _) = csms(&sandbox, 3);
    assert_eq!(all[2], "Ana Diaz", "she has none open now: {all:?}");
}

#[test]
fn whom_no_rule_takes_goes_to_the_fallback_and_a_rule_that_fails_is_said() {
    let rules = "  assign:
    - {when: \"customer.name == 'Nobody'\", to: [samlee]}
    - {when: \"customer.name - 1 > 0\", to: [samlee]}
  fallback: joeroy
";
    let sandbox = ledger(rules, &["One"]);
    let (csms, remarks) = csms(&sandbox, 1);
    assert_eq!(csms, ["Joe Roy"]);
    assert!(remarks.contains("team.assign rule 2 could not be decided"), "{remarks}");
}

#[test]
fn four_deals_of_one_company_have_one_csm_and_the_second_brief_shows_the_first() {
    let companies = ["Acme Corp", "Two", "ACME Inc.", "Acme", "Three", "acme corp."];
    let sandbox = ledger("  assign: [{to: same_customer}, {to: least_open}]\n", &companies);
    let (csms, _) = csms(&sandbox, companies.len());
    assert_eq!(
        csms,
        ["Sam Lee", "Ana Diaz", "Sam Lee", "Sam Lee", "Joe Roy", "Sam Lee"],
        "Acme stays with Sam, the others go to whoever has the fewest"
    );
    let file = |key: &str, name: &str| {
        let path = sandbox.git("ledger", &["ls-files", &format!("briefs/*--{key}/{name}")]);
        fs::read_to_string(sandbox.join("ledger").join(path.trim())).unwrap()
    };
    assert!(
        !file("hubspot-000", "brief.yaml").contains("earlier:"),
        "the first has none before it"
    );
    let second = file("hubspot-200", "brief.yaml");
    let (earlier, matched) = (second.find("earlier:").expect("it names them"), "matched_by: name");
    assert!(second[earlier..].contains("key: hubspot-000") && second.contains(matched), "{second}");
    assert!(second[earlier..].contains("csm: Sam Lee"), "{second}");
    let page = file("hubspot-200", "README.md");
    assert!(page.contains("### Earlier handoffs") && page.contains("hubspot-000"), "{page}");
    let last = file("hubspot-500", "brief.yaml");
    assert_eq!(last.matches("matched_by: name").count(), 3, "{last}");
    sandbox.handoff("ledger", &["validate"]);

    // Given to somebody else, the next one follows.
    sandbox.handoff("ledger", &["assign", "hubspot-500", "joeroy", "--by", "boss"]).exits(0);
    let mut deals = fs::read_to_string(sandbox.join("ledger/deals.csv")).unwrap();
    deals.push_str("900,Acme again,Closed Won,2026-11-19 15:00,1000.00,USD,true,Acme Corp\n");
    sandbox.write("ledger/deals.csv", deals);
    sandbox.handoff("ledger", &["sign", "--deal", "900"]).exits(0);
    let newest = file("hubspot-900", "brief.yaml");
    assert!(newest.contains("name: Joe Roy"), "{newest}");

    let rows = |name: &str| {
        let ran = sandbox.handoff("ledger", &["status", "--customer", name, "--format", "json"]);
        ran.exits(0).json()["handoffs"].as_array().unwrap().len()
    };
    assert_eq!((rows("acme"), rows("Acme Corporation"), rows("two")), (5, 5, 1));
    let none = sandbox.handoff("ledger", &["status", "--customer", "Nobody"]).exits(4);
    assert!(none.stdout.contains("there is no handoff of the customer"), "{}", none.stdout);
}

#[test]
fn deals_handed_over_together_get_what_each_alone_gets() {
    let companies = ["Acme Corp", "Two", "ACME Inc.", "Acme", "Three", "acme corp.", "Two", "Acme"];
    let rules = "  assign: [{to: same_customer}, {to: least_open}]\n";
    let (alone, together) = (ledger(rules, &companies), ledger(rules, &companies));
    csms(&alone, companies.len());
    together.handoff("ledger", &["backfill"]).exits(0);
    let files = ["ls-files", "briefs/*/brief.yaml"];
    let paths = alone.git("ledger", &files);
    assert_eq!(paths, together.git("ledger", &files));
    assert_eq!(paths.lines().count(), companies.len());
    for path in paths.lines() {
        let read = |of: &Sandbox| fs::read_to_string(of.join("ledger").join(path)).unwrap();
        assert_eq!(read(&alone), read(&together), "{path}");
    }
}
