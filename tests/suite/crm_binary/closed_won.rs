//! `sign` and `deliver` with `update_closed_won`, against each CRM.

use serde_json::{Value, json};

use super::{CRMS, Fake, LEDGER, World};
use crate::{hubspot, pipedrive, salesforce};

/// The ids of a deal that is open, of one that is won and of one that is lost.
fn deals(crm: &str) -> [&'static str; 3] {
    match crm {
        "hubspot" => ["31874500107", "31874500102", "5002"],
        "salesforce" => ["006Hs00000aB7cDIAS", "006Hs00000aB2cDIAS", "006Hs00000aBLcDIAS"],
        _ => ["7050", "7002", "7051"],
    }
}

/// A CRM that may be written to, with a lost deal beside those of the samples.
fn world(crm: &'static str) -> World {
    let world = World::of(crm, ", update_closed_won: true");
    match &world.fake {
        Fake::HubSpot(fake) => fake.state().add(
            "deals",
            json!({"id": "5002", "properties": {"pipeline": "default", "dealstage": "closedlost"}}),
        ),
        Fake::Salesforce(fake) => fake.state().add(json!({
            "Id": "006Hs00000aBLcDIAS", "StageName": "Closed Lost", "IsWon": false,
            "IsClosed": true, "IsDeleted": false,
        })),
        Fake::Pipedrive(fake) => fake.state().add(json!({"id": 7051, "status": "lost"})),
    }
    world
}

/// How often something was written that leads to the ledger, and how often not.
fn notes_and_moves(world: &World) -> (usize, usize) {
    let writes = world.writes();
    let notes = writes.iter().filter(|write| write.contains(&format!("{LEDGER}/tree/"))).count();
    (notes, writes.len() - notes)
}

fn deliver_again(world: &World, signed: &Value, code: i32) -> Vec<String> {
    let key = signed["key"].as_str().unwrap();
    let ran = world.run(&["deliver", key, "--no-push", "--format", "json"]);
    assert!(
        [code, 4].contains(&ran.code),
        "{}: {}\n{}{}",
        world.crm,
        ran.code,
        ran.stdout,
        ran.stderr
    );
    world.writes()
}

#[test]
fn crm_binary_a_won_deal_stays_where_it_is_and_has_one_note() {
    for crm in CRMS {
        let world = world(crm);
        let signed = world.sign(deals(crm)[1], 0);
        assert_eq!(notes_and_moves(&world), (1, 0), "{crm}: {:#?}", world.writes());
        let timeline = world.timeline(&signed);
        assert!(timeline.contains("crm_updated") && timeline.contains("won already"), "{timeline}");
        for _ in 0..5 {
            deliver_again(&world, &signed, 0);
            world.sign(deals(crm)[1], 0);
        }
        assert_eq!(notes_and_moves(&world), (1, 0), "{crm}: {:#?}", world.writes());
    }
}

#[test]
fn crm_binary_an_open_deal_is_moved_once_and_has_one_note() {
    for crm in CRMS {
        let world = world(crm);
        let signed = world.sign(deals(crm)[0], 0);
        assert_eq!(notes_and_moves(&world), (1, 1), "{crm}: {:#?}", world.writes());
        let note = format!("{LEDGER}/tree/main/{}", signed["path"].as_str().unwrap());
        assert!(world.writes()[1].contains(&note), "{crm}: {:#?}", world.writes());
        // As if the machine had gone down before it was recorded.
        world.sandbox.git("l", &["reset", "-q", "--hard", "HEAD~1"]);
        assert!(!world.timeline(&signed).contains("crm_updated"), "{crm}");
        for _ in 0..5 {
            deliver_again(&world, &signed, 0);
        }
        assert_eq!(notes_and_moves(&world), (1, 1), "{crm}: {:#?}", world.writes());
        assert!(world.timeline(&signed).contains("won already"), "{}", world.timeline(&signed));
    }
}

#[test]
fn crm_binary_a_lost_deal_is_never_moved() {
    for crm in CRMS {
        let world = world(crm);
        let signed = world.sign(deals(crm)[2], 3);
        let timeline = world.timeline(&signed);
        assert!(timeline.contains("delivery_failed"), "{crm}: {timeline}");
        assert!(timeline.contains("a lost deal is not moved"), "{crm}: {timeline}");
        let writes = deliver_again(&world, &signed, 3);
        assert_eq!(writes, Vec::<String>::new(), "{crm}");
    }
}

#[test]
fn crm_binary_a_rule_of_the_crm_is_a_failed_delivery_in_its_words() {
    for crm in CRMS {
        let world = world(crm);
        let (part, body, words) = match crm {
            "hubspot" => (
                "deals/31874500107",
                hubspot::fake::sample("error-400-conditional-required"),
                "closedate is required when dealstage is closedwon",
            ),
            "salesforce" => (
                "sobjects/Opportunity/006",
                salesforce::fake::sample("error-400-validation"),
                "Success criteria must be filled before Closed Won",
            ),
            _ => (
                "PATCH /api/v2/deals/7050",
                json!({"success": false, "error": "Contract date is required to win a deal"}),
                "Contract date is required to win a deal",
            ),
        };
        world.fail(part, 1, 400, &body);
        let signed = world.sign(deals(crm)[0], 3);
        let timeline = world.timeline(&signed);
        assert!(timeline.contains("delivery_failed"), "{crm}: {timeline}");
        // YAML may break a line anywhere.
        let said = timeline.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("refused: ") && said.contains(words), "{crm}: {said}");
        assert_eq!(notes_and_moves(&world), (0, 1), "no note on a deal that is not won");
        // The rep fills the field; the next run brings it to its end.
        deliver_again(&world, &signed, 0);
        assert_eq!(notes_and_moves(&world), (1, 2), "{crm}: {:#?}", world.writes());
        assert!(world.timeline(&signed).contains("crm_updated"), "{crm}");
    }
}

#[test]
fn crm_binary_an_expired_session_is_opened_once_more() {
    let logins = |expired: usize| {
        let world = world("salesforce");
        let body = salesforce::fake::sample("error-401-invalid-session");
        world.fail("sobjects/Opportunity/006Hs00000aB7c", expired, 401, &body);
        let code = if expired > 1 { 3 } else { 0 };
        let signed = world.sign(deals("salesforce")[0], code);
        let moved = usize::from(code == 0);
        let patches = notes_and_moves(&world).1;
        assert_eq!(patches - expired.min(2), moved, "{:#?}", world.writes());
        let timeline = world.timeline(&signed);
        assert_eq!(timeline.contains("delivery_failed"), code == 3, "{timeline}");
        let Fake::Salesforce(fake) = &world.fake else { panic!("a Salesforce") };
        fake.state().logins
    };
    let usual = logins(0);
    assert_eq!(logins(1), usual + 1, "one session more, and the deal is moved");
    assert_eq!(logins(2), usual + 1, "it is not tried again and again");
    let world = world("pipedrive");
    let Fake::Pipedrive(fake) = &world.fake else { panic!("a Pipedrive") };
    fake.plan("PATCH", [Some((401, vec![], pipedrive::fake::sample("error-401")))]);
    let signed = world.sign("7050", 3);
    assert!(world.timeline(&signed).contains("does not accept the token"));
}
