//! Reminders over thirty days, with the shipped ladder.

use std::collections::BTreeMap;
use std::fs;

use chrono::{DateTime, Days, Utc};
use futures_util::stream::{self, StreamExt as _};
use handoff::brief::{EventKind, Timeline};

use crate::killed::killer::At;
use crate::killed::world::{KEY, QUIET, World, timeline};
use crate::sandbox::{Sandbox, fixture};

const DEALS: &str = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company\n\
    18640329741,Brightwater - Growth 2026,Closed Won,2026-10-14 15:44,Marcus Oyelaran,48000.00,USD,true,Brightwater Logistics Ltd\n";
const CONFIG: &str = r#"version: 1
esign: {pandadoc: {}}
crm: {file: {deals: deals.csv}}
map: csv
team:
  csms:
    - {name: Sam Lee, email: sam@example.com, github: samlee, lead: boss@example.com}
  fallback: samlee
first_touch:
  within: 24h
  calendar: {timezone: Europe/Berlin, days: [mon, tue, wed, thu, fri], hours: "09:00-17:00"}
deliver: {outbox: {dir: outbox}}
"#;
/// What the brief is told besides.
const MORE: &str = r#"commitments:
  - {promise: SSO before go-live, made_by: Marcus Oyelaran, due: 2026-10-30, owner: Sam Lee}
success:
  metric: {unknown: {why: asked Dana, owner: Sam Lee, resolve_by: 2026-11-05}}
"#;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A ledger with one handoff that was signed on Wednesday 14 October at 17:43
/// in Berlin, after hours: 24 working hours end on Monday 19 at 17:00.
fn ledger(config: &str) -> Sandbox {
    ledger_signed_at(config, "2026-10-14T16:00:00Z")
}

/// The same, handed over at another moment.
fn ledger_signed_at(config: &str, now: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--crm", "file", "--yes"]).exits(0);
    sandbox.write("ledger/deals.csv", DEALS);
    sandbox.write("ledger/handoff.yaml", config);
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    sandbox.handoff("ledger", &["sign", &event, "--now", now]).exits(0);
    let file = sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]);
    let file = sandbox.join("ledger").join(file.trim());
    let brief = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{brief}{MORE}")).unwrap();
    sandbox.git("ledger", &["commit", "-qam", "what was promised"]);
    sandbox
}

/// A world in which people are reminded.
async fn reminding() -> World {
    let world = World::new("").await;
    let file = world.sandbox.join("ledger/handoff.yaml");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace(QUIET, "")).unwrap();
    world
}

fn reminded(sandbox: &Sandbox) -> Vec<(DateTime<Utc>, String)> {
    let timeline = Timeline::parse(timeline(sandbox).as_bytes()).unwrap();
    let events = timeline.events.into_iter();
    let sent = events.filter(|it| matches!(it.event, EventKind::Reminded | EventKind::Escalated));
    sent.map(|it| {
        let id = it.reference.unwrap();
        let is_up = id.ends_with(".lead");
        assert_eq!(it.event == EventKind::Escalated, is_up, "{id}");
        (it.at, id)
    })
    .collect()
}

/// The hours at which something can be due, on every day of a month.
fn clock() -> Vec<String> {
    let first = time("2026-10-14T00:00:00Z");
    let mut moments = Vec::new();
    for day in 0..30 {
        for hour in ["07:59:59", "08:00:00", "11:00:00", "15:00:00", "16:00:00"] {
            let day = (first + Days::new(day)).date_naive();
            moments.push(format!("{day}T{hour}Z"));
        }
    }
    moments.retain(|moment| time(moment) > time("2026-10-14T16:00:00Z"));
    moments
}

