//! The workflows that `init` lays down: of each choice parsed and held to what
//! they may do, and each of their lines run as a runner of GitHub runs it.

mod matrix;
mod runner;
mod signed;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::crm_binary::World;
use crate::pull_request::Tasks;
use crate::sandbox::{Sandbox, fixture};
pub(crate) use runner::{FOLDER, Runner};
use runner::{base64, dispatch, read, signed_body};

pub(crate) const DEALS: &str = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won,Associated Company\n\
    18640329741,Brightwater - Growth 2026,Closed Won,2026-11-20 16:44,Marcus Oyelaran,48000.00,USD,true,Brightwater Logistics Ltd\n";
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
const RELEASE: &str = "https://releases.example.com/handoff.tar.gz#sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The secrets of each CRM and provider that may stand in a workflow.
const OWN: &[(&str, &str)] = &[
    ("hubspot", "HUBSPOT_"),
    ("salesforce", "SALESFORCE_"),
    ("pipedrive", "PIPEDRIVE_"),
    ("pandadoc", "PANDADOC_"),
    ("docusign", "DOCUSIGN_"),
    ("dropbox-sign", "DROPBOX_"),
    ("adobe-sign", "ADOBE_"),
    ("standard-webhooks", "STANDARD_"),
];

#[test]
fn workflows_of_each_choice_hold_what_is_configured_and_no_more() {
    let sandbox = Sandbox::new();
    let esign = ["pandadoc", "docusign", "dropbox-sign", "adobe-sign", "standard-webhooks"];
    let mut looked_at = 0;
    for crm in ["hubspot", "salesforce", "pipedrive", "file", "none"] {
        for provider in esign {
            for github in [false, true] {
                let ledger = format!("{crm}-{provider}-{github}");
                let mut arguments = vec!["init", &ledger, "--crm", crm, "--esign", provider];
                arguments.extend(["--install-from", RELEASE]);
                if github {
                    arguments.extend(["--github", "acme/handoffs"]);
                }
                sandbox.handoff(".", &arguments).exits(0);
                let folder = sandbox.join(&ledger).join(FOLDER);
                let names: Vec<String> = fs::read_dir(&folder)
                    .unwrap()
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .collect();
                let has = |name: &str| names.iter().any(|it| it == name);
                let connected = !["file", "none"].contains(&crm);
                assert_eq!(has("handoff-sync.yml"), github || connected, "{ledger}: {names:?}");
                if connected {
                    let sync = fs::read_to_string(folder.join("handoff-sync.yml")).unwrap();
                    let (_, secret) = OWN.iter().find(|(whose, _)| *whose == crm).unwrap();
                    let asks = sync.matches(&format!("secrets.{secret}")).count();
                    assert!(asks > 0, "first touches are asked of {crm}:\n{sync}");
                }
                assert_eq!(has("handoff-form.yml"), !connected, "{ledger}: {names:?}");
                let form = sandbox.join(&ledger).join(".github/ISSUE_TEMPLATE/handoff.yml");
                assert_eq!(form.is_file(), !connected, "{ledger}: the form goes with its workflow");
                for name in &names {
                    looked_at += 1;
                    held_to_its_rights(&folder.join(name));
                    let text = fs::read_to_string(folder.join(name)).unwrap();
                    for (whose, secret) in OWN {
                        let named = text.contains(&format!("secrets.{secret}"));
                        let configured = *whose == crm || *whose == provider;
                        assert!(configured || !named, "{ledger}/{name} names {secret}");
                    }
                }
                let sign = fs::read_to_string(folder.join("handoff-sign.yml")).unwrap();
                for (whose, secret) in OWN {
                    if *whose == crm || *whose == provider {
                        assert!(sign.contains(&format!("secrets.{secret}")), "{ledger}: {secret}");
                    }
                }
            }
        }
    }
    assert!(looked_at > 170, "{looked_at}");
}

fn held_to_its_rights(file: &Path) {
    let (workflow, shown) = (read(file), file.display());
    assert_eq!(workflow["permissions"], json!({}), "{shown}");
    assert!(workflow["concurrency"]["group"].is_string(), "{shown}");
    for (name, job) in workflow["jobs"].as_object().unwrap() {
        let rights = job["permissions"].as_object().unwrap();
        for (right, level) in rights {
            let known =
                ["contents", "issues", "pull-requests", "actions"].contains(&right.as_str());
            assert!(known && level != "write-all", "{shown}: {right}: {level}");
        }
        assert!(job["timeout-minutes"].is_number(), "{shown}: {name}");
        for step in job["steps"].as_array().unwrap() {
            if let Some(uses) = step["uses"].as_str() {
                let pinned = uses.split_once('@').is_some_and(|(_, id)| {
                    id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
                });
                assert!(pinned || uses == "$/.github/actions/handoff", "{shown}: {uses}");
                if uses.starts_with("actions/checkout@") {
                    assert_eq!(step["with"]["persist-credentials"], false, "{shown}");
                    assert_eq!(step["with"]["fetch-depth"], 0, "{shown}");
                }
            }
            let run = step["run"].as_str().unwrap_or_default();
            assert!(!run.contains("${{"), "{shown}: an expression within a script: {run}");
        }
    }
    let text = fs::read_to_string(file).unwrap();
    assert!(!text.contains("handoff-hq"), "{shown} points to an address that nobody owns");
}

