//! `handoff work`: another process works the inbox off.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use handoff::crm::{CrmConfig, Triggers};
use handoff::esign::{DeliveryId, Providers};
use handoff::http::Limits;
use handoff::intake::{
    Connections, Envelope, EventState, FolderInbox, Handler, Inbox, News, Task, WorkVerdict, Worker,
};
use handoff::model::{ProviderName, Secrets, SignatureEvent};

use super::server::{KEY, Running, briefs, document, ledger, next_now, pandadoc};

const RECEIVE: &[&str] = &["serve", "--listen", "127.0.0.1:0", "--no-work"];

#[test]
fn what_one_process_receives_another_works_off() {
    let sandbox = ledger();
    let server = Running::start(&sandbox, RECEIVE, &[("PANDADOC_WEBHOOK_KEY", KEY)]);
    for number in 0..3 {
        let (event, body) = (format!("e{number}"), document(&format!("doc{number}")));
        assert_eq!(pandadoc(server.address(), KEY, &event, &body).unwrap().status, 200);
    }
    assert_eq!(briefs(&sandbox).len(), 0, "it receives only");
    let now = next_now(&sandbox);
    let once = ["--now", &now, "work", "--once", "--format", "json"];
    let worked = sandbox.handoff("ledger", &once).exits(0);
    assert_eq!(worked.json()["done"], 3, "{}", worked.stderr);
    assert_eq!(briefs(&sandbox).len(), 3);

    let mut worker = Running::start(&sandbox, &["work"], &[]);
    assert!(worker.first.contains("inbox"), "it says where: {}", worker.first);
    assert_eq!(pandadoc(server.address(), KEY, "e3", &document("doc3")).unwrap().status, 200);
    server.wait_until_idle();
    assert_eq!(briefs(&sandbox).len(), 4, "{}", worker.log());
    #[cfg(unix)]
    assert_eq!(worker.terminate(), Some(0), "{}", worker.log());
}

/// Panics at the document `bad`, alone and among others.
struct Fragile;

#[async_trait::async_trait(?Send)]
impl Handler for Fragile {
    async fn hand_over(&self, tasks: &[Task]) -> Vec<WorkVerdict> {
        let is_bad = |event: &SignatureEvent| matches!(event, SignatureEvent::Completed(it) if it.document_id.as_str() == "bad");
        for task in tasks {
            if let News::Signatures(events) = &task.news {
                assert!(!events.iter().any(is_bad), "a document that breaks it");
            }
        }
        vec![WorkVerdict::Done; tasks.len()]
    }

    async fn reconcile(&self) {}
}

#[test]
fn a_panic_puts_its_own_event_aside_with_the_reason_and_the_others_are_worked_off() {
    let folder = tempfile::tempdir().unwrap();
    let now: DateTime<Utc> = "2026-11-20T17:00:00Z".parse().unwrap();
    super::contract::run(async {
        let inbox: Arc<dyn Inbox> = Arc::new(FolderInbox::open(folder.path()).unwrap());
        for id in ["one", "bad", "two"] {
            let delivery = DeliveryId::of(&[id.as_bytes()]);
            let kind = Some("application/json".to_owned());
            let sender = ProviderName::new("pandadoc");
            let event = Envelope::new(sender, &delivery, kind, now, document(id));
            inbox.put(event).await.unwrap();
        }
        let connections = Connections {
            providers: Arc::new(Providers::default()),
            triggers: Arc::new(Triggers::new(&CrmConfig::default())),
            secrets: Secrets::default(),
            limits: Limits::default(),
        };
        let same = connections.clone();
        let worker = Worker::new(
            Arc::clone(&inbox),
            connections,
            Arc::new(move || Ok(same.clone())),
            Box::new(Fragile),
            Arc::new(move || now),
            Arc::default(),
        );
        let tally = worker.drain().await.unwrap();
        assert_eq!((tally.done, tally.failed), (2, 1), "{tally:?}");
        let failed = inbox.list(&[EventState::Failed], now).await.unwrap();
        let why = &failed[0].envelope.as_ref().unwrap().errors[0].message;
        assert!(why.contains("a bug in handoff: a document that breaks it"), "{why}");
    });
}
