//! What a person or a rule decided counts for the document it was about, and
//! what is not known is not taken for nothing.

use std::fs;

use serde_json::{Value, json};
use wiremock::MockServer;

use super::catch_up::{answers, ledger_with, runtime};
use super::documents::{add_rule, listed, of_deal, open_deal};
use super::server::{KEY, Running, briefs, document, eventually, get, pandadoc};
use crate::sandbox::Sandbox;

const KEYS: [(&str, &str); 2] =
    [("PANDADOC_WEBHOOK_KEY", KEY), ("PANDADOC_API_KEY", "key-of-tests")];

/// Another event about a document.
fn told(body: &[u8], status: &str) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(body).unwrap();
    event[0]["data"]["status"] = json!(format!("document.{status}"));
    event.to_string().into_bytes()
}

fn won(sandbox: &Sandbox) {
    let deals = fs::read_to_string(sandbox.join("ledger/deals.csv")).unwrap();
    let won = deals.replace("Qualified,2026-12-20,false", "Closed Won,2026-11-19,true");
    sandbox.write("ledger/deals.csv", won);
}

fn timeline(sandbox: &Sandbox) -> String {
    let path = format!("HEAD:{}/timeline.yaml", briefs(sandbox)[0]);
    sandbox.git("ledger", &["show", &path])
}

