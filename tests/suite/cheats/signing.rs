//! Signed commits: where git's configuration asks for them, handoff's own are
//! signed by git as everybody's are, or nothing is written.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{Ledger, signing_key};
use crate::deliver::fake::{Asked, Fake, Reply};

/// What git says of the last commit's signature: `G` for a good one, `N` for none.
fn signature(ledger: &Ledger, revision: &str) -> String {
    let trust = ledger.sandbox.join("trust").display().to_string();
    let allowed = format!("gpg.ssh.allowedSignersFile={trust}");
    let log = ["-c", &allowed, "log", "-1", "--format=%G? %GS", revision];
    ledger.sandbox.git("l", &log).trim().to_owned()
}

#[test]
fn commits_are_signed_by_ssh_where_git_is_told_to() {
    let ledger = Ledger::new();
    if !signing_key(&ledger) {
        eprintln!("skipped: there is no ssh-keygen");
        return;
    }
    ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
    assert_eq!(signature(&ledger, "HEAD"), "N", "a key alone signs nothing");
    ledger.sandbox.git("l", &["config", "commit.gpgsign", "true"]);
    let accept = ["--now", "2026-11-02T11:00:00Z", "accept", "hubspot-1", "--by", "samlee"];
    ledger.sandbox.handoff("l", &accept).exits(0);
    assert_eq!(signature(&ledger, "HEAD"), "G auditor@example.com");
    let shown = ledger.sandbox.git("l", &["log", "-1", "--format=%an %ae %at %ct%n%B"]);
    assert!(shown.starts_with("handoff handoff@localhost 1793617200"), "{shown}");
    assert!(shown.contains("\nHandoff-Key: hubspot-1\n"), "the message is as it was: {shown}");
    ledger.sandbox.git("l", &["fsck", "--strict", "--no-dangling"]);
    let doctor = ledger.sandbox.handoff("l", &["doctor", "--offline"]).stdout;
    assert!(doctor.contains("git signs every commit of handoff"), "{doctor}");

    // What is put on top of the remote's is signed again.
    ledger.sandbox.git(".", &["clone", "-q", "--bare", "l", "remote.git"]);
    ledger.sandbox.git("l", &["remote", "add", "origin", "../remote.git"]);
    ledger.sandbox.git("l", &["fetch", "-q"]);
    ledger.sandbox.git(".", &["clone", "-q", "remote.git", "other"]);
    ledger.sandbox.git("other", &["commit", "-q", "--allow-empty", "-m", "theirs"]);
    ledger.sandbox.git("other", &["push", "-q"]);
    let touch = ["--now", "2026-11-02T12:00:00Z", "touch", "hubspot-1", "--by", "samlee"];
    ledger.sandbox.handoff("l", &touch).exits(0);
    assert_eq!(ledger.sandbox.git("l", &["log", "-1", "--format=%s", "HEAD~1"]).trim(), "theirs");
    assert_eq!(signature(&ledger, "origin/main"), "G auditor@example.com");
}

#[test]
fn a_commit_that_cannot_be_signed_is_not_made() {
    let ledger = Ledger::new();
    ledger.sandbox.git("l", &["config", "commit.gpgsign", "true"]);
    ledger.sandbox.git("l", &["config", "gpg.format", "ssh"]);
    ledger.sandbox.git("l", &["config", "user.signingkey", "/nowhere/key"]);
    let before = ledger.sandbox.git("l", &["rev-parse", "HEAD"]);
    let objects = ledger.sandbox.git("l", &["count-objects"]);
    let event = ledger.event("1", "2026-11-02T10:00:00Z");
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    let ran = ledger.sandbox.handoff("l", &["sign", &event]).exits(3);
    assert!(ran.stderr.contains("git could not sign the commit"), "{}", ran.stderr);
    assert_eq!(ledger.sandbox.git("l", &["rev-parse", "HEAD"]), before);
    assert_eq!(ledger.sandbox.git("l", &["count-objects"]), objects, "nothing was written");
    assert!(!ledger.sandbox.join("l/briefs").exists());
    assert!(!ledger.sandbox.join("l/.git/handoff/staging/signing").exists());
    // The help works: the first command shows the fault, the second goes on without.
    let help = "git config commit.gpgsign false";
    assert!(ran.stderr.contains(help), "{}", ran.stderr);
    let shows = ["commit-tree", "-S", "-m", "test", "HEAD^{tree}"];
    let shown = ledger.sandbox.command("git", ledger.sandbox.join("l")).args(shows).output();
    assert!(!shown.unwrap().status.success());
    ledger.sandbox.git("l", &["config", "commit.gpgsign", "false"]);
    ledger.sandbox.handoff("l", &["sign", &event]).exits(0);
    assert_eq!(signature(&ledger, "HEAD"), "N");
}

