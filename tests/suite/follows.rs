//! Everybody who was told follows a handoff that changed: the real binary and
//! fakes of the vendors.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use handoff::brief::{EventKind, Timeline};
use serde_json::{Value, json};

use crate::deliver::fake::Asked;
use crate::killed::killer::At;
use crate::killed::mail::Mails;
use crate::killed::vendors::Vendors;
use crate::killed::world::{KEY, World, timeline};
use crate::sandbox::fixture;

/// Runs the reconciler again and again; nothing may be asked or sent.
async fn idle(world: &World) {
    for _ in 0..5 {
        let (_, points) = world.run(&["deliver"], At::Never).await;
        assert_eq!(points, [], "everything is recorded");
    }
}

/// Signed and delivered, by a team of two.
async fn signed() -> World {
    let world = World::new("").await;
    world.sign(At::Never).await;
    let file = world.sandbox.join("ledger/handoff.yaml");
    let config = fs::read_to_string(&file).unwrap();
    let noor = "csms:\n    - {name: Noor Hassan, email: noor@example.com, github: noorh}";
    fs::write(&file, config.replacen("csms:", noor, 1)).unwrap();
    world
}

fn messages(world: &World) -> Vec<Value> {
    world.vendors.lock().unwrap().messages.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_csm_has_the_task_everywhere_and_both_are_told_once() {
    let world = signed().await;
    let before = (messages(&world).len(), world.mails.all().len());
    {
        let mut vendors = world.vendors.lock().unwrap();
        let body = vendors.issues[0]["body"].as_str().unwrap().to_owned();
        let ticked = body.replacen("- [ ] Read the brief", "- [x] Read the brief", 1);
        vendors.issues[0]["body"] = json!(format!("Mind the time zone\n{ticked}\nI called Dana"));
        let notes = vendors.asana_tasks[0]["html_notes"].as_str().unwrap().to_owned();
        vendors.asana_tasks[0]["html_notes"] = json!(notes.replace("</body>", "\nAsk Dana</body>"));
    }
    world.ok(&["assign", KEY, "noorh", "--by", "boss", "--reason", "holiday"]);
    world.ok(&["assign", KEY, "noor@example.com", "--by", "boss"]);
    assert_eq!(timeline(&world.sandbox).matches("ref: noorh").count(), 1);
    let row = world.ok(&["status", KEY, "--format", "json"]).json();
    assert_eq!(row["handoffs"][0]["csm"], "Noor Hassan");
    world.ok(&["deliver"]);
    {
        let vendors = world.vendors.lock().unwrap();
        let issue = &vendors.issues[0];
        assert_eq!(issue["assignees"], json!([{"login": "noorh"}]));
        let body = issue["body"].as_str().unwrap();
        assert!(
            body.starts_with("Mind the time zone\n") && body.ends_with("\nI called Dana"),
            "{body}"
        );
        assert!(body.contains("- [x] Read the brief"), "what was ticked stays: {body}");
        assert!(body.contains("**Owner:** Noor Hassan") && !body.contains("Sam Lee"), "{body}");
        let comment = vendors.comments.last().unwrap()["body"].as_str().unwrap();
        assert!(comment.contains("you take over the handoff"), "{comment}");
        let task = &vendors.asana_tasks[0];
        assert_eq!(task["assignee"], "noor@example.com");
        let notes = task["html_notes"].as_str().unwrap();
        assert!(notes.contains("Noor Hassan") && notes.ends_with("\nAsk Dana</body>"), "{notes}");
        let epic = vendors.jira[0]["fields"]["description"].to_string();
        assert!(epic.contains("Noor Hassan") && !epic.contains("Sam Lee"), "{epic}");
        let message = vendors.messages.last().unwrap().clone();
        assert_eq!(vendors.messages.len(), before.0 + 1);
        assert_eq!(message["thread_ts"], vendors.messages[0]["ts"], "below the first message");
    }
    let mails = world.mails.all();
    assert_eq!(mails.len(), before.1 + 2, "one to each");
    let of = |who: &str| {
        let mail = mails[before.1..].iter().find(|mail| mail.contains(&format!("To: {who}")));
        mail.unwrap_or_else(|| panic!("{who}: {mails:?}")).replace("=\r\n", "")
    };
    let (new, former) =
        (of("\"Noor Hassan\" <noor@example.com>"), of("\"Sam Lee\" <sam@example.com>"));
    for (mail, words) in [
        (&new, "you take over the handoff"),
        (&new, "The reason: holiday"),
        (&new, "method=PUBLISH"),
        (&new, "What did they buy?"),
        (&former, "Sam Lee, Noor Hassan takes over the handoff"),
        (&former, "The reason: holiday"),
        (&former, "method=CANCEL"),
    ] {
        assert!(mail.contains(words) && mail.contains("In-Reply-To: <handoff."), "{words}: {mail}");
    }
    idle(&world).await;
}

/// What the issue, its comment, the epic, its first task and the page say.
fn told(world: &World) -> [String; 5] {
    let vendors = world.vendors.lock().unwrap();
    let page = world.sandbox.git("ledger", &["ls-files", "briefs/*README.md"]);
    [
        vendors.issues[0].to_string(),
        vendors.comments.last().map(Value::to_string).unwrap_or_default(),
        vendors.jira[0]["fields"].to_string(),
        vendors.jira[1]["fields"].to_string(),
        fs::read_to_string(world.sandbox.join("ledger").join(page.trim())).unwrap(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_is_moved_in_the_brief_is_one_moment_everywhere() {
    let world = World::new("").await;
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    world.ok(&["sign", &event, "--now", "2026-10-14T16:00:00Z"]);
    let due = |issue: &Value| issue["fields"]["duedate"].clone();
    {
        let vendors = world.vendors.lock().unwrap();
        assert_eq!(due(&vendors.jira[0]), "2026-10-15");
        assert_eq!(due(&vendors.jira[1]), "2026-10-15", "the first task is the first touch");
    }
    let path = world.sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]);
    let file = world.sandbox.join("ledger").join(path.trim());
    let brief = fs::read_to_string(&file).unwrap();
    let before = (messages(&world).len(), world.mails.all().len());
    assert!(brief.contains("2026-10-15T15:43:53Z"), "{brief}");
    fs::write(&file, brief.replace("2026-10-15T15:43:53Z", "2026-10-20T09:00:00Z")).unwrap();
    world.sandbox.git("ledger", &["commit", "-qam", "the customer is away until then"]);
    let at = ["--now", "2026-10-14T18:00:00Z"];
    world.ok(&[&["deliver", KEY][..], &at].concat());
    let brief = fs::read_to_string(&file).unwrap();
    assert!(brief.contains("by Tue 20 Oct 2026, 09:00 UTC"), "the words follow: {brief}");
    for (index, text) in told(&world).iter().enumerate() {
        assert!(text.contains("20 Oct") || text.contains("2026-10-20"), "{index}: {text}");
        // The comment says what it was before.
        let is_clean = !text.contains("15 Oct") && !text.contains("2026-10-15");
        assert!(is_clean || index == 1, "{index}: {text}");
    }
    assert_eq!(messages(&world).len(), before.0 + 1);
    let mails = world.mails.all();
    assert_eq!(mails.len(), before.1 + 1);
    let mail = mails.last().unwrap();
    for words in ["SEQUENCE:1", "DTEND:20261020T090000Z", "In-Reply-To: <handoff."] {
        assert!(mail.contains(words), "{words}: {mail}");
    }
    let row = world.ok(&[&["status", KEY, "--format", "json"][..], &at].concat()).json();
    let row = &row["handoffs"][0];
    assert_eq!(row["due"], "2026-10-20T09:00:00Z");
    let moved: Vec<&Value> = row["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event"] == "deadline_moved")
        .collect();
    assert_eq!((moved.len(), &moved[0]["via"]), (1, &json!("brief")));
    let (_, points) = world.run(&[&["deliver"][..], &at].concat(), At::Never).await;
    assert_eq!(points, [], "everything is recorded");
    assert_eq!(world.sandbox.handoff("ledger", &["validate"]).stdout.matches("stale").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_has_the_moment_of_its_act_and_not_that_of_the_run() {
    let (vendors, mails) = (Arc::<Mutex<Vendors>>::default(), Mails::default());
    let (state, take) = (vendors.clone(), mails.take());
    let answer = move |asked: &Asked| {
        if asked.path.contains("/welcome") {
            std::thread::sleep(Duration::from_millis(2_100));
        }
        state.lock().unwrap().answer(asked)
    };
    let world = World::with((vendors, mails), "", "acme/handoffs", answer, take).await;
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    // On the real clock.
    let program = env!("CARGO_BIN_EXE_handoff");
    let mut command = world.sandbox.command(program, world.sandbox.join("ledger"));
    command.args(["sign", &event]).envs(world.secrets.iter().map(|(name, value)| (*name, value)));
    assert!(command.output().unwrap().status.success());
    let timeline = Timeline::parse(timeline(&world.sandbox).as_bytes()).unwrap();
    let at = |kind: EventKind| timeline.first(kind).unwrap().at;
    assert_eq!(at(EventKind::Signed).to_rfc3339(), "2026-10-14T15:43:53+00:00", "the provider's");
    let between = at(EventKind::Welcomed) - at(EventKind::Emailed);
    assert!(between.num_seconds() >= 2, "{}", timeline.to_yaml());
    // No commit is dated before what it holds, nor before its parent.
    let dates = world.sandbox.git("ledger", &["log", "--reverse", "--format=%ct"]);
    let dates: Vec<i64> = dates.lines().map(|date| date.parse().unwrap()).collect();
    assert!(*dates.last().unwrap() >= at(EventKind::Welcomed).timestamp(), "{dates:?}");
    let ours = &dates[1..];
    assert!(ours.is_sorted(), "{dates:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_found_later_is_no_longer_missing_in_the_task_and_bothers_nobody() {
    let world = signed().await;
    let before = (messages(&world).len(), world.mails.all().len());
    let missing = |world: &World| {
        let vendors = world.vendors.lock().unwrap();
        let body = vendors.issues[0]["body"].as_str().unwrap();
        body.contains("success.metric")
    };
    assert!(missing(&world));
    let files = world.sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]);
    let file = world.sandbox.join("ledger").join(files.trim());
    let brief = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{brief}success:\n  metric: Pick error rate\n")).unwrap();
    world.sandbox.git("ledger", &["commit", "-qam", "the metric"]);
    world.ok(&["deliver"]);
    assert!(!missing(&world));
    assert!(world.vendors.lock().unwrap().comments.is_empty());
    assert_eq!((messages(&world).len(), world.mails.all().len()), before);
    idle(&world).await;
    // The CSM is written into the brief by hand: the same as `assign`.
    let brief = fs::read_to_string(&file).unwrap();
    let other =
        brief.replace("Sam Lee", "Noor Hassan").replace("sam@example.com", "noor@example.com");
    fs::write(&file, other.replace("csm-ana", "noorh")).unwrap();
    world.sandbox.git("ledger", &["commit", "-qam", "another CSM"]);
    world.ok(&["deliver"]);
    assert!(timeline(&world.sandbox).contains("event: assigned"), "{}", timeline(&world.sandbox));
    let vendors = world.vendors.lock().unwrap().issues[0]["assignees"].clone();
    assert_eq!(vendors, json!([{"login": "noorh"}]));
    idle(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_everybody_is_told_and_run_again_each_was_told_once() {
    for point in [
        "PATCH /github/repos/acme/handoffs/issues/1",
        "POST /github/repos/acme/handoffs/issues/1/comments",
        "POST /slack/chat.postMessage",
        "SMTP DATA",
        "PUT /asana/projects/90",
        "PUT /asana/tasks/70",
        "PUT /jira/rest/api/3/issue/ONB-1",
    ] {
        let world = signed().await;
        let before = (messages(&world).len(), world.mails.all().len());
        world.ok(&["assign", KEY, "noorh", "--by", "boss"]);
        let (killed, _) = world.run(&["deliver"], At::Behind(point)).await;
        assert!(killed, "{point}");
        world.ok(&["deliver", KEY]);
        let vendors = world.vendors.lock().unwrap();
        assert_eq!(vendors.messages.len(), before.0 + 1, "{point}");
        assert_eq!(vendors.comments.len(), 1, "{point}");
        assert_eq!(vendors.issues[0]["assignees"], json!([{"login": "noorh"}]), "{point}");
        assert_eq!(vendors.asana_tasks[0]["assignee"], "noor@example.com", "{point}");
        drop(vendors);
        let mails = world.mails.all().len() - before.1;
        assert_eq!(mails, if point == "SMTP DATA" { 3 } else { 2 }, "{point}: one repeat at most");
        let events = timeline(&world.sandbox);
        assert_eq!(events.matches("event: csm_told").count(), 5, "{point}: {events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_that_is_lost_or_deleted_later_is_told_once_and_nothing_is_removed() {
    let world = signed().await;
    let deals = fs::read_to_string(world.sandbox.join("ledger/deals.csv")).unwrap();
    let lost =
        deals.replace("Closed Won,2026", "Closed Lost,2026").replace("USD,true", "USD,false");
    let deleted = deals.lines().next().unwrap().to_owned()
        + "\n1,Another,Closed Won,2026-10-14 15:44,Marcus Oyelaran,1.00,USD,true,Another Ltd\n";
    let path = world.sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]);
    let brief = world.sandbox.join("ledger").join(path.trim());
    let before = fs::read_to_string(&brief).unwrap();
    for (export, words) in [(lost, "is lost"), (deleted, "has no deal 18640329741 any more")] {
        let (slack, mails) = (messages(&world).len(), world.mails.all().len());
        let comments = world.vendors.lock().unwrap().comments.len();
        world.sandbox.write("ledger/deals.csv", export);
        for _ in 0..3 {
            world.ok(&["refresh", KEY]);
        }
        idle(&world).await;
        assert_eq!((messages(&world).len(), world.mails.all().len()), (slack + 1, mails + 1));
        let vendors = world.vendors.lock().unwrap();
        assert_eq!(vendors.comments.len(), comments + 1);
        let mail = world.mails.all().last().unwrap().replace("=\r\n", "");
        let comment = vendors.comments.last().unwrap()["body"].as_str().unwrap().to_owned();
        for text in [mail, comment, vendors.messages.last().unwrap().to_string()] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert_eq!(fs::read_to_string(&brief).unwrap(), before, "nothing is removed");
    }
}
