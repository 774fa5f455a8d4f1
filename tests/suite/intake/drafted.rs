//! Documents that went out: `serve` makes a draft and asks the rep, once.

use std::fs;

use serde_json::{Value, json};

use super::catch_up::runtime;
use super::server::{KEY, Running, briefs, eventually, pandadoc};
use crate::draft::{PULL, github};
use crate::sandbox::{Sandbox, fixture};

const BRANCH: &str = "handoff/hubspot-18640329741";

/// A ledger with a remote, whose deal is in an export and not won yet.
fn ledger(drafts: bool, github: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox
        .handoff(
            ".",
            &["init", "ledger", "--crm", "none", "--csm", "Sam Lee <sam@example.com> @samlee"],
        )
        .exits(0);
    sandbox.write(
        "ledger/handoff.yaml",
        format!(
            "version: 1\nesign: {{pandadoc: {{drafts: {drafts}}}}}\ncrm: {{file: {{deals: deals.csv}}}}\nmap: csv\n\
             team: {{csms: [{{name: Sam Lee, email: sam@example.com, github: samlee}}], fallback: samlee}}\n\
             deliver: {{github: {{repository: acme/handoffs, as: issue, base_url: '{github}', seconds_between_writes: 0}}}}\n"
        ),
    );
    sandbox.write(
        "ledger/deals.csv",
        "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company\n\
         18640329741,Brightwater,Contract sent,,Marcus Oyelaran,48000.00,USD,false,Brightwater Logistics Ltd\n",
    );
    sandbox.git("ledger", &["add", "-A"]);
    sandbox.git("ledger", &["commit", "-qm", "settings"]);
    sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    sandbox.git("ledger", &["remote", "add", "origin", "../remote.git"]);
    sandbox.git("ledger", &["push", "-q", "-u", "origin", "main"]);
    sandbox
}

const DOCUMENT: &str = "f9CbJKS4ZAs6nU629cuowb";

fn payload(id: &str, status: &str) -> Vec<u8> {
    let text = fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let mut event: Value = serde_json::from_str(&text).unwrap();
    event[0]["data"]["id"] = json!(id);
    event[0]["data"]["status"] = json!(status);
    event.to_string().into_bytes()
}

fn serve(sandbox: &Sandbox) -> Running {
    let variables = [("PANDADOC_WEBHOOK_KEY", KEY), ("GITHUB_TOKEN", "t")];
    Running::start(sandbox, &["serve", "--listen", "127.0.0.1:0"], &variables)
}

#[track_caller]
fn tell(server: &Running, event: &str, status: &str) {
    tell_of(server, DOCUMENT, event, status);
}

#[track_caller]
fn tell_of(server: &Running, document: &str, event: &str, status: &str) {
    let answer = pandadoc(server.address(), KEY, event, &payload(document, status)).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let health = server.wait_until_idle();
    assert_eq!(health["inbox"]["failed"], 0, "{health}\n{}", server.log());
}

#[test]
fn five_times_sent_is_one_draft_and_one_request_and_the_signature_lands_it() {
    let runtime = runtime();
    let (fake, _) = runtime.block_on(github());
    let sandbox = ledger(true, &fake.url);
    let server = serve(&sandbox);
    for event in ["e1", "e2", "e3", "e4", "e5"] {
        tell(&server, event, "document.sent");
    }
    assert!(briefs(&sandbox).is_empty(), "a draft is not on the ledger's branch");
    let commits = sandbox.git("remote.git", &["rev-list", "--count", &format!("main..{BRANCH}")]);
    assert_eq!(commits.trim(), "2", "the draft, and its request\n{}", server.log());
    assert_eq!(fake.count("POST", "/repos/acme/handoffs/pulls"), 1, "{}", server.log());
    assert!(server.log().contains(PULL), "{}", server.log());

    tell(&server, "e6", "document.completed");
    let landed = briefs(&sandbox);
    assert_eq!(landed.len(), 1, "{landed:?}\n{}", server.log());
    assert!(landed[0].ends_with("--hubspot-18640329741"), "{landed:?}");
    let timeline = sandbox.git("ledger", &["show", &format!("HEAD:{}/timeline.yaml", landed[0])]);
    assert!(
        timeline.contains("event: drafted") && timeline.contains("event: signed"),
        "{timeline}"
    );

    // What comes late changes nothing.
    let before = sandbox.git("ledger", &["rev-parse", "HEAD"]);
    tell(&server, "e7", "document.sent");
    assert_eq!(sandbox.git("ledger", &["rev-parse", "HEAD"]), before, "{}", server.log());
    assert_eq!(fake.count("POST", "/repos/acme/handoffs/pulls"), 1);
}

