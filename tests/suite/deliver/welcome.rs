//! The signed welcome request.

use std::collections::VecDeque;
use std::sync::Mutex;

use handoff::deliver::{DeliveryError, Sink, build};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::fake::{Asked, Fake, Reply};
use super::run_once::deliver;
use super::sample::{deliver_config, handoff, hostile, secrets, sinks, site};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn send(answers: &[fn() -> Reply]) -> (Result<String, DeliveryError>, Vec<Asked>) {
    let left: Mutex<VecDeque<fn() -> Reply>> = Mutex::new(answers.iter().copied().collect());
    let fake = Fake::serve(move |_| {
        let next = left.lock().expect("not poisoned").pop_front();
        next.map_or(Reply::Text(204, ""), |reply| reply())
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let sinks = at(&format!("{}/hooks/1?token=verysecret", fake.url), folder.path());
    let outcome = deliver(&sinks, &handoff("csv-a.b")).await.outcome.map(|mark| mark.reference);
    (outcome, fake.asked())
}

fn at(url: &str, folder: &std::path::Path) -> Vec<Box<dyn Sink>> {
    let config = json!({"welcome": {"url": url, "allow_private": true}});
    sinks(config, &secrets(&[("WELCOME_SECRET", SECRET)]), folder)
}

#[tokio::test]
async fn the_request_is_signed_and_the_same_at_every_try() {
    let limited: fn() -> Reply = || Reply::With(429, &[("retry-after", "0")], json!({}));
    let (outcome, asked) = send(&[|| Reply::Drop, limited]).await;
    assert_eq!(outcome.expect("sent"), "hnd_csv-a~b_welcome");
    assert_eq!(asked.len(), 3);
    let webhook = Webhook::new(SECRET).expect("a secret");
    for request in &asked {
        assert_eq!(request.bytes, asked[0].bytes);
        assert_eq!(request.headers["webhook-id"], "hnd_csv-a~b_welcome");
        assert_eq!(request.query, "token=verysecret");
        let header = |name: &str| request.headers[name].to_str().expect("text").to_owned();
        // The crate's own check wants a recent time; signing again is the same proof.
        let stamp: i64 = header("webhook-timestamp").parse().expect("seconds");
        assert_eq!(stamp, super::sample::now().timestamp());
        let expected = webhook.sign(&header("webhook-id"), stamp, &request.bytes).expect("signed");
        assert_eq!(header("webhook-signature"), expected);
    }
    insta::assert_json_snapshot!("welcome_body", asked[0].json());
}

#[tokio::test]
async fn redirects_are_not_followed_and_refusals_are_for_good() {
    let redirect: fn() -> Reply =
        || Reply::With(302, &[("location", "http://127.0.0.1:1/elsewhere")], Value::Null);
    let gone: fn() -> Reply = || Reply::Text(410, "");
    let denied: fn() -> Reply = || Reply::Text(401, "");
    for (answer, says) in [(redirect, "302"), (gone, "410"), (denied, "401")] {
        let (outcome, asked) = send(&[answer]).await;
        let Err(error @ DeliveryError::Permanent { .. }) = outcome else {
            panic!("{says}: {outcome:?}")
        };
        assert_eq!(error.to_string(), format!("the welcome webhook answered {says}"));
        assert_eq!(asked.len(), 1);
    }
    let busy: fn() -> Reply = || Reply::Text(503, "");
    let (outcome, asked) = send(&[busy, busy, busy]).await;
    assert!(matches!(outcome, Err(DeliveryError::Transient { .. })), "{outcome:?}");
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed_and_secrets_are_not_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = secrets(&[("WELCOME_SECRET", SECRET)]);
    for url in [
        "https://127.0.0.1/x?token=verysecret",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://localhost/",
    ] {
        let sinks = sinks(json!({"welcome": {"url": url}}), &secrets, folder.path());
        let error = sinks[0].act(&handoff("hubspot-1")).await.expect_err("refused");
        assert!(matches!(error, DeliveryError::Permanent { .. }), "{url}: {error:?}");
        assert!(error.to_string().contains("not on the public Internet"), "{error}");
        assert!(!format!("{error:?}").contains("verysecret"));
    }
    for url in
        ["http://hooks.example.com/", "https://user:pw@hooks.example.com/", "ftp://x.example/"]
    {
        let config = deliver_config(&json!({"welcome": {"url": url}})).expect("a configuration");
        assert!(build(&config, &secrets, &site(folder.path())).is_err(), "{url}");
    }
    let closed = at("http://127.0.0.1:1/hooks?token=verysecret", folder.path());
    let error = closed[0].act(&handoff("hubspot-1")).await.expect_err("nobody is there");
    assert!(matches!(error, DeliveryError::Transient { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("verysecret"), "{error:?}");
}

#[tokio::test]
async fn hostile_text_is_json_text_and_bounded() {
    let fake = Fake::serve(|_| Reply::Text(204, "")).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut hostile = hostile("hubspot-1");
    hostile.brief["success"]["primary_goal"] = json!("long ".repeat(100_000));
    deliver(&at(&fake.url, folder.path()), &hostile).await.outcome.expect("sent");
    let asked = &fake.asked()[0];
    assert!(asked.bytes.len() < 20_000, "{} bytes", asked.bytes.len());
    assert_eq!(asked.json()["data"]["handoff_id"], "hubspot-1");
}

#[test]
fn signatures_are_those_of_the_specification() {
    let sample: Value =
        serde_json::from_str(include_str!("../../fixtures/deliver/handoff-welcome-requested.json"))
            .expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let webhook = Webhook::new(&text(&sample["secret"])).expect("a secret");
    let (vector, headers) = (&sample["spec_vector"], &sample["headers"]);
    let stamp = text(&headers["webhook-timestamp"]).parse().expect("seconds");
    for (id, stamp, body, expected) in [
        (
            &vector["id"],
            vector["timestamp"].as_i64().expect("seconds"),
            &vector["payload"],
            &vector["signature"],
        ),
        (&headers["webhook-id"], stamp, &sample["body"], &headers["webhook-signature"]),
    ] {
        let signed = webhook.sign(&text(id), stamp, text(body).as_bytes()).expect("signed");
        assert_eq!(signed, text(expected));
    }
}