#[test]
fn a_release_is_about_what_was_held_and_nothing_else_of_the_delivery() {
    let sandbox = open_deal();
    add_rule(&sandbox, "{when: \"'NDA' in signature.document_name\", is: ignored}");
    let mut all: Vec<Value> = Vec::new();
    for (id, name, test) in
        [("d1", "Mutual NDA", false), ("d2", "Trial", true), ("d3", "Statement of work", false)]
    {
        let body: Value = serde_json::from_slice(&of_deal(id, name, test)).unwrap();
        all.extend(body.as_array().unwrap().clone());
    }
    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let start = text.find("\ndeliver:").unwrap();
    let tell = "deliver: {outbox: {dir: outbox}}\nheld_documents: {tell: [revops@example.com]}\n";
    let rules = text[text.find("\ndocuments:").unwrap()..].to_owned();
    fs::write(&file, format!("{}\n{tell}{rules}", &text[..start])).unwrap();
    let mut server = Running::serve(&sandbox);
    let body = Value::Array(all).to_string().into_bytes();
    assert_eq!(pandadoc(server.address(), KEY, "e1", &body).unwrap().status, 200);
    server.wait_until_idle();
    let held = listed(&sandbox).into_iter().find(|it| it["state"] == "held").unwrap();
    let told = fs::read_dir(sandbox.join("ledger/outbox/held")).unwrap().next().unwrap().unwrap();
    let told = fs::read_to_string(told.path()).unwrap();
    assert!(told.contains("# Held: \"Statement of work\""), "the one that is held: {told}");
    assert!(held["held"]["reason"].as_str().unwrap().contains("Statement of work"), "{held}");
    let id = held["event"].as_str().unwrap();
    sandbox.handoff("ledger", &["inbox", "release", id, "--as", "contract"]).exits(0);
    eventually("it is handed over", || (!briefs(&sandbox).is_empty()).then_some(()));
    server.wait_until_idle();
    let timeline = timeline(&sandbox);
    assert!(timeline.contains("ref: d3") && !timeline.contains("ref: d1"), "{timeline}");
    assert!(!timeline.contains("ref: d2") && !timeline.contains("amended"), "{timeline}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn what_a_person_said_of_a_document_counts_for_every_delivery_of_it() {
    for kind in ["contract", "ignored"] {
        let sandbox = open_deal();
        let mut server = Running::serve(&sandbox);
        for event in ["e1", "e2"] {
            let body = of_deal("d1", "Order form", false);
            assert_eq!(pandadoc(server.address(), KEY, event, &body).unwrap().status, 200);
        }
        assert_eq!(server.wait_until_idle()["inbox"]["held"], json!(2));
        let id = listed(&sandbox)[0]["event"].as_str().unwrap().to_owned();
        sandbox.handoff("ledger", &["inbox", "release", &id, "--as", kind]).exits(0);
        eventually("both are decided", || {
            (get(server.address(), "/healthz").json()["inbox"]["held"] == 0).then_some(())
        });
        assert_eq!(server.terminate(), Some(0));
        // Another process knows it too.
        let mut server = Running::serve(&sandbox);
        let body = of_deal("d1", "Order form", false);
        assert_eq!(pandadoc(server.address(), KEY, "e3", &body).unwrap().status, 200);
        assert_eq!(server.wait_until_idle()["inbox"]["held"], json!(0), "{}", server.log());
        assert_eq!(briefs(&sandbox).len(), usize::from(kind == "contract"));
        assert_eq!(server.terminate(), Some(0));
    }
}

#[test]
fn a_fact_that_could_not_be_read_is_not_taken_for_none() {
    let runtime = runtime();
    let folders = "/public/v1/documents/folders";
    let nested = json!({"results": [{"uuid": "f-nda", "name": "NDAs", "has_folders": false}]});
    let root = json!({"results": [{"uuid": "f-top", "name": "Sales", "has_folders": true}]});
    // The status of the list of folders, what it lists, and whether a key is there.
    for (status, list, has_key, expected) in [
        (500, &json!({}), true, "again"),
        (403, &json!({}), true, "held"),
        (200, &nested, true, "ignored"),
        (200, &root, true, "ignored"),
        (200, &root, false, "held"),
    ] {
        let server = runtime.block_on(MockServer::start());
        let mut details: Value =
            serde_json::from_slice(&of_deal("d1", "Order form", false)).unwrap();
        let mut details = details[0]["data"].take();
        details["folder_uuid"] = json!("f-nda");
        runtime.block_on(async {
            use wiremock::matchers::{method, path, query_param, query_param_is_missing};
            use wiremock::{Mock, ResponseTemplate};
            answers(&server, "/public/v1/documents/d1/details", 200, &details).await;
            Mock::given(method("GET"))
                .and(path(folders))
                .and(query_param_is_missing("parent_uuid"))
                .respond_with(ResponseTemplate::new(status).set_body_json(list))
                .mount(&server)
                .await;
            Mock::given(method("GET"))
                .and(path(folders))
                .and(query_param("parent_uuid", "f-top"))
                .respond_with(ResponseTemplate::new(200).set_body_json(&nested))
                .mount(&server)
                .await;
        });
        let sandbox = ledger_with(&server);
        sandbox.write(
            "ledger/deals.csv",
            "Record ID,Deal Name,Deal Stage,Close Date,Is Closed Won,Amount,Currency\n\
             42,Acme platform,Closed Won,2026-11-19,true,12000,USD\n",
        );
        add_rule(&sandbox, "{when: signature.folder == 'NDAs', is: ignored}");
        let keys = if has_key { &KEYS[..] } else { &KEYS[..1] };
        let running = Running::start(&sandbox, &["serve", "--listen", "127.0.0.1:0"], keys);
        let mut body: Value = serde_json::from_slice(&of_deal("d1", "Order form", false)).unwrap();
        body[0]["data"].as_object_mut().unwrap().remove("folder");
        let body = body.to_string().into_bytes();
        assert_eq!(pandadoc(running.address(), KEY, "e1", &body).unwrap().status, 200);
        let name = format!("{status} {list} {has_key}");
        let event = eventually("it was looked at", || {
            let event = listed(&sandbox).into_iter().next()?;
            let is_tried = event["attempts"] != 0 || event["state"] != "new";
            (is_tried && event["state"] != "work").then_some(event)
        });
        match expected {
            "again" => {
                assert_eq!((&event["state"], &event["attempts"]), (&json!("new"), &json!(1)))
            }
            "held" => assert_eq!(event["state"], "held", "{name}: {event}"),
            _ => assert_eq!(event["state"], "done", "{name}: {event}"),
        }
        if expected != "ignored" {
            let why = event.to_string();
            assert!(why.contains("reads signature.folder"), "{name}: {why}");
        }
        assert_eq!(briefs(&sandbox), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn no_test_and_no_tag_are_known_to_be_none() {
    for (rule, is_taken) in [
        ("not signature.test", true),
        ("signature.test == false", true),
        ("'sow' not in signature.tags", true),
        ("signature.test", false),
        ("'sow' in signature.tags", false),
    ] {
        let sandbox = open_deal();
        add_rule(&sandbox, &format!("{{when: \"{rule}\", is: contract}}"));
        let mut event: Value = serde_json::from_slice(&of_deal("d1", "Order form", false)).unwrap();
        event[0]["data"]["tags"] = json!([]);
        sandbox.write("order.json", event.to_string());
        let signed = sandbox.handoff("ledger", &["sign", "../order.json"]);
        assert_eq!(signed.code == 0, is_taken, "{rule}: {}", signed.stderr);
    }
}

#[test]
fn a_document_that_was_voided_is_not_handed_over_in_whatever_order_it_is_told() {
    // Held, and voided since.
    let sandbox = open_deal();
    let mut server = Running::serve(&sandbox);
    let body = of_deal("d1", "Order form", false);
    assert_eq!(pandadoc(server.address(), KEY, "e1", &body).unwrap().status, 200);
    assert_eq!(server.wait_until_idle()["inbox"]["held"], json!(1));
    let voided = told(&body, "voided");
    assert_eq!(pandadoc(server.address(), KEY, "e2", &voided).unwrap().status, 200);
    eventually("nothing waits any more", || {
        (get(server.address(), "/healthz").json()["inbox"]["held"] == 0).then_some(())
    });
    won(&sandbox);
    assert_eq!(pandadoc(server.address(), KEY, "e3", &body).unwrap().status, 200);
    server.wait_until_idle();
    assert_eq!(briefs(&sandbox), Vec::<String>::new(), "{}", server.log());
    assert_eq!(server.terminate(), Some(0));

    // Voided first, by another process.
    let sandbox = open_deal();
    won(&sandbox);
    let mut server = Running::serve(&sandbox);
    assert_eq!(pandadoc(server.address(), KEY, "e1", &voided).unwrap().status, 200);
    server.wait_until_idle();
    assert_eq!(server.terminate(), Some(0));
    let mut server = Running::serve(&sandbox);
    assert_eq!(pandadoc(server.address(), KEY, "e2", &body).unwrap().status, 200);
    server.wait_until_idle();
    assert_eq!(briefs(&sandbox), Vec::<String>::new(), "{}", server.log());
    // What is signed after that counts: it was sent again.
    let mut again: Value = serde_json::from_slice(&body).unwrap();
    again[0]["data"]["date_completed"] = json!("2026-11-21T12:00:00Z");
    let again = again.to_string().into_bytes();
    assert_eq!(pandadoc(server.address(), KEY, "e3", &again).unwrap().status, 200);
    server.wait_until_idle();
    assert_eq!(briefs(&sandbox).len(), 1, "{}", server.log());
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_void_that_names_no_deal_finds_its_handoff_also_by_sign() {
    let sandbox = open_deal();
    sandbox.write("order.json", of_deal("d1", "Order form", false));
    sandbox.handoff("ledger", &["sign", "../order.json", "--as", "contract"]).exits(0);
    let mut bare: Value = serde_json::from_slice(&document("d1")).unwrap();
    bare[0]["data"]["status"] = json!("document.voided");
    sandbox.write("void.json", bare.to_string());
    let said = sandbox.handoff("ledger", &["sign", "../void.json"]).exits(0);
    assert!(said.stdout.contains("hubspot-42: its document was voided"), "{}", said.stdout);
    assert_eq!(timeline(&sandbox).matches("event: voided").count(), 1);
    let again = sandbox.handoff("ledger", &["sign", "../void.json", "--format", "json"]).exits(4);
    assert!(again.stderr.contains("hubspot-42 has it already"), "{}", again.stderr);
    bare[0]["data"]["id"] = json!("d9");
    sandbox.write("void.json", bare.to_string());
    // What cannot be read may be its handoff.
    let path = format!("ledger/{}/timeline.yaml", briefs(&sandbox)[0]);
    let whole = fs::read(sandbox.join(&path)).unwrap();
    sandbox.write(&path, "events: [");
    sandbox.git("ledger", &["commit", "-qam", "broken"]);
    let unread = sandbox.handoff("ledger", &["sign", "../void.json"]).exits(3);
    assert!(unread.stderr.contains("cannot be read"), "{}", unread.stderr);
    sandbox.write(&path, whole);
    sandbox.git("ledger", &["commit", "-qam", "whole"]);
    let none = sandbox.handoff("ledger", &["sign", "../void.json"]).exits(4);
    assert!(none.stderr.contains("nothing stands on it"), "{}", none.stderr);
}

#[test]
fn a_document_without_its_time_was_signed_when_it_arrived() {
    let sandbox = open_deal();
    won(&sandbox);
    let mut event: Value = serde_json::from_slice(&of_deal("d1", "Order form", false)).unwrap();
    let data = event[0]["data"].as_object_mut().unwrap();
    data.remove("date_completed");
    for person in data["recipients"].as_array_mut().unwrap() {
        person.as_object_mut().unwrap().remove("signature_date");
    }
    sandbox.write("order.json", event.to_string());
    let received = ["sign", "../order.json", "--received-at", "2026-11-20T10:00:00Z"];
    let signed = sandbox.handoff("ledger", &received).exits(0);
    assert!(signed.stderr.contains("does not say when it was signed"), "{}", signed.stderr);
    let brief = format!("HEAD:{}/brief.yaml", briefs(&sandbox)[0]);
    let brief = sandbox.git("ledger", &["show", &brief]);
    assert!(brief.contains("signed_at: \"2026-11-20T10:00:00Z\""), "{brief}");
    assert!(brief.contains("  due: "), "the first touch has a deadline: {brief}");
}

#[test]
fn a_reference_that_may_be_two_deals_is_held() {
    let sandbox = open_deal();
    won(&sandbox);
    let mut event: Value = serde_json::from_slice(&of_deal("d1", "Order form", false)).unwrap();
    event[0]["data"]["metadata"] = json!({"hubspot_deal_id": "101,102"});
    event[0]["data"]["grand_total"] = json!({"amount": "12000.00", "currency": "USD"});
    sandbox.write("order.json", event.to_string());
    let held = sandbox.handoff("ledger", &["sign", "../order.json"]).exits(3);
    assert!(held.stderr.contains("one deal or two"), "{}", held.stderr);
    assert_eq!(briefs(&sandbox), Vec::<String>::new());
}

#[test]
fn without_a_crm_each_deal_that_a_document_names_is_handed_over() {
    let sandbox = Sandbox::new();
    let csm = "Sam Lee <sam@example.com> @samlee";
    sandbox.handoff(".", &["init", "ledger", "--crm", "none", "--csm", csm]).exits(0);
    let mut event: Value = serde_json::from_slice(&of_deal("d1", "Order form", false)).unwrap();
    event[0]["data"]["metadata"] = json!({});
    event[0]["data"]["linked_objects"] = json!([
        {"provider": "hubspot", "entity_type": "deal", "entity_id": "101"},
        {"provider": "hubspot", "entity_type": "deal", "entity_id": "102"},
        {"provider": "salesforce", "entity_type": "opportunity", "entity_id": "0065g00000XyZ12AAF"},
    ]);
    sandbox.write("order.json", event.to_string());
    sandbox.handoff("ledger", &["sign", "../order.json", "--as", "contract"]);
    let mut all = briefs(&sandbox);
    all.sort();
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all[0].ends_with("hubspot-101") && all[1].ends_with("hubspot-102"), "{all:?}");
}

#[test]
fn a_secret_that_became_unusable_is_said_by_health() {
    let sandbox = open_deal();
    let file = sandbox.write("key", KEY);
    let file = file.to_str().unwrap();
    let keys = [("PANDADOC_WEBHOOK_KEY_FILE", file)];
    let server = Running::start(&sandbox, &["serve", "--listen", "127.0.0.1:0"], &keys);
    assert_eq!(get(server.address(), "/healthz").json()["status"], "ok");
    for (text, words) in [(Some("oops"), "fewer than"), (None, "cannot be read")] {
        match text {
            Some(text) => fs::write(file, text).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
        let health = eventually("health says it", || {
            let health = get(server.address(), "/healthz").json();
            health.to_string().contains(words).then_some(health)
        });
        assert_eq!(health["status"], "degraded", "{health}");
    }
    fs::write(file, KEY).unwrap();
    eventually("it is well again", || {
        (get(server.address(), "/healthz").json()["status"] == "ok").then_some(())
    });
}

#[test]
fn whoever_was_told_of_a_handoff_is_told_that_its_document_was_voided() {
    let sandbox = open_deal();
    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let start = text.find("\ndeliver:").unwrap();
    fs::write(&file, format!("{}\ndeliver: {{outbox: {{dir: outbox}}}}\n", &text[..start]))
        .unwrap();
    let mut server = Running::serve(&sandbox);
    won(&sandbox);
    let body = of_deal("d1", "Order form", false);
    assert_eq!(pandadoc(server.address(), KEY, "e1", &body).unwrap().status, 200);
    server.wait_until_idle();
    let outbox = || {
        let files = fs::read_dir(sandbox.join("ledger/outbox/hubspot-42")).into_iter().flatten();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect::<String>()
    };
    assert!(!outbox().contains("was voided"));
    for event in ["e2", "e3"] {
        let voided = told(&body, "declined");
        assert_eq!(pandadoc(server.address(), KEY, event, &voided).unwrap().status, 200);
        server.wait_until_idle();
    }
    assert_eq!(timeline(&sandbox).matches("event: voided").count(), 1);
    assert_eq!(timeline(&sandbox).matches("event: csm_told").count(), 1, "{}", timeline(&sandbox));
    assert!(outbox().contains("was voided (declined)"), "{}", outbox());
    assert_eq!(server.terminate(), Some(0));
    let later = ["--now", "2026-11-20T18:00:00Z", "audit", "-q"];
    let audit = sandbox.handoff("ledger", &later);
    assert!(audit.stdout.contains("document-voided"), "{}", audit.stdout);
}
