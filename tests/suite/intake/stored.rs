//! The inbox as its own users see it: in, claimed, tried again, given up, gone.

use std::sync::Arc;

use chrono::{DateTime, Days, TimeDelta, Utc};
use handoff::esign::DeliveryId;
use handoff::facts::ProviderName;
use handoff::intake::{Backoff, Envelope, Inbox, InboxWriter, Put, State};

fn now() -> DateTime<Utc> {
    "2026-11-20T17:00:00Z".parse().unwrap()
}

fn event(id: &str) -> Envelope {
    let delivery = DeliveryId::of(&[id.as_bytes()]);
    Envelope::new(ProviderName::new("pandadoc"), &delivery, None, now(), id.as_bytes().to_vec())
}

fn inbox() -> (tempfile::TempDir, Inbox) {
    let folder = tempfile::tempdir().unwrap();
    let inbox = Inbox::open(folder.path()).unwrap();
    (folder, inbox)
}

#[test]
fn a_delivery_is_known_wherever_it_is() {
    let (_folder, inbox) = inbox();
    let put = || inbox.put(&event("a")).unwrap();
    assert_eq!(put(), Put::Stored);
    assert_eq!(put(), Put::Known(State::New));
    let claimed = inbox.claim(now(), 10).unwrap();
    assert_eq!(claimed[0].envelope, event("a"));
    assert_eq!(put(), Put::Known(State::Work));
    inbox.finish(&claimed[0]).unwrap();
    assert_eq!(put(), Put::Known(State::Done));
    assert_eq!(inbox.prune(now() + Days::new(29)).unwrap(), 0);
    assert_eq!(inbox.prune(now() + Days::new(31)).unwrap(), 1);
    assert_eq!(put(), Put::Stored);
}

#[test]
fn what_fails_comes_back_later_and_is_given_up_at_last() {
    let (_folder, inbox) = inbox();
    inbox.put(&event("a")).unwrap();
    let (backoff, mut at, mut tries) = (Backoff::default(), now(), 0);
    let failed = loop {
        let mut claimed = inbox.claim(at, 1).unwrap();
        tries += 1;
        if inbox
            .try_later(&mut claimed[0], at, &format!("try {tries}: the CRM is down"), &backoff)
            .unwrap()
            == State::Failed
        {
            break inbox.list(&[State::Failed]).unwrap().remove(0);
        }
        let due = claimed[0].envelope.due();
        assert!(due > at, "try {tries} waits");
        assert!(
            inbox.claim(due - TimeDelta::seconds(1), 1).unwrap().is_empty(),
            "not before it is due"
        );
        at = due;
    };
    assert!((6..=12).contains(&tries), "{tries} tries");
    assert!(at > now() + TimeDelta::hours(60), "a weekend is outlived, and this ended at {at}");
    let envelope = failed.envelope.unwrap();
    assert!(
        envelope.errors.last().unwrap().message.contains(&format!("try {tries}")),
        "{:?}",
        envelope.errors
    );

    inbox.retry(&failed.name, at).unwrap();
    let claimed = inbox.claim(at, 1).unwrap();
    assert_eq!(claimed[0].envelope.attempts, 0, "a person's retry begins anew");
    inbox.give_back(&claimed[0]).unwrap();
    inbox.discard(&failed.name, at).unwrap();
    assert_eq!(
        inbox.put(&event("a")).unwrap(),
        Put::Known(State::Done),
        "what was dropped does not come back"
    );
}

#[test]
fn two_processes_share_one_inbox_and_the_survivor_takes_over() {
    let (folder, first) = inbox();
    let second = Inbox::open(folder.path()).unwrap();
    let events: Vec<Envelope> = (0..20).map(|number| event(&format!("e{number}"))).collect();
    assert!(first.put_all(&events).into_iter().all(|put| put == Ok(Put::Stored)));
    let mine = first.claim(now(), 12).unwrap();
    let yours = second.claim(now(), 20).unwrap();
    assert_eq!((mine.len(), yours.len()), (12, 8), "no event is in two hands");
    assert_eq!(second.recover().unwrap(), 0, "what a living process has in hand is its own");
    assert_eq!(second.counts(now()).unwrap().work, 20);
    drop(mine);
    drop(first);
    second.recover().unwrap();
    let counts = second.counts(now()).unwrap();
    assert_eq!((counts.new, counts.work), (12, 8), "what it had in hand waits again");
}

#[test]
fn a_file_that_is_no_event_is_put_aside() {
    let (folder, inbox) = inbox();
    inbox.put(&event("a")).unwrap();
    let name = event("a").name();
    std::fs::write(folder.path().join("new").join(name.file()), "{\"version\": 1").unwrap();
    std::fs::write(folder.path().join("new/notes.txt"), "not an event").unwrap();
    assert!(inbox.claim(now() + Days::new(20_000), 10).unwrap().is_empty());
    let listed = inbox.list(&State::ALL).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].state, listed[0].envelope.is_err()), (State::Failed, true));
}

#[test]
fn many_at_once_are_all_stored_and_each_once() {
    let (_folder, inbox) = inbox();
    let inbox = Arc::new(inbox);
    let writer = InboxWriter::start(Arc::clone(&inbox)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let results = runtime.block_on(async {
        let puts = (0..400).map(|number| {
            let writer = writer.clone();
            tokio::spawn(async move { writer.put(event(&format!("e{}", number % 100))).await })
        });
        futures_util::future::join_all(puts.collect::<Vec<_>>()).await
    });
    let stored = results
        .into_iter()
        .map(|put| put.unwrap().unwrap())
        .filter(|put| *put == Put::Stored)
        .count();
    assert_eq!(stored, 100);
    assert_eq!(inbox.counts(now()).unwrap().new, 100);
}
