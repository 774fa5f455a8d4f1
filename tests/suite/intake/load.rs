//! Many webhooks at once, each until it is heard; and what must have come of
//! them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::server::{KEY, briefs_in, document, eventually, pandadoc};
use crate::sandbox::Sandbox;

/// Events that are sent several times each, in a random order.
pub(super) struct Load {
    order: Mutex<Vec<usize>>,
    accepted: AtomicUsize,
}

impl Load {
    pub(super) fn new(events: usize, times_each: usize) -> Self {
        let mut order: Vec<usize> = (0..events).flat_map(|event| vec![event; times_each]).collect();
        fastrand::Rng::with_seed(20_261_120).shuffle(&mut order);
        Self { order: Mutex::new(order), accepted: AtomicUsize::new(0) }
    }

    /// How many requests were answered with 2xx.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Waits until so many were.
    pub(super) fn wait_for(&self, accepted: usize) {
        eventually("requests are accepted", || (self.accepted() >= accepted).then_some(()));
    }

    /// Sends what is left, as a provider does: again, until it hears that it
    /// was heard. `at` is asked for the address of each try.
    pub(super) fn send(&self, at: impl Fn() -> SocketAddr) {
        // Taken in a statement of its own, so that the others need not wait.
        let next = || self.order.lock().unwrap().pop();
        while let Some(event) = next() {
            let (id, body) = (format!("event-{event}"), document(&format!("doc{event}")));
            eventually("a request is accepted", || match pandadoc(at(), KEY, &id, &body) {
                Ok(answer) if answer.status == 200 => Some(()),
                _ => {
                    std::thread::sleep(Duration::from_millis(20));
                    None
                }
            });
            self.accepted.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Each event has exactly one brief, signed once.
pub(super) fn assert_one_brief_each(repository: &str, sandbox: &Sandbox, events: usize) {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for path in briefs_in(repository, sandbox) {
        *made.entry(path.rsplit("--").next().unwrap().to_owned()).or_default() += 1;
    }
    let wrong: Vec<String> = (0..events)
        .map(|event| format!("pandadoc-doc{event}"))
        .filter(|key| made.get(key) != Some(&1))
        .map(|key| format!("{key}: {:?}", made.get(&key)))
        .collect();
    assert!(wrong.is_empty(), "not exactly one brief each: {wrong:?}");
    assert_eq!(made.len(), events);
    let pattern = ["grep", "--count", "event: signed", "HEAD", "--", "briefs/**/timeline.yaml"];
    let timelines = sandbox.git(repository, &pattern);
    let twice: Vec<&str> = timelines.lines().filter(|line| !line.ends_with(":1")).collect();
    assert!(twice.is_empty(), "signed more than once: {twice:?}");
    assert_eq!(timelines.lines().count(), events);
    sandbox.git(repository, &["fsck", "--strict"]);
}