#[test]
fn over_thirty_days_each_is_reminded_once_at_its_time() {
    let sandbox = ledger(CONFIG);
    for moment in clock() {
        sandbox.handoff("ledger", &["deliver", KEY, "--now", &moment]).exits(0);
    }
    let expected: Vec<(DateTime<Utc>, String)> = [
        ("2026-10-19T11:00:00Z", "first_touch-4h.csm"),
        ("2026-10-19T11:00:00Z", "missing_answers-4h.rep"),
        ("2026-10-20T08:00:00Z", "first_touch+1h.lead"),
        ("2026-10-20T11:00:00Z", "acceptance+4h.csm"),
        ("2026-10-21T15:00:00Z", "acceptance+2d.lead"),
        ("2026-10-29T08:00:00Z", "promise.1-2d.csm"),
        ("2026-11-02T16:00:00Z", "promise.1+1d.lead"),
        ("2026-11-05T08:00:00Z", "unknown.success.metric-1d.csm"),
    ]
    .map(|(at, id)| (time(at), id.to_owned()))
    .to_vec();
    assert_eq!(reminded(&sandbox), expected);
    let text = |id: &str| {
        let file = sandbox.join(format!("ledger/outbox/{KEY}/08-{id}.md"));
        fs::read_to_string(&file).unwrap_or_else(|why| panic!("{id}: {why}"))
    };
    // What to do stands in each: the answers that are missing, and where they go.
    let missing = text("missing_answers-4h.rep");
    assert!(
        missing.contains("What is missing:") && missing.contains("`purchase.term`"),
        "{missing}"
    );
    assert!(missing.contains("Correct the deal in the CRM"), "{missing}");
    assert!(text("first_touch-4h.csm").contains("Write to: "), "{}", text("first_touch-4h.csm"));
    let whom = BTreeMap::from([("csm", "Sam Lee"), ("rep", "Marcus Oyelaran"), ("lead", "Hello")]);
    for (_, id) in expected {
        let file = sandbox.join(format!("ledger/outbox/{KEY}/08-{id}.md"));
        let text = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{id}: {why}"));
        let who = whom[id.rsplit('.').next().unwrap()];
        assert!(text.contains(&format!("\n{who}, ")), "{id} is for {who}: {text}");
    }
}

#[test]
fn a_reminder_holds_the_link_of_whose_part_it_is_and_a_leads_nobodys() {
    let links = "deliver: {links: {public_url: 'https://handoff.example.com', in_channels: true}, outbox: {dir: outbox}}";
    let sandbox = ledger(CONFIG);
    let settings = CONFIG.replace("deliver: {outbox: {dir: outbox}}", links);
    sandbox.write("ledger/handoff.yaml", settings);
    let file = sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]);
    let file = sandbox.join("ledger").join(file.trim());
    let brief = fs::read_to_string(&file).unwrap();
    let rep = "name: Marcus Oyelaran\n";
    assert!(brief.contains(&format!("owner:\n    {rep}")), "{brief}");
    fs::write(&file, brief.replacen(rep, &format!("{rep}    email: marcus@example.com\n"), 1))
        .unwrap();
    sandbox.git("ledger", &["commit", "-qam", "the rep's address, and links"]);
    let variables = [("HANDOFF_LINK_KEY", "0123456789abcdef0123456789abcdef")];
    for moment in ["2026-10-19T11:00:00Z", "2026-10-20T08:00:00Z"] {
        let deliver = ["deliver", KEY, "--now", moment];
        sandbox.handoff_with("ledger", &deliver, &variables).exits(0);
    }
    let role = |id: &str| {
        let file = sandbox.join(format!("ledger/outbox/{KEY}/08-{id}.md"));
        let text = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{id}: {why}"));
        let token = text.split("/h/").nth(1)?;
        let token = token.split('.').next().unwrap();
        let grant = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, token);
        let grant = String::from_utf8(grant.unwrap()).unwrap();
        Some(grant.lines().nth(2).unwrap().to_owned())
    };
    assert_eq!(role("first_touch-4h.csm").as_deref(), Some("csm"));
    assert_eq!(role("missing_answers-4h.rep").as_deref(), Some("rep"));
    assert_eq!(role("first_touch+1h.lead"), None);
}

