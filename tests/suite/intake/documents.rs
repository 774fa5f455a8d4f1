//! Which documents are contracts: an NDA, an offer letter and a test document,
//! on an open deal, through every way in; then the rule that takes one of them.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::server::{KEY, Running, briefs, document, eventually, get, ledger, pandadoc};
use crate::deliver::fake::{Fake, Reply};
use crate::sandbox::Sandbox;

/// A ledger whose file of deals has one that is open.
pub(super) fn open_deal() -> Sandbox {
    let sandbox = ledger();
    sandbox.write(
        "ledger/deals.csv",
        "Record ID,Deal Name,Deal Stage,Close Date,Is Closed Won,Amount,Currency\n\
         42,Acme platform,Qualified,2026-12-20,false,12000,USD\n",
    );
    sandbox
}

pub(super) fn add_rule(sandbox: &Sandbox, rule: &str) {
    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\ndocuments:\n  - {rule}\n")).unwrap();
}

/// A document of deal 42 without a total.
pub(super) fn of_deal(id: &str, name: &str, test: bool) -> Vec<u8> {
    let mut event: Value = serde_json::from_slice(&document(id)).unwrap();
    let data = &mut event[0]["data"];
    data["name"] = json!(if test { format!("[DEV] {name}") } else { name.to_owned() });
    data["metadata"] = json!({"hubspot_deal_id": "42"});
    // The sample has a total, and a pricing table from which one is read.
    for name in ["grand_total", "total", "pricing", "products"] {
        data.as_object_mut().unwrap().remove(name);
    }
    event.to_string().into_bytes()
}

pub(super) fn listed(sandbox: &Sandbox) -> Vec<Value> {
    let json = sandbox.handoff("ledger", &["inbox", "list", "--all", "--format", "json"]).json();
    json["events"].as_array().unwrap().clone()
}

