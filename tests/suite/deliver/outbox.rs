//! The outbox: files that say what would be sent.

use std::fs;

use handoff::brief::EventKind;
use handoff::deliver::{Circumstances, WantedDelivery, plan, run};
use handoff::http::Schedule;
use serde_json::{Value, json};

use super::sample::{handoff, hostile, now, secrets, sinks};

#[tokio::test]
async fn every_event_becomes_a_file_that_is_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let sinks = sinks(json!({"outbox": {"dir": "outbox"}}), &secrets(&[]), folder.path());
    let wanted: Vec<WantedDelivery> =
        sinks.iter().map(|s| WantedDelivery::from_sink(s.as_ref())).collect();
    let mut handoff = handoff("hubspot-1");
    let plan = plan(&wanted, &handoff.timeline, &Circumstances::at(now()));
    let results = run(&plan, &sinks, &handoff, now(), &Schedule::once(), &()).await;
    let marks: Vec<String> = results
        .iter()
        .map(|result| result.outcome.as_ref().expect("written").reference.clone())
        .collect();
    assert_eq!(
        marks,
        [
            "outbox/hubspot-1/01-task_opened.md",
            "outbox/hubspot-1/03-emailed.md",
            "outbox/hubspot-1/02-notified.md",
            "outbox/hubspot-1/04-project_started.md",
            "outbox/hubspot-1/05-welcomed.json"
        ]
    );
    let task = fs::read_to_string(folder.path().join(&marks[0])).expect("a file");
    insta::assert_snapshot!("outbox_task", task);
    let project = fs::read_to_string(folder.path().join(&marks[3])).expect("a file");
    insta::assert_snapshot!("outbox_project", project);
    let welcome: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join(&marks[4])).expect("a file"))
            .expect("JSON");
    assert_eq!(welcome["data"]["handoff_id"], "hubspot-1");

    // The record is lost, and the brief has changed: what is there stays.
    handoff.brief["customer"]["name"] = json!("Other");
    let again = run(&plan, &sinks, &handoff, now(), &Schedule::once(), &()).await;
    assert!(again.iter().all(|result| result.found), "{again:?}");
    assert_eq!(task, fs::read_to_string(folder.path().join(&marks[0])).expect("a file"));
    let files = fs::read_dir(folder.path().join("outbox/hubspot-1")).expect("a folder").count();
    assert_eq!(files, 5, "no temporary file is left");
}

#[tokio::test]
async fn thirty_promises_stand_in_the_task_and_a_message_says_how_many_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let sinks = sinks(json!({"outbox": {"dir": "outbox"}}), &secrets(&[]), folder.path());
    let mut handoff = handoff("hubspot-1");
    let promise = |number: usize| json!({"promise": format!("Promise number {number} of all")});
    handoff.brief["commitments"] = (1..=30).map(promise).collect();
    let count = |event: EventKind| {
        let sink = sinks.iter().find(|sink| sink.event() == event).expect("a sink");
        let (sink, handoff, folder) = (sink.as_ref(), handoff.clone(), folder.path().to_owned());
        async move {
            let mark = sink.act(&handoff).await.expect("written");
            let text = fs::read_to_string(folder.join(mark.reference)).expect("a file");
            (text.matches("Promise number").count(), text.contains("20 more in the brief"))
        }
    };
    assert_eq!(count(EventKind::TaskOpened).await, (30, false));
    assert_eq!(count(EventKind::ProjectStarted).await, (30, false));
    assert_eq!(count(EventKind::Notified).await, (10, true));
}

#[test]
fn the_outbox_takes_what_no_other_sink_delivers() {
    let folder = tempfile::tempdir().expect("a folder");
    let github = json!({"repository": "acme/handoffs"});
    let secrets = secrets(&[("GITHUB_TOKEN", "t")]);
    let both = json!({"github": github, "outbox": {}});
    let pairs = |config: Value| -> Vec<(EventKind, &'static str)> {
        sinks(config, &secrets, folder.path()).iter().map(|s| (s.event(), s.via())).collect()
    };
    let made = pairs(both);
    assert!(made.contains(&(EventKind::TaskOpened, "github")));
    assert!(!made.contains(&(EventKind::TaskOpened, "outbox")));
    assert!(made.contains(&(EventKind::Welcomed, "outbox")));
    let named = json!({"github": github, "outbox": {"events": ["task_opened"]}});
    assert_eq!(
        pairs(named),
        [
            (EventKind::TaskOpened, "github"),
            (EventKind::CsmTold, "github"),
            (EventKind::TaskOpened, "outbox")
        ]
    );
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let sinks = sinks(json!({"outbox": {}}), &secrets(&[]), folder.path());
    let handoff = hostile("hubspot-1");
    for sink in &sinks {
        sink.act(&handoff).await.expect("written");
    }
    let folder = folder.path().join("outbox/hubspot-1");
    for name in ["01-task_opened.md", "02-notified.md", "03-emailed.md", "04-project_started.md"] {
        let text = fs::read_to_string(folder.join(name)).expect("a file");
        for bad in
            ["<script", "@everyone", "#1", "javascript:alert(1))", "{{7*7}}", "\u{202E}", "\u{1b}"]
        {
            assert!(!text.contains(bad), "{name} holds {bad:?}:\n{text}");
        }
        assert_eq!(text.matches("<!--").count(), 1, "{name}: only our own comment\n{text}");
    }
}
