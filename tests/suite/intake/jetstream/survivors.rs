//! Two that receive and two that work, on one JetStream and two clones; one of
//! each is killed in the middle.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use super::nats::{Nats, wanted};
use crate::intake::server::{KEY, Running, briefs_in, document, eventually, ledger, pandadoc};
use crate::sandbox::Sandbox;

const EVENTS: usize = 300;
const TIMES_EACH: usize = 2;
const CONNECTIONS: usize = 16;
/// A server is killed when so many requests were answered with 2xx.
const SERVER_KILLED_AFTER: usize = 200;
/// A worker is killed when so many handoffs have reached the remote.
const WORKER_KILLED_AFTER: usize = 40;

fn serve(sandbox: &Sandbox, address: &str) -> Running {
    let arguments = ["serve", "--no-work", "--listen", "127.0.0.1:0", "--inbox", address];
    Running::start(sandbox, &arguments, &[("PANDADOC_WEBHOOK_KEY", KEY)])
}

fn work(clone: &str, sandbox: &Sandbox, address: &str) -> Running {
    Running::start_in(clone, sandbox, &["work", "--inbox", address], &[])
}

#[test]
fn jetstream_a_2xx_means_exactly_one_brief_when_a_server_and_a_worker_are_killed() {
    if !wanted("jetstream_a_2xx_means_exactly_one_brief") {
        return;
    }
    let (nats, sandbox) = (Nats::start(""), ledger());
    let address = nats.address("handoff");
    sandbox.git("ledger", &["add", "--all"]);
    sandbox.git("ledger", &["commit", "-qm", "deals and configuration"]);
    sandbox.git(".", &["clone", "-q", "--bare", "ledger", "remote.git"]);
    for clone in ["one", "two"] {
        sandbox.git(".", &["clone", "-q", "remote.git", clone]);
    }
    let (mut first, second) = (serve(&sandbox, &address), serve(&sandbox, &address));
    let (mut killed, survivor) = (work("one", &sandbox, &address), work("two", &sandbox, &address));
    let doors = RwLock::new([first.address(), second.address()]);
    let mut order: Vec<usize> = (0..EVENTS).flat_map(|event| [event; TIMES_EACH]).collect();
    fastrand::Rng::with_seed(20_261_120).shuffle(&mut order);
    let (order, accepted) = (Mutex::new(order), AtomicUsize::new(0));

    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (doors, order, accepted) = (&doors, &order, &accepted);
            scope.spawn(move || {
                while let Some(event) = order.lock().unwrap().pop() {
                    let (id, body) = (format!("event-{event}"), document(&format!("doc{event}")));
                    let mut tries = connection;
                    // As a provider behind a load balancer: again, until it hears that it was heard.
                    eventually("a request is accepted", || {
                        tries += 1;
                        let at: SocketAddr = doors.read().unwrap()[tries % 2];
                        match pandadoc(at, KEY, &id, &body) {
                            Ok(answer) if answer.status == 200 => Some(()),
                            _ => {
                                std::thread::sleep(Duration::from_millis(20));
                                None
                            }
                        }
                    });
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        eventually("requests are accepted", || {
            (accepted.load(Ordering::SeqCst) >= SERVER_KILLED_AFTER).then_some(())
        });
        first.kill();
        first = serve(&sandbox, &address);
        doors.write().unwrap()[0] = first.address();
        eventually("handoffs reach the remote", || {
            (briefs_in("remote.git", &sandbox).len() >= WORKER_KILLED_AFTER).then_some(())
        });
        assert!(briefs_in("remote.git", &sandbox).len() < EVENTS, "it is killed in the middle");
        killed.kill();
    });
    assert_eq!(accepted.load(Ordering::SeqCst), EVENTS * TIMES_EACH);
    let health = second.wait_until_idle();
    assert_eq!(health["inbox"]["failed"], 0, "{health}\n{}", survivor.log());
    check(&sandbox, "remote.git");

    // The one that was killed comes back, with whatever its clone holds, and doubles nothing.
    let back = work("one", &sandbox, &address);
    for number in 0..5 {
        let (id, body) = (format!("late-{number}"), document(&format!("doc{number}")));
        assert_eq!(pandadoc(first.address(), KEY, &id, &body).unwrap().status, 200);
    }
    second.wait_until_idle();
    drop((back, survivor));
    check(&sandbox, "remote.git");
    for clone in ["remote.git", "one", "two"] {
        sandbox.git(clone, &["fsck", "--strict"]);
    }
}

/// Each event has one brief, signed once.
fn check(sandbox: &Sandbox, repository: &str) {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for path in briefs_in(repository, sandbox) {
        *made.entry(path.rsplit("--").next().unwrap().to_owned()).or_default() += 1;
    }
    let wrong: Vec<String> = (0..EVENTS)
        .map(|event| format!("pandadoc-doc{event}"))
        .filter(|key| made.get(key) != Some(&1))
        .map(|key| format!("{key}: {:?}", made.get(&key)))
        .collect();
    assert!(wrong.is_empty(), "not exactly one brief each: {wrong:?}");
    assert_eq!(made.len(), EVENTS);
    let timelines = sandbox.git(
        repository,
        &["grep", "--count", "event: signed", "HEAD", "--", "briefs/**/timeline.yaml"],
    );
    let signed: Vec<&str> = timelines.lines().filter(|line| !line.ends_with(":1")).collect();
    assert!(signed.is_empty(), "signed more than once: {signed:?}");
    assert_eq!(timelines.lines().count(), EVENTS);
}
