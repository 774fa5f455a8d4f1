//! The ten stories of each CRM: the brief of each, and the audit over them.

use std::fs;

use serde_json::Value;

use super::{CRMS, Fake, World};

/// The ten deals of a CRM: those that were won, in the order of the story, and
/// the ids of what was reopened, merged away, deleted and archived.
fn story(crm: &str) -> ([&'static str; 8], [&'static str; 3]) {
    match crm {
        "hubspot" => (
            [
                "31874500101",
                "31874500102",
                "31874500103",
                "31874500104",
                "31874500105",
                "31874500106",
                "31874500108",
                "31874500109",
            ],
            ["31874500107", "31874500090", "31874500110"],
        ),
        "salesforce" => (
            [
                "006Hs00000aB1cD",
                "006Hs00000aB2cD",
                "006Hs00000aB3cD",
                "006Hs00000aB4cD",
                "006Hs00000aB5cD",
                "006Hs00000aB6cD",
                "006Hs00000aB8cD",
                "006Hs00000aB9cD",
            ],
            ["006Hs00000aB7cDIAS", "006Hs00000aBXcDIAS", "006Hs00000aB0cDIAS"],
        ),
        _ => (
            ["7001", "7002", "7003", "7004", "7005", "7006", "7008", "7009"],
            ["7007", "7090", "7010"],
        ),
    }
}