#[test]
fn without_the_setting_a_sent_document_makes_nothing() {
    let runtime = runtime();
    let (fake, _) = runtime.block_on(github());
    let sandbox = ledger(false, &fake.url);
    let server = serve(&sandbox);
    tell(&server, "e1", "document.sent");
    let heads =
        sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    assert_eq!(heads.trim(), "main");
    assert_eq!(fake.count("POST", "/repos/acme/handoffs/pulls"), 0);

    // Settings of providers are read again by and by, without a signal.
    let file = sandbox.join("ledger/handoff.yaml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, config.replace("drafts: false", "drafts: true")).unwrap();
    sandbox.git("ledger", &["commit", "-qam", "drafts"]);
    let mut number = 1;
    eventually("the draft", || {
        number += 1;
        tell(&server, &format!("e{number}"), "document.sent");
        (fake.count("POST", "/repos/acme/handoffs/pulls") == 1).then_some(())
    });
}

#[test]
fn a_draft_ends_with_its_document_and_another_one_goes_on_with_it() {
    let runtime = runtime();
    let (fake, pulls) = runtime.block_on(github());
    let sandbox = ledger(true, &fake.url);
    let server = serve(&sandbox);
    let standing = || {
        let key = BRANCH.trim_start_matches("handoff/");
        let status = sandbox.handoff("ledger", &["status", key, "--format", "json"]).exits(0);
        let row = status.json()["handoffs"][0].clone();
        let events = row["events"].as_array().unwrap().clone();
        (row["standing"].as_str().unwrap().to_owned(), events)
    };
    let asked = || pulls.lock().unwrap()[0]["body"].as_str().unwrap().to_owned();
    let on_remote = || sandbox.git("remote.git", &["rev-parse", BRANCH]);
    tell(&server, "e1", "document.sent");
    assert_eq!(standing().0, "draft");
    assert!(asked().contains("What is missing"), "{}", asked());

    tell(&server, "e2", "document.voided");
    let (ended, events) = standing();
    let last = events.last().unwrap();
    assert_eq!((ended.as_str(), &last["event"]), ("voided", &json!("voided")), "{events:?}");
    assert_eq!((&last["ref"], &last["reason"]), (&json!(DOCUMENT), &json!("voided")));
    assert!(asked().contains("will not be signed (voided)"), "{}", asked());
    assert!(!asked().contains("What is missing"), "{}", asked());
    let open = sandbox.handoff("ledger", &["status"]);
    assert!(!open.stdout.contains("draft, not signed yet"), "{}", open.stdout);
    let there = on_remote();
    tell(&server, "e3", "document.declined");
    assert_eq!(on_remote(), there, "it ends once");

    // Another document of the deal goes on with it, though nothing of the brief is new.
    tell_of(&server, "second", "e4", "document.sent");
    assert_eq!(standing().0, "draft");
    assert!(asked().contains("What is missing"), "{}", asked());
    tell_of(&server, "third", "e5", "document.sent");
    tell_of(&server, "second", "e6", "document.voided");
    assert_eq!(standing().0, "draft", "the third is out for signature");
    assert_eq!(fake.count("POST", "/repos/acme/handoffs/pulls"), 1, "{}", server.log());
    tell_of(&server, "third", "e7", "document.completed");
    assert_eq!(briefs(&sandbox).len(), 1, "{}", server.log());
    assert_ne!(standing().0, "voided");
}