#[test]
fn commits_are_signed_by_openpgp_where_gpg_is_there() {
    let ledger = Ledger::new();
    // A socket's path may have 107 bytes, so the keys lie in a short one.
    let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str]| {
        let mut command = ledger.sandbox.command("gpg", ".");
        command.env("GNUPGHOME", home.path()).args(["--batch", "--quiet"]).args(arguments);
        command.output()
    };
    let user = "Test <test@example.com>";
    let made = gpg(&["--passphrase", "", "--quick-generate-key", user, "ed25519", "sign", "never"]);
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: there is no gpg that makes a key");
        return;
    }
    for (key, value) in
        [("commit.gpgsign", "true"), ("user.name", "Test"), ("user.email", "test@example.com")]
    {
        ledger.sandbox.git("l", &["config", key, value]);
    }
    let event = ledger.event("1", "2026-11-02T10:00:00Z");
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    let gnupg = [("GNUPGHOME", home.path().to_str().unwrap())];
    ledger.sandbox.handoff_with("l", &["sign", &event], &gnupg).exits(0);
    let mut log = ledger.sandbox.command("git", ledger.sandbox.join("l"));
    let log = log.env("GNUPGHOME", home.path()).args(["log", "-1", "--format=%G? %GS"]);
    let said = String::from_utf8(log.output().unwrap().stdout).unwrap();
    let _ = ledger
        .sandbox
        .command("gpgconf", ".")
        .env("GNUPGHOME", home.path())
        .args(["--kill", "all"])
        .output();
    assert!(said.starts_with("G ") || said.starts_with("U "), "{said}");
}

