//! `handoff inbox` on a folder.

use crate::sandbox::Sandbox;

use super::server::ledger;

#[test]
fn an_inbox_that_is_not_there_is_nothing_and_no_folder_is_made() {
    let sandbox = ledger();
    let ran = sandbox.handoff("ledger", &["inbox", "list"]).exits(0);
    assert_eq!(ran.stdout, "no events\n");
    assert!(ran.stderr.contains("handoff serve"), "{}", ran.stderr);
    let ran = sandbox.handoff("ledger", &["inbox", "list", "--format", "json"]).exits(0);
    assert_eq!(ran.json()["events"], serde_json::json!([]));
    // A name matches nothing, here as in one that is empty.
    sandbox.handoff("ledger", &["inbox", "show", "nobody"]).exits(4);
    assert!(!sandbox.join("ledger/.git/handoff/inbox").exists());
}

#[test]
fn ids_that_fit_nothing_are_said_to() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.join("inbox")).unwrap();
    for action in ["show", "retry", "drop"] {
        let ran = sandbox.handoff(".", &["inbox", action, "nobody", "--inbox", "inbox"]).exits(4);
        assert!(ran.stderr.contains("nobody"), "{action}: {}", ran.stderr);
    }
    let ran = sandbox.handoff(".", &["inbox", "retry", "--failed", "--inbox", "inbox"]).exits(0);
    assert!(ran.stdout.contains("no event failed"), "{}", ran.stdout);
    let ran = sandbox.handoff(".", &["inbox", "list", "--inbox", "inbox"]).exits(0);
    assert_eq!(ran.stdout, "no events\n");
}
