//! A chain of checkpoints over twelve months, broken in each of its parts.

use std::fs;

use super::{Ledger, signing_key};
use crate::sandbox::Ran;

/// Twelve monthly audits with signed checkpoints; the deal is late in each.
struct Year {
    ledger: Ledger,
    names: Vec<String>,
}

impl Year {
    fn new() -> Option<Self> {
        let ledger = Ledger::late();
        if !signing_key(&ledger) {
            return None;
        }
        let mut names = Vec::new();
        for month in 1..=12 {
            let now = format!("2027-{month:02}-01T06:00:00Z");
            let empty = ["commit", "-q", "--allow-empty", "-m", "a month"];
            ledger.git_at(&now, &empty);
            let audit = [
                "--now",
                &now,
                "audit",
                "--deals",
                "../deals.csv",
                "--checkpoint",
                "--format",
                "csv",
            ];
            ledger.sandbox.handoff("l", &audit).exits(1);
            names.push(format!("refs/handoff/audit/2027{month:02}01T060000Z"));
        }
        Some(Self { ledger, names })
    }

    fn verify(&self) -> Ran {
        let verify = ["--now", "2028-01-01T00:00:00Z", "verify", "--trust", "../trust"];
        self.ledger.sandbox.handoff("l", &verify)
    }

    fn audit(&self) -> serde_json::Value {
        let audit = [
            "--now",
            "2028-01-01T00:00:00Z",
            "audit",
            "--deals",
            "../deals.csv",
            "--format",
            "json",
            "--require-checkpoint",
            "--trust",
            "../trust",
        ];
        self.ledger.sandbox.handoff("l", &audit).exits(1).json()
    }

