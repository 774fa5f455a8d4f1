//! Every event of a timeline, signed, to one receiver.

use std::sync::{Arc, Mutex};

use handoff::brief::{Event, EventKind};
use handoff::deliver::{Circumstances, DeliveryError, Handoff, Sink, WantedDelivery, plan, run};
use handoff::http::Schedule;
use serde_json::json;
use standardwebhooks::Webhook;

use super::fake::{Fake, Reply};
use super::sample::{handoff, hostile, now, secrets, sinks, time};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn at(fake: &Fake, brief: bool) -> Vec<Box<dyn Sink>> {
    let config = json!({"events": {"url": format!("{}/in?token=verysecret", fake.url), "allow_private": true, "brief": brief}});
    sinks(config, &secrets(&[("EVENTS_SECRET", SECRET)]), std::path::Path::new("."))
}

/// One run of the reconciler: what was due is made and recorded.
async fn reconcile(
    handoff: &mut Handoff,
    sinks: &[Box<dyn Sink>],
) -> Vec<Result<String, DeliveryError>> {
    let wanted: Vec<WantedDelivery> =
        sinks.iter().map(|sink| WantedDelivery::from_sink(sink.as_ref())).collect();
    let circumstances = Circumstances { at_once: true, ..Circumstances::at(now()) };
    let plan = plan(&wanted, &handoff.timeline, &circumstances);
    let results = run(&plan, sinks, handoff, now(), &Schedule::once(), &()).await;
    for result in &results {
        handoff.timeline.events.push(result.to_event(now()));
    }
    results.into_iter().map(|result| result.outcome.map(|mark| mark.reference)).collect()
}

fn types(fake: &Fake) -> Vec<String> {
    fake.asked().iter().map(|it| it.json()["type"].as_str().expect("a type").to_owned()).collect()
}

#[tokio::test]
async fn each_event_is_sent_once_signed_and_known_by_its_id() {
    let fake = Fake::serve(|_| Reply::Text(204, "")).await;
    let sinks = at(&fake, false);
    let mut handoff = handoff("csv-a.b");
    let marked = |results: Vec<Result<String, DeliveryError>>| {
        let mark = results[0].as_ref().expect("it is sent").clone();
        mark.split_once('-').expect("how many, and what they were").0.to_owned()
    };
    assert_eq!(marked(reconcile(&mut handoff, &sinks).await), "2");
    for _ in 0..5 {
        assert!(reconcile(&mut handoff, &sinks).await.is_empty(), "everything is sent");
    }
    let mut accepted = Event::new(time("2026-11-20T16:00:00Z"), EventKind::Accepted, "link");
    accepted.by = Some("ana@example.test".to_owned());
    handoff.timeline.events.push(accepted);
    assert_eq!(marked(reconcile(&mut handoff, &sinks).await), "3");
    // What another process recorded while these were sent is sent next, alone.
    let at = handoff.timeline.events.len() - 1;
    let other = Event::new(time("2026-11-20T16:00:01Z"), EventKind::Touched, "link");
    handoff.timeline.events.insert(at, other);
    assert_eq!(marked(reconcile(&mut handoff, &sinks).await), "4");
    assert!(reconcile(&mut handoff, &sinks).await.is_empty(), "everything is sent");
    assert_eq!(types(&fake).pop().as_deref(), Some("handoff.touched"));
    assert_eq!(types(&fake)[..3], ["handoff.received", "handoff.signed", "handoff.accepted"]);
    let asked = fake.asked();
    let webhook = Webhook::new(SECRET).expect("a secret");
    let mut ids = std::collections::BTreeSet::new();
    for request in &asked {
        let header = |name: &str| request.headers[name].to_str().expect("text").to_owned();
        let stamp: i64 = header("webhook-timestamp").parse().expect("seconds");
        let expected = webhook.sign(&header("webhook-id"), stamp, &request.bytes).expect("signed");
        assert_eq!(header("webhook-signature"), expected);
        assert!(header("webhook-id").starts_with("evt_csv-a~b_"), "{}", header("webhook-id"));
        assert!(ids.insert(header("webhook-id")), "an id for each event");
    }
    let last = asked[2].json();
    assert_eq!(last["data"]["event"]["by"], "ana@example.test");
    assert_eq!(last["data"]["csm"]["email"], "ana@example.test");
    assert!(last["data"]["brief"].is_null(), "only on request");
}