#[test]
fn what_only_reads_runs_no_program_that_git_was_told_of() {
    let ledger = Ledger::late();
    let ran = ledger.sandbox.join("ran");
    let script = ledger.sandbox.write("program", format!("#!/bin/sh\ntouch {}\n", ran.display()));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let script = script.display().to_string();
    for (key, value) in [
        ("commit.gpgsign", "true"),
        ("user.signingkey", "x"),
        ("gpg.program", &script),
        ("gpg.ssh.program", &script),
        ("core.fsmonitor", &script),
        ("core.editor", &script),
        ("diff.external", &script),
        ("filter.x.clean", &script),
        ("filter.x.smudge", &script),
    ] {
        ledger.sandbox.git("l", &["config", key, value]);
    }
    fs::write(ledger.sandbox.join("l/.git/info/attributes"), "* filter=x\n").unwrap();
    ledger.sandbox.handoff("l", &["validate"]);
    ledger.sandbox.handoff("l", &["validate", "--since", "HEAD~1"]);
    ledger.sandbox.handoff("l", &["audit", "--deals", "../deals.csv"]);
    ledger.sandbox.handoff("l", &["doctor"]);
    ledger.sandbox.handoff("l", &["render", "hubspot-1"]).exits(0);
    ledger.sandbox.handoff("l", &["status"]);
    assert!(!ran.exists(), "a program was run");
    ledger.sandbox.handoff("l", &["accept", "hubspot-1", "--by", "samlee"]).exits(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_that_a_branch_takes_signed_commits_only_and_git_does_not_sign() {
    let rules = std::sync::Arc::new(std::sync::Mutex::new((200, json!([]))));
    let answers = std::sync::Arc::clone(&rules);
    let fake = Fake::serve(move |asked: &Asked| match &*asked.path {
        "/repos/acme/handoffs/rules/branches/main" => {
            let (status, body) = answers.lock().unwrap().clone();
            Reply::Json(status, body)
        }
        _ => Reply::Json(404, json!({"message": "Not Found"})),
    })
    .await;
    let ledger = Ledger::new();
    ledger.sandbox.git("l", &["remote", "add", "origin", "git@github.com:acme/handoffs.git"]);
    ledger.sandbox.git("l", &["config", "core.sshCommand", "false"]);
    let github =
        format!("deliver:\n  github: {{repository: acme/handoffs, base_url: \"{}\"}}", fake.url);
    ledger.change("handoff.yaml", "deliver:\n  {}", &github);
    let doctor = || {
        let token = [("GITHUB_TOKEN", "ghp_secret")];
        let ran = ledger.sandbox.handoff_with("l", &["doctor", "--format", "json"], &token);
        let checks = ran.json()["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["what"] == "signed commits")
    };
    assert_eq!(doctor(), None, "nothing is required and nothing is signed");
    *rules.lock().unwrap() = (200, json!([{"type": "deletion"}, {"type": "required_signatures"}]));
    let check = doctor().unwrap();
    assert_eq!(check["level"], "failed", "{check}");
    assert!(
        check["detail"].as_str().unwrap().contains("main takes signed commits only"),
        "{check}"
    );
    let remedy = check["remedy"].as_str().unwrap();
    assert!(remedy.contains("git config commit.gpgsign true"), "{check}");
    ledger.sandbox.git("l", &["config", "commit.gpgsign", "true"]);
    assert_eq!(doctor().unwrap()["level"], "ok");
    *rules.lock().unwrap() = (403, json!({"message": "Resource not accessible"}));
    assert_eq!(doctor().unwrap()["level"], "warning", "what GitHub does not say is not known");
}

/// What somebody may be called, so that a program's words about them read like
/// a verdict on an auditor's key; with the line of the file of those trusted.
const VERDICTS: [(&str, Option<&str>); 3] = [
    ("Good \"git\" signature for auditor@example.com with x", None),
    ("[GNUPG:] VALIDSIG AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Some(FORTY)),
    ("VALIDSIG AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Some(FORTY)),
];
const FORTY: &str = "openpgp AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

#[test]
fn a_name_that_reads_like_a_verdict_is_nobody_who_is_trusted() {
    let ledger = Ledger::late();
    if !super::signing_key(&ledger) {
        return;
    }
    let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let gnupg = [("GNUPGHOME", home.path().to_str().unwrap())];
    let run = |program: &str, arguments: &[&str]| {
        let mut command = ledger.sandbox.command(program, home.path());
        command.env("GNUPGHOME", home.path()).args(arguments).output()
    };
    let trusted = fs::read_to_string(ledger.sandbox.join("trust")).unwrap();
    ledger.sandbox.git("l", &["config", "gpg.format", "openpgp"]);
    for (number, (name, trust)) in VERDICTS.into_iter().enumerate() {
        let key = format!(
            "%no-protection\nKey-Type: eddsa\nKey-Curve: ed25519\nName-Real: {name}\nName-Email: rep@example.com\nExpire-Date: 0\n%commit\n"
        );
        fs::write(home.path().join("key"), key).unwrap();
        let made = run("gpg", &["--batch", "--allow-freeform-uid", "--gen-key", "key"]);
        if !made.is_ok_and(|made| made.status.success()) {
            eprintln!("skipped: there is no gpg that makes a key");
            return;
        }
        let keys = run("gpg", &["--list-keys", "--with-colons"]).unwrap().stdout;
        let keys = String::from_utf8(keys).unwrap();
        let print = keys.lines().rev().find_map(|line| line.strip_prefix("fpr:")).unwrap();
        let print = print.trim_matches(':').to_owned();
        ledger.sandbox.git("l", &["config", "user.signingkey", &print]);
        ledger.sandbox.write("trust", trust.unwrap_or(&trusted));
        let now = format!("2026-11-1{number}T06:00:00Z");
        let deals = ["--deals", "../deals.csv"];
        let audit = [&["--now", &now, "audit", "--checkpoint"], &deals[..]].concat();
        ledger.sandbox.handoff_with("l", &audit, &gnupg).exits(1);
        let verify = ["verify", "--trust", "../trust"];
        let told = ledger.sandbox.handoff_with("l", &verify, &gnupg).exits(1).stdout;
        assert!(!told.contains(", signed by"), "{name}: {told}");
        assert!(told.contains("is not signed by anybody who is trusted"), "{name}: {told}");
        // Whose key it is says its fingerprint alone.
        ledger.sandbox.write("trust", format!("openpgp {print}\n"));
        let told = ledger.sandbox.handoff_with("l", &verify, &gnupg).stdout;
        assert!(told.contains(&format!("signed by {print}")), "{name}: {told}");
        let checkpoints =
            ledger.sandbox.git("l", &["for-each-ref", "--format=%(refname)", "refs/handoff/audit"]);
        ledger.sandbox.git("l", &["update-ref", "-d", checkpoints.trim()]);
    }
    let _ = run("gpgconf", &["--kill", "all"]);
}