#[test]
fn what_is_done_and_what_is_switched_off_reminds_nobody() {
    let off = ledger(&format!("{CONFIG}reminders: off\n"));
    let done = ledger(CONFIG);
    let at = ["--now", "2026-10-16T12:00:00Z"];
    for verb in ["touch", "accept"] {
        done.handoff("ledger", &[&[verb, KEY, "--by", "samlee"][..], &at].concat()).exits(0);
    }
    for moment in ["2026-10-19T11:00:00Z", "2026-10-20T08:00:00Z", "2026-10-21T15:00:00Z"] {
        for sandbox in [&off, &done] {
            sandbox.handoff("ledger", &["deliver", KEY, "--now", moment]).exits(0);
        }
    }
    assert_eq!(reminded(&off), []);
    let ids: Vec<String> = reminded(&done).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, ["missing_answers-4h.rep"]);
    // A deal that is lost reminds nobody; once it is won again, the ladder goes on.
    let lost = ledger(CONFIG);
    let stage = |deals: String| {
        lost.write("ledger/deals.csv", deals);
        lost.handoff("ledger", &["refresh", KEY, "--now", "2026-10-19T10:00:00Z"]).exits(0);
    };
    stage(DEALS.replace("Closed Won,2026", "Closed Lost,2026").replace("USD,true", "USD,false"));
    lost.handoff("ledger", &["deliver", KEY, "--now", "2026-10-19T11:00:00Z"]).exits(0);
    assert_eq!(reminded(&lost), []);
    let story = lost.handoff("ledger", &["status", KEY]).exits(0).stdout;
    assert!(story.contains("is lost") && story.contains("nobody is reminded any more"), "{story}");
    assert!(!story.contains("overdue"), "{story}");
    stage(DEALS.to_owned());
    lost.handoff("ledger", &["deliver", KEY, "--now", "2026-10-20T08:00:00Z"]).exits(0);
    let ids: Vec<String> = reminded(&lost).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, ["first_touch+1h.lead"]);
    // Who is told late is not late at once.
    let told_late = ledger_signed_at(CONFIG, "2026-10-20T08:00:00Z");
    let sent_by = |moment: &str| {
        told_late.handoff("ledger", &["deliver", KEY, "--now", moment]).exits(0);
        reminded(&told_late).into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    assert_eq!(sent_by("2026-10-20T08:01:00Z"), Vec::<String>::new());
    assert_eq!(sent_by("2026-10-20T09:00:00Z"), ["first_touch+1h.lead"]);
    assert_eq!(sent_by("2026-10-20T12:00:00Z"), ["first_touch+1h.lead", "acceptance+4h.csm"]);
    // Whom nobody could tell is not forgotten: the lead is.
    let untold = ledger(CONFIG);
    untold.git("ledger", &["reset", "-q", "--hard", "HEAD"]);
    fs::remove_dir_all(untold.join("ledger/outbox")).unwrap();
    let timeline = untold.git("ledger", &["ls-files", "briefs/*timeline.yaml"]);
    let timeline = untold.join("ledger").join(timeline.trim());
    let text = fs::read_to_string(&timeline).unwrap();
    let told = text.find("event: task_opened").expect("told");
    let told = text[..told].rfind("  - ").expect("an event");
    let failed = "  - at: 2026-10-14T16:00:00Z\n    event: delivery_failed\n    via: outbox\n    ref: notified\n    reason: 'refused: full'\n";
    fs::write(&timeline, format!("{}{failed}", &text[..told])).unwrap();
    untold.git("ledger", &["commit", "-qam", "nobody could be told"]);
    untold.handoff("ledger", &["deliver", KEY, "--now", "2026-10-20T08:00:00Z"]).exits(0);
    let ids: Vec<String> = reminded(&untold).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, ["first_touch+1h.lead"]);
    // Who comes back after a month is not flooded with the past.
    let late = ledger(CONFIG);
    late.handoff("ledger", &["deliver", KEY, "--now", "2026-11-20T08:00:00Z"]).exits(0);
    assert_eq!(reminded(&late), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_reminder_and_run_again_each_is_there_once() {
    let steps = |world: &World| -> Vec<String> {
        let vendors = world.vendors.lock().unwrap();
        let steps = vendors.messages.iter().map(|message| {
            message["metadata"]["event_payload"]["step"].as_str().unwrap().to_owned()
        });
        steps.collect()
    };
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    let expected = ["notice", "first_touch-4h.csm", "missing_answers-4h.rep", "acceptance+4h.csm"];
    for number in 0..20 {
        let world = reminding().await;
        world.run(&["sign", &event, "--now", "2026-10-14T16:00:00Z"], At::Never).await;
        let first = ["deliver", "--now", "2026-10-15T11:43:53Z"];
        let (was_killed, _) = world.run(&first, At::Number(number)).await;
        world.run(&[&first[..], &[KEY]].concat(), At::Never).await;
        world.run(&["deliver", "--now", "2026-10-15T19:43:53Z"], At::Never).await;
        assert_eq!(steps(&world), expected, "killed at {number}");
        let ids: Vec<String> = reminded(&world.sandbox).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, expected[1..], "killed at {number}");
        if !was_killed {
            return;
        }
    }
    panic!("more than twenty requests to send two reminders");
}