#[test]
fn workflows_follow_the_settings_and_leave_alone_what_a_person_changed() {
    let sandbox = Sandbox::new();
    let flags =
        ["init", "l", "--crm", "file", "--github", "acme/handoffs", "--install-from", RELEASE];
    sandbox.handoff(".", &flags).exits(0);
    let doctor = |words: &str| {
        let told = sandbox.handoff_with("l", &["doctor", "--offline"], &[("GITHUB_TOKEN", "t")]);
        assert!(told.stdout.contains(words), "{}", told.stdout);
    };
    doctor("workflows: as handoff.yaml asks for");
    let action = fs::read_to_string(sandbox.join("l/.github/actions/handoff/action.yml")).unwrap();
    assert!(action.contains(RELEASE), "where from is stored once:\n{action}");
    // Dependabot raises a pin; that is no change of a person's, and it stays.
    let sync = sandbox.join("l/.github/workflows/handoff-sync.yml");
    let text = fs::read_to_string(&sync).unwrap();
    let pin = text.lines().find(|line| line.contains("uses: actions/checkout@")).unwrap();
    let raised = "        uses: actions/checkout@1111111111111111111111111111111111111111 # v8.0.0";
    fs::write(&sync, text.replace(pin, raised)).unwrap();
    doctor("workflows: as handoff.yaml asks for");
    let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    let changed = config.replace("as: issue", "as: pull_request, labels: [\"it's ours\"]");
    assert_ne!(config, changed);
    fs::write(sandbox.join("l/handoff.yaml"), &changed).unwrap();
    doctor("run `handoff init --workflows`");
    let made = sandbox.handoff("l", &["init", "--workflows"]).exits(0);
    assert!(made.stdout.contains("handoff-sync.yml"), "{}", made.stdout);
    let text = fs::read_to_string(&sync).unwrap();
    assert!(text.contains("pull_request_review:") && text.contains("'it''s ours'"), "{text}");
    assert!(text.contains(raised.trim()), "the ledger's own pin stays:\n{text}");
    doctor("workflows: as handoff.yaml asks for");
    // An Enterprise Server knows an action of the ledger by its path in the checkout.
    let own = changed.replace(
        "as: pull_request",
        "base_url: 'https://github.acme.example/api/v3', as: pull_request",
    );
    fs::write(sandbox.join("l/handoff.yaml"), &own).unwrap();
    let made = sandbox.handoff("l", &["init", "--workflows"]).exits(0);
    assert!(made.stderr.contains("Enterprise Server"), "{}", made.stderr);
    for entry in fs::read_dir(sandbox.join("l/.github/workflows")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let (there, before) =
            (text.find("uses: ./.github/actions/handoff"), text.find("uses: actions/checkout@"));
        assert!(before.is_some() && before < there && !text.contains("$/"), "{text}");
    }
    let text = fs::read_to_string(&sync).unwrap();
    // What a person changed stays; what nothing asks for any more goes.
    fs::write(&sync, format!("{text}# ours\n")).unwrap();
    fs::write(
        sandbox.join("l/handoff.yaml"),
        changed
            .replace("\n  github:", "\n#  github:")
            .replace("deliver:\n", "deliver:\n  outbox: {dir: outbox}\n"),
    )
    .unwrap();
    let made = sandbox.handoff("l", &["init", "--workflows"]).exits(0);
    assert!(made.stderr.contains("changed by hand"), "{}", made.stderr);
    assert!(sync.is_file());
    // Nobody claims that it is as it should be.
    doctor("changed by hand, so not compared with what handoff.yaml asks for");
    let made = sandbox.handoff("l", &["init", "--workflows"]).exits(0);
    assert!(!made.stdout.contains("as handoff.yaml asks for"), "{}", made.stdout);
    fs::write(&sync, text).unwrap();
    let made = sandbox.handoff("l", &["init", "--workflows"]).exits(0);
    assert!(made.stdout.contains("removed") && !sync.exists(), "{}", made.stdout);
    sandbox.handoff("l", &["init", "--workflows"]).exits(0);
    assert_eq!(sandbox.git("l", &["fsck", "--strict"]), "");
}

