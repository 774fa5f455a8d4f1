//! Cards through a Teams workflow.

use std::collections::VecDeque;
use std::sync::Mutex;

use handoff::deliver::{DeliveryError, Sink, build};
use serde_json::{Value, json};

use super::fake::{Asked, Fake, Reply};
use super::run_once::deliver;
use super::sample::{deliver_config, handoff, hostile, now, secrets, site};

/// A receiver that takes Adaptive Cards only, of at most 28 KB.
fn receive(asked: &Asked) -> Reply {
    let card = &asked.json()["attachments"][0];
    if card["contentType"] != "application/vnd.microsoft.card.adaptive"
        || card["content"]["type"] != "AdaptiveCard"
        || asked.bytes.len() > 28 * 1024
    {
        return Reply::Text(400, "bad request");
    }
    Reply::Text(202, "")
}

const PATH: &str =
    "/workflows/1/triggers/manual/paths/invoke?api-version=2016-06-01&sig=verysecret";

fn at(fake: &Fake, repeat: bool, has_links: bool) -> Vec<Box<dyn Sink>> {
    let values = [
        ("TEAMS_WEBHOOK_URL", &*format!("{}{PATH}", fake.url)),
        ("HANDOFF_LINK_KEY", "0123456789abcdef0123456789abcdef"),
    ];
    let secrets = secrets(&values);
    let mut config = json!({"teams": {"repeat": repeat}});
    if has_links {
        config["links"] = json!({"public_url": "https://handoff.example.com", "in_channels": true});
    }
    built(&config, &secrets)
}

fn built(config: &Value, secrets: &handoff::model::Secrets) -> Vec<Box<dyn Sink>> {
    let config = deliver_config(config).expect("a configuration");
    let mut site = site(std::path::Path::new("."));
    let keys = handoff::link::LinkKeys::of(secrets).expect("long enough").expect("set");
    site.links = config.links.as_ref().map(|it| handoff::deliver::Links::new(it, keys));
    build(&config, secrets, &site).expect("sinks")
}

/// All texts of a card that Teams could read as Markdown.
fn texts(card: &Value) -> Vec<String> {
    let blocks = card["attachments"][0]["content"]["body"].as_array().expect("blocks");
    let runs = blocks.iter().flat_map(|block| {
        assert_eq!(block["type"], "RichTextBlock", "runs know no Markdown: {block}");
        block["inlines"].as_array().expect("runs")
    });
    runs.map(|run| run["text"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn a_channel_holds_no_link_that_answers_in_somebodys_name_unless_it_is_told_to() {
    let fake = Fake::serve(receive).await;
    let url = format!("{}{PATH}", fake.url);
    let secrets = secrets(&[
        ("TEAMS_WEBHOOK_URL", &*url),
        ("HANDOFF_LINK_KEY", "0123456789abcdef0123456789abcdef"),
    ]);
    let config = json!({"teams": {}, "links": {"public_url": "https://handoff.example.com"}});
    deliver(&built(&config, &secrets), &handoff("hubspot-1")).await.outcome.expect("taken");
    let card = fake.asked()[0].json().to_string();
    assert!(!card.contains("/h/"), "{card}");
}

#[tokio::test]
async fn one_card_with_the_links_as_buttons() {
    let fake = Fake::serve(receive).await;
    let mut handoff = handoff("hubspot-1");
    handoff.brief["deal"]["url"] = json!("https://crm.example/1");
    let mark = deliver(&at(&fake, false, true), &handoff).await.outcome.expect("taken");
    assert_eq!(mark.reference, "incoming-webhook");
    let asked = fake.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].query, "api-version=2016-06-01&sig=verysecret");
    let card = asked[0].json();
    let texts = texts(&card).join("\n");
    for words in ["New handoff: Acme Corp", "Introduce yourself", "dana@acme.example", "10:01 EST"]
    {
        assert!(texts.contains(words), "{words} is not in\n{texts}");
    }
    assert!(!texts.contains('*') && !texts.contains("http"), "{texts}");
    let actions = card["attachments"][0]["content"]["actions"].as_array().expect("buttons");
    let titles: Vec<&str> =
        actions.iter().map(|it| it["title"].as_str().expect("a title")).collect();
    assert_eq!(titles, ["Accept or return", "Brief", "Deal"]);
    assert!(actions.iter().all(|it| it["type"] == "Action.OpenUrl"), "{actions:?}");
    assert!(
        actions[0]["url"].as_str().expect("a link").starts_with("https://handoff.example.com/h/")
    );
}

#[tokio::test]
async fn hostile_text_is_text_and_fits() {
    let fake = Fake::serve(receive).await;
    let mut hostile = hostile("hubspot-1");
    hostile.brief["commitments"] =
        json!(vec![json!({"promise": "株式会社 [x](https://evil.example) ".repeat(200)}); 30]);
    deliver(&at(&fake, false, false), &hostile).await.outcome.expect("taken");
    let card = fake.asked()[0].json();
    let texts = texts(&card).join("\n");
    assert!(
        texts.contains("Evil <!channel>") && !texts.contains(['\u{202E}', '\u{200B}']),
        "{texts}"
    );
    assert_eq!(
        card["attachments"][0]["content"]["actions"],
        json!([]),
        "no link of the customer's"
    );
}

#[tokio::test]
async fn what_may_have_been_posted_is_not_repeated_unless_told_to_and_the_address_is_not_told() {
    type Answers = &'static [fn() -> Reply];
    let limited: fn() -> Reply = || Reply::With(429, &[("retry-after", "0")], json!({}));
    let cases: [(Answers, bool, usize, &str); 5] = [
        (&[|| Reply::Drop], false, 1, "unclear"),
        (&[|| Reply::Drop], true, 2, "ok"),
        (&[|| Reply::Text(502, "")], false, 1, "unclear"),
        (&[|| Reply::Text(404, "no such workflow")], true, 1, "permanent"),
        (&[], false, 1, "ok"),
    ];
    for (answers, repeat, requests, class) in cases.into_iter().chain([]) {
        let left: Mutex<VecDeque<fn() -> Reply>> = Mutex::new(answers.iter().copied().collect());
        let fake = Fake::serve(move |asked| {
            let next = left.lock().expect("not poisoned").pop_front();
            next.map_or_else(|| receive(asked), |reply| reply())
        })
        .await;
        let outcome = deliver(&at(&fake, repeat, false), &handoff("hubspot-1")).await.outcome;
        let got = match &outcome {
            Ok(_) => "ok",
            Err(DeliveryError::Permanent { .. }) => "permanent",
            Err(DeliveryError::Transient { .. }) => "transient",
            Err(DeliveryError::Unclear { .. }) => "unclear",
        };
        assert_eq!((got, fake.asked().len()), (class, requests), "{outcome:?}");
        assert!(!format!("{outcome:?}").contains("verysecret"), "{outcome:?}");
    }
    let fake = Fake::serve({
        let first = Mutex::new(Some(limited));
        move |asked| {
            let first = first.lock().expect("not poisoned").take();
            first.map_or_else(|| receive(asked), |reply| reply())
        }
    })
    .await;
    deliver(&at(&fake, false, false), &handoff("hubspot-1")).await.outcome.expect("taken");
    assert_eq!(fake.asked().len(), 2, "what was surely not posted is posted again");
    let _ = now();
}