/// The month's moments at which somebody is reminded of [`ledger`]'s handoff.
const REMINDED: [(&str, &[&str]); 7] = [
    ("2026-10-19T11:00:00Z", &["first_touch-4h.csm", "missing_answers-4h.rep"]),
    ("2026-10-20T08:00:00Z", &["first_touch+1h.lead"]),
    ("2026-10-20T11:00:00Z", &["acceptance+4h.csm"]),
    ("2026-10-21T15:00:00Z", &["acceptance+2d.lead"]),
    ("2026-10-29T08:00:00Z", &["promise.1-2d.csm"]),
    ("2026-11-02T16:00:00Z", &["promise.1+1d.lead"]),
    ("2026-11-05T08:00:00Z", &["unknown.success.metric-1d.csm"]),
];

/// Runs the month, killed here in each run and run again; whom Slack reminded,
/// and how many steps the longest run has.
async fn month(at: At) -> (Vec<String>, usize) {
    let world = World::new("").await;
    let file = world.sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (_, deliver) = text.split_once("deliver:\n").unwrap();
    let slack = deliver.lines().find(|line| line.contains("slack:")).unwrap();
    let email = deliver.lines().find(|line| line.contains("email:")).unwrap();
    let both = format!("deliver:\n{slack}\n{email}");
    let config = CONFIG.replace("deliver: {outbox: {dir: outbox}}", &both);
    fs::write(&file, config.replace("samlee", "csm-ana")).unwrap();
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    world.run(&["sign", &event, "--now", "2026-10-14T16:00:00Z"], At::Never).await;
    let path = world.sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]);
    let path = world.sandbox.join("ledger").join(path.trim());
    let brief = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{brief}{MORE}")).unwrap();
    world.sandbox.git("ledger", &["commit", "-qam", "what was promised"]);
    let mut longest = 0;
    for (moment, _) in REMINDED {
        let run = ["deliver", KEY, "--now", moment];
        let (was_killed, points) = world.run(&run, at).await;
        longest = longest.max(points.len());
        if was_killed {
            world.run(&run, At::Never).await;
        }
    }
    let (_, points) = world.run(&["deliver", "--now", "2026-11-05T08:00:01Z"], At::Never).await;
    assert_eq!(points, [], "everybody was reminded");
    let ids: Vec<String> = reminded(&world.sandbox).into_iter().map(|(_, id)| id).collect();
    let vendors = world.vendors.lock().unwrap();
    let step = |it: &serde_json::Value| {
        it["metadata"]["event_payload"]["step"].as_str().unwrap().to_owned()
    };
    let mut steps: Vec<String> = vendors.messages.iter().map(step).collect();
    steps.retain(|step| step != "notice");
    assert_eq!(steps, ids, "{at:?}: what is recorded is what was sent");
    assert_eq!(world.mails.all().len(), 1, "Slack reminds, the mail is the brief's");
    (ids, longest)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step_of_the_month_everybody_is_reminded_once() {
    let expected: Vec<&str> = REMINDED.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    let (ids, longest) = month(At::Never).await;
    assert_eq!(ids, expected);
    assert!(longest > 4, "{longest} steps");
    let trials = (0..longest).map(|number| async move {
        let trial = tokio::spawn(month(At::Number(number)));
        (number, trial.await.unwrap().0)
    });
    let mut trials = stream::iter(trials).buffer_unordered(4);
    while let Some((number, ids)) = trials.next().await {
        assert_eq!(ids, expected, "killed at {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_onboarding_task_that_is_open_past_its_day_reminds_the_csm() {
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    for is_done in [false, true] {
        let world = reminding().await;
        world.run(&["sign", &event, "--now", "2026-10-14T16:00:00Z"], At::Never).await;
        world.ok(&["accept", KEY, "--by", "csm-ana", "--now", "2026-10-14T17:00:00Z"]);
        if is_done {
            let mut vendors = world.vendors.lock().unwrap();
            let first = vendors
                .jira
                .iter_mut()
                .find(|issue| issue["properties"][0]["value"]["step"] == "task-2");
            first.unwrap()["fields"]["status"] = "Done".into();
        }
        // The first task is the first touch, which has reminders of its own. The day of the second
        // is 16 October; a day later is over at midnight.
        for moment in ["2026-10-17T23:00:00Z", "2026-10-18T00:30:00Z", "2026-10-18T01:00:00Z"] {
            world.ok(&["deliver", KEY, "--now", moment]);
        }
        let ids: Vec<String> = reminded(&world.sandbox).into_iter().map(|(_, id)| id).collect();
        let expected: &[&str] = if is_done { &[] } else { &["onboarding.task-2+1d.csm"] };
        assert_eq!(ids, expected);
    }
}
