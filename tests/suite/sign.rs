//! `handoff sign`: a signed contract becomes a brief in git.

use std::fs;

use handoff::brief::{Event, EventKind, Timeline};
use serde_json::{Value, json};

use crate::sandbox::{NOW, Ran, Sandbox, fixture};

const DEALS: &str = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company,Handoff: success metric\n\
    18640329741,Brightwater - Growth 2026,Closed Won,2026-10-14 15:44,Marcus Oyelaran,48000.00,USD,true,Brightwater Logistics Ltd,Late deliveries under 1% by 2027-03-31\n";

/// A ledger with an export of one deal and the outbox.
pub(crate) fn ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox
        .handoff(
            ".",
            &["init", "ledger", "--crm", "file", "--csm", "Sam Lee <sam@example.com> @samlee"],
        )
        .exits(0);
    sandbox.write("ledger/deals.csv", DEALS);
    sandbox
}

pub(crate) fn sample(name: &str) -> String {
    fixture(&format!("esign/{name}")).display().to_string()
}

fn event(change: impl FnOnce(&mut Value)) -> String {
    let text = fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let mut event: Value = serde_json::from_str(&text).unwrap();
    change(&mut event[0]["data"]);
    event.to_string()
}

pub(crate) fn head(sandbox: &Sandbox) -> String {
    sandbox.git("ledger", &["rev-parse", "HEAD"])
}

#[test]
fn a_deal_out_of_scope_is_not_handed_over_by_its_id_either() {
    let sandbox = ledger();
    let file = sandbox.join("ledger/handoff.yaml");
    let config = fs::read_to_string(&file).unwrap();
    let rule = "exclude: [{when: \"deal.id == '18640329741'\", reason: a pilot}]";
    fs::write(&file, config.replace("exclude: []", rule)).unwrap();
    let before = head(&sandbox);
    for verb in ["sign", "draft"] {
        let ran = sandbox.handoff("ledger", &[verb, "--deal", "18640329741"]).exits(4);
        for words in ["deal 18640329741 is out of scope: a pilot", "`scope:` in handoff.yaml"] {
            assert!(ran.stderr.contains(words), "{verb}: {}", ran.stderr);
        }
    }
    assert_eq!(head(&sandbox), before);
    assert!(!sandbox.join("ledger/outbox").exists());
}

