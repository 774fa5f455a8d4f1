//! What `status`, `promises` and the rule `least_open` keep beside the audit's
//! cache: with nothing new no file is read, and whatever does not fit is ignored.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::Sandbox;

const MANY: u32 = 90;

fn folder(number: u32) -> String {
    format!("ledger/briefs/2026/11/customer-{number}--hubspot-{number}")
}

/// A ledger with more handoffs in a month than git's own library keeps parsed.
fn ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    for number in 1..=MANY {
        let day = 1 + number % 18;
        let brief = format!(
            "schema: handoff/brief/v1\nkey: hubspot-{number}\n\
             signature: {{provider: pandadoc, document_id: d{number}, signed_at: 2026-11-{day:02}T15:44:00Z}}\n\
             customer: {{name: Customer {number}}}\n\
             commitments:\n  - {{promise: Import {number}, owner: Data team, due: 2026-11-{day:02}}}\n"
        );
        let timeline = format!(
            "schema: handoff/timeline/v1\nkey: hubspot-{number}\nevents:\n  \
             - {{at: 2026-11-{day:02}T15:45:00Z, event: signed, via: pandadoc, ref: d{number}}}\n"
        );
        sandbox.write(&format!("{}/brief.yaml", folder(number)), brief);
        sandbox.write(&format!("{}/timeline.yaml", folder(number)), timeline);
    }
    commit(&sandbox);
    sandbox
}

fn commit(sandbox: &Sandbox) {
    sandbox.git("ledger", &["add", "briefs"]);
    sandbox.git("ledger", &["commit", "-qm", "briefs"]);
}

const COMMANDS: [&[&str]; 4] = [
    &["status", "--all", "--format", "json"],
    &["status", "--all"],
    &["promises", "--format", "json"],
    &["promises", "--now", "2026-11-09T12:00:00Z"],
];

fn printed(sandbox: &Sandbox) -> Vec<String> {
    COMMANDS.map(|line| sandbox.handoff("ledger", line).exits(0).stdout).to_vec()
}

fn kept(sandbox: &Sandbox) -> [PathBuf; 2] {
    ["status", "promises"].map(|name| sandbox.join(format!("ledger/.git/handoff/{name}.digests")))
}

/// Removes the objects of every brief and timeline, so that none can be read.
fn lose_the_files(sandbox: &Sandbox) {
    for line in sandbox.git("ledger", &["ls-tree", "-r", "HEAD", "briefs"]).lines() {
        let id = line.split_whitespace().nth(2).unwrap();
        let object = sandbox.join(format!("ledger/.git/objects/{}/{}", &id[..2], &id[2..]));
        if object.exists() {
            fs::remove_file(object).unwrap();
        }
    }
}

#[test]
fn with_nothing_new_no_file_is_read_and_the_answer_is_the_same() {
    let sandbox = ledger();
    let first = printed(&sandbox);
    assert!(first[0].contains("\"hubspot-90\"") && first[2].contains("Import 90"));
    // What was kept on one day says nothing of what is overdue on another.
    assert!(first[3].contains("90 promises: 90 open, 40 overdue"), "{}", first[3]);
    lose_the_files(&sandbox);
    assert_eq!(printed(&sandbox), first);
    for file in kept(&sandbox) {
        fs::remove_file(file).unwrap();
    }
    for line in &COMMANDS[..3] {
        assert_ne!(sandbox.handoff("ledger", line).code, 0, "nothing is left to read");
    }
}

#[test]
fn what_is_kept_is_ignored_wherever_it_is_cut_or_changed() {
    let sandbox = ledger();
    let first = printed(&sandbox);
    for (file, line) in kept(&sandbox).iter().zip([COMMANDS[0], COMMANDS[2]]) {
        let whole = fs::read(file).unwrap();
        let expected = &first[if line[0] == "status" { 0 } else { 2 }];
        let places = [0, 3, 15, 16, 19, 20, 24, 44, 48, whole.len() / 2, whole.len() - 1];
        for at in places {
            let mut changed = whole.clone();
            changed[at] ^= 0x41;
            for bytes in [&whole[..at], &changed] {
                fs::write(file, bytes).unwrap();
                let ran = sandbox.handoff("ledger", line).exits(0);
                assert_eq!(&ran.stdout, expected, "{} at byte {at}", file.display());
            }
        }
    }
}

#[test]
fn what_changed_is_read_and_no_more() {
    let sandbox = ledger();
    let first = printed(&sandbox);
    lose_the_files(&sandbox);
    let timeline = sandbox.join(format!("{}/timeline.yaml", folder(7)));
    let mut text = fs::read_to_string(&timeline).unwrap();
    text.push_str("  - {at: 2026-11-19T09:00:00Z, event: touched, via: slack, by: samlee}\n");
    fs::write(&timeline, &text).unwrap();
    // Git writes again what is gone only where the index says it changed.
    let brief = sandbox.join(format!("{}/brief.yaml", folder(7)));
    let changed = fs::read_to_string(&brief).unwrap().replace("Import 7", "Import seven");
    fs::write(&brief, changed).unwrap();
    commit(&sandbox);
    let second = printed(&sandbox);
    assert!(second[2].contains("Import seven") && !second[2].contains("\"Import 7\""));
    assert!(second[0].contains("samlee") && !first[0].contains("samlee"));
}
