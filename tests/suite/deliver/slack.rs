//! Slack by bot and by webhook.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use handoff::deliver::{DeliveryError, Handoff, Sink};
use serde_json::{Value, json};

use super::fake::{Asked, Fake, Reply};
use super::run_once::deliver;
use super::sample::{handoff, hostile, secrets, sinks};

/// What goes wrong with one message.
#[derive(Clone, Copy)]
enum Fault {
    Says(&'static str),
    Limited429,
    Broken500,
    PostedThenDropped,
    PostedThenFatal,
}

#[derive(Default)]
struct Slack {
    messages: Vec<Value>,
    faults: VecDeque<Fault>,
}

impl Slack {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let form: Vec<(String, String)> =
            url::form_urlencoded::parse(&asked.bytes).into_owned().collect();
        let field = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        match asked.path.as_str() {
            "/conversations.list" if field("cursor").is_none() => Reply::Json(
                200,
                json!({"ok": true, "channels": [{"id": "C0", "name": "general"}], "response_metadata": {"next_cursor": "x=="}}),
            ),
            "/conversations.list" => Reply::Json(
                200,
                json!({"ok": true, "channels": [{"id": "C1", "name": "cs-handoffs"}]}),
            ),
            "/conversations.history" => {
                assert_eq!(field("channel").as_deref(), Some("C1"));
                assert_eq!(field("include_all_metadata").as_deref(), Some("true"));
                // One message to a page, newest first.
                let at: usize = field("cursor").map_or(0, |c| c.parse().expect("a cursor"));
                let newest: Vec<&Value> = self.messages.iter().rev().collect();
                let page: Vec<_> = newest.iter().skip(at).take(1).collect();
                let next = if at + 1 < newest.len() { (at + 1).to_string() } else { String::new() };
                Reply::Json(
                    200,
                    json!({"ok": true, "messages": page, "response_metadata": {"next_cursor": next}}),
                )
            }
            "/users.lookupByEmail" => Reply::Json(200, json!({"ok": true, "user": {"id": "U42"}})),
            "/chat.postMessage" => match self.faults.pop_front() {
                None => self.post(asked.json()),
                Some(Fault::Says(error)) => Reply::Json(200, json!({"ok": false, "error": error})),
                Some(Fault::Limited429) => Reply::With(429, &[("retry-after", "0")], json!({})),
                Some(Fault::Broken500) => Reply::Text(500, "oops"),
                Some(Fault::PostedThenDropped) => {
                    self.post(asked.json());
                    Reply::Drop
                }
                Some(Fault::PostedThenFatal) => {
                    self.post(asked.json());
                    Reply::Json(200, json!({"ok": false, "error": "fatal_error"}))
                }
            },
            other => panic!("unexpected {other}"),
        }
    }

    fn post(&mut self, mut message: Value) -> Reply {
        let ts = format!("179533142{}.000100", self.messages.len());
        message["ts"] = json!(ts);
        self.messages.push(message);
        Reply::Json(200, json!({"ok": true, "channel": "C1", "ts": ts}))
    }
}

struct Setup {
    slack: Arc<Mutex<Slack>>,
    fake: Fake,
    sinks: Vec<Box<dyn Sink>>,
    _folder: tempfile::TempDir,
}

