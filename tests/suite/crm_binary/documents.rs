//! Documents that are not contracts, on an open deal of each CRM and through
//! every way in: nothing is written to the CRM, nobody is told, and after a rule
//! is added the contract goes through.

use std::fs;

use serde_json::{Value, json};
use wiremock::MockServer;

use super::{CRMS, World};
use crate::intake::catch_up::answers;
use crate::intake::server::{KEY, Running, briefs_in, document, eventually, pandadoc};

const DOCUMENTS: [(&str, &str); 3] = [
    ("nda-1", "Mutual NDA - Acme"),
    ("offer-1", "Offer letter - Acme"),
    ("dev-1", "[DEV] Order form"),
];
const SECRETS: [(&str, &str); 2] = [("PANDADOC_API_KEY", "api-key"), ("PANDADOC_WEBHOOK_KEY", KEY)];

/// A deal that is open, and how PandaDoc names it.
fn open_deal(crm: &str) -> (&'static str, &'static str) {
    match crm {
        "hubspot" => ("31874500107", "deal"),
        "salesforce" => ("006Hs00000aB7cDIAS", "opportunity"),
        _ => ("7050", "deal"),
    }
}

/// A completed document of that deal without a total.
fn completed(crm: &str, id: &str, name: &str) -> Value {
    let (deal, kind) = open_deal(crm);
    let mut event: Value = serde_json::from_slice(&document(id)).unwrap();
    let data = &mut event[0]["data"];
    data["name"] = json!(name);
    data["linked_objects"] = json!([{"provider": crm, "entity_type": kind, "entity_id": deal}]);
    for name in ["grand_total", "total", "pricing", "products"] {
        data.as_object_mut().unwrap().remove(name);
    }
    event
}

