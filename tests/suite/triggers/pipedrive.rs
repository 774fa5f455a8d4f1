//! Pipedrive's webhook.

use serde_json::{Value, json};

use super::samples::{Sample, body, pipedrive};

const NONE: [&str; 0] = [];

fn with(change: impl Fn(&mut Value)) -> Sample {
    let sample = pipedrive();
    let mut body: Value = serde_json::from_slice(&sample.body).unwrap();
    change(&mut body);
    sample.with_body(body.to_string())
}

#[test]
fn newly_won_is_what_counts() {
    let deals = |change: &dyn Fn(&mut Value)| with(change).deals();
    assert_eq!(deals(&|_| ()), ["7001"]);
    assert_eq!(deals(&|body| body["previous"]["status"] = json!("won")), NONE);
    assert_eq!(deals(&|body| body["previous"] = json!(null)), NONE);
    assert_eq!(deals(&|body| body["data"]["status"] = json!("lost")), NONE);
    assert_eq!(deals(&|body| body["meta"]["entity"] = json!("person")), NONE);
    let created = |status: &'static str| {
        move |body: &mut Value| {
            body["meta"]["action"] = json!("create");
            body["previous"] = json!(null);
            body["data"]["status"] = json!(status);
        }
    };
    assert_eq!(deals(&created("won")), ["7001"]);
    assert_eq!(deals(&created("open")), NONE);
    for file in ["webhook-change-deal-not-a-win.json", "webhook-delete-deal-merged.json"] {
        let sample = pipedrive().with_body(body(&format!("pipedrive/{file}")));
        assert_eq!(sample.deals(), NONE, "{file}");
    }
}

#[test]
fn user_and_password_are_wanted_as_http_has_them() {
    for header in ["", "Basic", "Basic %%%", "Bearer aGFuZG9mZjpleGFtcGxlLW9ubHk="] {
        let sample = pipedrive().with_header("authorization", header);
        assert_eq!(sample.refused(header), ("unsigned", 401), "{header:?}");
    }
    let unsigned = pipedrive().without_header("authorization");
    let rejection = unsigned.send().unwrap_err();
    let answer = unsigned.rejected(&rejection);
    assert!(answer.headers.contains(&("www-authenticate", "Basic realm=\"handoff\"".to_owned())));
    for login in ["handoff:example-onl", "handoff:example-only2", "Handoff:example-only"] {
        assert_eq!(pipedrive().logged_in(login).refused(login), ("bad_signature", 401));
    }
    assert!(
        pipedrive()
            .with_header("authorization", "basic aGFuZG9mZjpleGFtcGxlLW9ubHk=")
            .send()
            .is_ok()
    );
    let half = pipedrive().with_secret("example-only");
    assert_eq!(half.refused("a secret without user"), ("unusable_secret", 503));
}

#[test]
fn another_company_and_another_version_are_refused() {
    let other = with(|body| body["meta"]["company_id"] = json!("1"));
    assert_eq!(other.refused("of another company"), ("other_account", 401));
    let old = pipedrive().with_body(
        json!({"v": 1, "event": "updated.deal", "meta": {"action": "updated"}, "current": {}})
            .to_string(),
    );
    let words = old.send().unwrap_err().to_string();
    assert!(words.contains("create it again with \"version\": \"2.0\""), "{words}");
}

#[test]
fn an_attempt_more_is_the_same_delivery() {
    let delivery = |sample: &Sample| sample.send().unwrap().delivery_id().clone();
    let first = delivery(&pipedrive());
    assert_eq!(first, delivery(&with(|body| body["meta"]["attempt"] = json!(3))));
    assert_ne!(first, delivery(&with(|body| body["meta"]["id"] = json!("another"))));
}
