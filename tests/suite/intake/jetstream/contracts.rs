//! What every inbox does, and what the streams must promise.

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use handoff::intake::{EventState, InboxError, Put};

use super::nats::{Nats, open, wanted};
use crate::intake::contract::{self, event, now};

#[test]
fn jetstream_does_what_every_inbox_does() {
    if !wanted("jetstream_does_what_every_inbox_does") {
        return;
    }
    let nats = Nats::start("");
    contract::run(async {
        let inbox = nats.open("known").await.unwrap();
        contract::a_delivery_is_known_wherever_it_is(inbox.as_ref()).await;
        let inbox = nats.open("tried").await.unwrap();
        contract::what_fails_comes_back_and_is_given_up_and_a_person_decides(inbox.as_ref()).await;
        let (mine, yours) = (nats.open("hands").await.unwrap(), nats.open("hands").await.unwrap());
        contract::what_is_in_hand_is_nobody_elses_until_it_is_returned(
            mine.as_ref(),
            yours.as_ref(),
        )
        .await;
        let inbox = nats.open("many").await.unwrap();
        contract::many_at_once_are_all_stored_and_each_once(inbox).await;
    });
}

#[test]
fn jetstream_waiting_events_keep_no_others_back() {
    if !wanted("jetstream_waiting_events_keep_no_others_back") {
        return;
    }
    let nats = Nats::start("");
    contract::run(async {
        let inbox = nats.open("handoff").await.unwrap();
        for number in 0..100 {
            inbox.put(event(&format!("old{number}"))).await.unwrap();
        }
        let backoff = handoff::intake::Backoff::default();
        let mut claimed = inbox.claim(now(), 100).await.unwrap();
        assert_eq!(claimed.len(), 100);
        for claimed in &mut claimed {
            inbox.try_later(claimed, now(), "the CRM is down", &backoff).await.unwrap();
        }
        inbox.put(event("fresh")).await.unwrap();
        let claimed = inbox.claim(now(), 10).await.unwrap();
        let names: Vec<_> = claimed.iter().map(|it| it.envelope.name()).collect();
        assert_eq!(names, [event("fresh").name()]);
        let counts = inbox.counts(now()).await.unwrap();
        assert_eq!(counts.new + counts.work, 101, "none is lost");
    });
}

#[test]
fn jetstream_a_stream_that_could_forget_is_refused() {
    if !wanted("jetstream_a_stream_that_could_forget_is_refused") {
        return;
    }
    let nats = Nats::start("");
    contract::run(async {
        let context = nats.context().await;
        let sound = |name: &str| Config {
            name: name.to_owned(),
            subjects: vec![format!("{name}.new.*"), format!("{name}.again.*")],
            retention: RetentionPolicy::WorkQueue,
            ..Config::default()
        };
        let cases = [
            (Config { retention: RetentionPolicy::Limits, ..sound("limits") }, "work queue"),
            (Config { storage: StorageType::Memory, ..sound("memory") }, "memory"),
            (Config { max_age: std::time::Duration::from_secs(3600), ..sound("age") }, "time"),
            (
                Config { max_messages: 10, discard: DiscardPolicy::Old, ..sound("full") },
                "oldest events",
            ),
            (Config { no_ack: true, ..sound("silent") }, "acknowledges nothing"),
        ];
        for (config, why) in cases {
            let name = config.name.clone();
            context.create_stream(config).await.unwrap();
            let Err(error) = nats.open(&name).await else { panic!("{name} was taken") };
            assert!(matches!(error, InboxError::Unsuitable { .. }), "{name}: {error}");
            assert!(error.to_string().contains(why), "{name}: {error}");
        }
        // What an operator has made with a limit that refuses instead is good.
        let bounded = Config { max_messages: 1, discard: DiscardPolicy::New, ..sound("bounded") };
        context.create_stream(bounded).await.unwrap();
        let inbox = nats.open("bounded").await.unwrap();
        inbox.put(event("a")).await.unwrap();
        let full = inbox.put(event("b")).await.unwrap_err();
        assert!(matches!(full, InboxError::Server { .. }), "a full queue says no: {full}");
    });
}

#[test]
fn jetstream_what_is_no_event_is_put_aside_and_can_be_dropped() {
    if !wanted("jetstream_what_is_no_event_is_put_aside_and_can_be_dropped") {
        return;
    }
    let nats = Nats::start("");
    contract::run(async {
        let inbox = nats.open("handoff").await.unwrap();
        let context = nats.context().await;
        let stray = format!("handoff.new.{}", event("a").name());
        for subject in [stray.as_str(), "handoff.new.hello"] {
            context.publish(subject.to_owned(), "{".into()).await.unwrap().await.unwrap();
        }
        inbox.put(event("b")).await.unwrap();
        let claimed = inbox.claim(now(), 10).await.unwrap();
        assert_eq!(claimed.len(), 1, "what is whole is processed");
        let failed = inbox.list(&[EventState::Failed], now()).await.unwrap();
        assert_eq!(failed.len(), 2);
        for event in failed {
            assert!(matches!(event.envelope, Err(InboxError::Damaged { .. })), "{event:?}");
            inbox.discard(&event.name, now()).await.unwrap();
        }
        assert!(inbox.list(&[EventState::Failed], now()).await.unwrap().is_empty());
        assert_eq!(inbox.put(event("a")).await.unwrap(), Put::Stored, "a stray is no event");
    });
}

#[test]
fn jetstream_is_signed_in_to_and_secrets_stay_secret() {
    if !wanted("jetstream_is_signed_in_to_and_secrets_stay_secret") {
        return;
    }
    let nats = Nats::start("authorization {user: handoff, password: \"open sesame\"}");
    contract::run(async {
        let at = nats.address("handoff");
        let right = [("NATS_USER", "handoff"), ("NATS_PASSWORD", "open sesame")];
        let inbox = open(&at, &right).await.unwrap();
        assert_eq!(inbox.put(event("a")).await.unwrap(), Put::Stored);
        let wrong = [("NATS_USER", "handoff"), ("NATS_PASSWORD", "close sesame")];
        let both = [("NATS_TOKEN", "close sesame"), ("NATS_USER", "handoff")];
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[], "authorization violation"),
            (&wrong, "authorization violation"),
            (&[("NATS_TOKEN", "close sesame")], "authorization violation"),
            (&both, "more than one"),
            (&wrong[..1], "only one"),
            (&[("NATS_CREDS", "close sesame")], "credentials file"),
        ];
        for (secrets, why) in cases {
            let Err(error) = open(&at, secrets).await else { panic!("{why}: let in") };
            let text = format!("{error} {error:?}");
            assert!(text.contains(why), "{why}: {text}");
            assert!(!text.contains("sesame"), "{text}");
        }
    });
    let nats = Nats::start("authorization {token: \"open sesame\"}");
    contract::run(async {
        let token = [("NATS_TOKEN", "open sesame")];
        open(&nats.address("handoff"), &token).await.unwrap();
    });
}