    #[track_caller]
    fn is_contradicted(&self, words: &str) {
        let findings = self.audit()["findings"].to_string();
        assert!(findings.contains("checkpoint-contradicted"), "{findings}");
        assert!(findings.contains(words), "{words:?} is not in {findings}");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_says_what_to_do() {
    let ledger = Ledger::late();
    // A file where the folder of the refs belongs: nobody can write there, whoever runs this.
    ledger.sandbox.write("l/.git/refs/handoff/audit", "");
    let now = ["--now", "2027-01-01T06:00:00Z", "audit", "--deals", "../deals.csv"];
    let ran = ledger.sandbox.handoff("l", &[&now[..], &["--checkpoint"]].concat()).exits(3);
    assert!(ran.stderr.contains("cannot be written: "), "{}", ran.stderr);
    let help = "\nhelp: run it as a user who may write to the repository";
    assert!(ran.stderr.contains(help), "{}", ran.stderr);
}

#[test]
fn twelve_months_hold_together_and_each_break_is_named() {
    let Some(year) = Year::new() else { return };
    let told = year.verify().exits(0).stdout;
    assert_eq!(told.matches("signed by auditor@example.com").count(), 12, "{told}");
    assert!(!year.audit()["findings"].to_string().contains("checkpoint-contradicted"));

    // One of the middle is taken out.
    let git = |arguments: &[&str]| year.ledger.git_at("2027-12-02T00:00:00Z", arguments);
    let id = git(&["rev-parse", &year.names[5]]);
    git(&["update-ref", "-d", &year.names[5]]);
    assert!(year.verify().exits(1).stdout.contains("was removed or replaced"));
    year.is_contradicted("follows one that is not here");
    // One that is signed, and not where it was, is no better.
    git(&["update-ref", &year.names[5], &year.names[6]]);
    year.is_contradicted("follows one that is not here");
    git(&["update-ref", &year.names[5], id.trim()]);
    year.verify().exits(0);

    // One is rewritten without the key: text changed, signature gone.
    let text = git(&["cat-file", "tag", &year.names[11]]);
    let (body, _) = text.split_once("-----BEGIN").unwrap();
    let forged = year.ledger.sandbox.write("forged", body.replace("\"late\"", "\"on_time\""));
    let forged = git(&["hash-object", "-t", "tag", "-w", &forged.display().to_string()]);
    let id = git(&["rev-parse", &year.names[11]]);
    git(&["update-ref", &year.names[11], forged.trim()]);
    year.is_contradicted("is not signed by anybody who is trusted");
    year.is_contradicted("holds other deals than its root stands for");
    git(&["update-ref", &year.names[11], id.trim()]);

    // A signer whom nobody trusts.
    let trust = year.ledger.sandbox.join("trust");
    let trusted = fs::read_to_string(&trust).unwrap();
    fs::write(&trust, "").unwrap();
    year.is_contradicted("is not signed by anybody who is trusted");
    fs::write(&trust, trusted).unwrap();

    // What was late becomes exempt.
    let brief = git(&["ls-files", "briefs/*brief.yaml"]);
    let (folder, _) = brief.trim().rsplit_once('/').unwrap();
    let exempted = "event: exempted; via: cli; by: Boss; reason: void";
    super::events::write_event(&year.ledger, folder, "2027-12-01T00:00:00Z", exempted);
    git(&["rm", "-q", brief.trim()]);
    git(&["commit", "-qam", "void"]);
    year.is_contradicted("as late and is exempt now");
    git(&["reset", "-q", "--hard", "HEAD~1"]);

    // The deal vanishes from the population; another one keeps the list from being empty.
    let other = "2,Other,Closed Won,2026-11-03 10:00,Riley Ross,100.00,USD,true,New";
    year.ledger.deals(&[other]);
    year.is_contradicted(
        "saw deal hubspot-1 (100.00 USD) and is no longer in the population (late)",
    );
    // Its history is replaced by one in which it came in time.
    year.ledger.deals(&["1,Acme,Closed Won,2026-11-02 12:30,Riley Ross,100.00,USD,true,New"]);
    git(&["checkout", "-q", "--orphan", "again", "main~13"]);
    git(&["commit", "-qm", "the settings"]);
    git(&["branch", "-qf", "main", "again"]);
    git(&["checkout", "-q", "main"]);
    year.ledger.sign("1", "2026-11-02T12:30:00Z", "2026-11-02T13:00:00Z");
    let findings = year.audit()["findings"].to_string();
    assert!(findings.contains("history-rewritten"), "{findings}");

    // All of them are gone.
    for name in &year.names {
        git(&["update-ref", "-d", name]);
    }
    year.verify().exits(4);
    year.is_contradicted("There is no checkpoint, and one is required");
}

/// A tag object with another message, at the ref of the one it replaces.
fn put(year: &Year, name: &str, text: &str) {
    let file = year.ledger.sandbox.write("forged", text).display().to_string();
    let git = |arguments: &[&str]| year.ledger.git_at("2027-12-02T00:00:00Z", arguments);
    let id = git(&["hash-object", "-t", "tag", "-w", "--literally", &file]);
    git(&["update-ref", name, id.trim()]);
}

#[test]
fn each_part_of_a_checkpoint_is_held_by_its_signature() {
    let Some(year) = Year::new() else { return };
    let git = |arguments: &[&str]| year.ledger.git_at("2027-12-02T00:00:00Z", arguments);
    let text = |name: &str| git(&["cat-file", "tag", name]);
    let tree = git(&["rev-parse", "HEAD~5"]).trim().to_owned();
    // The first, one of the middle and the last.
    for at in [0, 5, 11] {
        let name = &year.names[at];
        let (id, whole) = (git(&["rev-parse", name]), text(name));
        let (head, rest) = whole.split_once("\n\n").unwrap();
        let (body, signature) = rest.split_at(rest.find("-----BEGIN").unwrap());
        let message: serde_json::Value = serde_json::from_str(body).unwrap();
        let zeros = "0".repeat(64);
        let parts = [
            ("/at", serde_json::json!(format!("2027-{:02}-01T06:00:01Z", at + 1))),
            ("/tip", serde_json::json!(tree)),
            ("/previous", serde_json::json!(tree)),
            ("/population_sha256", serde_json::json!(zeros)),
            ("/settings", serde_json::json!(tree)),
            ("/brief_schema", serde_json::json!(tree)),
            ("/summary", serde_json::json!({})),
            ("/root", serde_json::json!(zeros)),
            ("/deals/0/key", serde_json::json!("hubspot-2")),
            ("/deals/0/class", serde_json::json!("on_time")),
            ("/deals/0/value", serde_json::json!("1.00 USD")),
            ("/deals/0/won_at", serde_json::json!("2026-11-02T12:30:00Z")),
            ("/deals", serde_json::json!([])),
            ("/is_current", serde_json::json!(false)),
        ];
        for (pointer, value) in parts {
            let mut forged = message.clone();
            let (above, field) = pointer.rsplit_once('/').unwrap();
            forged.pointer_mut(above).unwrap()[field] = value;
            let forged = serde_json::to_string_pretty(&forged).unwrap();
            if forged.trim() == body.trim() {
                continue;
            }
            put(&year, name, &format!("{head}\n\n{forged}\n{signature}"));
            let ran = year.verify();
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(matches!(ran.code, 1 | 3), "{pointer} of {at} ended with {}: {said}", ran.code);
            let is_named = said.contains("is not signed by anybody who is trusted")
                || said.contains(&format!("{name}: cannot be read"))
                || said.contains(name.as_str());
            assert!(is_named, "{pointer} of {at}: {said}");
        }
        // The signature is another's, or half of it.
        let other = text(&year.names[(at + 1) % 12]);
        let others = &other[other.find("-----BEGIN").unwrap()..];
        let half = &signature[..signature.len() / 2];
        for signature in [others, half, ""] {
            put(&year, name, &format!("{head}\n\n{body}{signature}"));
            let ran = year.verify();
            assert!(matches!(ran.code, 1 | 3), "{at}: {}{}", ran.stdout, ran.stderr);
        }
        // It is gone: of the middle and the beginning the next one misses it, of the end another
        // clone or the remote does.
        git(&["update-ref", "-d", name]);
        match at {
            11 => drop(year.verify().exits(0)),
            _ => assert!(year.verify().exits(1).stdout.contains("was removed or replaced")),
        }
        git(&["update-ref", name, id.trim()]);
        year.verify().exits(0);
    }
    // Two that change places.
    let (a, b) = (git(&["rev-parse", &year.names[3]]), git(&["rev-parse", &year.names[4]]));
    git(&["update-ref", &year.names[3], b.trim()]);
    git(&["update-ref", &year.names[4], a.trim()]);
    year.verify().exits(0);
    git(&["update-ref", &year.names[4], b.trim()]);
    assert!(year.verify().exits(1).stdout.contains("follows one that is not here"));
    git(&["update-ref", &year.names[3], a.trim()]);
    // The remote has another one of the same name, or lacks the last.
    year.ledger.sandbox.git(".", &["clone", "-q", "--mirror", "l", "remote.git"]);
    git(&["remote", "add", "origin", "../remote.git"]);
    git(&["fetch", "-q", "origin"]);
    year.verify().exits(0);
    year.ledger.sandbox.git("remote.git", &["update-ref", &year.names[7], b.trim()]);
    assert!(year.verify().exits(1).stdout.contains("differs from the one on the remote"));
    year.ledger.sandbox.git("remote.git", &["update-ref", "-d", &year.names[7]]);
    assert!(year.verify().exits(3).stderr.contains("is not on origin"));
}

#[test]
fn whoever_may_push_stops_no_audit_with_a_ref_of_their_own() {
    let Some(year) = Year::new() else { return };
    let git = |arguments: &[&str]| year.ledger.git_at("2027-12-02T00:00:00Z", arguments);
    year.ledger.sandbox.git(".", &["clone", "-q", "--mirror", "l", "remote.git"]);
    git(&["remote", "add", "origin", "../remote.git"]);
    git(&["fetch", "-q", "origin"]);
    git(&["tag", "-a", "-m", "{}", "odd", "HEAD"]);
    for (name, target) in [
        ("audit/20271112T000000Z", "HEAD"),
        ("audit/20271112T000001Z", "HEAD:handoff.yaml"),
        ("audit/20271112T000002Z", "HEAD^{tree}"),
        ("audit/20271112T000003Z", "odd"),
        ("audit/mine", "HEAD"),
        ("audit/20271112T000004Z/x", "HEAD"),
        ("timestamps/mine", "HEAD:handoff.yaml"),
        ("timestamps/20271112T000000Z", "HEAD:handoff.yaml"),
    ] {
        let name = format!("refs/handoff/{name}");
        git(&["push", "-q", "origin", &format!("{target}:{name}")]);
        let report = year.audit();
        let findings = report["findings"].to_string();
        assert!(
            findings.contains("checkpoint-contradicted") && findings.contains(&name),
            "{findings}"
        );
        let told = year.verify().exits(1).stdout;
        assert_eq!(told.matches("signed by auditor@example.com").count(), 12, "{name}: {told}");
        // The remedy that it names, and what was fetched of it.
        let remedy = format!("git push origin :{name}");
        if name.contains("/audit/") {
            assert!(told.contains(&remedy), "{told}");
        }
        git(&["push", "-q", "origin", &format!(":{name}")]);
        git(&["update-ref", "-d", &name]);
        year.verify().exits(0);
    }
}

#[test]
fn a_checkpoint_of_somebody_else_breaks_no_chain() {
    let Some(year) = Year::new() else { return };
    let git = |arguments: &[&str]| year.ledger.git_at("2027-12-02T00:00:00Z", arguments);
    let audit = |now: &str| {
        let audit = ["--now", now, "audit", "--deals", "../deals.csv", "--checkpoint"];
        year.ledger.sandbox.handoff("l", &audit).exits(1);
    };
    // Without the auditor's key: one of today and one of a time to come.
    let key = git(&["config", "user.signingkey"]);
    git(&["config", "--unset", "user.signingkey"]);
    audit("2027-12-02T00:00:00Z");
    audit("2031-01-01T00:00:00Z");
    git(&["config", "user.signingkey", key.trim()]);
    audit("2027-12-03T00:00:00Z");
    let told = year.verify().exits(1).stdout;
    assert_eq!(told.matches("signed by auditor@example.com").count(), 13, "{told}");
    assert!(!told.contains("follows one that is not here"), "{told}");
    git(&["update-ref", "-d", "refs/handoff/audit/20271202T000000Z"]);
    year.verify().exits(0);
    // A newer one that keeps what was bent hides nothing of what was seen before.
    year.ledger.deals(&["1,Acme,Closed Won,2026-11-02 10:00,Riley Ross,1.00,USD,true,New"]);
    git(&["config", "--unset", "user.signingkey"]);
    audit("2027-12-04T00:00:00Z");
    year.is_contradicted("saw deal hubspot-1 (100.00 USD) as late, and it is 1.00 USD now");
}

#[test]
fn a_proof_that_is_required_and_cannot_be_looked_at_is_a_gap() {
    let ledger = Ledger::new();
    if !signing_key(&ledger) {
        return;
    }
    // Nothing else is wrong: no deal is won.
    ledger.deals(&["1,Acme,Qualified,2026-11-02 10:00,Riley Ross,100.00,USD,false,New"]);
    ledger.sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    ledger.sandbox.git("l", &["remote", "add", "origin", "../remote.git"]);
    ledger.sandbox.git("l", &["push", "-q", "origin", "main"]);
    let first = ["--now", "2027-01-01T06:00:00Z", "audit", "--deals", "../deals.csv"];
    ledger.sandbox.handoff("l", &[&first[..], &["--checkpoint"]].concat());
    let required = ["--require-checkpoint", "--trust", "../trust"];
    let now = ["--now", "2027-02-01T06:00:00Z", "audit", "--deals", "../deals.csv"];
    let audit = |more: &[&str]| {
        ledger.sandbox.handoff("l", &[&now[..], &["--format", "json"], more].concat())
    };
    assert_eq!(audit(&required).json()["complete"], true);
    ledger.sandbox.git("l", &["remote", "set-url", "origin", "../gone.git"]);
    let ran = audit(&required).exits(3);
    let report = ran.json();
    assert_eq!(report["complete"], false, "{report}");
    let gaps = report["gaps"].to_string();
    assert!(gaps.contains("the checkpoints of origin could not be fetched"), "{gaps}");
    // Where none is required, a person is told and the audit goes on.
    let ran = audit(&[]);
    assert_eq!(ran.json()["complete"], true);
    assert!(
        ran.stderr.contains("the checkpoints of origin could not be fetched"),
        "{}",
        ran.stderr
    );
}

#[test]
fn what_was_missed_keeps_its_worth_and_its_owner() {
    let ledger = Ledger::new();
    if !signing_key(&ledger) {
        return;
    }
    let row = |owner: &str, amount: &str| {
        format!("1,Acme,Closed Won,2026-11-02 10:00,{owner},{amount},USD,true,New")
    };
    let audit = |more: &[&str]| {
        let ran = ledger.audit(&[&["--trust", "../trust"], more].concat());
        ran.json()["findings"].as_array().unwrap().clone()
    };
    ledger.deals(&[&row("Riley Ross", "100000.00")]);
    let checkpoint = ["--now", "2026-11-04T00:00:00Z", "audit", "--deals", "../deals.csv"];
    ledger.sandbox.handoff("l", &[&checkpoint[..], &["--checkpoint"]].concat()).exits(1);
    for (owner, amount, expected) in [
        ("Riley Ross", "100000", None),
        ("Riley Ross", "1.00", Some(("error", "as missing, and it is 1.00 USD now"))),
        ("Riley Ross", "", Some(("error", "as missing, and it is without an amount now"))),
        ("Riley Ross", "200000.00", Some(("warning", "as missing, and it is 200000.00 USD now"))),
        (
            "Sam Other",
            "100000.00",
            Some(("warning", "as missing, of \"Riley Ross\", and it is of \"Sam Other\" now")),
        ),
    ] {
        ledger.deals(&[&row(owner, amount)]);
        let findings = audit(&[]);
        let found = findings.iter().find(|it| it["rule"] == "checkpoint-contradicted");
        let told = found.map(|it| {
            (it["severity"].as_str().unwrap(), it["message"].as_str().unwrap().to_owned())
        });
        match (expected, &told) {
            (None, None) => {}
            (Some((severity, words)), Some((is, message))) => {
                assert!(*is == severity && message.contains(words), "{told:?}");
            }
            _ => panic!("{owner} {amount}: {told:?}"),
        }
    }
}
