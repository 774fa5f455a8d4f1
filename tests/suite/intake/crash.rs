//! A 2xx means exactly one brief, whatever happens to the server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use super::server::{KEY, Running, briefs, document, eventually, ledger, pandadoc};

const EVENTS: usize = 2_000;
const TIMES_EACH: usize = 3;
const CONNECTIONS: usize = 50;
/// The server is killed when so many requests were answered with 2xx.
const KILLED_AFTER: [usize; 5] = [300, 1_000, 2_300, 4_000, 5_500];

#[test]
fn a_2xx_means_exactly_one_brief_however_often_the_server_is_killed() {
    let sandbox = ledger();
    let mut server = Running::serve(&sandbox);
    let address = RwLock::new(server.address());
    let mut order: Vec<usize> = (0..EVENTS).flat_map(|event| [event; TIMES_EACH]).collect();
    fastrand::Rng::with_seed(20_261_120).shuffle(&mut order);
    let (order, accepted) = (Mutex::new(order), AtomicUsize::new(0));

    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                while let Some(event) = order.lock().unwrap().pop() {
                    let (id, body) = (format!("event-{event}"), document(&format!("doc{event}")));
                    // As a provider does: again, until it hears that it was heard.
                    eventually("a request is accepted", || {
                        let at = *address.read().unwrap();
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
        for after in KILLED_AFTER {
            eventually("requests are accepted", || {
                (accepted.load(Ordering::SeqCst) >= after).then_some(())
            });
            server.kill();
            server = Running::serve(&sandbox);
            *address.write().unwrap() = server.address();
        }
    });
    assert_eq!(accepted.load(Ordering::SeqCst), EVENTS * TIMES_EACH);
    server.kill();
    let server = Running::serve(&sandbox);
    let health = server.wait_until_idle();
    assert_eq!(health["inbox"]["failed"], 0, "{health}\n{}", server.log());

    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for path in briefs(&sandbox) {
        *made.entry(path.rsplit("--").next().unwrap().to_owned()).or_default() += 1;
    }
    let wrong: Vec<String> = (0..EVENTS)
        .map(|event| format!("pandadoc-doc{event}"))
        .filter(|key| made.get(key) != Some(&1))
        .map(|key| format!("{key}: {:?}", made.get(&key)))
        .collect();
    assert!(wrong.is_empty(), "not exactly one brief each: {wrong:?}");
    assert_eq!(made.len(), EVENTS);
    let signed =
        sandbox.git("ledger", &["log", "--format=%(trailers:key=Handoff-Event,valueonly)"]);
    assert_eq!(
        signed.lines().filter(|line| line.contains("signed")).count(),
        EVENTS,
        "each was signed once"
    );
    sandbox.git("ledger", &["fsck", "--strict"]);
}