#[test]
fn what_failed_before_is_said_by_a_dry_run_and_by_status() {
    let sandbox = ledger();
    sandbox.handoff("ledger", &["sign", &sample("pandadoc-completed-full.body.json")]).exits(0);
    let file = sandbox.join("ledger/handoff.yaml");
    let config = fs::read_to_string(&file).unwrap();
    let slack = "deliver:\n  slack: {channel: \"#cs\", base_url: \"http://127.0.0.1:9/api\"}\n";
    fs::write(&file, config.replacen("deliver:\n", slack, 1)).unwrap();
    let path = sandbox.git("ledger", &["ls-files", "briefs/*timeline.yaml"]);
    let path = sandbox.join("ledger").join(path.trim());
    let mut timeline = Timeline::parse(&fs::read(&path).unwrap()).unwrap();
    let mut failed = Event::new(NOW.parse().unwrap(), EventKind::DeliveryFailed, "slack");
    failed.reference = Some("notified".to_owned());
    failed.reason = Some("refused: channel_not_found".to_owned());
    timeline.events.push(failed);
    fs::write(&path, timeline.to_yaml()).unwrap();
    sandbox.git("ledger", &["commit", "-qam", "a delivery failed"]);
    let secret = [("SLACK_BOT_TOKEN", "xoxb-1")];
    let ran = sandbox.handoff_with("ledger", &["deliver", "--dry-run"], &secret).exits(3);
    assert!(!ran.stdout.contains("nothing is missing"), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 delivery failed before"), "{}", ran.stdout);
    let story = sandbox.handoff("ledger", &["status", "18640329741"]).exits(0).stdout;
    assert!(story.contains("failed       slack: refused: channel_not_found"), "{story}");
}

#[test]
fn the_shipped_pandadoc_sample_becomes_one_brief() {
    let sandbox = ledger();
    let path = sample("pandadoc-completed-full.body.json");
    let signed = sandbox.handoff("ledger", &["sign", &path, "--format", "json"]).exits(0).json();
    assert_eq!(signed["version"], 1);
    assert_eq!(signed["key"], "hubspot-18640329741");
    assert_eq!(signed["created"], true);
    assert_eq!(signed["path"], "briefs/2026/10/brightwater-logistics-ltd--hubspot-18640329741");
    assert!(
        signed["missing"].as_array().unwrap().iter().any(|field| field == "commitments"),
        "{signed}"
    );
    assert_eq!(signed["complete"], false);
    assert_eq!(signed["deliveries"][0]["via"], "outbox", "{signed}");
    let folder = sandbox.join("ledger").join(signed["path"].as_str().unwrap());
    for file in ["README.md", "brief.yaml", "timeline.yaml"] {
        assert!(folder.join(file).is_file(), "{file} is in the working tree");
    }
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    for words in
        ["Brightwater Logistics Ltd", "Late deliveries under 1% by 2027-03-31", "Sam Lee", "48,000"]
    {
        assert!(readme.contains(words), "the page says {words}:\n{readme}");
    }
    assert_eq!(sandbox.git("ledger", &["fsck", "--strict"]), "");
    let commits = sandbox
        .git("ledger", &["log", "--format=%(trailers:key=Handoff-Event,valueonly,separator=%x2C)"]);
    assert_eq!(commits.lines().filter(|line| line.contains("signed")).count(), 1, "{commits}");
    let trailers =
        sandbox.git("ledger", &["log", "--grep=Handoff-Event: .*signed", "--format=%(trailers)"]);
    assert!(trailers.contains("Handoff-Key: hubspot-18640329741"), "{trailers}");
    assert!(trailers.contains("Handoff-Signature: pandadoc:f9CbJKS4ZAs6nU629cuowb"), "{trailers}");
    assert_eq!(sandbox.git("ledger", &["status", "--porcelain", "--", "briefs"]), "");

    let before = head(&sandbox);
    let again = sandbox.handoff("ledger", &["sign", &path, "--format", "json"]).exits(0).json();
    assert_eq!(again["created"], false);
    assert_eq!(head(&sandbox), before, "the same event again makes nothing new");
}

#[test]
fn a_corrected_deal_updates_the_same_brief_and_keeps_what_people_wrote() {
    let sandbox = ledger();
    let path = sample("pandadoc-completed-full.body.json");
    let signed = sandbox.handoff("ledger", &["sign", &path, "--format", "json"]).exits(0).json();
    let brief = sandbox.join("ledger").join(signed["path"].as_str().unwrap()).join("brief.yaml");
    let text = fs::read_to_string(&brief).unwrap();
    fs::write(
        &brief,
        text.replace(
            "Late deliveries under 1% by 2027-03-31",
            "Late deliveries under 1%, agreed on the phone",
        ),
    )
    .unwrap();
    sandbox.git("ledger", &["commit", "-qam", "goal as agreed"]);
    sandbox.write(
        "ledger/deals.csv",
        DEALS.replace("48000.00", "52000.00").replace("under 1%", "under 2%"),
    );
    let again = sandbox.handoff("ledger", &["sign", &path, "--format", "json"]).exits(0).json();
    assert_eq!((&again["created"], &again["path"]), (&json!(false), &signed["path"]));
    let text = fs::read_to_string(&brief).unwrap();
    assert!(text.contains("52000.00"), "the corrected amount is there:\n{text}");
    assert!(text.contains("agreed on the phone"), "what a person wrote stays:\n{text}");
    let folders =
        sandbox.git("ledger", &["ls-tree", "-d", "--name-only", "HEAD", "briefs/2026/10/"]);
    assert_eq!(folders.lines().count(), 1, "never a second folder: {folders}");
}

#[test]
fn what_a_user_has_staged_and_changed_stays_as_it_is() {
    let sandbox = ledger();
    sandbox.write("ledger/notes.txt", "one\n");
    sandbox.write("ledger/dirty.txt", "one\n");
    sandbox.git("ledger", &["add", "notes.txt", "dirty.txt"]);
    sandbox.git("ledger", &["commit", "-qm", "notes"]);
    sandbox.write("ledger/notes.txt", "staged\n");
    sandbox.git("ledger", &["add", "notes.txt"]);
    sandbox.write("ledger/dirty.txt", "dirty\n");
    sandbox.write("ledger/new.txt", "untracked\n");
    let before = sandbox.git("ledger", &["status", "--porcelain"]);
    sandbox.handoff("ledger", &["sign", &sample("pandadoc-completed-full.body.json")]).exits(0);
    let mut after: Vec<String> =
        sandbox.git("ledger", &["status", "--porcelain"]).lines().map(str::to_owned).collect();
    after.retain(|line| !line.contains("outbox"));
    assert_eq!(after.join("\n"), before.trim_end(), "index and working tree are as they were");
    assert_eq!(sandbox.git("ledger", &["show", ":notes.txt"]), "staged\n");
}

#[test]
fn bad_events_are_told_apart_and_nothing_is_written() {
    let sandbox = ledger();
    let whole = fs::read_to_string(fixture("esign/pandadoc-completed-full.body.json")).unwrap();
    let before = head(&sandbox);
    let cases: &[(&str, String, &[&str], i32, &str)] = &[
        ("truncated", whole[..whole.len() / 2].to_owned(), &[], 2, "JSON"),
        ("empty", String::new(), &[], 2, "empty"),
        ("wrong provider", whole, &["--provider", "docusign"], 2, "PandaDoc"),
        ("unknown provider", "[]".to_owned(), &["--provider", "pandadok"], 2, "pandadoc"),
        ("nobody's", r#"{"hello": "world"}"#.to_owned(), &[], 2, "--provider"),
    ];
    for (what, text, arguments, code, words) in cases {
        let path = sandbox.write("event.json", text).display().to_string();
        let mut line = vec!["sign", path.as_str()];
        line.extend(*arguments);
        let ran = sandbox.handoff("ledger", &line).exits(*code);
        assert!(ran.stderr.contains(words), "{what}: the message names {words}:\n{}", ran.stderr);
    }
    let ignored = sandbox
        .handoff("ledger", &["sign", &sample("pandadoc-recipient-completed.body.json")])
        .exits(4);
    assert!(ignored.stderr.contains("recipient_completed"), "{}", ignored.stderr);
    assert_eq!(head(&sandbox), before, "none of them wrote anything");
}

#[test]
fn a_document_without_a_deal_or_with_an_unknown_one_still_becomes_a_handoff() {
    let sandbox = ledger();
    let none = event(|data| {
        data["linked_objects"] = json!([]);
        data["metadata"] = json!({});
    });
    let path = sandbox.write("event.json", none).display().to_string();
    let signed = sandbox.handoff("ledger", &["sign", &path, "--format", "json"]).exits(0).json();
    assert_eq!(signed["key"], "pandadoc-f9cbjks4zas6nu629cuowb");
    assert_eq!(signed["complete"], false);

    let unknown = event(|data| {
        data["id"] = json!("another");
        data["linked_objects"][0]["entity_id"] = json!("18640329742");
        data["metadata"] = json!({});
    });
    let path = sandbox.write("event.json", unknown).display().to_string();
    let held = sandbox.handoff("ledger", &["sign", &path]).exits(3);
    assert!(held.stderr.contains("no deal 18640329742 (yet)"), "{}", held.stderr);
    // A runner keeps no inbox: nothing asks again there, and nothing says so.
    let runner = [("GITHUB_ACTIONS", "true")];
    let told = sandbox.handoff_with("ledger", &["sign", &path], &runner).exits(3).stderr;
    for words in ["(yet), and before 2026-11-", "no handoff is made without it", "re-run this job"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains("asked again") && !told.contains("handoff work"), "{told}");
    let line = ["sign", &path, "--as", "contract", "--format", "json"];
    let ran = sandbox.handoff("ledger", &line).exits(0);
    assert_eq!(ran.json()["key"], "hubspot-18640329742");
    assert!(ran.stderr.contains("18640329742"), "what is odd is said: {}", ran.stderr);
}

#[test]
fn a_deal_that_is_not_won_is_not_handed_over_on_the_crms_word() {
    let sandbox = ledger();
    sandbox.write(
        "ledger/deals.csv",
        DEALS.replace("Closed Won", "Contract sent").replace("true", "false"),
    );
    let ran = sandbox.handoff("ledger", &["sign", "--deal", "18640329741"]).exits(3);
    assert!(ran.stderr.contains("not won"), "{}", ran.stderr);
    let ran = sandbox.handoff("ledger", &["sign", "--deal", "1864032974"]).exits(4);
    assert!(ran.stderr.contains("18640329741"), "the near miss is named: {}", ran.stderr);
    sandbox.write("ledger/deals.csv", DEALS);
    let signed = sandbox
        .handoff("ledger", &["sign", "--deal", "18640329741", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(signed["key"], "hubspot-18640329741");
    assert_eq!(signed["created"], true);
}

#[test]
fn hostile_names_stay_text() {
    let long = "Ä".repeat(300);
    let names = [
        "../../x",
        "a\nb\r\nFixes: #1",
        "\u{0}\u{1b}[31mred",
        "{{7*7}}",
        "{% include '/etc/passwd' %}",
        "<script>alert(1)</script>",
        "@team fixes #1",
        "🎉🎉",
        "\u{202E}lagel",
        "no",
        "1e3",
        "0123",
        "2026-11-20",
        "- x: y",
        "株式会社",
        "=cmd|' /C calc'!A0",
        &long,
    ];
    let sandbox = ledger();
    for (index, name) in names.iter().enumerate() {
        let text = event(|data| {
            data["id"] = json!(format!("doc{index}"));
            data["name"] = json!(name);
            data["linked_objects"] = json!([]);
            data["metadata"] = json!({});
            data["tokens"] = json!([{"Client.Company": name}]);
        });
        let path = sandbox.write("event.json", text).display().to_string();
        let ran = sandbox.handoff("ledger", &["sign", &path, "--format", "json"]).exits(0);
        let signed = ran.json();
        let folder = signed["path"].as_str().unwrap();
        assert!(
            folder.starts_with("briefs/2026/10/")
                && folder.ends_with(&format!("--pandadoc-doc{index}")),
            "{name:?}: {folder}"
        );
        let readme =
            fs::read_to_string(sandbox.join("ledger").join(folder).join("README.md")).unwrap();
        assert!(
            !readme.contains("<script>") && !readme.contains("49"),
            "{name:?} acted:\n{readme}"
        );
        assert!(!readme.contains("@team"), "{name:?} mentions:\n{readme}");
        assert!(
            !ran.stderr.contains('\u{1b}'),
            "{name:?} reaches the terminal raw: {:?}",
            ran.stderr
        );
        let brief =
            fs::read_to_string(sandbox.join("ledger").join(folder).join("brief.yaml")).unwrap();
        let read = handoff::yaml::read(brief.as_bytes())
            .unwrap_or_else(|error| panic!("{name:?}: {error}\n{brief}"));
        assert_eq!(
            read.pointer("/signature/document_name").and_then(|node| node.as_str()),
            Some(*name),
            "{brief}"
        );
    }
    assert_eq!(sandbox.git("ledger", &["fsck", "--strict"]), "");
    let subjects = sandbox.git("ledger", &["log", "--format=%s%n%b"]);
    assert!(
        !subjects.contains("\nFixes: #1"),
        "no trailer or closing word comes of a name:\n{subjects}"
    );
}

/// The brief of the handoff with this key.
fn brief(sandbox: &Sandbox, key: &str) -> String {
    let folders = sandbox.git("ledger", &["ls-files", &format!("briefs/*--{key}/brief.yaml")]);
    sandbox.git("ledger", &["show", &format!("HEAD:{}", folders.trim())])
}

fn keys(sandbox: &Sandbox) -> Vec<String> {
    let files = sandbox.git("ledger", &["ls-files", "briefs/*/brief.yaml"]);
    let folders = files.lines().map(|line| line.rsplit('/').nth(1).unwrap());
    folders.map(|it| it.rsplit("--").next().unwrap().to_owned()).collect()
}

fn signed_from(sandbox: &Sandbox, body: &str, more: &[&str]) -> Ran {
    let path = sandbox.write("event.json", body).display().to_string();
    sandbox.handoff("ledger", &[&["sign", &path], more].concat())
}

/// A completed PandaDoc document of nobody's deal, with nothing in it but a signer.
fn plain(id: &str, change: impl FnOnce(&mut Value)) -> String {
    event(|data| {
        data["id"] = json!(id);
        data["linked_objects"] = json!([]);
        data["metadata"] = json!({});
        data["tokens"] = json!([]);
        change(data);
    })
}

#[test]
fn the_customers_name_is_the_companys_and_never_a_subject_or_a_documents_name() {
    let sandbox = ledger();
    let company = plain("c1", |data| data["recipients"][0]["company"] = json!("Acme GmbH"));
    signed_from(&sandbox, &company, &[]).exits(0);
    assert!(brief(&sandbox, "pandadoc-c1").contains("name: Acme GmbH"));
    assert!(sandbox.join("ledger/outbox/pandadoc-c1/05-welcomed.json").is_file());

    let account = json!({"type": "contract.signed", "data": {"id": "s1", "name": "Order",
        "signers": [{"name": "Pat", "email": "pat@beta.example", "company": "Beta AG"}]}});
    signed_from(&sandbox, &account.to_string(), &["--as", "contract"]).exits(0);
    assert!(brief(&sandbox, "standard-webhooks-s1").contains("name: Beta AG"));

    let summary = json!({"status": "completed", "emailSubject": "Please sign this",
        "completedDateTime": "2026-11-18T10:00:00Z",
        "recipients": {"signers": [{"name": "Pat", "email": "p@acme.example", "status": "completed"}]}});
    let subject = json!({"event": "envelope-completed", "generatedDateTime": "2026-11-18T10:00:00Z",
        "data": {"envelopeId": "e1", "envelopeSummary": summary}});
    for (key, body, more) in [
        ("docusign-e1", subject.to_string(), &["--as", "contract"][..]),
        ("pandadoc-n1", plain("n1", |_| ()), &[]),
        // The export has no such deal.
        (
            "hubspot-77",
            plain("n2", |data| data["metadata"] = json!({"hubspot.deal_id": "77"})),
            &["--as", "contract"],
        ),
    ] {
        let ran = signed_from(&sandbox, &body, more).exits(0);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("nobody is welcomed without a name"), "{key}: {said}");
        let brief = brief(&sandbox, key);
        assert!(!brief.contains("\ncustomer:"), "{key}: {brief}");
        let outbox = sandbox.join("ledger/outbox").join(key);
        assert!(outbox.is_dir(), "{key}: the task is there");
        assert!(!outbox.join("05-welcomed.json").exists(), "{key}");
        // Once somebody has answered, the welcome is due.
        let file = sandbox.git("ledger", &["ls-files", &format!("briefs/*{key}/brief.yaml")]);
        let file = sandbox.join("ledger").join(file.trim());
        let none = format!("{brief}customer: {{name: none}}\n");
        fs::write(&file, none).unwrap();
        sandbox.git("ledger", &["commit", "-qam", "no name either"]);
        sandbox.handoff("ledger", &["deliver", key]).exits(0);
        assert!(!outbox.join("05-welcomed.json").exists(), "{key}");
        let answered = format!("{brief}customer: {{name: Acme Corp}}\n");
        fs::write(&file, answered).unwrap();
        sandbox.git("ledger", &["commit", "-qam", "the customer's name"]);
        sandbox.handoff("ledger", &["deliver", key]).exits(0);
        let welcome = fs::read_to_string(outbox.join("05-welcomed.json")).expect("a welcome");
        assert!(welcome.contains("Acme Corp"), "{key}: {welcome}");
    }
}

#[test]
fn prices_sender_and_dates_of_the_document_fill_the_brief_without_a_deal() {
    let sandbox = ledger();
    let priced = |id: &str, deal: &str| {
        plain(id, |data| {
            data["metadata"] = json!({"hubspot.deal_id": deal});
            data["tokens"] = json!([
                {"Client.Company": "Brightwater Logistics Ltd"},
                {"Contract start date": "2026-12-01"}, {"Term months": "12"},
            ]);
            data["pricing"]["tables"][0]["items"][0]["discount"] =
                json!({"value": "10", "type": "percent"});
        })
    };
    for (key, body) in [("pandadoc-p1", priced("p1", "")), ("hubspot-88", priced("p2", "88"))] {
        signed_from(&sandbox, &body, &["--as", "contract"]).exits(0);
        let brief = brief(&sandbox, key);
        for words in [
            "name: Growth plan, annual seat",
            "quantity: 40",
            "amount: \"1200.00\"",
            "discount: 10%",
            "sku: GROWTH-Y",
            "months: 12",
            "starts: \"2026-12-01\"",
            "email: marcus.oyelaran@acme-cloud.example",
            // Who signed is told apart from the sender's own people.
            "email: dana.whitfield@brightwater.example",
        ] {
            assert!(brief.contains(words), "{key}: {words}:\n{brief}");
        }
        let ran = sandbox.handoff("ledger", &["validate", "--format", "json"]);
        assert!(!ran.stdout.contains("schema-violation"), "{key}: {}", ran.stdout);
        let why = sandbox.handoff("ledger", &["why", key, "deal.owner"]).exits(0);
        assert!(why.stdout.contains("pandadoc"), "{}", why.stdout);
    }
}

#[test]
fn one_document_is_one_handoff_whether_or_not_it_names_its_deal_first() {
    let linked = |id: &str, name: &str| {
        plain(id, |data| {
            data["name"] = json!(name);
            data["tokens"] = json!([{"Client.Company": "Brightwater Logistics Ltd"}]);
            data["metadata"] = json!({"hubspot.deal_id": "18640329741"});
        })
    };
    let bare = |id: &str| {
        plain(id, |data| data["tokens"] = json!([{"Client.Company": "Brightwater Logistics Ltd"}]))
    };
    // Without its deal first: the deal joins the handoff that there is, and so does what
    // comes of the deal later.
    let sandbox = ledger();
    for body in [bare("w1"), linked("w1", "Order"), linked("w1", "Order"), linked("w2", "More")] {
        signed_from(&sandbox, &body, &[]).exits(0);
    }
    sandbox.handoff("ledger", &["sign", "--deal", "18640329741"]).exits(0);
    assert_eq!(keys(&sandbox), ["pandadoc-w1"]);
    let joined = brief(&sandbox, "pandadoc-w1");
    for words in ["id: \"18640329741\"", "document_id: w1", "document_id: w2", "under 1%"] {
        assert!(joined.contains(words), "{words}: {joined}");
    }
    let audit = sandbox.handoff("ledger", &["audit", "--format", "json"]);
    assert!(!audit.stdout.contains("duplicate-handoff"), "{}", audit.stdout);
    let tasks = fs::read_dir(sandbox.join("ledger/outbox")).unwrap().count();
    assert_eq!(tasks, 1, "one of everything");

    // With its deal first.
    let sandbox = ledger();
    for body in [linked("w1", "Order"), bare("w1")] {
        signed_from(&sandbox, &body, &[]).exits(0);
    }
    assert_eq!(keys(&sandbox), ["hubspot-18640329741"]);
}

#[test]
fn a_template_keeps_an_nda_out_and_the_contract_behind_it_is_told_for_each_deal() {
    let sandbox = ledger();
    let more = "201,Acme - New,Closed Won,2026-11-02 10:00,Rae Rep,9000,USD,true,Acme,none\n";
    sandbox.write("ledger/deals.csv", format!("{DEALS}{more}"));
    let file = sandbox.join("ledger/handoff.yaml");
    let rule = "{when: \"signature.template == 'NDA'\", is: ignored, reason: an NDA}";
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{config}\ndocuments:\n  - {rule}\n")).unwrap();
    let nda = event(|data| {
        data["id"] = json!("n1");
        data["template"] = json!({"id": "t2", "name": "NDA"});
    });
    let ran = signed_from(&sandbox, &nda, &[]).exits(4);
    assert!(ran.stderr.contains("an NDA"), "{}", ran.stderr);
    assert!(keys(&sandbox).is_empty() && !sandbox.join("ledger/outbox").exists());

    let of_deal = |id: &str| json!({"id": "x", "provider": "hubspot", "entity_type": "deal", "entity_id": id});
    let order = event(|data| {
        data["id"] = json!("o1");
        data["metadata"] = json!({});
        data["linked_objects"] = json!([of_deal("18640329741"), of_deal("201")]);
    });
    signed_from(&sandbox, &order, &[]).exits(0);
    let mut both = keys(&sandbox);
    both.sort();
    assert_eq!(both, ["hubspot-18640329741", "hubspot-201"]);
    for key in both {
        let brief = brief(&sandbox, &key);
        assert!(
            brief.contains("document_id: o1") && !brief.contains("document_id: n1"),
            "{key}: {brief}"
        );
        let told = fs::read_dir(sandbox.join("ledger/outbox").join(&key)).unwrap().count();
        assert!(told > 1, "{key}: {told}");
    }
}

#[test]
fn a_renewal_is_a_handoff_of_its_own_and_no_duplicate() {
    let sandbox = ledger();
    let file = sandbox.join("ledger/handoff.yaml");
    let config = fs::read_to_string(&file).unwrap();
    let rule = "documents:\n  - {when: \"'Renewal' in signature.document_name\", is: new}\n";
    fs::write(&file, format!("{config}\n{rule}")).unwrap();
    sandbox.git("ledger", &["commit", "-qam", "renewals"]);
    let order = |id: &str, name: &str| {
        event(|data| {
            data["id"] = json!(id);
            data["name"] = json!(name);
        })
    };
    signed_from(&sandbox, &order("o1", "Order"), &[]).exits(0);
    signed_from(&sandbox, &order("o3", "Renewal 2027"), &[]).exits(0);
    assert_eq!(keys(&sandbox).len(), 2, "{:?}", keys(&sandbox));
    let audit = sandbox.handoff("ledger", &["audit", "--format", "json"]);
    assert!(!audit.stdout.contains("duplicate-handoff"), "{}", audit.stdout);

    // A folder that somebody copied is one.
    let from = sandbox.git("ledger", &["ls-files", "briefs/*18640329741-o3/brief.yaml"]);
    let from = sandbox.join("ledger").join(from.trim().trim_end_matches("/brief.yaml"));
    let to = from.with_file_name("copy--hubspot-18640329741-o3");
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    sandbox.git("ledger", &["add", "briefs"]);
    sandbox.git("ledger", &["commit", "-qm", "a copy"]);
    let audit = sandbox.handoff("ledger", &["audit", "--format", "json"]);
    assert!(audit.stdout.contains("duplicate-handoff"), "{}", audit.stdout);
}

#[test]
fn what_is_odd_about_a_document_is_in_the_brief_the_page_and_the_task() {
    let sandbox = ledger();
    let body = event(|data| data["metadata"] = json!({"hubspot.deal_id": "102"}));
    signed_from(&sandbox, &body, &["--as", "contract"]);
    let key = "hubspot-18640329741";
    let folder = sandbox.git("ledger", &["ls-files", &format!("briefs/*--{key}/brief.yaml")]);
    let folder = sandbox.join("ledger").join(folder.trim().trim_end_matches("/brief.yaml"));
    let outbox = sandbox.join("ledger/outbox").join(key);
    let task = fs::read_dir(&outbox).unwrap().map(|it| it.unwrap().path());
    let task = task.into_iter().find(|it| it.to_str().unwrap().contains("task_opened")).unwrap();
    for file in
        [folder.join("brief.yaml"), folder.join("README.md"), folder.join("timeline.yaml"), task]
    {
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in ["18640329741", "102", "the document names two deals"] {
            assert!(text.contains(words), "{}: {words}: {text}", file.display());
        }
    }
}

#[test]
fn a_total_that_is_not_the_crms_amount_is_noted_and_stands_in_the_brief() {
    let sandbox = ledger();
    let total = json!({"amount": "99999.00", "currency": "EUR"});
    let ran =
        signed_from(&sandbox, &event(|data| data["grand_total"] = total), &["--as", "contract"]);
    let words =
        "the document's total is EUR 99999.00, and hubspot says deal 18640329741 has the amount";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
    assert!(brief(&sandbox, "hubspot-18640329741").contains("99999.00"));
}

#[test]
fn the_same_event_five_times_at_once_is_handed_over_and_delivered_once() {
    let sandbox = ledger();
    let path = sample("pandadoc-completed-full.body.json");
    let created = std::thread::scope(|scope| {
        let run =
            || sandbox.handoff("ledger", &["sign", &path, "--format", "json"]).exits(0).json();
        let runs: Vec<_> = (0..5).map(|_| scope.spawn(run)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).filter(|run| run["created"] == true).count()
    });
    assert_eq!(created, 1, "one of them makes the brief");
    let folder =
        sandbox.git("ledger", &["ls-tree", "-d", "--name-only", "HEAD", "briefs/2026/10/"]);
    let timeline =
        sandbox.git("ledger", &["show", &format!("HEAD:{}/timeline.yaml", folder.trim())]);
    for event in
        ["received", "signed", "task_opened", "notified", "emailed", "project_started", "welcomed"]
    {
        let times = timeline.matches(&format!("event: {event}\n")).count();
        assert_eq!(times, 1, "{event} happens once:\n{timeline}");
    }
}

#[test]
fn two_won_deals_of_one_run_never_join_the_same_document() {
    let sandbox = ledger();
    sandbox.write(
        "ledger/deals.csv",
        "Record ID,Deal Name,Deal Stage,Close Date,Amount,Currency,Is Closed Won,Contact Email\n",
    );
    let body = event(|data| {
        data["linked_objects"] = json!([]);
        data["metadata"] = json!({});
        data["recipients"].as_array_mut().unwrap().truncate(1);
    });
    let file = sandbox.write("event.json", body).display().to_string();
    sandbox.handoff("ledger", &["sign", &file, "--as", "contract", "--no-deliver"]).exits(0);
    let row = |id: &str, day: &str| {
        format!(
            "{id},Brightwater {id},Closed Won,2026-10-{day},48000.00,USD,true,dana.whitfield@brightwater.example\n"
        )
    };
    let header = fs::read_to_string(sandbox.join("ledger/deals.csv")).unwrap();
    let deals = format!("{header}{}{}", row("7001", "15"), row("7002", "16"));
    sandbox.write("ledger/deals.csv", deals);
    sandbox.handoff("ledger", &["backfill", "--deals", "deals.csv"]).exits(0);
    let listed = sandbox.git("ledger", &["ls-tree", "-r", "--name-only", "HEAD", "briefs"]);
    let briefs: Vec<&str> = listed.lines().filter(|line| line.ends_with("brief.yaml")).collect();
    assert_eq!(briefs.len(), 2, "{briefs:?}");
    let report =
        sandbox.handoff("ledger", &["audit", "--deals", "deals.csv", "--format", "json"]).json();
    assert_eq!(
        (&report["summary"]["missing"], &report["orphans"]),
        (&json!(0), &json!([])),
        "{report}"
    );
    // Whole seconds: what is printed is what the printed command gives.
    assert!(!report["as_of"].as_str().unwrap().contains('.'), "{report}");
    sandbox.handoff("ledger", &["backfill", "--deals", "deals.csv"]).exits(0);
}
