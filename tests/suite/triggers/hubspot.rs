//! HubSpot's webhook.

use chrono::TimeDelta;
use handoff::crm::CrmConfig;
use handoff::yaml;
use serde_json::{Value, json};

use super::samples::{CLIENT_SECRET, body, hubspot, now};

#[test]
fn the_vectors_of_version_3_hold() {
    let file: Value =
        serde_json::from_slice(&body("hubspot/webhook-signature-vectors.json")).unwrap();
    assert_eq!(file["client_secret"], CLIENT_SECRET);
    let of_posts = |vector: &&Value| vector["version"] == "v3" && vector["method"] == "POST";
    let vectors: Vec<&Value> =
        file["vectors"].as_array().unwrap().iter().filter(of_posts).collect();
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        let uri = vector["uri"].as_str().unwrap();
        let mut sample = hubspot()
            .with_header("x-hubspot-signature-v3", vector["expected"].as_str().unwrap())
            .with_header("x-hubspot-request-timestamp", vector["timestamp"].as_str().unwrap());
        sample.query = uri.split_once('?').map(|(_, query)| query.to_owned());
        assert_eq!(sample.deals(), ["31874500101"], "{uri}");
    }
}

/// A workflow's "Send a webhook", signed with version 2.
fn workflow(body: &str) -> super::samples::Sample {
    use sha2::Digest as _;
    let mut sample = hubspot()
        .without_header("x-hubspot-signature-v3")
        .without_header("x-hubspot-request-timestamp");
    sample.body = body.as_bytes().to_vec();
    let signed = format!("{CLIENT_SECRET}POST{}{body}", super::samples::URL);
    let proof = hex::encode(sha2::Sha256::digest(signed.as_bytes()));
    sample
        .with_header("x-hubspot-signature-version", "v2")
        .with_header("x-hubspot-signature", &proof)
}

