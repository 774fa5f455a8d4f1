//! Two that receive and two that work, on one JetStream and two clones; one of
//! each is killed in the middle.

use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::nats::{Nats, wanted};
use crate::intake::load::{Load, assert_one_brief_each};
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
    let (load, turn) = (Load::new(EVENTS, TIMES_EACH), AtomicUsize::new(0));

    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            // As behind a load balancer.
            scope.spawn(|| {
                load.send(|| doors.read().unwrap()[turn.fetch_add(1, Ordering::SeqCst) % 2]);
            });
        }
        load.wait_for(SERVER_KILLED_AFTER);
        first.kill();
        first = serve(&sandbox, &address);
        doors.write().unwrap()[0] = first.address();
        eventually("handoffs reach the remote", || {
            (briefs_in("remote.git", &sandbox).len() >= WORKER_KILLED_AFTER).then_some(())
        });
        assert!(briefs_in("remote.git", &sandbox).len() < EVENTS, "it is killed in the middle");
        killed.kill();
    });
    assert_eq!(load.accepted(), EVENTS * TIMES_EACH);
    let health = second.wait_until_idle();
    assert_eq!(health["inbox"]["failed"], 0, "{health}\n{}", survivor.log());
    assert_one_brief_each("remote.git", &sandbox, EVENTS);

    // The one that was killed comes back, with whatever its clone holds, and doubles nothing.
    let back = work("one", &sandbox, &address);
    for number in 0..5 {
        let (id, body) = (format!("late-{number}"), document(&format!("doc{number}")));
        assert_eq!(pandadoc(first.address(), KEY, &id, &body).unwrap().status, 200);
    }
    second.wait_until_idle();
    drop((back, survivor));
    assert_one_brief_each("remote.git", &sandbox, EVENTS);
    for clone in ["one", "two"] {
        sandbox.git(clone, &["fsck", "--strict"]);
    }
}