/// What a brief tells, in a line: who, what, when, who sold it, who signed.
fn told(world: &World, signed: &Value) -> String {
    let path = world.sandbox.join("l").join(signed["path"].as_str().unwrap()).join("brief.yaml");
    let brief = handoff::yaml::read(&fs::read(path).unwrap()).unwrap().to_json();
    let text = |pointer: &str| match brief.pointer(pointer) {
        None => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let products =
        brief.pointer("/purchase/products").and_then(Value::as_array).map_or(0, Vec::len);
    format!(
        "{} | {} | {} {} | won {} | {} {} | signer {} | buyer {} | {products} products",
        text("/key"),
        text("/customer/name"),
        text("/purchase/contract_value/amount"),
        text("/purchase/contract_value/currency"),
        text("/deal/closed_won_at"),
        text("/deal/owner/name"),
        text("/deal/owner/email"),
        text("/contacts/signer/email"),
        text("/contacts/economic_buyer/email"),
    )
}

fn check(crm: &'static str) {
    let world = World::of(crm, "");
    world.edit("exclude: []", "exclude:\n    - {when: \"'TEST' in deal.name\", reason: test}");
    let (won, [reopened, merged, deleted]) = story(crm);
    let mut lines = Vec::new();
    for (number, id) in won.iter().enumerate() {
        // The third is forgotten, and the first is handed over at once. HubSpot's
        // eighth is signed under the number of a deal that was merged into it.
        if number == 2 || (number == 7 && crm == "hubspot") {
            continue;
        }
        let contract;
        let mut arguments = vec!["sign", "--deal", *id, "--no-push", "--format", "json"];
        if number == 4 {
            // Out of scope: its id alone hands nothing over, a person who says so does.
            let ran = world.run(&arguments).exits(4);
            assert!(ran.stderr.contains("is out of scope: test"), "{}", ran.stderr);
            contract = world.contract(id, "2026-10-24T12:00:00Z");
            arguments = vec!["sign", &contract, "--no-push", "--no-deliver", "--format", "json"];
            arguments.extend(["--as", "contract"]);
        }
        if number == 0 {
            arguments.extend(["--now", "2026-10-30T17:00:00Z"]);
        }
        let signed = world.run(&arguments).exits(0).json();
        lines.push(told(&world, &signed));
    }
    for id in [reopened, deleted] {
        let ran = world.run(&["sign", "--deal", id, "--no-push"]).exits(3);
        assert!(ran.stderr.contains(&format!("deal {id} is not won")), "{}", ran.stderr);
    }
    // Documents are signed for what the CRM calls open, merged or deleted, too.
    for id in [reopened, merged, deleted] {
        let contract = world.contract(id, "2026-10-18T12:00:00Z");
        // One that the CRM does not have is held, until a person says what it is.
        let mut arguments =
            vec!["sign", &contract, "--no-push", "--no-deliver", "--format", "json"];
        arguments.extend(["--as", "contract"]);
        let signed = world.run(&arguments).exits(0).json();
        lines.push(told(&world, &signed));
    }
    lines.push(String::new());
    let report = world.run(&["audit", "--format", "json"]).exits(1).json();
    assert_eq!(report["complete"], true, "{crm}: {}", report["gaps"]);
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or("-").to_owned();
    for deal in report["deals"].as_array().unwrap() {
        lines.push(format!(
            "{} {} ({}, {}) by {} [{}]",
            text(deal, "key"),
            text(deal, "class"),
            text(deal, "reason"),
            text(deal, "matched"),
            text(deal, "owner"),
            text(deal, "closed_won_evidence"),
        ));
    }
    for orphan in report["orphans"].as_array().unwrap() {
        lines.push(format!("orphan {} ({})", text(orphan, "key"), text(orphan, "why")));
    }
    insta::assert_snapshot!(format!("crm_binary_stories_of_{crm}"), lines.join("\n"));
}

#[test]
fn crm_binary_the_ten_stories_of_hubspot() {
    check(CRMS[0]);
}

#[test]
fn crm_binary_the_ten_stories_of_salesforce() {
    check(CRMS[1]);
}

#[test]
fn crm_binary_the_ten_stories_of_pipedrive() {
    check(CRMS[2]);
}

/// Excludes the customers of a name, which is the company's and not the deal's.
#[test]
fn crm_binary_a_scope_over_the_company_reaches_the_audit() {
    for (crm, first) in CRMS.into_iter().zip(["31874500101", "006hs00000ab1cdias", "7001"]) {
        let world = World::of(crm, "");
        let rule = "exclude:\n    - {when: \"company.name == 'Northwind Robotics'\", reason: ours}";
        world.edit("exclude: []", rule);
        let report = world.run(&["audit", "--format", "json"]).exits(1).json();
        let key = format!("{crm}-{first}");
        let deals = report["deals"].as_array().unwrap();
        let deal = deals.iter().find(|deal| deal["key"] == key.as_str()).unwrap();
        assert_eq!(deal["class"], "excluded", "{crm}: {deal}");
        assert_eq!(report["summary"]["excluded"], 1, "{crm}");
    }
}

#[test]
fn crm_binary_a_property_that_is_gone_is_named_with_its_remedy() {
    for (crm, name, known, deal) in [
        ("hubspot", "citty", "city", "31874500101"),
        ("salesforce", "Teir__c", "Tier__c", "006Hs00000aB1cD"),
        ("pipedrive", "Adress", "Address", "7001"),
    ] {
        let world = World::of(crm, "");
        if let Fake::Pipedrive(fake) = &world.fake {
            let field = serde_json::json!({"field_code": "address", "field_name": "Address"});
            fake.state().fields.insert("org", vec![field]);
        }
        let line = format!("brief:\n  customer.tier: company.properties.{name}\n");
        world.edit("brief: {}\n", &line);
        let doctor = world.run(&["doctor"]).exits(3);
        for words in [name, &format!("Did you mean {known}?")] {
            assert!(doctor.stdout.contains(words), "{crm}: {words}\n{}", doctor.stdout);
        }
        let sign = world.run(&["sign", "--deal", deal, "--no-push"]);
        assert_ne!(sign.code, 0, "{crm}: an answer is not left out in silence");
        assert!(sign.stderr.contains(&format!("do not have: {name}")), "{crm}: {}", sign.stderr);
        assert!(sign.stderr.contains(known), "{crm}: {}", sign.stderr);
        // An audit asks nothing of companies, and goes on without it.
        world.run(&["audit"]).exits(1);
        world.edit(&format!("company.properties.{name}"), &format!("company.properties.{known}"));
        world.run(&["sign", "--deal", deal, "--no-push"]).exits(0);
    }
}

#[test]
fn crm_binary_a_promise_that_the_deal_has_lost_is_drift_until_it_is_read_again() {
    let world = World::of("hubspot", "");
    let (deal, signed) = ("31874500101", "2026-11-02T15:00:00Z");
    let contract = world.contract(deal, signed);
    world.run(&["sign", &contract, "--no-push", "--no-deliver", "--now", signed]).exits(0);
    let drift = |now: &str| {
        let report = world.run(&["audit", "--format", "json", "--now", now]).json();
        let findings = report["findings"].as_array().unwrap().clone();
        findings
            .iter()
            .filter(|it| it["rule"] == "deal-drift")
            .any(|it| it["message"].to_string().contains("engineer for 6 weeks"))
    };
    assert!(!drift("2026-11-02T16:00:00Z"));
    let Fake::HubSpot(fake) = &world.fake else { unreachable!() };
    {
        let mut account = fake.state();
        let mut record = account.objects["deals"][&deal.parse::<u64>().unwrap()].clone();
        record["properties"]["handoff_promises"] =
            serde_json::json!("SSO at no charge in year one");
        account.add("deals", record);
    }
    assert!(drift("2026-11-02T17:00:00Z"));
    let sign =
        ["sign", "--deal", deal, "--no-push", "--no-deliver", "--now", "2026-11-02T18:00:00Z"];
    world.run(&sign).exits(0);
    assert!(!drift("2026-11-02T19:00:00Z"));
}