#[test]
fn where_handoff_comes_from_is_a_release_with_its_checksum_or_a_file_of_the_ledger() {
    let sandbox = Sandbox::new();
    let zeros = "0".repeat(64);
    let packed = format!("https://x.example/h.zip?sig=1#sha256={zeros}");
    let with_password = format!("https://me:pw@x.example/h#sha256={zeros}");
    for wrong in [
        "https://x.example/h",
        "http://x.example/h#sha256=00",
        "../handoff",
        "/bin/sh",
        "",
        &packed,
        &packed.replace(".zip", ".tar.xz"),
        &with_password,
        "tools/handoff.tar.gz",
    ] {
        let told = sandbox.handoff(".", &["init", "l", "--yes", "--install-from", wrong]).exits(2);
        assert!(told.stderr.contains("--install-from"), "{wrong}: {}", told.stderr);
    }
    sandbox.handoff(".", &["init", "l", "--workflows"]).exits(2);
    sandbox.write("l/tools/handoff", "#!/bin/sh\necho handoff 0.1.0\n");
    sandbox.git("l", &["init", "-q", "-b", "main"]);
    sandbox.handoff("l", &["init", "--yes", "--install-from", "tools/handoff"]).exits(0);
    sandbox.git("l", &["add", "-A"]);
    sandbox.git("l", &["commit", "-qm", "the program"]);
    let runner = Runner::on(&sandbox, "l");
    let installed = runner.install(&sandbox.join("l"));
    assert_eq!(installed.0, 0, "{}", installed.1);
    let program = sandbox.join("runner/temp/handoff/bin/handoff");
    assert!(fs::metadata(&program).unwrap().permissions().mode() & 0o111 != 0);
    assert!(fs::read_to_string(sandbox.join("runner/path")).unwrap().contains("handoff/bin"));
    // Another program in its place is not run.
    sandbox.write("l/tools/handoff", "#!/bin/sh\necho it is not me\n");
    assert_ne!(runner.install(&sandbox.join("l")).0, 0);
    // A release: downloaded, compared, unpacked, tried.
    // What stands for the network: the address is given to it, and where to.
    runner.program("curl", "while [ \"$1\" != --output ]; do shift; done\ncp \"$ARCHIVE\" \"$2\"");
    let installs = |url: &str, sum: &str| {
        let from = format!("{url}#sha256={sum}");
        sandbox.handoff("l", &["init", "--workflows", "--install-from", &from]).exits(0);
        fs::remove_dir_all(sandbox.join("runner/temp")).unwrap();
        runner.install(&sandbox.join("l"))
    };
    let sum = || {
        let bytes = fs::read(sandbox.join("h.tar.gz")).unwrap();
        use sha2::Digest as _;
        hex::encode(sha2::Sha256::digest(bytes))
    };
    let plain = "https://releases.example.com/h.tar.gz";
    let signed = "https://releases.example.com/h.tar.gz?sig=1";
    for (file, text, url, installed) in [
        ("handoff-0.1.0/handoff", "#!/bin/sh\necho handoff 0.1.0\n", plain, None),
        ("bin/handoff", "#!/bin/sh\necho handoff 0.1.0\n", signed, None),
        ("bin/handover", "#!/bin/sh\n", plain, Some("holds no program named handoff")),
        ("handoff", "#!/bin/sh\necho another\n", plain, Some("is not handoff for this runner")),
        ("handoff", "\u{7f}ELF of another machine", plain, Some("is not handoff for this runner")),
    ] {
        let _ = fs::remove_dir_all(sandbox.join("pack"));
        let packed = sandbox.write(&format!("pack/{file}"), text);
        fs::set_permissions(&packed, fs::Permissions::from_mode(0o755)).unwrap();
        let mut tar = sandbox.command("tar", sandbox.join("pack"));
        assert!(tar.args(["czf", "../h.tar.gz", "."]).status().unwrap().success());
        let (code, said) = installs(url, &sum());
        assert_eq!(code == 0, installed.is_none(), "{file}: {said}");
        assert!(said.contains(installed.unwrap_or_default()), "{file}: {said}");
        assert_eq!(program.is_file(), installed.is_none(), "{file}: {said}");
    }
    assert_ne!(installs(plain, &zeros).0, 0, "another checksum");
    sandbox.write("h.tar.gz", "#!/bin/sh\necho handoff 0.1.0\n");
    let (code, said) = installs("https://releases.example.com/handoff-linux", &sum());
    assert!(code == 0 && program.is_file(), "the program itself: {said}");
}

/// The request as PandaDoc sent it, passed on whole.
fn raw(body: &[u8]) -> Value {
    json!({
        "body_base64": base64(body),
        "headers": {"content-type": "application/json"},
        "query": "signature=a77b1bd4a2764f4c866e7d5e6adc19a8eda7eb80eb469f9df485b8064771e692",
    })
}

