//! A return notifies the rep once, runs its own clock, and what is resubmitted
//! says what changed: the real binary and fakes of the vendors.

use std::fs;

use serde_json::Value;

use crate::killed::killer::At;
use crate::killed::world::{KEY, World, timeline};
use crate::sandbox::fixture;

const REASON: &str =
    "the metric has no target <!channel> @acme/team fixes #1 <script>alert(1)</script>";

/// The steps that Slack's messages are marked with.
fn slack_steps(world: &World) -> Vec<String> {
    let vendors = world.vendors.lock().unwrap();
    let step =
        |message: &Value| message["metadata"]["event_payload"]["step"].as_str().unwrap().to_owned();
    vendors.messages.iter().map(step).collect()
}

/// Runs the reconciler again and again; nothing may be asked or sent.
async fn idle(world: &World) {
    for _ in 0..5 {
        let (_, points) = world.run(&["deliver"], At::Never).await;
        assert_eq!(points, [], "everything is recorded");
    }
}

fn ids(world: &World) -> Vec<String> {
    world.mails.ids().iter().map(|id| id.replace(KEY, "KEY")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_tells_the_rep_once_and_what_comes_again_says_what_changed() {
    let world = World::new("").await;
    world.sign(At::Never).await;
    assert_eq!(slack_steps(&world), ["notice"]);
    world.ok(&[
        "return",
        KEY,
        "--by",
        "csm-ana",
        "--reason",
        REASON,
        "--at",
        "2026-11-20T15:00:00Z",
    ]);
    let story = world.ok(&["status", KEY]).stdout;
    assert!(story.contains("waiting for the rep for 2 h"), "its own clock runs: {story}");
    world.ok(&["deliver"]);
    assert_eq!(slack_steps(&world), ["notice", "returned-1"]);
    assert_eq!(ids(&world)[1..], ["<handoff.KEY.returned-1@example.com>"]);
    idle(&world).await;
    hostile_text_is_text(&world);

    // The deal is corrected, and the signature comes once more.
    let deals = fs::read_to_string(world.sandbox.join("ledger/deals.csv")).unwrap();
    world.sandbox.write("ledger/deals.csv", deals.replace("48000.00", "52000.00"));
    world.sign(At::Never).await;
    world.ok(&["deliver"]);
    assert_eq!(slack_steps(&world), ["notice", "returned-1", "resubmitted-1"]);
    assert_eq!(ids(&world)[2..], ["<handoff.KEY.resubmitted-1@example.com>"]);
    let comments = world.vendors.lock().unwrap().comments.clone();
    let [comment] = &comments[..] else { panic!("one comment: {comments:?}") };
    let body = comment["body"].as_str().unwrap();
    assert!(
        body.contains("What did they buy? Contract value: USD 48,000.00 → USD 52,000.00"),
        "question, label, before and after: {body}"
    );
    assert!(!body.contains("<script>") && !body.contains("@acme/team"), "{body}");
    idle(&world).await;
    let answered = world.ok(&["status", KEY]).stdout;
    assert!(answered.contains("answered after 2 h"), "the clock has stopped: {answered}");

    // Once more, fixed by hand in the ledger.
    let again = ["--reason", "wrong", "--at", "2026-11-20T17:00:00Z"];
    world.ok(&[&["return", KEY, "--by", "csm-ana"][..], &again].concat());
    let files = world.sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]);
    let file = world.sandbox.join("ledger").join(files.trim());
    let brief = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{brief}success:\n  metric: Pick error rate\n")).unwrap();
    world.sandbox.git("ledger", &["commit", "-qam", "the metric"]);
    world.ok(&["resubmit", KEY, "--by", "riley"]);
    world.ok(&["resubmit", KEY, "--by", "riley"]);
    assert_eq!(timeline(&world.sandbox).matches("event: resubmitted").count(), 2);
    world.ok(&["deliver"]);
    // The second return was answered before anybody had to be told of it.
    assert_eq!(slack_steps(&world)[3..], ["resubmitted-2"]);
    let comments = world.vendors.lock().unwrap().comments.clone();
    let last = comments.last().unwrap()["body"].as_str().unwrap().to_owned();
    assert!(
        last.contains("What does success look like to them? Metric: no answer → Pick error rate"),
        "{last}"
    );
    assert!(!last.contains("52000"), "only what changed since the second return: {last}");
    idle(&world).await;
    assert_eq!(world.sandbox.git("ledger", &["fsck", "--strict", "--no-dangling"]), "");
    // The machine's own version is still what a correction is merged with.
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    world.ok(&["sign", &event]);
    assert!(fs::read_to_string(&file).unwrap().contains("Pick error rate"));
}

/// What the CSM wrote acts nowhere.
fn hostile_text_is_text(world: &World) {
    let vendors = world.vendors.lock().unwrap();
    let message = vendors.messages.last().unwrap().to_string();
    assert!(message.contains("the metric has no target"), "{message}");
    assert!(!message.contains("<!channel>") && message.contains("&lt;!channel&gt;"), "{message}");
    let mail = world.mails.all().last().unwrap().replace("=\r\n", "");
    assert!(mail.contains("the metric has no target"), "{mail}");
    assert!(!mail.contains("<script>alert(1)</script></"), "{mail}");
    let html = mail.split("text/html").nth(1).unwrap();
    assert!(!html.split("--").next().unwrap().contains("<script"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_return_keeps_what_the_first_one_said() {
    let world = World::new("").await;
    world.sign(At::Never).await;
    for (reason, at) in [("the metric has no target", "15"), ("and the address is wrong", "16")] {
        let at = format!("2026-11-20T{at}:00:00Z");
        world.ok(&["return", KEY, "--by", "csm-ana", "--reason", reason, "--at", &at]);
    }
    world.ok(&["deliver"]);
    let message = world.vendors.lock().unwrap().messages.last().unwrap().to_string();
    let mail = world.mails.all().last().unwrap().replace("=\r\n", "");
    for text in [message, mail] {
        assert!(text.contains("and the address is wrong"), "{text}");
        assert!(text.contains("the metric has no target"), "{text}");
    }
    idle(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_rep_is_told_and_run_again_there_is_one_message() {
    for point in ["POST /slack/chat.postMessage", "SMTP DATA"] {
        let world = World::new("").await;
        world.sign(At::Never).await;
        world.ok(&["return", KEY, "--by", "csm-ana", "--reason", "wrong"]);
        let (killed, _) = world.run(&["deliver"], At::Behind(point)).await;
        assert!(killed);
        world.ok(&["deliver"]);
        assert_eq!(slack_steps(&world), ["notice", "returned-1"]);
        let mails = ids(&world)[1..].to_vec();
        assert!(mails.iter().all(|id| id.contains("returned-1")), "{mails:?}");
        assert_eq!(mails.len(), if point == "SMTP DATA" { 2 } else { 1 }, "one repeat at most");
        let timeline = timeline(&world.sandbox);
        assert_eq!(timeline.matches("event: rep_told").count(), 2, "{timeline}");
    }
}