#[test]
fn an_nda_and_an_offer_letter_are_held_and_a_rule_lets_one_go() {
    let sandbox = open_deal();
    let mut server = Running::serve(&sandbox);
    for (event, name) in [("e1", "Mutual NDA - Acme"), ("e2", "Offer letter - Acme")] {
        let answer = pandadoc(server.address(), KEY, event, &of_deal(event, name, false)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let health = server.wait_until_idle();
    assert_eq!((&health["inbox"]["held"], briefs(&sandbox).len()), (&json!(2), 0), "{health}");
    let metrics = get(server.address(), "/metrics").body;
    assert!(metrics.contains("handoff_inbox_events{state=\"held\"} 2"), "{metrics}");
    for event in listed(&sandbox) {
        let reason = event["held"]["reason"].as_str().unwrap();
        assert!(reason.contains("no rule under `documents:`"), "{reason}");
        assert!(reason.contains("42 is not won"), "{reason}");
        assert_eq!(event["held"]["deals"], json!(["42"]));
    }
    let doctor = sandbox.handoff("ledger", &["doctor", "--offline"]).stdout;
    assert!(doctor.contains("2 events held"), "{doctor}");

    // The running server reads the rule; nobody sends anything again.
    add_rule(&sandbox, "{when: \"'Offer' in signature.document_name\", is: contract}");
    eventually("the rule lets the offer go", || (briefs(&sandbox).len() == 1).then_some(()));
    let health = server.wait_until_idle();
    assert_eq!(health["inbox"]["held"], json!(1), "the NDA still waits: {health}");
    let timeline = format!("HEAD:{}/timeline.yaml", briefs(&sandbox)[0]);
    let timeline = sandbox.git("ledger", &["show", &timeline]);
    assert!(timeline.contains("decided_by: rule"), "{timeline}");

    let nda = listed(&sandbox).into_iter().find(|it| it["state"] == "held").unwrap();
    let id = nda["event"].as_str().unwrap();
    sandbox.handoff("ledger", &["inbox", "release", id, "--as", "ignored"]).exits(0);
    eventually("a person decides", || {
        (get(server.address(), "/healthz").json()["inbox"]["held"] == 0).then_some(())
    });
    assert_eq!(server.wait_until_idle()["inbox"]["failed"], json!(0));
    assert_eq!(briefs(&sandbox).len(), 1);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_time_of_signature_that_cannot_be_is_the_time_of_arrival() {
    for (day, is_kept) in [("2031-01-01", false), ("1970-01-01", false), ("2026-11-19", true)] {
        let sandbox = open_deal();
        let mut event: Value = serde_json::from_slice(&of_deal("d1", "Order form", false)).unwrap();
        event[0]["data"]["date_completed"] = json!(format!("{day}T10:00:00Z"));
        sandbox.write("order.json", event.to_string());
        let signed = sandbox.handoff("ledger", &["sign", "../order.json", "--as", "contract"]);
        assert_eq!(signed.code, 0, "{}", signed.stderr);
        assert_eq!(signed.stderr.contains("which cannot be"), !is_kept, "{}", signed.stderr);
        let brief = format!("HEAD:{}/brief.yaml", briefs(&sandbox)[0]);
        let brief = sandbox.git("ledger", &["show", &brief]);
        assert_eq!(brief.contains(&format!("signed_at: \"{day}")), is_kept, "{brief}");
    }
}

#[test]
fn a_held_document_is_told_once_and_is_in_the_audits_evidence() {
    let sandbox = open_deal();
    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let start = text.find("\ndeliver:").unwrap();
    fs::write(
        &file,
        format!(
            "{}\ndeliver: {{outbox: {{dir: outbox}}}}\nheld_documents: {{tell: [revops@example.com]}}\n",
            &text[..start]
        ),
    )
    .unwrap();
    let told = || {
        let files = fs::read_dir(sandbox.join("ledger/outbox/held")).into_iter().flatten();
        files.map(|file| file.unwrap().path()).collect::<Vec<_>>()
    };
    let doctor = sandbox.handoff("ledger", &["doctor", "--offline"]).stdout;
    assert!(doctor.contains("revops@example.com told"), "{doctor}");
    let mut server = Running::serve(&sandbox);
    // The same document by two events: one message.
    for event in ["e1", "e2"] {
        let body = of_deal("nda", "Mutual NDA - Acme", false);
        assert_eq!(pandadoc(server.address(), KEY, event, &body).unwrap().status, 200);
        server.wait_until_idle();
    }
    assert_eq!(told().len(), 1, "{:?}", told());
    let message = fs::read_to_string(&told()[0]).unwrap();
    for words in ["revops@example.com", "Mutual NDA", "42 is not won", "inbox release pandadoc"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert_eq!(server.terminate(), Some(0));
    // Neither another process nor another look tells it again.
    fs::remove_file(&told()[0]).unwrap();
    sandbox.handoff("ledger", &["work", "--once", "--format", "json"]).exits(0);
    let mut server = Running::serve(&sandbox);
    server.wait_until_idle();
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(told().len(), 0, "{:?}", told());

    let audit = sandbox.handoff("ledger", &["audit", "-q"]);
    assert!(
        audit.stdout.contains("held") && audit.stdout.contains("Mutual NDA"),
        "{}",
        audit.stdout
    );
    let json = sandbox.handoff("ledger", &["audit", "-q", "--format", "json"]).json();
    let held = json["held"].as_array().unwrap();
    assert_eq!((&held[0]["document_id"], &held[0]["deals"]), (&json!("nda"), &json!(["42"])));
    // Killed while it looks at what is held again, a server leaves it among what waits.
    let inbox = sandbox.join("ledger/.git/handoff/inbox");
    let moved: Vec<_> = fs::read_dir(inbox.join("held")).unwrap().map(|it| it.unwrap()).collect();
    for file in &moved {
        fs::rename(file.path(), inbox.join("new").join(file.file_name())).unwrap();
    }
    let meanwhile = sandbox.handoff("ledger", &["audit", "-q", "--format", "json"]).json();
    assert_eq!(&meanwhile["held"], &json["held"]);
    // And one that it had in hand is nobody's.
    let claims = inbox.join("work/1-0000beef");
    fs::create_dir(&claims).unwrap();
    fs::write(claims.join(".lock"), "").unwrap();
    for file in &moved {
        let name = file.file_name();
        fs::rename(inbox.join("new").join(&name), claims.join(&name)).unwrap();
    }
    let meanwhile = sandbox.handoff("ledger", &["audit", "-q", "--format", "json"]).json();
    assert_eq!(&meanwhile["held"], &json["held"]);
    let html = sandbox.handoff("ledger", &["audit", "-q", "--format", "html"]).stdout;
    assert!(html.contains("Mutual NDA"), "the report for people has it too");
    // The remedy that the message names.
    for event in held {
        let id = event["event"].as_str().unwrap();
        sandbox.handoff("ledger", &["inbox", "drop", id]).exits(0);
    }
    let json = sandbox.handoff("ledger", &["audit", "-q", "--format", "json"]).json();
    assert_eq!(json.get("held"), None);
}

#[test]
fn a_held_document_is_posted_once_in_each_chat_whatever_fails_meanwhile() {
    let runtime = Runtime::new().unwrap();
    let (is_down, posted) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
    let chats = runtime.block_on(Fake::serve({
        let (is_down, posted) = (Arc::clone(&is_down), Arc::clone(&posted));
        move |asked| {
            if asked.path == "/teams" && is_down.load(Ordering::SeqCst) {
                return Reply::Text(400, "the workflow is off");
            }
            posted.lock().unwrap().push((asked.path.clone(), asked.json()));
            Reply::Text(200, "ok")
        }
    }));
    let sandbox = open_deal();
    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let start = text.find("\ndeliver:").unwrap();
    let settings = "deliver: {slack: {}, teams: {}, outbox: {dir: outbox}}\n\
                    held_documents: {tell: [revops@example.com], post: [slack, teams]}\n";
    fs::write(&file, format!("{}\n{settings}", &text[..start])).unwrap();
    let secrets = [
        ("PANDADOC_WEBHOOK_KEY", KEY.to_owned()),
        ("SLACK_WEBHOOK_URL", format!("{}/slack", chats.url)),
        ("TEAMS_WEBHOOK_URL", format!("{}/teams", chats.url)),
    ];
    let secrets: Vec<(&str, &str)> = secrets.iter().map(|(name, it)| (*name, &**it)).collect();
    let server = Running::start(&sandbox, &["serve", "--listen", "127.0.0.1:0"], &secrets);
    let mails = || fs::read_dir(sandbox.join("ledger/outbox/held")).into_iter().flatten().count();
    let count = |path: &str| posted.lock().unwrap().iter().filter(|(at, _)| at == path).count();
    let body = of_deal("nda", "Mutual NDA <!channel> - Acme", false);
    for (event, expected) in [("e1", (1, 0, 1)), ("e2", (1, 1, 1)), ("e3", (1, 1, 1))] {
        assert_eq!(pandadoc(server.address(), KEY, event, &body).unwrap().status, 200);
        server.wait_until_idle();
        assert_eq!((count("/slack"), count("/teams"), mails()), expected, "{event}");
        is_down.store(false, Ordering::SeqCst);
    }
    assert!(server.log().contains("not all were told"), "{}", server.log());
    for (path, message) in posted.lock().unwrap().iter() {
        let text = message.to_string();
        for words in ["Mutual NDA", "42 is not won", "inbox release pandadoc"] {
            assert!(text.contains(words), "{path}: {words}: {text}");
        }
        // Slack reads markup in the text alone; a heading is plain.
        let marked = message["blocks"][1]["text"]["text"].as_str().unwrap_or_default();
        assert!(!marked.contains("<!channel>"), "{path}: {text}");
        assert!(path != "/slack" || marked.contains("\n- handoff inbox drop"), "{marked}");
    }
    let doctor = sandbox.handoff_with("ledger", &["doctor", "--offline"], &secrets).stdout;
    assert!(doctor.contains("revops@example.com, slack, teams told"), "{doctor}");
    let settings = settings.replace("teams: {}, ", "");
    fs::write(&file, format!("{}\n{settings}", &text[..start])).unwrap();
    let doctor = sandbox.handoff_with("ledger", &["doctor", "--offline"], &secrets).stdout;
    assert!(doctor.contains("`post` names teams, and `deliver:` does not"), "{doctor}");
}

#[test]
fn a_held_document_goes_when_its_deal_is_won() {
    let sandbox = open_deal();
    sandbox.write("nda.json", of_deal("d1", "Order form", false));
    let held = sandbox.handoff("ledger", &["sign", "../nda.json"]);
    assert_eq!(held.code, 3, "{}", held.stderr);
    assert!(
        held.stderr.contains("inbox release") && held.stderr.contains("not won"),
        "{}",
        held.stderr
    );
    assert!(briefs(&sandbox).is_empty());
    let audit = sandbox.handoff("ledger", &["audit", "-q"]);
    assert!(audit.stderr.contains("1 event held in this clone's inbox"), "{}", audit.stderr);
    let deals = fs::read_to_string(sandbox.join("ledger/deals.csv")).unwrap();
    let won = deals.replace("Qualified,2026-12-20,false", "Closed Won,2026-11-19,true");
    sandbox.write("ledger/deals.csv", won);
    let worked = sandbox.handoff("ledger", &["work", "--once", "--format", "json"]).exits(0).json();
    assert_eq!((&worked["done"], &worked["held"]), (&json!(1), &json!(0)), "{worked}");
    assert_eq!(briefs(&sandbox).len(), 1);
    let timeline = format!("HEAD:{}/timeline.yaml", briefs(&sandbox)[0]);
    assert!(sandbox.git("ledger", &["show", &timeline]).contains("decided_by: won"));
}

#[test]
fn a_person_decides_and_a_later_document_is_an_amendment() {
    let sandbox = open_deal();
    sandbox.write("first.json", of_deal("d1", "Order form", false));
    sandbox.handoff("ledger", &["sign", "../first.json", "--as", "contract"]).exits(0);
    let brief = || {
        let path = format!("HEAD:{}/brief.yaml", briefs(&sandbox)[0]);
        sandbox.git("ledger", &["show", &path])
    };
    let before = brief();
    sandbox.write("second.json", of_deal("d2", "More seats", false));
    for _ in 0..2 {
        sandbox.handoff("ledger", &["sign", "../second.json", "--as", "contract"]).exits(0);
    }
    let after = brief();
    let signature = |text: &str| {
        let from = text.find("\nsignature:").unwrap();
        text[from..]
            .split("\ncustomer:")
            .next()
            .unwrap()
            .split("\namendments:")
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(signature(&before), signature(&after), "the first signature stays");
    assert_eq!(after.matches("document_id: d2").count(), 1, "{after}");
    let timeline = format!("HEAD:{}/timeline.yaml", briefs(&sandbox)[0]);
    let timeline = sandbox.git("ledger", &["show", &timeline]);
    assert_eq!(timeline.matches("event: amended").count(), 1, "{timeline}");
    assert_eq!(timeline.matches("event: signed").count(), 1, "{timeline}");
    sandbox.handoff("ledger", &["validate"]).exits(1);

    sandbox.write("renewal.json", of_deal("d3", "Renewal", false));
    sandbox.handoff("ledger", &["sign", "../renewal.json", "--as", "new"]).exits(0);
    sandbox.handoff("ledger", &["sign", "../renewal.json", "--as", "new"]).exits(0);
    let all = briefs(&sandbox);
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all.iter().any(|path| path.ends_with("hubspot-42-d3")), "{all:?}");
}

#[test]
fn a_watched_nda_is_moved_aside_and_an_unreadable_entry_stops_nothing() {
    let sandbox = open_deal();
    sandbox.write("drop/nda.json", of_deal("w1", "NDA", false));
    sandbox.write("drop/below/nda.json", of_deal("w2", "NDA", false));
    #[cfg(unix)]
    std::os::unix::fs::symlink("circle", sandbox.join("drop/circle")).unwrap();
    let running = Running::start(&sandbox, &["watch", "../drop", "--recursive"], &[]);
    eventually("both are aside", || {
        let held = fs::read_dir(sandbox.join("drop/held")).ok()?;
        (held.count() == 2).then_some(())
    });
    assert!(briefs(&sandbox).is_empty(), "{}", running.log());
    assert!(running.log().contains("no rule under"), "{}", running.log());
}

#[test]
fn a_document_whose_deal_is_not_known_waits_for_it() {
    let sandbox = ledger();
    sandbox.write("late.json", of_deal("l1", "Order form", false));
    let mut event: Value = serde_json::from_slice(&of_deal("l1", "Order form", false)).unwrap();
    event[0]["data"]["grand_total"] = json!({"amount": "12000.00", "currency": "USD"});
    sandbox.write("late.json", event.to_string());
    let held = sandbox.handoff("ledger", &["sign", "../late.json"]);
    assert_eq!(held.code, 3, "{}", held.stderr);
    assert!(held.stderr.contains("no deal 42 (yet)"), "{}", held.stderr);
    let later = ["--now", "2026-11-23T17:00:00Z"];
    let worked = [&later[..], &["work", "--once"]].concat();
    sandbox.handoff("ledger", &worked).exits(0);
    let all = briefs(&sandbox);
    assert_eq!(all.len(), 1, "after two days it is handed over with what it says");
    sandbox.write(
        "ledger/deals.csv",
        "Record ID,Deal Name,Deal Stage,Close Date,Is Closed Won,Amount,Currency,Associated Company\n\
         42,Acme platform,Closed Won,2026-11-19,true,12000,USD,Acme Corp\n",
    );
    sandbox.handoff("ledger", &[&later[..], &["sign", "--deal", "42"]].concat()).exits(0);
    let brief = sandbox.git("ledger", &["show", &format!("HEAD:{}/brief.yaml", all[0])]);
    assert!(brief.contains("Acme Corp") && brief.contains("document_id: l1"), "{brief}");
    assert_eq!(briefs(&sandbox), all, "one handoff");
}

#[test]
fn a_test_document_is_ignored_unless_it_is_wanted_and_a_provider_has_its_own_rules() {
    let sandbox = open_deal();
    let signed = |name: &str, test: bool| {
        let file = sandbox.write("event.json", of_deal(name, name, test)).display().to_string();
        sandbox.handoff("ledger", &["sign", &file, "--no-deliver"])
    };
    add_rule(&sandbox, "{when: \"'Order' in signature.document_name\", is: contract}");
    let ignored = signed("Order form", true);
    assert_eq!(ignored.code, 4, "{}", ignored.stderr);
    assert!(ignored.stderr.contains("test document"), "{}", ignored.stderr);
    assert_eq!(briefs(&sandbox).len(), 0);
    // The provider's own rule comes before the one for all.
    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let own = "esign:\n  pandadoc:\n    documents:\n      - {when: \"'Order' in signature.document_name\", is: ignored, reason: not from here}\n";
    let start = text.find("\nesign:").unwrap() + 1;
    let end = start + text[start..].find("\n#").unwrap_or(text.len() - start);
    fs::write(&file, format!("{}{own}{}", &text[..start], &text[end..])).unwrap();
    let refused = signed("Order form", false);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("not from here"), "{}", refused.stderr);
    fs::write(&file, text).unwrap();
    signed("Order form", false).exits(0);
    assert_eq!(briefs(&sandbox).len(), 1);
}

#[test]
fn an_event_of_which_nothing_comes_says_why() {
    let sandbox = open_deal();
    add_rule(&sandbox, "{when: \"'NDA' in signature.document_name\", is: ignored, reason: an NDA}");
    let file = sandbox.join("ledger/handoff.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("exclude: []", "exclude: [{when: \"deal.pipeline == 'x'\", reason: x}]"),
    )
    .unwrap();
    let mut server = Running::serve(&sandbox);
    let of_voided = |id: &str| {
        let mut event: Value = serde_json::from_slice(&of_deal(id, "Order", false)).unwrap();
        event[0]["data"]["status"] = json!("document.voided");
        event.to_string().into_bytes()
    };
    for (event, body, why) in [
        ("e1", of_deal("e1", "Order form", true), "it is a test document"),
        ("e2", of_deal("e2", "Mutual NDA", false), "an NDA"),
        ("e3", of_voided("e3"), "no handoff stands on document e3"),
    ] {
        assert_eq!(pandadoc(server.address(), KEY, event, &body).unwrap().status, 200);
        server.wait_until_idle();
        let events = listed(&sandbox);
        let is_it = |it: &&Value| it["ignored"].as_str().is_some_and(|it| it.contains(why));
        let told = events.iter().find(is_it).unwrap_or_else(|| panic!("{why}: {events:?}"));
        assert_eq!(told["state"], "done", "{told}");
        let show = ["inbox", "show", told["event"].as_str().unwrap()];
        let shown = sandbox.handoff("ledger", &show).exits(0).stdout;
        assert!(shown.contains("ignored    ") && shown.contains(why), "{shown}");
        let table = sandbox.handoff("ledger", &["inbox", "list", "--all"]).exits(0).stdout;
        assert!(table.contains(why.split(' ').next().unwrap()), "{table}");
    }
    assert_eq!(briefs(&sandbox).len(), 0);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn two_documents_without_a_deal_whose_ids_fall_together_are_no_amendment() {
    let sandbox = ledger();
    let sign = |id: &str| {
        let file = sandbox.write("event.json", document(id)).display().to_string();
        sandbox.handoff("ledger", &["sign", &file, "--no-deliver"])
    };
    sign("doc1").exits(0);
    let refused = sign("DOC1");
    assert_ne!(refused.code, 0, "{}", refused.stdout);
    assert!(refused.stderr.contains("same key"), "{}", refused.stderr);
    let path = briefs(&sandbox)[0].clone();
    let brief = sandbox.git("ledger", &["show", &format!("HEAD:{path}/brief.yaml")]);
    assert!(brief.contains("doc1") && !brief.contains("DOC1"), "{brief}");
}
