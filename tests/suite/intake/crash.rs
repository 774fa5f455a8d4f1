//! A 2xx means kept, and exactly one brief, whatever happens to the server.

use std::collections::BTreeSet;
use std::sync::RwLock;

use super::load::{Load, assert_one_brief_each};
use super::server::{KEY, Running, eventually, get, ledger};
use crate::sandbox::Sandbox;

const TIMES_EACH: usize = 3;
const CONNECTIONS: usize = 50;

/// Sends so many events, each several times, to a server that is killed when so
/// many requests were answered with 2xx; gives the last one.
fn sent_while_killed(
    sandbox: &Sandbox,
    events: usize,
    killed_after: &[usize],
    start: impl Fn() -> Running,
) -> Running {
    let mut server = start();
    let address = RwLock::new(server.address());
    let load = Load::new(events, TIMES_EACH);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| load.send(|| *address.read().unwrap()));
        }
        for after in killed_after {
            load.wait_for(*after);
            server.kill();
            server = start();
            *address.write().unwrap() = server.address();
        }
    });
    assert_eq!(load.accepted(), events * TIMES_EACH, "{}", sandbox.join("").display());
    server
}

#[test]
fn a_2xx_means_kept_once_however_often_the_server_is_killed() {
    const EVENTS: usize = 1_000;
    let sandbox = ledger();
    let receive = ["serve", "--listen", "127.0.0.1:0", "--no-work"];
    let start = || Running::start(&sandbox, &receive, &[("PANDADOC_WEBHOOK_KEY", KEY)]);
    let mut server = sent_while_killed(&sandbox, EVENTS, &[150, 500, 1_150, 2_000, 2_750], start);
    server.kill();
    let ran = sandbox.handoff("ledger", &["inbox", "list", "--all", "--format", "json"]).exits(0);
    let listed = ran.json();
    let events = listed["events"].as_array().unwrap();
    let whole = events.iter().filter(|it| it["state"] == "new" && it["problem"].is_null());
    let names: BTreeSet<&str> = whole.map(|it| it["event"].as_str().unwrap()).collect();
    assert_eq!((events.len(), names.len()), (EVENTS, EVENTS));
}

#[test]
fn a_2xx_means_exactly_one_brief_however_often_the_server_is_killed() {
    const EVENTS: usize = 400;
    let sandbox = ledger();
    let start = || Running::serve(&sandbox);
    let mut server = sent_while_killed(&sandbox, EVENTS, &[60, 200, 460, 800, 1_100], start);
    // And while nothing comes and what came is processed.
    for done in [EVENTS / 2, EVENTS * 3 / 4] {
        eventually("events are processed", || {
            let health = get(server.address(), "/healthz").json();
            let count = health["inbox"]["done"].as_u64().unwrap_or_default();
            (count >= done as u64).then_some(())
        });
        server.kill();
        server = start();
    }
    let health = server.wait_until_idle();
    assert_eq!(health["inbox"]["failed"], 0, "{health}\n{}", server.log());
    assert_one_brief_each("ledger", &sandbox, EVENTS);
}
