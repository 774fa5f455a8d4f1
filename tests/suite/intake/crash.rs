//! A 2xx means exactly one brief, whatever happens to the server.

use std::sync::RwLock;

use super::load::{Load, assert_one_brief_each};
use super::server::{Running, ledger};

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
    let load = Load::new(EVENTS, TIMES_EACH);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| load.send(|| *address.read().unwrap()));
        }
        for after in KILLED_AFTER {
            load.wait_for(after);
            server.kill();
            server = Running::serve(&sandbox);
            *address.write().unwrap() = server.address();
        }
    });
    assert_eq!(load.accepted(), EVENTS * TIMES_EACH);
    server.kill();
    let server = Running::serve(&sandbox);
    let health = server.wait_until_idle();
    assert_eq!(health["inbox"]["failed"], 0, "{health}\n{}", server.log());
    assert_one_brief_each("ledger", &sandbox, EVENTS);
}
