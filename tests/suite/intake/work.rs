//! `handoff work`: another process works the inbox off.

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