/// A CRM that may be written to, an outbox that takes what people are told, and
/// a PandaDoc that has completed the three documents.
fn world(crm: &'static str, server: &MockServer) -> World {
    let world = World::of(crm, ", update_closed_won: true");
    world.edit("before_push: true", "before_push: true\n  outbox: {dir: outbox}");
    let path = world.sandbox.join("l/handoff.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find("\nesign:").unwrap();
    let end = start + 1 + text[start + 1..].find("\n\n").unwrap();
    let esign = format!("\nesign:\n  pandadoc: {{base_url: '{}'}}", server.uri());
    fs::write(&path, format!("{}{esign}{}", &text[..start], &text[end..])).unwrap();
    world.sandbox.git("l", &["commit", "-qam", "the settings"]);
    let listed: Vec<Value> = DOCUMENTS
        .iter()
        .map(|(id, name)| {
            json!({
                "id": id, "name": name, "status": "document.completed", "version": "2",
                "date_created": "2026-11-19T09:14:05.600947Z",
                "date_modified": "2026-11-20T15:43:53.918819Z",
                "date_completed": "2026-11-20T15:43:53.877522Z", "expiration_date": null,
            })
        })
        .collect();
    world.runtime.block_on(async {
        answers(server, "/public/v1/documents", 200, &json!({"results": listed})).await;
        for (id, name) in DOCUMENTS {
            let details = &completed(crm, id, name)[0]["data"];
            answers(server, &format!("/public/v1/documents/{id}/details"), 200, details).await;
        }
    });
    world
}

fn nothing_happened(world: &World, way: &str) {
    assert_eq!(world.writes(), Vec::<String>::new(), "{}: {way} wrote to the CRM", world.crm);
    assert_eq!(briefs_in("l", &world.sandbox), Vec::<String>::new(), "{}: {way}", world.crm);
    let outbox = world.sandbox.join("l/outbox");
    assert!(!outbox.exists(), "{}: {way} told somebody", world.crm);
}

#[test]
fn crm_binary_no_document_that_is_no_contract_writes_to_a_crm_or_tells_anybody() {
    for crm in CRMS {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(MockServer::start());
        let world = world(crm, &server);
        let run = |arguments: &[&str]| {
            let secrets: Vec<(&str, &str)> = world
                .secrets
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .chain(SECRETS)
                .collect();
            world.sandbox.handoff_with("l", arguments, &secrets)
        };

        for (id, name) in DOCUMENTS {
            let file = world.sandbox.write("event.json", completed(crm, id, name).to_string());
            let ran = run(&["sign", file.to_str().unwrap(), "--no-push"]);
            let (code, why) = match id {
                "dev-1" => (4, "test document"),
                _ => (3, "no rule under `documents:`"),
            };
            assert_eq!(ran.code, code, "{crm} {name}: {}", ran.stderr);
            assert!(ran.stderr.contains(why), "{crm} {name}: {}", ran.stderr);
        }
        nothing_happened(&world, "sign");

        for (id, name) in DOCUMENTS {
            let event = completed(crm, &format!("w-{id}"), name).to_string();
            world.sandbox.write(&format!("drop/{id}.json"), event);
        }
        let variables: Vec<(&str, &str)> = world
            .secrets
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain(SECRETS)
            .collect();
        {
            let watching = Running::start_in(
                "l",
                &world.sandbox,
                &["watch", "../drop", "--no-push"],
                &variables,
            );
            eventually("two are held and one is processed", || {
                let held = fs::read_dir(world.sandbox.join("drop/held")).map_or(0, Iterator::count);
                let listed = run(&["inbox", "list", "--all", "--format", "json"]).json();
                let states = listed["events"].as_array().unwrap().iter();
                let done = states.filter(|event| event["state"] == "done").count();
                (held == 2 && done == 1).then_some(())
            });
            drop(watching);
        }
        nothing_happened(&world, "watch");

        let mut serving = Running::start_in(
            "l",
            &world.sandbox,
            &["serve", "--listen", "127.0.0.1:0", "--no-push"],
            &variables,
        );
        for (id, name) in DOCUMENTS {
            let body = completed(crm, &format!("s-{id}"), name).to_string().into_bytes();
            assert_eq!(pandadoc(serving.address(), KEY, id, &body).unwrap().status, 200);
        }
        serving.wait_until_idle();
        assert_eq!(serving.terminate(), Some(0), "{}", serving.log());
        nothing_happened(&world, "serve");

        let since = ["--since", "2026-11-01T00:00:00Z", "--no-push", "--format", "json"];
        let caught = run(&[&["catch-up"], &since[..]].concat());
        nothing_happened(&world, "catch-up");
        assert_eq!(caught.json()["failed"], json!(0), "{crm}: {}", caught.stdout);

        let audit = run(&["audit", "--from", "2026-10-01", "--signatures", "--format", "json"]);
        assert_eq!(
            audit.code, 3,
            "{crm}: what nothing decides is no clean audit: {}",
            audit.stderr
        );
        let report = audit.json();
        let gaps = report["gaps"].to_string();
        for id in ["nda-1", "offer-1"] {
            assert!(gaps.contains(&format!("document {id} of pandadoc")), "{crm}: {gaps}");
        }
        assert!(audit.stderr.contains("document dev-1 of pandadoc is ignored"), "{}", audit.stderr);
        nothing_happened(&world, "audit --signatures");

        world.edit("\ndocuments:\n", "\ndocuments:\n  - {when: \"'NDA' in signature.document_name\", is: ignored, reason: an NDA}\n  - {when: \"'Offer' in signature.document_name\", is: contract}\n");
        let offer = completed(crm, "offer-1", "Offer letter - Acme").to_string();
        let file = world.sandbox.write("event.json", offer);
        run(&["sign", file.to_str().unwrap(), "--no-push"]).exits(0);
        assert_eq!(briefs_in("l", &world.sandbox).len(), 1, "{crm}");
        let writes = world.writes();
        assert_eq!(writes.len(), 2, "{crm}: moved and linked: {writes:#?}");
        assert!(world.sandbox.join("l/outbox").is_dir(), "{crm}: people are told");
    }
}