#[test]
fn workflows_are_green_from_the_first_push_on_and_hand_over_what_was_signed() {
    for crm in ["none", "file"] {
        let sandbox = Sandbox::new();
        sandbox.handoff(".", &["init", "l", "--crm", crm]).exits(0);
        sandbox.write("l/deals.csv", DEALS);
        sandbox.git("l", &["add", "-A"]);
        sandbox.git("l", &["commit", "-qm", "an export"]);
        let runner = Runner::on(&sandbox, "l");
        let said = runner.green("validate", "push", &runner.push(NO_COMMIT));
        assert!(said.contains("no commit before this one"), "{said}");
        runner.green("sign", "schedule", &json!({"schedule": "17 * * * *"}));
        // A signature, in each form that it may come in.
        let before = runner.head();
        let payload: Value = serde_json::from_slice(&signed_body()).unwrap();
        let said =
            runner.green("sign", "repository_dispatch", &dispatch(json!({"payload": payload})));
        assert!(said.contains("handed over"), "{said}");
        assert!(said.contains("was not verified"), "{said}");
        let signed = runner.head();
        assert_ne!(before, signed, "the brief is on the remote");
        for again in [
            json!({"payload": String::from_utf8(signed_body()).unwrap()}),
            json!({"provider": "pandadoc", "body_base64": base64(&signed_body())}),
            raw(&signed_body()),
        ] {
            let said = runner.green("sign", "repository_dispatch", &dispatch(again));
            assert!(said.contains("already handed over"), "{said}");
        }
        assert_eq!(runner.head(), signed, "once, however often it is told");
        // The same with its key: verified, and a forged one refused.
        runner.secret("PANDADOC_WEBHOOK_KEY", "handoff-test-shared-key");
        let said = runner.green("sign", "repository_dispatch", &dispatch(raw(&signed_body())));
        assert!(said.contains("the signature is verified"), "{said}");
        let forged = String::from_utf8(signed_body()).unwrap().replace("48000", "99000");
        let (code, said) =
            runner.red("sign", "repository_dispatch", &dispatch(raw(forged.as_bytes())));
        assert_eq!(code, 3, "{said}");
        assert!(said.contains("does not hold"), "{said}");
        // Nor is one believed whose proof was left out on the way.
        for (gone, words) in [
            (&["query"][..], "the envelope has no `query`:"),
            (&["query", "headers"], "the envelope has no `query` and no `headers`:"),
        ] {
            let mut bare = raw(&signed_body());
            for name in gone {
                bare.as_object_mut().unwrap().remove(*name);
            }
            let (code, said) = runner.red("sign", "repository_dispatch", &dispatch(bare));
            assert_eq!(code, 3, "{said}");
            assert!(said.contains("has no signature in its query"), "{said}");
            assert!(said.contains(words), "{said}");
        }
        assert_eq!(runner.head(), signed, "nothing of it was written");
        // What is held on a runner has remedies that work there.
        let doubtful = json!([{"event": "document_state_changed", "data": {
            "id": "another-document", "name": "Mutual NDA", "status": "document.completed",
            "date_completed": "2026-10-14T15:44:00Z", "recipients": [],
        }}]);
        let doubtful = dispatch(json!({"payload": doubtful}));
        let (code, said) = runner.red("sign", "repository_dispatch", &doubtful);
        assert!(code == 3 && said.contains("held: "), "{said}");
        assert!(said.contains("re-run this job") && said.contains("`documents:`"), "{said}");
        assert!(!said.contains("handoff inbox") && !said.contains("handoff work"), "{said}");
        let alone = dispatch(json!({"payload": payload}));
        let said = runner.green("sign", "repository_dispatch", &alone);
        assert!(said.contains("was not verified: the envelope has the payload alone"), "{said}");
        // Something else than a signature is no failure.
        let other = fs::read(fixture("esign/pandadoc-recipient-completed.body.json")).unwrap();
        let other: Value = serde_json::from_slice(&other).unwrap();
        runner.green("sign", "repository_dispatch", &dispatch(json!({"payload": other})));
        // The brief is there and lacks answers, which is what its check says.
        let (code, said) = runner.red("validate", "push", &runner.push(&before));
        assert!(code == 1 && said.contains("unanswered-question"), "{said}");
        // A change that touches no brief, and a push after a force push.
        sandbox.git("l", &["pull", "-q", "../remote.git", "main"]);
        sandbox.write("l/NOTES.md", "ours\n");
        sandbox.git("l", &["add", "-A"]);
        sandbox.git("l", &["commit", "-qm", "notes"]);
        sandbox.git("l", &["push", "-q", "../remote.git", "HEAD:main"]);
        let said = runner.green("validate", "push", &runner.push(&signed));
        assert!(said.contains("no brief changed"), "{said}");
        let gone = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let (code, said) = runner.red("validate", "push", &runner.push(&gone.replace('4', "5")));
        assert!(code == 1 && said.contains("force push"), "every brief is checked: {said}");
        runner.green("sign", "schedule", &json!({}));
        let said = runner.job("audit", "workflow_dispatch", &json!({}));
        let (_, code, said) = said.last().unwrap();
        assert!([0, 1].contains(code), "an audit's findings are the only reason to be red: {said}");
        let tags = sandbox.git("remote.git", &["for-each-ref", "refs/handoff"]);
        assert!(
            tags.contains("refs/handoff/audit/"),
            "the audit left a checkpoint on the remote: {said}"
        );
    }
}

