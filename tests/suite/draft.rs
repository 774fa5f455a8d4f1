//! `handoff draft`: a brief before its signature, on a branch of its own, and
//! how the signature lands it; with a real remote and a fake of GitHub.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::deliver::fake::{Asked, Fake, Reply};
use crate::killed::killer::{At, When};
use crate::killed::world::World;
use crate::sandbox::{Ran, Sandbox, fixture};

const KEY: &str = "hubspot-18640329741";
const BRANCH: &str = "handoff/hubspot-18640329741";
pub(crate) const PULL: &str = "https://github.example/acme/handoffs/pull/7";

/// GitHub with no pull request yet, and those that are opened in it. They get
/// the address [`PULL`]; a text that is changed is kept.
pub(crate) async fn github() -> (Fake, Arc<Mutex<Vec<Value>>>) {
    let pulls: Arc<Mutex<Vec<Value>>> = Arc::default();
    let state = pulls.clone();
    let fake = Fake::serve(move |asked: &Asked| {
        let mut pulls = state.lock().unwrap();
        let path = asked.path.strip_prefix("/repos/acme/handoffs").unwrap_or(&asked.path);
        match (asked.method.as_str(), path) {
            ("GET", "") => Reply::Json(200, json!({"default_branch": "main"})),
            ("GET", "/pulls") => Reply::Json(200, json!(*pulls)),
            ("POST", "/pulls") => {
                let mut pull = asked.json();
                for (name, value) in [
                    ("number", json!(7)),
                    ("html_url", json!(PULL)),
                    ("created_at", json!("2026-11-20T17:00:05Z")),
                    ("state", json!("open")),
                ] {
                    pull[name] = value;
                }
                pulls.push(pull.clone());
                Reply::Json(201, pull)
            }
            ("PATCH", "/pulls/7") => {
                pulls[0]["body"] = asked.json()["body"].clone();
                Reply::Json(200, pulls[0].clone())
            }
            _ => Reply::Json(404, json!({"message": "no such thing"})),
        }
    })
    .await;
    (fake, pulls)
}

/// An export in which the deal stands at this stage.
pub(crate) fn deals(stage: &str, amount: &str) -> String {
    let won = stage == "Closed Won";
    format!(
        "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company\n\
         18640329741,Brightwater - Growth 2026,{stage},2026-10-14 15:44,Marcus Oyelaran,{amount},USD,{won},Brightwater Logistics Ltd\n"
    )
}

/// A ledger that is pushed to a bare repository beside it.
pub(crate) fn ledger(github: Option<&str>) -> Sandbox {
    let sandbox = Sandbox::new();
    let mut init =
        vec!["init", "ledger", "--crm", "file", "--csm", "Sam Lee <sam@example.com> @samlee"];
    if github.is_some() {
        init.extend(["--github", "acme/handoffs"]);
    }
    sandbox.handoff(".", &init).exits(0);
    if let Some(url) = github {
        let file = sandbox.join("ledger/handoff.yaml");
        let config = fs::read_to_string(&file).unwrap();
        let there = format!("as: issue, base_url: \"{url}\", seconds_between_writes: 0");
        fs::write(&file, config.replacen("as: issue", &there, 1)).unwrap();
        sandbox.git("ledger", &["commit", "-qam", "the fake"]);
    }
    sandbox.write("ledger/deals.csv", deals("Contract sent", "48000.00"));
    sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    sandbox.git("ledger", &["remote", "add", "origin", "../remote.git"]);
    sandbox.git("ledger", &["push", "-q", "-u", "origin", "main"]);
    sandbox
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    sandbox.handoff_with("ledger", arguments, &[("GITHUB_TOKEN", "t")])
}

pub(crate) fn event() -> String {
    fixture("esign/pandadoc-completed-full.body.json").display().to_string()
}

/// The rep answers on the remote, as the pull request's editor does.
fn answer(sandbox: &Sandbox, path: &str, more: &str) {
    sandbox.git(".", &["clone", "-q", "-b", BRANCH, "remote.git", "rep"]);
    let file = sandbox.join("rep").join(path).join("brief.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}{more}")).unwrap();
    sandbox.git("rep", &["commit", "-qam", "answers"]);
    sandbox.git("rep", &["push", "-q", "origin", BRANCH]);
    fs::remove_dir_all(sandbox.join("rep")).unwrap();
}

