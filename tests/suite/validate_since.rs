//! `validate --since`: two trees are compared, and what differs is checked;
//! what of it cannot be read is said.

use std::fs;

use crate::sandbox::{Ran, Sandbox};

fn folder(month: u32, number: u32) -> String {
    format!("briefs/2026/{month}/customer-{number}--hubspot-{number}")
}

fn brief(sandbox: &Sandbox, folder: &str, number: u32) {
    let text = format!(
        "schema: handoff/brief/v1\nkey: hubspot-{number}\ncustomer: {{name: Customer {number}}}\n"
    );
    sandbox.write(&format!("ledger/{folder}/brief.yaml"), text);
}

fn commit(sandbox: &Sandbox) {
    sandbox.git("ledger", &["add", "briefs"]);
    sandbox.git("ledger", &["commit", "-qm", "briefs"]);
}

/// Three briefs in October and one in November, and a fifth that came last.
fn ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    for (month, number) in [(10, 1), (10, 2), (10, 3), (11, 4)] {
        brief(&sandbox, &folder(month, number), number);
    }
    commit(&sandbox);
    brief(&sandbox, &folder(11, 5), 5);
    commit(&sandbox);
    sandbox
}

fn since(sandbox: &Sandbox, place: &str) -> Ran {
    sandbox.handoff(place, &["validate", "--since", "HEAD~1"])
}

/// A bare clone, from which objects of the tip are gone, by their paths.
fn bare_without(sandbox: &Sandbox, paths: &[String]) -> &'static str {
    sandbox.git(".", &["clone", "-q", "--bare", "ledger", "bare.git"]);
    for path in paths {
        let id = sandbox.git("ledger", &["rev-parse", &format!("HEAD:{path}")]);
        let (folder, file) = id.trim().split_at(2);
        fs::remove_file(sandbox.join(format!("bare.git/objects/{folder}/{file}"))).unwrap();
    }
    "bare.git"
}

#[test]
fn only_what_differs_is_read() {
    let sandbox = ledger();
    let lost: Vec<String> =
        (1..=3).map(|number| format!("{}/brief.yaml", folder(10, number))).collect();
    let bare = bare_without(&sandbox, &lost);
    sandbox.handoff(bare, &["validate"]).exits(3);
    for place in ["ledger", bare] {
        let ran = since(&sandbox, place).exits(1);
        assert!(ran.stdout.contains("customer-5--hubspot-5"), "{}", ran.stdout);
        for number in 1..=4 {
            assert!(!ran.stdout.contains(&format!("hubspot-{number}")), "{}", ran.stdout);
        }
    }
}

#[test]
fn a_new_folder_of_a_key_that_another_month_has_is_a_duplicate() {
    let sandbox = ledger();
    let said = |sandbox: &Sandbox| {
        let ran = since(sandbox, "ledger").exits(1);
        let line = ran.stdout.lines().find(|line| line.contains("duplicate-brief"));
        assert!(line.is_some() && ran.stdout.contains(&folder(10, 2)), "{}", ran.stdout);
        ran.stdout
    };
    brief(&sandbox, &folder(11, 2).replace("customer", "other"), 2);
    commit(&sandbox);
    let again = said(&sandbox);
    assert_eq!(said(&sandbox), again, "with the names that were kept");
    // Not what was there before, and did not change.
    brief(&sandbox, &folder(11, 6), 6);
    commit(&sandbox);
    assert!(!since(&sandbox, "ledger").exits(1).stdout.contains("duplicate-brief"));
}

#[test]
fn a_month_that_changed_and_cannot_be_read_is_said() {
    let sandbox = ledger();
    let bare = bare_without(&sandbox, &["briefs/2026/11".to_owned()]);
    let ran = since(&sandbox, bare).exits(3);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("error"), "{}", ran.stderr);
}

#[test]
fn a_month_that_could_hold_a_duplicate_and_cannot_be_listed_is_said() {
    let sandbox = ledger();
    let bare = bare_without(&sandbox, &["briefs/2026/10".to_owned()]);
    let ran = since(&sandbox, bare).exits(3);
    assert!(ran.stderr.contains("briefs/2026/10"), "{}", ran.stderr);
}

#[test]
fn what_a_checkout_leaves_out_is_checked_as_it_was_committed() {
    let sandbox = ledger();
    let whole = sandbox.handoff("ledger", &["validate", "--format", "json"]);
    let changed = since(&sandbox, "ledger");
    sandbox.git(".", &["clone", "-q", "ledger", "sparse"]);
    let checked = |ran: &Ran| ran.stdout.lines().last().unwrap_or_default().to_owned();
    for settings in [
        &["sparse-checkout", "set", "--no-cone", "/*", "!/briefs"][..],
        &["sparse-checkout", "set", "--cone", "--no-sparse-index", "schema"],
        &["sparse-checkout", "set", "--cone", "--sparse-index", "schema"],
    ] {
        sandbox.git("sparse", settings);
        assert!(!sandbox.join("sparse/briefs").exists(), "{settings:?}");
        let all = sandbox.handoff("sparse", &["validate", "--format", "json"]).exits(whole.code);
        assert_eq!(all.json(), whole.json(), "{settings:?}");
        assert!(all.stderr.contains("this checkout leaves files out"), "{}", all.stderr);
        let some = since(&sandbox, "sparse").exits(changed.code);
        assert_eq!(checked(&some), checked(&changed), "{settings:?}");
        // Nothing is laid down for a page.
        sandbox.handoff("sparse", &["validate", "--fix"]);
        assert!(!sandbox.join("sparse/briefs").exists(), "{settings:?}");
    }
    sandbox.git("sparse", &["sparse-checkout", "disable"]);
    // Without a checkout there are no settings either.
    sandbox.git(".", &["clone", "-q", "--no-checkout", "ledger", "unseen"]);
    sandbox.handoff("unseen", &["validate"]).exits(2);
    // A file that git is told not to look at.
    let gone = format!("{}/brief.yaml", folder(10, 2));
    sandbox.git("sparse", &["update-index", "--assume-unchanged", &gone]);
    fs::remove_file(sandbox.join("sparse").join(&gone)).unwrap();
    let all = sandbox.handoff("sparse", &["validate", "--format", "json"]).exits(whole.code);
    assert_eq!(all.json(), whole.json());
    // What was deleted is no more, and is told.
    fs::remove_dir_all(sandbox.join("sparse").join(folder(10, 3))).unwrap();
    let said = sandbox.handoff("sparse", &["validate"]).stderr;
    assert!(said.contains("1 handoff is deleted in this checkout"), "{said}");
    fs::remove_dir_all(sandbox.join("sparse/briefs")).unwrap();
    let said = sandbox.handoff("sparse", &["validate"]).stderr;
    assert!(!said.contains("holds no brief yet"), "{said}");
    sandbox.git("sparse", &["restore", "briefs"]);
}