#[test]
fn workflows_of_a_form_hand_over_what_it_says() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--crm", "none"]).exits(0);
    let runner = Runner::on(&sandbox, "l");
    let body = "### Customer\n\nAcme Corp\n\n### Contract value\n\n48000.00 USD";
    let event = json!({"action": "opened", "issue": {
        "number": 12, "title": "Handoff: Acme Corp", "body": body, "created_at": "2026-11-20T16:00:00Z",
    }});
    let said = runner.green("form", "issues", &event);
    assert!(said.contains("github-12: handed over"), "{said}");
    let head = runner.head();
    runner.green("form", "issues", &event);
    assert_eq!(runner.head(), head, "the same form again makes nothing");
}

#[test]
fn workflows_of_each_crm_hand_over_its_deal_and_account_for_all_of_them() {
    for (crm, deal) in
        [("hubspot", "31874500101"), ("salesforce", "006Hs00000aB1cD"), ("pipedrive", "7001")]
    {
        let world = World::of(crm, "");
        let sandbox = &world.sandbox;
        sandbox.handoff("l", &["init", "--workflows"]).exits(0);
        let runner = Runner::on(sandbox, "l");
        for (name, value) in &world.secrets {
            runner.secret(name, value);
        }
        runner.green("validate", "push", &runner.push(NO_COMMIT));
        runner.green("sign", "schedule", &json!({}));
        let event = fs::read(world.contract(deal, "2026-11-20T15:01:58Z")).unwrap();
        let event: Value = serde_json::from_slice(&event).unwrap();
        let event = dispatch(json!({"payload": event}));
        let said = runner.green("sign", "repository_dispatch", &event);
        assert!(said.contains("handed over"), "{crm}: {said}");
        let signed = runner.head();
        let said = runner.green("sign", "repository_dispatch", &event);
        assert!(said.contains("already handed over"), "{crm}: {said}");
        assert_eq!(runner.head(), signed, "{crm}: once");
        let found = ["grep", "-h", "closed_won_at", "main", "--", "briefs/"];
        assert!(!sandbox.git("remote.git", &found).is_empty(), "{crm}: the deal was read");
        runner.green("sync", "schedule", &json!({}));
        let steps = runner.job("audit", "schedule", &json!({}));
        let (name, code, said) = steps.last().unwrap();
        assert!(name.starts_with("Audit") && *code == 1, "{crm}: {steps:#?}");
        assert!(said.contains("wrote audit.html"), "{crm}: {said}");
        let refs = sandbox.git("remote.git", &["for-each-ref", "refs/handoff/audit"]);
        assert_eq!(refs.lines().count(), 1, "{crm}: a checkpoint: {refs}");
    }
}