fn remote_branches(sandbox: &Sandbox) -> Vec<String> {
    let heads =
        sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    heads.lines().map(str::to_owned).collect()
}

fn kinds(sandbox: &Sandbox) -> Vec<String> {
    let status = run(sandbox, &["status", KEY, "--format", "json"]).exits(0).json();
    let events = status["handoffs"][0]["events"].as_array().unwrap().clone();
    events
        .iter()
        .map(|event| {
            format!("{} via {}", event["event"].as_str().unwrap(), event["via"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn a_draft_is_on_its_branch_and_the_signature_lands_it_with_what_the_rep_wrote() {
    let sandbox = ledger(None);
    let main = sandbox.git("ledger", &["rev-parse", "main"]);
    // As a rep names it: by the address of the record.
    let address = "https://app.hubspot.com/contacts/123/record/0-3/18640329741";
    let ran = run(&sandbox, &["draft", "--deal", address]).exits(0);
    for words in [
        "drafted",
        BRANCH,
        "6. What does success look like to them?",
        "[ ] success.primary_goal  such as",
        "ask Marcus Oyelaran",
    ] {
        assert!(ran.stdout.contains(words), "the checklist says {words}:\n{}", ran.stdout);
    }
    assert!(
        !ran.stdout.contains("first_action.due"),
        "the deadline comes with the signature:\n{}",
        ran.stdout
    );
    assert_eq!(
        sandbox.git("ledger", &["rev-parse", "main"]),
        main,
        "the ledger's branch has not moved"
    );
    assert_eq!(remote_branches(&sandbox), [BRANCH, "main"]);
    assert_eq!(
        sandbox.git("ledger", &["branch", "--list", "handoff/*"]),
        "",
        "the draft lives on the remote"
    );

    let again =
        run(&sandbox, &["draft", "--deal", "18640329741", "--format", "json"]).exits(0).json();
    assert_eq!((&again["commit"], &again["created"]), (&Value::Null, &json!(false)), "{again}");
    let path = again["path"].as_str().unwrap().to_owned();
    assert_eq!(
        path, "briefs/2026/11/brightwater-logistics-ltd--hubspot-18640329741",
        "a draft's month is that of the draft"
    );
    let show = format!("{BRANCH}:{path}/brief.yaml");
    let brief = sandbox.git("remote.git", &["show", &show]);
    assert!(!brief.contains("signature:") && brief.contains("48000.00"), "{brief}");

    answer(&sandbox, &path, "success: {primary_goal: Late deliveries under 1%}\n");
    sandbox.write("ledger/deals.csv", deals("Contract sent", "52000.00"));
    let renewed =
        run(&sandbox, &["draft", "--deal", "18640329741", "--format", "json"]).exits(0).json();
    assert_eq!(renewed["created"], false);
    assert!(renewed["commit"].is_string(), "the corrected deal renews the draft: {renewed}");
    let brief = sandbox.git("remote.git", &["show", &show]);
    assert!(brief.contains("52000.00") && brief.contains("Late deliveries under 1%"), "{brief}");
    let owed: Vec<&str> = renewed["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["field"].as_str().unwrap())
        .collect();
    assert!(
        !owed.contains(&"success.primary_goal") && owed.contains(&"success.metric"),
        "{owed:?}"
    );

    sandbox.write("ledger/deals.csv", deals("Closed Won", "52000.00"));
    let signed = run(&sandbox, &["sign", &event(), "--format", "json"]).exits(0).json();
    assert_eq!(signed["path"], path.as_str(), "a brief does not move when it is signed later");
    assert_eq!(signed["created"], true);
    let brief = fs::read_to_string(sandbox.join("ledger").join(&path).join("brief.yaml")).unwrap();
    for words in ["provider: pandadoc", "Late deliveries under 1%", "52000.00", "due:"] {
        assert!(brief.contains(words), "the landed brief says {words}:\n{brief}");
    }
    let events = kinds(&sandbox);
    let before = ["drafted via hubspot", "drafted via hubspot", "received via pandadoc"];
    assert_eq!(events[..3], before, "the timeline goes on");
    assert_eq!(events[3..5], ["signed via pandadoc", "task_opened via outbox"]);
    assert_eq!(remote_branches(&sandbox), ["main"], "the branch has done its service");
    let on_remote = sandbox.git("remote.git", &["show", &format!("main:{path}/timeline.yaml")]);
    assert!(on_remote.contains("event: signed"), "{on_remote}");
    assert_eq!(sandbox.git("ledger", &["fsck", "--strict", "--no-dangling"]), "");
    let folders = sandbox.git("ledger", &["ls-tree", "-r", "-d", "--name-only", "HEAD", "briefs"]);
    assert_eq!(
        folders.lines().filter(|line| line.contains("--")).count(),
        1,
        "one folder: {folders}"
    );

    let late = run(&sandbox, &["draft", "--deal", "18640329741"]).exits(3);
    assert!(late.stderr.contains("is on main already"), "{}", late.stderr);
}

#[test]
fn without_a_remote_the_draft_stays_here_until_it_lands() {
    let sandbox = ledger(None);
    sandbox.git("ledger", &["remote", "remove", "origin"]);
    let drafted =
        run(&sandbox, &["draft", "--deal", "18640329741", "--format", "json"]).exits(0).json();
    assert_eq!(drafted["request"], Value::Null);
    assert!(sandbox.git("ledger", &["branch", "--list", "handoff/*"]).contains(BRANCH));
    assert_eq!(
        sandbox.git("ledger", &["status", "--porcelain", "--", "briefs"]),
        "",
        "the checkout shows no draft"
    );
    let signed = run(&sandbox, &["sign", &event(), "--format", "json"]).exits(0).json();
    assert_eq!(signed["path"], drafted["path"]);
    assert_eq!(sandbox.git("ledger", &["branch", "--list", "handoff/*"]), "");
    let again = run(&sandbox, &["sign", &event(), "--format", "json"]).exits(0).json();
    assert_eq!(again["commit"], Value::Null, "nothing is new: {again}");
}

#[test]
fn a_remote_that_cannot_be_reached_keeps_no_draft_and_no_signature_back() {
    let sandbox = ledger(None);
    sandbox.git("ledger", &["remote", "set-url", "origin", "../nowhere.git"]);
    // Both are safe here, and neither is done: exit 3.
    let drafted = run(&sandbox, &["draft", "--deal", "18640329741"]).exits(3);
    assert!(drafted.stderr.contains("origin was not asked for news"), "{}", drafted.stderr);
    let signed = run(&sandbox, &["sign", &event(), "--format", "json"]).exits(3);
    assert!(
        signed.json()["path"].as_str().unwrap().starts_with("briefs/2026/11/"),
        "{}",
        signed.stdout
    );
    assert!(signed.stderr.contains("is not on origin"), "{}", signed.stderr);
}

#[test]
fn a_document_that_went_out_drafts_and_its_completion_lands_the_same_brief() {
    let sandbox = ledger(None);
    let file = sandbox.join("ledger/handoff.yaml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, config.replacen("pandadoc: {}", "pandadoc: {drafts: true}", 1)).unwrap();
    let text = fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let mut payload: Value = serde_json::from_str(&text).unwrap();
    payload[0]["data"]["linked_objects"] = json!([]);
    payload[0]["data"]["metadata"] = json!({});
    let completed = sandbox.write("completed.json", payload.to_string()).display().to_string();
    payload[0]["data"]["status"] = json!("document.sent");
    let sent = sandbox.write("sent.json", payload.to_string()).display().to_string();
    run(&sandbox, &["draft", &completed]).exits(4);
    let drafted = run(&sandbox, &["draft", &sent, "--format", "json"]).exits(0).json();
    assert_eq!(drafted["key"], "pandadoc-f9cbjks4zas6nu629cuowb");

    // Voided, it is nobody's to answer; sent once more, it goes on.
    let standing = || {
        let key = drafted["key"].as_str().unwrap();
        let status = run(&sandbox, &["status", key, "--format", "json"]).exits(0).json();
        status["handoffs"][0]["standing"].as_str().unwrap().to_owned()
    };
    payload[0]["data"]["status"] = json!("document.voided");
    let voided = sandbox.write("voided.json", payload.to_string()).display().to_string();
    let ended = run(&sandbox, &["sign", &voided]).exits(0);
    assert!(ended.stdout.contains("its document was voided"), "{}", ended.stdout);
    assert_eq!(standing(), "voided");
    run(&sandbox, &["sign", &voided]).exits(4);
    let again = run(&sandbox, &["draft", &sent, "--format", "json"]).exits(0).json();
    assert_eq!((&again["created"], again["commit"].is_string()), (&json!(false), true), "{again}");
    assert_eq!(standing(), "draft");
    let same = run(&sandbox, &["draft", &sent, "--format", "json"]).exits(0).json();
    assert_eq!(same["commit"], Value::Null, "nothing is new: {same}");

    let signed = run(&sandbox, &["sign", &completed, "--format", "json"]).exits(0).json();
    assert_eq!((&signed["key"], &signed["path"]), (&drafted["key"], &drafted["path"]));
    assert_eq!(signed["created"], true);
    assert_eq!(remote_branches(&sandbox), ["main"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_draft_request_asks_for_what_is_missing_once_and_is_renewed() {
    let (fake, pulls) = github().await;
    let sandbox = ledger(Some(&fake.url));
    let drafted =
        run(&sandbox, &["draft", "--deal", "18640329741", "--format", "json"]).exits(0).json();
    assert_eq!(drafted["request"]["ref"], PULL, "{drafted}");
    let body = pulls.lock().unwrap()[0]["body"].as_str().unwrap().to_owned();
    for words in [
        "- [ ] **What does success look like to them?**",
        "success.primary_goal",
        "Marcus Oyelaran",
        "such as",
    ] {
        assert!(body.contains(words), "the request says {words}:\n{body}");
    }
    assert_eq!(pulls.lock().unwrap()[0]["head"], BRANCH);
    assert_eq!(pulls.lock().unwrap()[0]["draft"], true);
    let timeline = sandbox.git(
        "remote.git",
        &["show", &format!("{BRANCH}:{}/timeline.yaml", drafted["path"].as_str().unwrap())],
    );
    assert_eq!(timeline.matches("event: drafted").count(), 2, "{timeline}");
    assert!(timeline.contains(PULL), "{timeline}");
    for _ in 0..3 {
        run(&sandbox, &["draft", "--deal", "18640329741"]).exits(0);
    }
    assert_eq!(fake.count("POST", "/repos/acme/handoffs/pulls"), 1, "one request for one draft");
    assert_eq!(fake.count("PATCH", "/repos/acme/handoffs/pulls/7"), 0, "ticked boxes stay ticked");
    sandbox.write("ledger/deals.csv", deals("Contract sent", "52000.00"));
    run(&sandbox, &["draft", "--deal", "18640329741"]).exits(0);
    assert_eq!(
        fake.count("PATCH", "/repos/acme/handoffs/pulls/7"),
        1,
        "a renewed draft renews its text"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_is_said_and_the_draft_is_written_all_the_same() {
    let fake =
        Fake::serve(|_: &Asked| Reply::Json(403, json!({"message": "Resource not accessible"})))
            .await;
    let sandbox = ledger(Some(&fake.url));
    let ran = run(&sandbox, &["draft", "--deal", "18640329741"]).exits(3);
    assert!(ran.stderr.contains("no pull request"), "{}", ran.stderr);
    assert_eq!(remote_branches(&sandbox), [BRANCH, "main"]);
    run(&sandbox, &["draft", "--deal", "18640329741", "--no-request"]).exits(0);
}

/// A world whose deal is not signed yet and whose rep has an address; with links.
async fn before_the_signature(mail: &str) -> World {
    let mut world = World::new(mail).await;
    let rep = "Deal owner,Deal owner email";
    let deals = deals("Contract sent", "48000.00").replacen("Deal owner", rep, 1);
    let deals = deals.replace("Marcus Oyelaran,", "Marcus Oyelaran,marcus@example.com,");
    world.sandbox.write("ledger/deals.csv", deals);
    let file = world.sandbox.join("ledger/handoff.yaml");
    let config = fs::read_to_string(&file).unwrap();
    let links =
        "deliver:\n  links: {public_url: \"https://handoff.example.com\", in_channels: true}\n";
    fs::write(&file, config.replacen("deliver:\n", links, 1)).unwrap();
    let secret = "0123456789abcdef0123456789abcdef".to_owned();
    world.secrets.push((handoff::link::LINK_KEY, secret));
    world
}

const DRAFT: [&str; 3] = ["draft", "--deal", "18640329741"];

/// The steps of Slack's messages, and the ids of the mails.
fn told(world: &World) -> (Vec<String>, Vec<String>) {
    let vendors = world.vendors.lock().unwrap();
    let step = |it: &Value| it["metadata"]["event_payload"]["step"].as_str().unwrap().to_owned();
    (vendors.messages.iter().map(step).collect(), world.mails.ids())
}

fn events(world: &World, via: &str) -> usize {
    let path = world.sandbox.git("ledger", &["ls-tree", "-r", "--name-only", BRANCH]);
    let path = path.lines().find(|it| it.ends_with("timeline.yaml")).expect("a timeline");
    let timeline = world.sandbox.git("ledger", &["show", &format!("{BRANCH}:{path}")]);
    let events = timeline.split("- at:").filter(|it| it.contains("event: drafted"));
    events.filter(|it| it.contains(&format!("via: {via}\n"))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rep_gets_the_link_before_the_signature_once_by_mail_and_in_slack() {
    let world = before_the_signature("").await;
    for _ in 0..3 {
        world.ok(&DRAFT);
    }
    let (slack, mails) = told(&world);
    assert_eq!((slack, mails.len()), (vec!["draft".to_owned()], 1));
    let message = world.vendors.lock().unwrap().messages[0].to_string();
    let mail = world.mails.all()[0].replace("=\r\n", "");
    assert!(mail.contains("marcus@example.com"), "{mail}");
    for text in [&message, &mail] {
        for words in
            ["https://handoff.example.com/h/", "What does success look like", "out for signature"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    assert_eq!((events(&world, "slack"), events(&world, "email")), (1, 1));
    // The deal changes, and with it the draft: the rep has been asked already.
    let path = world.sandbox.join("ledger/deals.csv");
    let text = fs::read_to_string(&path).unwrap().replace("48000.00", "52000.00");
    fs::write(&path, text).unwrap();
    world.ok(&DRAFT);
    assert_eq!((told(&world).0.len(), told(&world).1.len()), (1, 1));
    // Whoever opens the link before the signature sees the draft.
    let shown = world.ok(&["status", KEY, "--format", "json"]).json();
    assert_eq!(shown["handoffs"][0]["standing"], "draft", "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_rep_is_asked_and_run_again_there_is_one_message() {
    let (_, points) = before_the_signature("").await.run(&DRAFT, At::Never).await;
    assert!(points.iter().any(|point| point.request == "SMTP DATA"), "{points:?}");
    for (at, point) in points.iter().enumerate() {
        let world = before_the_signature("").await;
        assert!(world.run(&DRAFT, At::Number(at)).await.0, "{point:?}");
        for _ in 0..2 {
            world.ok(&DRAFT);
        }
        let (slack, mails) = told(&world);
        assert_eq!(slack, ["draft"], "{point:?}");
        let is_repeated = point.request == "SMTP DATA" && point.when == When::Done;
        assert_eq!(mails.len(), if is_repeated { 2 } else { 1 }, "{point:?}");
        assert!(mails.iter().all(|id| *id == mails[0]), "under one id: {mails:?}");
        assert_eq!((events(&world, "slack"), events(&world, "email")), (1, 1), "{point:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_mail_may_be_repeated_the_rep_is_asked_at_most_once() {
    let world = before_the_signature(", repeat: false").await;
    assert!(world.run(&DRAFT, At::Behind("SMTP DATA")).await.0);
    for _ in 0..2 {
        let ran = world.ok(&DRAFT);
        assert!(ran.stderr.contains("it is not sent again"), "{}", ran.stderr);
    }
    assert_eq!(world.mails.ids().len(), 1);
}