#[test]
fn a_workflow_is_signed_with_version_2_and_sends_an_object() {
    let file: Value =
        serde_json::from_slice(&body("hubspot/webhook-signature-vectors.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap().iter();
    assert!(vectors.filter(|vector| vector["version"] == "v2").count() > 0, "HubSpot's own");
    for body in [
        r#"{"portalId":24681012,"objectTypeId":"0-3","objectId":42,"properties":{"dealstage":{"value":"closedwon"}}}"#,
        r#"{"hs_object_id":"42"}"#,
        r#"{"properties":{"hs_object_id":"42","hs_is_closed_won":"true"}}"#,
        r#"{"objectType":"DEAL","properties":{"hs_object_id":{"value":42}}}"#,
    ] {
        assert_eq!(workflow(body).deals(), ["42"], "{body}");
    }
    let good = r#"{"hs_object_id":"42"}"#;
    let mut tampered = workflow(good);
    tampered.body = good.replace("42", "43").into_bytes();
    assert_eq!(tampered.refused("another deal"), ("bad_signature", 401));
    let sample = workflow(good).with_header("x-hubspot-signature", "no hex");
    assert_eq!(sample.refused("no signature"), ("bad_signature", 401));
    let sample = workflow(good).with_header("x-hubspot-signature-version", "v1");
    assert_eq!(sample.refused("version 1 signs no URL"), ("unsigned", 401));
    assert_eq!(workflow(r#"{"hs_object_id":""}"#).refused("no id"), ("malformed", 400));
    assert_eq!(workflow(r#"{"hs_object_id":"../1"}"#).refused("no id"), ("malformed", 400));
    let other = r#"{"portalId":1,"hs_object_id":"42"}"#;
    assert_eq!(workflow(other).refused("another account"), ("other_account", 401));
    let none: [&str; 0] = [];
    assert_eq!(workflow(r#"{"objectTypeId":"0-1","objectId":7}"#).deals(), none, "a contact");
}

#[test]
fn everything_that_is_signed_counts() {
    let tampered = |change: &dyn Fn(&mut super::samples::Sample)| {
        let mut sample = hubspot();
        change(&mut sample);
        sample.refused("tampered with")
    };
    let bad = ("bad_signature", 401);
    assert_eq!(tampered(&|sample| sample.body[2] ^= 1), bad);
    assert_eq!(tampered(&|sample| sample.query = Some("a=b".to_owned())), bad);
    assert_eq!(tampered(&|sample| sample.settings = sample.settings.replace("/hooks/", "/")), bad);
    for (name, value) in [
        ("x-hubspot-request-timestamp", "1793378532001"),
        ("x-hubspot-request-timestamp", "soon"),
        ("x-hubspot-signature-v3", "%%%"),
        ("x-hubspot-signature-v3", ""),
    ] {
        assert_eq!(hubspot().with_header(name, value).refused(name), bad, "{name}: {value}");
    }
    for name in ["x-hubspot-request-timestamp", "x-hubspot-signature-v3"] {
        assert_eq!(hubspot().without_header(name).refused(name), ("unsigned", 401));
    }
}

#[test]
fn five_minutes_are_the_window() {
    let sample = hubspot();
    for (offset, fresh) in [(300, true), (301, false), (-300, true), (-301, false)] {
        let told = sample.send_at(now() + TimeDelta::seconds(offset));
        assert_eq!(told.is_ok(), fresh, "{offset} s: {told:?}");
        if let Err(rejection) = told {
            assert_eq!(sample.told(&rejection), ("stale", 401));
        }
    }
}

/// One event of the sample with other values.
fn event(changes: &Value) -> Value {
    let events: Value =
        serde_json::from_slice(&body("hubspot/webhook-deal-events.raw.json")).unwrap();
    let mut event = events[1].clone();
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

fn deals(events: &[Value]) -> Vec<String> {
    hubspot().with_body(json!(events).to_string()).signed().deals()
}

#[test]
fn only_changes_that_can_win_a_deal_matter() {
    let none: [&str; 0] = [];
    assert_eq!(deals(&[event(&json!({}))]), ["31874500101"]);
    assert_eq!(deals(&[event(&json!({"objectId": "00123"}))]), ["00123"], "ids may be texts");
    assert_eq!(deals(&[event(&json!({"propertyValue": "false"}))]), none);
    assert_eq!(deals(&[event(&json!({"propertyName": "amount", "propertyValue": "1"}))]), none);
    assert_eq!(deals(&[event(&json!({"subscriptionType": "contact.propertyChange"}))]), none);
    assert_eq!(deals(&[event(&json!({"subscriptionType": "deal.deletion"}))]), none);
    assert_eq!(deals(&[event(&json!({"portalId": 1}))]), none, "another account");
    // HubSpot alone knows which stages are won.
    let moved = json!({"propertyName": "dealstage", "propertyValue": "1071299999"});
    assert_eq!(deals(&[event(&moved)]), ["31874500101"]);
    let general =
        |kind: &str| json!({"subscriptionType": "object.propertyChange", "objectTypeId": kind});
    assert_eq!(deals(&[event(&general("0-3"))]), ["31874500101"]);
    assert_eq!(deals(&[event(&general("0-1"))]), none);
}

#[test]
fn one_event_that_cannot_be_told_does_not_hold_back_the_others() {
    let lost = event(&json!({"objectId": null}));
    assert_eq!(deals(&[lost.clone(), event(&json!({"objectId": 5}))]), ["5"]);
    let alone = hubspot().with_body(json!([lost]).to_string()).signed();
    assert_eq!(alone.refused("without an id"), ("malformed", 400));
    let none: [&str; 0] = [];
    assert_eq!(deals(&[]), none);
}

#[test]
fn a_retry_is_known_in_whatever_batch_it_comes() {
    let delivery = |events: &[Value]| {
        let sample = hubspot().with_body(json!(events).to_string()).signed();
        sample.send().unwrap().delivery_id().clone()
    };
    let (one, other) = (event(&json!({})), event(&json!({"objectId": 7, "eventId": 9})));
    let again = event(&json!({"attemptNumber": 3}));
    let ignored = event(&json!({"subscriptionType": "contact.propertyChange"}));
    let first = delivery(&[one.clone(), other.clone()]);
    assert_eq!(first, delivery(&[other.clone(), ignored, again]));
    assert_ne!(first, delivery(&[one]));
    assert_ne!(delivery(&[other]), delivery(&[event(&json!({"objectId": 7, "eventId": 10}))]));
}

#[test]
fn the_target_url_is_checked_where_it_is_written() {
    for url in [
        "http://handoff.example.com/hooks",
        "handoff",
        "https://x.example",
        "https://x.example/a?b=c",
    ] {
        let text = format!("hubspot: {{webhook: {{url: '{url}'}}}}");
        let node = yaml::read(text.as_bytes()).unwrap();
        let problems = CrmConfig::read(&node).expect_err(url);
        assert_eq!(problems[0].line, 1, "{problems:?}");
    }
}