async fn bot(faults: &[Fault]) -> Setup {
    let slack =
        Arc::new(Mutex::new(Slack { messages: vec![], faults: faults.iter().copied().collect() }));
    let state = slack.clone();
    let fake = Fake::serve(move |asked| state.lock().expect("not poisoned").answer(asked)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = json!({"slack": {"channel": "#cs-handoffs", "base_url": fake.url}});
    let sinks = sinks(config, &secrets(&[("SLACK_BOT_TOKEN", "xoxb-secret")]), folder.path());
    Setup { slack, fake, sinks, _folder: folder }
}

impl Setup {
    fn messages(&self) -> Vec<Value> {
        self.slack.lock().expect("not poisoned").messages.clone()
    }
}

#[tokio::test]
async fn a_bot_posts_once_and_finds_its_message_on_any_page() {
    let setup = bot(&[]).await;
    for n in 1..=3 {
        let made = deliver(&setup.sinks, &handoff(&format!("hubspot-{n}"))).await;
        assert!(!made.found);
    }
    let found = deliver(&setup.sinks, &handoff("hubspot-1")).await;
    let mark = found.outcome.expect("found");
    assert!(found.found);
    assert_eq!(mark.reference, "C1/1795331420.000100");
    assert_eq!(mark.at.expect("Slack's clock").timestamp(), 1_795_331_420);
    assert_eq!(setup.messages().len(), 3);
    let posted =
        setup.fake.asked().into_iter().find(|a| a.path == "/chat.postMessage").expect("posted");
    assert_eq!(posted.headers["authorization"], "Bearer xoxb-secret");
    assert_eq!(posted.headers["content-type"], "application/json; charset=utf-8");
    insta::assert_json_snapshot!("slack_message", posted.json());
}

#[tokio::test]
async fn faults_never_make_a_second_message() {
    use Fault::*;
    for (fault, posts, messages, succeeds) in [
        (Says("channel_not_found"), 1, 0, false),
        (Says("ratelimited"), 2, 1, true),
        (Limited429, 2, 1, true),
        (Broken500, 2, 1, true),
        (PostedThenDropped, 1, 1, true),
        (PostedThenFatal, 1, 1, true),
    ] {
        let setup = bot(&[fault]).await;
        let result = deliver(&setup.sinks, &handoff("hubspot-1")).await;
        let name = format!("{:?}", result.outcome);
        assert_eq!(result.outcome.is_ok(), succeeds, "{name}");
        assert_eq!(setup.fake.count("POST", "/chat.postMessage"), posts, "{name}");
        assert_eq!(setup.messages().len(), messages, "{name}");
    }
}

/// All texts of a message that Slack reads as its markup.
fn markup(message: &Value) -> Vec<String> {
    let section = message["blocks"][1]["text"].clone();
    assert_eq!(section["type"], "mrkdwn");
    assert_eq!(message["blocks"][0]["text"]["type"], "plain_text");
    [&message["text"], &section["text"]].map(|t| t.as_str().expect("a text").to_owned()).to_vec()
}

fn assert_harmless(message: &Value) {
    for text in markup(message) {
        let own = text.replace("<@U42>", "");
        let own = own.replace("<mailto:dana@acme.example|dana@acme.example>", "");
        assert!(!own.contains(['<', '>']), "{text}");
        assert!(!own.contains("@everyone") && !own.contains('\u{202E}'), "{text}");
        assert!(text.chars().count() <= 3_000, "{} characters", text.chars().count());
    }
    let heading = message["blocks"][0]["text"]["text"].as_str().expect("a text");
    assert!(heading.chars().count() <= 150);
}

#[tokio::test]
async fn hostile_text_mentions_and_links_nothing() {
    let setup = bot(&[]).await;
    deliver(&setup.sinks, &hostile("hubspot-1")).await.outcome.expect("made");
    assert_harmless(&setup.messages()[0]);
}

async fn webhook(
    answers: &[fn() -> Reply],
    repeat: bool,
    handoff: &Handoff,
) -> (usize, Result<String, DeliveryError>, Vec<Asked>) {
    let left: Mutex<VecDeque<fn() -> Reply>> = Mutex::new(answers.iter().copied().collect());
    let fake = Fake::serve(move |_| {
        let next = left.lock().expect("not poisoned").pop_front();
        next.map_or(Reply::Text(200, "ok"), |reply| reply())
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("{}/services/T0/B0/verysecret", fake.url);
    let config = json!({"slack": {"repeat": repeat}});
    let sinks = sinks(config, &secrets(&[("SLACK_WEBHOOK_URL", &url)]), folder.path());
    let outcome = deliver(&sinks, handoff).await.outcome.map(|mark| mark.reference);
    let asked = fake.asked();
    (asked.len(), outcome, asked)
}

#[tokio::test]
async fn a_webhook_repeats_only_what_surely_was_not_posted_unless_told_to() {
    let handoff = handoff("hubspot-1");
    let limited: fn() -> Reply = || Reply::With(429, &[("retry-after", "0")], json!({}));
    let gone: fn() -> Reply = || Reply::Text(410, "channel_is_archived");
    let (posts, outcome, _) = webhook(&[limited], false, &handoff).await;
    assert_eq!((posts, outcome.expect("sent").as_str()), (2, "incoming-webhook"));
    let (posts, outcome, _) = webhook(&[|| Reply::Drop], false, &handoff).await;
    assert!(matches!(outcome, Err(DeliveryError::Unclear { .. })), "{outcome:?}");
    assert_eq!(posts, 1);
    let (posts, outcome, _) = webhook(&[|| Reply::Drop], true, &handoff).await;
    assert_eq!((posts, outcome.is_ok()), (2, true));
    let (_, outcome, _) = webhook(&[gone], false, &handoff).await;
    let Err(error @ DeliveryError::Permanent { .. }) = outcome else { panic!("410 is for good") };
    assert!(error.to_string().contains("channel_is_archived"), "{error}");
}

#[tokio::test]
async fn a_webhooks_address_is_never_told() {
    let handoff = handoff("hubspot-1");
    let drop: fn() -> Reply = || Reply::Drop;
    for answers in [vec![drop], vec![|| Reply::Text(403, "action_prohibited")]] {
        let (_, outcome, _) = webhook(&answers, false, &handoff).await;
        let error = outcome.expect_err("it failed");
        assert!(!format!("{error:?}").contains("verysecret"), "{error:?}");
    }
    let (_, _, asked) = webhook(&[], false, &hostile("hubspot-1")).await;
    assert_eq!(asked[0].path, "/services/T0/B0/verysecret");
    assert_harmless(&asked[0].json());
}
