//! What every inbox does, as its users see it: in, in hand, tried again, given
//! up, gone. Each kind of inbox is put through the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, TimeDelta, Utc};
use handoff::esign::DeliveryId;
use handoff::intake::{Backoff, Claimed, Envelope, EventState, Inbox, InboxError, Put};
use handoff::model::ProviderName;

pub(super) fn now() -> DateTime<Utc> {
    "2026-11-20T17:00:00Z".parse().unwrap()
}

pub(super) fn event(id: &str) -> Envelope {
    let delivery = DeliveryId::of(&[id.as_bytes()]);
    // No text, so that the body must survive byte for byte.
    let body = [id.as_bytes(), &[0, 255, b'\r', b'\n']].concat();
    let kind = Some("application/json; naïve=\"ü\"".to_owned());
    Envelope::new(ProviderName::new("pandadoc"), &delivery, kind, now(), body)
}

pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// So many events that are due at a moment; a server may need a moment of its own.
async fn claim_soon(inbox: &dyn Inbox, at: DateTime<Utc>, many: usize) -> Vec<Claimed> {
    let (start, mut claimed) = (Instant::now(), Vec::new());
    while claimed.len() < many && start.elapsed() < Duration::from_secs(20) {
        claimed.extend(inbox.claim(at, many - claimed.len()).await.unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    claimed
}

pub(super) async fn a_delivery_is_known_wherever_it_is(inbox: &dyn Inbox) {
    let put = async || inbox.put(event("a")).await.unwrap();
    assert_eq!(put().await, Put::Stored);
    assert_eq!(put().await, Put::Known(EventState::New));
    let mut claimed = inbox.claim(now(), 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].envelope, event("a"), "as it was put");
    assert_eq!(put().await, Put::Known(EventState::Work));
    inbox.give_up(&mut claimed[0], now(), "no").await.unwrap();
    assert_eq!(put().await, Put::Known(EventState::Failed));
    inbox.retry(&event("a").name(), now(), None).await.unwrap();
    assert_eq!(put().await, Put::Known(EventState::New));
    let claimed = inbox.claim(now(), 10).await.unwrap();
    inbox.settle(&claimed[0], EventState::Done).await.unwrap();
    assert_eq!(put().await, Put::Known(EventState::Done));
    let counts = inbox.counts(now()).await.unwrap();
    assert_eq!((counts.new, counts.work, counts.failed, counts.done), (0, 0, 0, 1));
    assert!(inbox.claim(now(), 10).await.unwrap().is_empty());
}

pub(super) async fn what_fails_comes_back_and_is_given_up_and_a_person_decides(inbox: &dyn Inbox) {
    inbox.put(event("a")).await.unwrap();
    let backoff = Backoff::new(vec![Duration::from_millis(1_500); 2]);
    let (mut at, name) = (now(), event("a").name());
    for number in 1..=3 {
        let mut claimed = claim_soon(inbox, at, 1).await;
        assert_eq!(claimed.len(), 1, "try {number}");
        assert_eq!(claimed[0].envelope.attempts, number - 1);
        let why = format!("try {number}: the CRM\nis down");
        let state = inbox.try_later(&mut claimed[0], at, &why, &backoff).await.unwrap();
        if number == 3 {
            assert_eq!(state, EventState::Failed, "no more waits are left");
            break;
        }
        assert_eq!(state, EventState::New);
        let due = claimed[0].envelope.due();
        assert!(due > at, "try {number} waits");
        let early = inbox.claim(due - TimeDelta::milliseconds(1_000), 10).await.unwrap();
        assert!(early.is_empty(), "not before it is due");
        let counts = inbox.counts(at).await.unwrap();
        assert_eq!((counts.new, counts.work), (1, 0), "it waits");
        let listed = inbox.list(&EventState::ALL, at).await.unwrap();
        assert_eq!((listed.len(), listed[0].state), (1, EventState::New));
        at = due;
    }
    let failed = inbox.list(&[EventState::Failed], at).await.unwrap().remove(0);
    let envelope = failed.envelope.unwrap();
    assert_eq!(envelope.attempts, 3);
    assert!(envelope.errors.last().unwrap().message.contains("try 3"), "{:?}", envelope.errors);
    assert_eq!(envelope.body, event("a").body);
    assert_eq!(inbox.counts(at).await.unwrap().failed, 1);

    let found = inbox.find(&failed.name.delivery()[..4], at).await.unwrap();
    assert_eq!((found.name, found.state), (name.clone(), EventState::Failed));
    inbox.retry(&name, at, None).await.unwrap();
    let claimed = claim_soon(inbox, at, 1).await;
    assert_eq!(claimed[0].envelope.attempts, 0, "a person's retry starts again");
    let refused = inbox.discard(&name, at).await.unwrap_err();
    assert!(matches!(refused, InboxError::NotHere { .. }), "what is in hand: {refused}");
    inbox.give_back(&claimed[0]).await.unwrap();
    let mut claimed = claim_soon(inbox, at, 1).await;
    inbox.give_up(&mut claimed[0], at, "no").await.unwrap();
    inbox.discard(&name, at).await.unwrap();
    assert_eq!(
        inbox.put(event("a")).await.unwrap(),
        Put::Known(EventState::Done),
        "what was dropped does not come back"
    );
    assert!(
        inbox
            .list(&[EventState::New, EventState::Work, EventState::Failed], at)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(matches!(inbox.find("nobody", at).await.unwrap_err(), InboxError::Unknown(_)));
}

pub(super) async fn what_is_in_hand_is_nobody_elses_until_it_is_returned(
    mine: &dyn Inbox,
    yours: &dyn Inbox,
) {
    for number in 0..20 {
        let put = mine.put(event(&format!("e{number}"))).await.unwrap();
        assert_eq!(put, Put::Stored);
    }
    assert_eq!(yours.put(event("e3")).await.unwrap(), Put::Known(EventState::New));
    let first = mine.claim(now(), 12).await.unwrap();
    let second = yours.claim(now(), 20).await.unwrap();
    assert_eq!((first.len(), second.len()), (12, 8), "no event is in two hands");
    let counts = yours.counts(now()).await.unwrap();
    assert_eq!((counts.new, counts.work), (0, 20));
    assert_eq!(mine.give_all_back().await.unwrap(), 12);
    let again = claim_soon(yours, now() + Days::new(1), 12).await;
    assert_eq!(again.len(), 12, "what was returned is taken by another");
    for claimed in second.iter().chain(&again) {
        yours.settle(claimed, EventState::Done).await.unwrap();
    }
    assert_eq!(mine.counts(now()).await.unwrap().done, 20);
}

pub(super) async fn many_at_once_are_all_stored_and_each_once(inbox: Arc<dyn Inbox>) {
    let puts = (0..400).map(|number| {
        let inbox = Arc::clone(&inbox);
        tokio::spawn(async move { inbox.put(event(&format!("e{}", number % 100))).await })
    });
    let results = futures_util::future::join_all(puts.collect::<Vec<_>>()).await;
    let stored = results
        .into_iter()
        .map(|put| put.unwrap().unwrap())
        .filter(|put| *put == Put::Stored)
        .count();
    assert_eq!(stored, 100);
    assert_eq!(inbox.counts(now()).await.unwrap().new, 100);
}