#[test]
fn workflows_without_the_secret_of_the_crm_are_red_and_name_it() {
    for (crm, secret) in [
        ("hubspot", "HUBSPOT_TOKEN"),
        ("salesforce", "SALESFORCE_CLIENT_ID"),
        ("pipedrive", "PIPEDRIVE_TOKEN"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.handoff(".", &["init", "l", "--crm", crm]).exits(0);
        let runner = Runner::on(&sandbox, "l");
        let payload: Value = serde_json::from_slice(&signed_body()).unwrap();
        let (_, said) =
            runner.red("sign", "repository_dispatch", &dispatch(json!({"payload": payload})));
        assert!(said.contains(secret), "{crm}: {said}");
        runner.green("validate", "push", &runner.push(NO_COMMIT));
        runner.green("sign", "schedule", &json!({}));
    }
}

/// What `gh` answers where a run of the branch has left an artifact.
const ARTIFACT: &str = "case \"$1\" in
  api) echo 4711 ;;
  run) while [ \"$1\" != --dir ]; do shift; done
    mkdir -p \"$2\" && cp \"$ARCHIVE\" \"$2/$(basename \"$DEALS\")\" ;;
esac";

#[tokio::test(flavor = "multi_thread")]
async fn the_export_may_be_committed_behind_an_address_or_an_artifact() {
    for deals in ["deals.csv", "exports/won.csv"] {
        for from in ["committed", "address", "artifact"] {
            let case = format!("{deals}, {from}");
            let tasks = Tasks::serve("issue").await;
            let sandbox = Sandbox::new();
            with_tasks(&sandbox, "file", "issue", &tasks.fake.url);
            let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
            sandbox.write("l/handoff.yaml", config.replace("deals.csv", deals));
            sandbox.git("l", &["rm", "-q", "deals.csv"]);
            if from == "committed" {
                sandbox.write(&format!("l/{deals}"), DEALS);
            }
            let told = sandbox.handoff("l", &["init", "--workflows"]).exits(0);
            sandbox.git("l", &["add", "-A"]);
            sandbox.git("l", &["commit", "-q", "--allow-empty", "-m", "where the export is"]);
            assert!(
                deals == "deals.csv" || told.stderr.contains("HANDOFF_DEALS_URL"),
                "{}",
                told.stderr
            );
            let runner = Runner::on(&sandbox, "l");
            let payload: Value = serde_json::from_slice(&signed_body()).unwrap();
            let signed = dispatch(json!({"payload": payload}));
            let form = json!({"action": "opened", "issue": {
                "number": 12, "title": "Handoff: Acme Corp", "created_at": "2026-11-20T16:00:00Z",
                "body": "### Customer\n\nAcme Corp\n\n### Contract value\n\n48000.00 USD",
            }});
            if from != "committed" {
                // Nobody has given one: said by what needs it, and no reason to be red hourly.
                for (name, kind, event) in [
                    ("sign", "repository_dispatch", &signed),
                    ("form", "issues", &form),
                    ("audit", "schedule", &json!({})),
                ] {
                    let (code, said) = runner.red(name, kind, event);
                    assert_eq!(code, 3, "{case}: {said}");
                    assert!(said.contains(&format!("commit {deals}")), "{case}: {said}");
                }
            }
            runner.green("sign", "schedule", &json!({}));
            runner.green("sync", "schedule", &json!({}));
            sandbox.write("h.tar.gz", DEALS);
            match from {
                "address" => {
                    let curl =
                        "while [ \"$1\" != --output ]; do shift; done\ncp \"$ARCHIVE\" \"$2\"";
                    runner.program("curl", curl);
                    runner.secret("HANDOFF_DEALS_URL", "https://crm.example.com/export");
                }
                "artifact" => runner.program("gh", ARTIFACT),
                _ => {}
            }
            let said = runner.green("sign", "repository_dispatch", &signed);
            assert!(said.contains("handed over"), "{case}: {said}");
            let brief = sandbox
                .git("remote.git", &["grep", "-h", "Marcus Oyelaran", "main", "--", "briefs/"]);
            assert!(!brief.is_empty(), "{case}: the brief is made of the deal");
            let said = runner.green("form", "issues", &form);
            assert!(said.contains("github-12: handed over"), "{case}: {said}");
            let steps = runner.job("audit", "schedule", &json!({}));
            let (name, code, said) = steps.last().unwrap();
            assert!(name.starts_with("Audit") && [0, 1].contains(code), "{case}: {said}");
            assert_eq!(tasks.count(), 2, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_on_runners_that_are_lost_tell_nobody_before_the_remote_has_it() {
    for form in ["issue", "pull_request"] {
        let tasks = Tasks::serve(form).await;
        let sandbox = Sandbox::new();
        with_tasks(&sandbox, "file", form, &tasks.fake.url);
        let runner = Runner::on(&sandbox, "l").forgetful();
        runner.green("sign", "schedule", &json!({}));
        runner.green("sync", "schedule", &json!({}));
        // The remote refuses what is pushed.
        let hook = sandbox.write("remote.git/hooks/pre-receive", "#!/bin/sh\necho no; exit 1\n");
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let refs = || sandbox.git("remote.git", &["for-each-ref"]);
        let before = refs();
        let payload: Value = serde_json::from_slice(&signed_body()).unwrap();
        let event = dispatch(json!({"payload": payload}));
        let (code, said) = runner.red("sign", "repository_dispatch", &event);
        assert_eq!(code, 3, "{form}: {said}");
        runner.green("sign", "schedule", &json!({}));
        assert_eq!(refs(), before, "{form}");
        assert_eq!(tasks.count(), 0, "{form}: nobody was told of what the remote does not have");
        fs::remove_file(hook).unwrap();
        // The run is started again, with the same event.
        runner.green("sign", "repository_dispatch", &event);
        assert_eq!(tasks.count(), 1, "{form}: one task");
        runner.green("sign", "repository_dispatch", &event);
        runner.green("sign", "schedule", &json!({}));
        if form == "issue" {
            let at = |number: u32| {
                let url = format!("https://github.example/acme/handoffs/issues/{number}");
                json!({"issue": {"html_url": url}})
            };
            runner.green("sync", "issue_comment", &at(1));
            // The label on something that is no task.
            runner.green("sync", "issues", &at(99));
        } else {
            let url = tasks.pulls.lock().unwrap().pulls[0]["html_url"].clone();
            let reviewed = json!({"pull_request": {"html_url": url}});
            runner.green("sync", "pull_request_review", &reviewed);
        }
        runner.green("sync", "schedule", &json!({}));
        assert_eq!(tasks.count(), 1, "{form}: still one");
    }
}

/// A ledger whose tasks go to a fake of GitHub, in one of its two forms.
fn with_tasks(sandbox: &Sandbox, crm: &str, form: &str, url: &str) {
    let init = [
        "init",
        "l",
        "--crm",
        crm,
        "--github",
        "acme/handoffs",
        "--csm",
        "Sam Lee <sam@example.com> @samlee",
    ];
    sandbox.handoff(".", &init).exits(0);
    let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    let there = format!("as: {form}, base_url: \"{url}\", seconds_between_writes: 0");
    sandbox.write("l/handoff.yaml", config.replacen("as: issue", &there, 1));
    sandbox.handoff("l", &["init", "--workflows"]).exits(0);
    sandbox.write("l/deals.csv", DEALS);
    sandbox.git("l", &["add", "-A"]);
    sandbox.git("l", &["commit", "-qm", "an export"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_with_tasks_on_github_are_green_in_both_forms() {
    for crm in ["none", "file"] {
        for form in ["issue", "pull_request"] {
            let tasks = Tasks::serve(form).await;
            let (has_pulls, pulls) = (form == "pull_request", &tasks.pulls);
            let count = || tasks.count();
            let sandbox = Sandbox::new();
            with_tasks(&sandbox, crm, form, &tasks.fake.url);
            let runner = Runner::on(&sandbox, "l");
            let case = format!("{crm}, {form}");
            // The first push, and hours in which nothing happens.
            let said = runner.green("validate", "push", &runner.push(NO_COMMIT));
            assert!(said.contains("no commit before this one"), "{case}: {said}");
            runner.green("sign", "schedule", &json!({}));
            runner.green("sync", "schedule", &json!({}));
            assert_eq!(count(), 0, "{case}");
            // A real signature, twice.
            let before = runner.head();
            let payload: Value = serde_json::from_slice(&signed_body()).unwrap();
            let event = dispatch(json!({"payload": payload}));
            runner.green("sign", "repository_dispatch", &event);
            runner.green("sign", "repository_dispatch", &event);
            runner.green("sign", "schedule", &json!({}));
            assert_eq!(count(), 1, "{case}: one task");
            assert_eq!(runner.head() == before, has_pulls, "{case}: a brief waits for the merge");
            if has_pulls {
                let pull = pulls.lock().unwrap().pulls[0].clone();
                let branch = pull["head"].as_str().unwrap().to_owned();
                let folders = sandbox.git("remote.git", &["ls-tree", "-r", "--name-only", &branch]);
                assert!(folders.contains("/sources.yaml"), "{folders}");
                let reviewed = json!({"pull_request": {"html_url": pull["html_url"]}});
                runner.green("sync", "pull_request_review", &reviewed);
                // The check of the pull request: what changed against the branch it aims at.
                let said = runner.job(
                    "validate",
                    "pull_request",
                    &json!({
                        "pull_request": {"base": {"sha": before}, "head": {"sha": branch}},
                    }),
                );
                assert!(said.iter().all(|(_, code, _)| [0, 1].contains(code)), "{case}: {said:?}");
                // The CSM merges it, as GitHub's button does.
                sandbox.git(".", &["clone", "-q", "remote.git", "person"]);
                let merge =
                    ["merge", "-q", "--no-ff", "-m", "Merge #1", &format!("origin/{branch}")];
                sandbox.git("person", &merge);
                sandbox.git("person", &["push", "-q", "origin", "main"]);
                for (name, value) in [
                    ("state", json!("closed")),
                    ("merged_at", json!("2026-11-20T16:50:00Z")),
                    ("merged_by", json!({"login": "samlee", "type": "User"})),
                ] {
                    pulls.lock().unwrap().pulls[0][name] = value;
                }
                runner.green("sync", "pull_request", &reviewed);
                let timeline =
                    sandbox.git("remote.git", &["grep", "-h", "event:", "main", "--", "briefs/"]);
                assert!(timeline.contains("accepted"), "{case}: merging accepts: {timeline}");
            } else {
                let task =
                    json!({"issue": {"html_url": "https://github.example/acme/handoffs/issues/1"}});
                runner.green("sync", "issue_comment", &task);
            }
            runner.green("sync", "schedule", &json!({}));
            // The briefs lack answers, which is the one reason to be red.
            let signed = runner.head();
            let (code, said) = runner.red("validate", "push", &runner.push(&before));
            assert!(code == 1 && said.contains("unanswered-question"), "{case}: {said}");
            assert!(!said.contains("broken-sources"), "{case}: {said}");
            // A change that touches no brief, and a force push.
            sandbox.git("l", &["pull", "-q", "--rebase", "../remote.git", "main"]);
            sandbox.write("l/README.md", "ours\n");
            sandbox.git("l", &["commit", "-qam", "the page of the ledger"]);
            sandbox.git("l", &["push", "-q", "../remote.git", "HEAD:main"]);
            let said = runner.green("validate", "push", &runner.push(&signed));
            assert!(said.contains("no brief changed"), "{case}: {said}");
            let gone = "5b825dc652cb6eb9a060e55bf8d69288fbee5905";
            let (code, said) = runner.red("validate", "push", &runner.push(gone));
            assert!(code == 1 && said.contains("force push"), "{case}: {said}");
            let steps = runner.job("audit", "workflow_dispatch", &json!({}));
            let (_, code, said) = steps.last().unwrap();
            assert!([0, 1].contains(code), "{case}: {said}");
            assert_eq!(count(), 1, "{case}: still one task");
        }
    }
}

#[test]
fn the_workflow_of_the_audit_leaves_and_requires_signed_checkpoints() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--crm", "file"]).exits(0);
    sandbox.write("l/deals.csv", DEALS);
    sandbox.git("l", &["add", "-A"]);
    sandbox.git("l", &["commit", "-qm", "an export"]);
    let runner = Runner::on(&sandbox, "l");
    // As docs/github.md says: the key into a secret, who may sign into a variable.
    let docs = include_str!("../../../docs/github.md");
    let make =
        docs.lines().find(|line| line.starts_with("ssh-keygen ")).expect("how to make a key");
    let mut shell = sandbox.command("sh", sandbox.join("."));
    let made = shell.args(["-c", make]).output().unwrap();
    if !made.status.success() {
        eprintln!("skipped: there is no ssh-keygen");
        return;
    }
    let read = |name: &str| fs::read_to_string(sandbox.join(name)).unwrap();
    let prefix = "handoff-audit namespaces=\"git\" ";
    assert!(docs.contains(prefix), "the line of the signers is documented");
    runner.secret("HANDOFF_CHECKPOINT_KEY", read("checkpoint-key").trim_end());
    let signers = format!("{prefix}{}", read("checkpoint-key.pub").trim_end());
    runner.secret("vars.HANDOFF_CHECKPOINT_SIGNERS", &signers);
    let audit = || {
        let steps = runner.job("audit", "workflow_dispatch", &json!({}));
        let (_, code, said) = steps.last().unwrap().clone();
        assert!([0, 1].contains(&code), "{said}");
        fs::read_to_string(sandbox.join("runner/summary.md")).unwrap()
    };
    let tags = || {
        let refs =
            sandbox.git("remote.git", &["for-each-ref", "--format=%(refname)", "refs/handoff"]);
        refs.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    runner.secret("inputs.first_checkpoint", "true");
    let first = audit();
    assert!(!first.contains("checkpoint-contradicted"), "{first}");
    runner.secret("inputs.first_checkpoint", "");
    let [tag] = &tags()[..] else { panic!("one checkpoint: {:?}", tags()) };
    let text = sandbox.git("remote.git", &["cat-file", "tag", tag]);
    assert!(text.contains("BEGIN SSH SIGNATURE"), "{text}");
    let second = audit();
    assert!(!second.contains("checkpoint-contradicted"), "{second}");
    assert_eq!(tags().len(), 2, "each audit leaves the next");
    // Whoever takes them away, or signs with another key, is named.
    for tag in tags() {
        sandbox.git("remote.git", &["update-ref", "-d", &tag]);
    }
    let gone = audit();
    assert!(gone.contains("checkpoint-contradicted"), "{gone}");
    let other = ["-q", "-t", "ed25519", "-N", "", "-f", "other"];
    assert!(
        sandbox.command("ssh-keygen", sandbox.join(".")).args(other).status().unwrap().success()
    );
    for tag in tags() {
        sandbox.git("remote.git", &["update-ref", "-d", &tag]);
    }
    runner.secret("inputs.first_checkpoint", "true");
    runner.secret("HANDOFF_CHECKPOINT_KEY", read("other").trim_end());
    audit();
    runner.secret("inputs.first_checkpoint", "");
    let foreign = audit();
    assert!(foreign.contains("checkpoint-contradicted"), "{foreign}");
}