#[tokio::test]
async fn what_came_in_between_is_sent_and_a_repeat_has_the_same_id() {
    let fake = Fake::serve(|_| Reply::Text(204, "")).await;
    let sinks = at(&fake, true);
    let mut handoff = handoff("hubspot-1");
    reconcile(&mut handoff, &sinks).await;
    let before: Vec<_> = fake.asked().iter().map(|it| it.headers["webhook-id"].clone()).collect();
    // Another clone's event, merged in where it happened.
    handoff
        .timeline
        .events
        .insert(1, Event::new(time("2026-11-20T15:02:01Z"), EventKind::Assigned, "github"));
    reconcile(&mut handoff, &sinks).await;
    let asked = fake.asked();
    assert_eq!(types(&fake)[2..], ["handoff.received", "handoff.assigned", "handoff.signed"]);
    assert_eq!(
        (&asked[2].headers["webhook-id"], &asked[4].headers["webhook-id"]),
        (&before[0], &before[1])
    );
    assert_eq!(asked[3].json()["data"]["brief"]["customer"]["name"], "Acme Corp");
    assert!(reconcile(&mut handoff, &sinks).await.is_empty());
}

#[tokio::test]
async fn as_many_events_as_were_sent_are_not_the_same_events() {
    let fake = Fake::serve(|_| Reply::Text(204, "")).await;
    let sinks = at(&fake, false);
    let mut handoff = handoff("hubspot-1");
    reconcile(&mut handoff, &sinks).await;
    let sent = fake.asked().len();
    // An older mark is a count alone: what it covers was sent.
    let mark = handoff.timeline.events.last_mut().expect("the mark");
    let whole = mark.reference.replace(sent.to_string());
    assert!(reconcile(&mut handoff, &sinks).await.is_empty());
    handoff.timeline.events.last_mut().expect("the mark").reference = whole;
    assert!(reconcile(&mut handoff, &sinks).await.is_empty());
    // A merge took another clone's event in the place of one that was sent.
    handoff.timeline.events[0] =
        Event::new(time("2026-11-20T15:02:01Z"), EventKind::Assigned, "github");
    assert_eq!(reconcile(&mut handoff, &sinks).await.len(), 1);
    assert!(types(&fake)[sent..].contains(&"handoff.assigned".to_owned()), "{:?}", types(&fake));
    assert!(reconcile(&mut handoff, &sinks).await.is_empty());
}

#[tokio::test]
async fn a_receiver_that_fails_gets_everything_again_and_hostile_text_is_text() {
    let down = Arc::new(Mutex::new(true));
    let shared = down.clone();
    let fake = Fake::serve(move |_| {
        if *shared.lock().expect("not poisoned") { Reply::Drop } else { Reply::Text(204, "") }
    })
    .await;
    let sinks = at(&fake, false);
    let mut hostile = hostile("hubspot-1");
    let failed = reconcile(&mut hostile, &sinks).await;
    let error = failed[0].as_ref().expect_err("unclear");
    assert!(matches!(error, DeliveryError::Unclear { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("verysecret"), "{error:?}");
    *down.lock().expect("not poisoned") = false;
    assert!(reconcile(&mut hostile, &sinks).await[0].as_ref().is_ok_and(|it| it.starts_with("3-")));
    let told = types(&fake);
    assert_eq!(
        told[told.len() - 3..],
        ["handoff.received", "handoff.signed", "handoff.delivery_failed"]
    );
    assert!(reconcile(&mut hostile, &sinks).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_stands_in_the_timeline_as_it_was_sent() {
    let fake = Fake::serve(|_| Reply::Text(204, "")).await;
    let world = crate::refresh::signed();
    let settings = world.join("ledger/handoff.yaml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let events = format!("deliver:\n  events: {{url: '{}/in', allow_private: true}}\n", fake.url);
    std::fs::write(&settings, text.replace("deliver:\n", &events)).unwrap();
    let key = crate::refresh::KEY;
    for minute in ["00", "07"] {
        let now = format!("2026-11-20T17:{minute}:00Z");
        let deliver = ["deliver", key, "--now", &now];
        tokio::task::block_in_place(|| {
            world.handoff_with("ledger", &deliver, &[("EVENTS_SECRET", SECRET)]).exits(0)
        });
    }
    let timeline = crate::refresh::file(&world, "timeline.yaml");
    let timeline = handoff::brief::Timeline::parse(timeline.as_bytes()).unwrap();
    let recorded = timeline.events.iter().filter(|it| it.event != EventKind::EventsSent);
    let recorded: Vec<_> = recorded.map(|it| serde_json::to_value(it).unwrap()).collect();
    let sent: Vec<_> = fake.asked().iter().map(|it| it.json()["data"]["event"].clone()).collect();
    assert!(sent.iter().any(|it| it["event"] == "emailed"), "the deliveries too: {sent:#?}");
    assert_eq!(sent, recorded, "each once, in their order");
}
