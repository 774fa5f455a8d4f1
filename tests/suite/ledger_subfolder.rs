//! A ledger that is a folder of a larger repository, and a repository that
//! belongs to somebody else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::fs;

use serde_json::json;

use crate::sandbox::{Sandbox, ran};

const DEALS: &str = "Record ID,Deal Name,Deal Stage,Close Date,Deal owner,Amount,Currency,Is Closed Won\n\
    1,Acme,Closed Won,2026-11-02 10:00,Riley Ross,100.00,USD,true\n";

/// A repository of a whole company, with a ledger in `teams/cs` and a remote.
fn company() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "-q", "-b", "main", "repo"]);
    sandbox.write("repo/README.md", "the company\n");
    sandbox.write("repo/briefs/other/brief.yaml", "of another program\n");
    sandbox.write("repo/teams/sales/notes.md", "sales\n");
    sandbox.git("repo", &["add", "-A"]);
    sandbox.git("repo", &["commit", "-qm", "the company"]);
    let init = ["--now", "2026-11-01T00:00:00Z", "init", "repo/teams/cs", "--crm", "file", "--yes"];
    let said = sandbox.handoff(".", &init).exits(0).stderr;
    assert!(said.contains("a folder of a larger repository"), "{said}");
    sandbox.write("repo/teams/cs/deals.csv", DEALS);
    sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    sandbox.git("repo", &["remote", "add", "origin", "../remote.git"]);
    sandbox.git("repo", &["push", "-q", "origin", "main"]);
    sandbox
}

fn event(sandbox: &Sandbox) -> String {
    let event = json!({"type": "contract.signed", "timestamp": "2026-11-02T10:00:00Z", "data": {
        "id": "doc-1", "name": "Contract 1", "signed_at": "2026-11-02T10:00:00Z",
        "signers": [], "crm": {"provider": "hubspot", "entity_type": "deal", "entity_id": "1"}}});
    sandbox.write("event.json", event.to_string()).display().to_string()
}

#[test]
fn a_ledger_in_a_folder_of_a_larger_repository_works_throughout() {
    let sandbox = company();
    assert!(!sandbox.join("repo/teams/cs/.git").exists(), "no repository inside of the repository");
    assert!(!sandbox.join("repo/teams/cs/.github").exists(), "GitHub reads none there");
    let made = sandbox.git("repo", &["show", "--stat=200", "--format=", "HEAD"]);
    assert!(made.contains("teams/cs/handoff.yaml"), "{made}");
    assert!(
        made.lines().filter(|line| line.contains('|')).all(|line| line.contains("teams/cs/")),
        "{made}"
    );
    let event = event(&sandbox);
    let in_ledger = ["-C", "repo/teams/cs"];
    let run = |arguments: &[&str]| sandbox.handoff(".", &[&in_ledger[..], arguments].concat());
    let sign = ["--now", "2026-11-02T10:05:00Z", "sign", &event, "--format", "json"];
    let signed = run(&sign).exits(0).json();
    let folder = signed["path"].as_str().unwrap().to_owned();
    assert!(folder.starts_with("briefs/2026/11/"), "{folder}");
    assert!(sandbox.join("repo/teams/cs").join(&folder).join("brief.yaml").exists());
    let clean = sandbox.git("repo", &["status", "--porcelain", "--untracked-files=no"]);
    assert_eq!(clean, "", "the checkout follows");
    run(&["validate"]);
    let since = run(&["validate", "--since", "HEAD~1"]);
    assert!(since.stdout.contains(&folder), "{}{}", since.stdout, since.stderr);
    let status = run(&["status"]).exits(0).stdout;
    assert!(status.contains("hubspot-1"), "{status}");
    run(&["deliver"]).exits(0);
    assert!(sandbox.join("repo/teams/cs/outbox").exists());
    // From a folder below the ledger, too.
    let below = sandbox.handoff("repo/teams/cs/briefs/2026", &["render", "hubspot-1"]).exits(0);
    assert!(below.stdout.contains("Acme"), "{}", below.stdout);

    // Others work in the same repository, and push first.
    sandbox.git(".", &["clone", "-q", "remote.git", "other"]);
    sandbox.write("other/teams/sales/notes.md", "more sales\n");
    sandbox.git("other", &["commit", "-qam", "sales"]);
    sandbox.git("other", &["push", "-q"]);
    let accept = ["--now", "2026-11-02T11:00:00Z", "accept", "hubspot-1", "--by", "samlee"];
    run(&accept).exits(0);
    let log = sandbox.git("remote.git", &["log", "--format=%s", "main"]);
    assert!(log.contains("sales\n"), "{log}");
    let notes = sandbox.git("remote.git", &["show", "main:teams/sales/notes.md"]);
    assert_eq!(notes, "more sales\n");
    let top = sandbox.git("remote.git", &["ls-tree", "--name-only", "main"]);
    assert_eq!(top, "README.md\nbriefs\nteams\n");
    for audit in [&["audit"][..], &["audit"], &["audit", "--no-cache"]] {
        let report = run(&[audit, &["--format", "json"]].concat()).json();
        assert_eq!(report["deals"][0]["class"], "on_time", "{report}");
        assert_eq!(report["deals"].as_array().unwrap().len(), 1, "{report}");
        let findings = report["findings"].to_string();
        assert!(
            !findings.contains("orphan-brief"),
            "the other program's files are no ledger: {findings}"
        );
    }
    // Another clone reads the same.
    sandbox.git("other", &["pull", "-q"]);
    let status = sandbox.handoff("other/teams/cs", &["status"]).exits(0).stdout;
    assert!(status.contains("hubspot-1"), "{status}");
    sandbox.git("repo", &["fsck", "--strict", "--no-dangling"]);
    // The second run of init has nothing to do.
    let tip = sandbox.git("repo", &["rev-parse", "HEAD"]);
    sandbox.handoff("repo/teams/cs", &["init", "--crm", "file", "--yes"]).exits(0);
    assert_eq!(sandbox.git("repo", &["rev-parse", "HEAD"]), tip);
}

#[test]
fn a_folder_that_the_repository_ignores_gets_a_repository_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "-q", "-b", "main", "repo"]);
    sandbox.write("repo/.gitignore", "scratch/\n");
    sandbox.handoff(".", &["init", "repo/scratch/l", "--crm", "file", "--yes"]).exits(0);
    assert!(sandbox.join("repo/scratch/l/.git").exists());
    sandbox.handoff("repo", &["demo", "shown"]).exits(0);
    assert!(sandbox.join("repo/shown/.git").exists(), "a demo touches no other repository");
}

#[test]
#[cfg(unix)]
fn the_help_for_a_repository_of_another_user_works_when_it_is_followed() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "the ledger", "--crm", "file", "--yes"]).exits(0);
    let ledger = sandbox.join("the ledger");
    let mut owners = vec![ledger.clone()];
    while let Some(path) = owners.pop() {
        if std::os::unix::fs::lchown(&path, Some(12_345), None).is_err() {
            eprintln!("skipped: only root gives files away");
            return;
        }
        if path.is_dir() && !path.is_symlink() {
            owners.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    let run = |program: &str, arguments: &[&str]| {
        let mut command = sandbox.command(program, &ledger);
        // Git's own configuration of this HOME, which the help writes to.
        command.env_remove("GIT_CONFIG_GLOBAL").args(arguments);
        ran(&command.output().unwrap(), format!("{program} {}", arguments.join(" ")))
    };
    let check = ["--now", "2026-11-20T17:00:00Z", "-C", "schema", "validate"];
    let refused = run(env!("CARGO_BIN_EXE_handoff"), &check).exits(3);
    assert!(refused.stderr.contains("belongs to another user"), "{}", refused.stderr);
    let (_, rest) = refused.stderr.split_once('`').unwrap();
    let (command, _) = rest.split_once('`').unwrap();
    assert!(command.starts_with("git config --global --add safe.directory "), "{command}");
    run("sh", &["-c", command]).exits(0);
    run(env!("CARGO_BIN_EXE_handoff"), &check).exits(0);
}

#[test]
fn a_ledger_in_a_folder_is_audited_from_a_bare_clone() {
    let sandbox = company();
    let event = event(&sandbox);
    let sign = ["--now", "2026-11-02T10:05:00Z", "-C", "repo/teams/cs", "sign", &event];
    sandbox.handoff(".", &sign).exits(0);
    sandbox.write("remote.git/deals.csv", DEALS);
    let audit = ["audit", "--deals", "deals.csv", "--format", "json"];
    let run = |folder: &str, arguments: &[&str]| {
        sandbox.handoff(".", &[&["-C", folder][..], arguments].concat())
    };
    for again in 0..2 {
        let report = run("remote.git/teams/cs", &audit).json();
        assert_eq!(report["deals"][0]["class"], "on_time", "{again}: {report}");
        assert_eq!(report["deals"].as_array().unwrap().len(), 1, "{report}");
        assert!(!report["findings"].to_string().contains("orphan-brief"), "{report}");
    }
    let validated = run("remote.git/teams/cs", &["validate"]);
    assert!(
        validated.stdout.contains("checked 1 brief"),
        "{}{}",
        validated.stdout,
        validated.stderr
    );
    let status = run("remote.git/teams/cs", &["status"]).exits(0).stdout;
    assert!(status.contains("hubspot-1"), "{status}");
    // Writing goes into the folder, too.
    let accept = ["--now", "2026-11-02T11:00:00Z", "accept", "hubspot-1", "--by", "samlee"];
    run("remote.git/teams/cs", &accept).exits(0);
    let top = sandbox.git("remote.git", &["ls-tree", "--name-only", "main"]);
    assert_eq!(top, "README.md\nbriefs\nteams\n");
    let at_tip = sandbox.git("remote.git", &["log", "-1", "--format=", "--name-only", "main"]);
    assert!(at_tip.lines().all(|line| line.starts_with("teams/cs/")), "{at_tip}");
    // Without the folder nothing is counted, neither here nor in a checkout, and the help works.
    for folder in ["remote.git", "repo"] {
        for command in
            [&audit[..], &["validate"], &["status"], &["coverage", "--deals", "deals.csv"]]
        {
            let ran = run(folder, command).exits(2);
            assert!(ran.stderr.contains("and teams/cs does"), "{command:?}: {}", ran.stderr);
            let (_, help) = ran.stderr.split_once("`-C ").unwrap();
            let (named, _) = help.split_once('`').unwrap();
            run(named, &["status"]).exits(0);
        }
    }
    // A folder that is none of the ledger's.
    for folder in [
        "remote.git/teams/sales",
        "remote.git/nothing",
        "repo/nothing",
        "remote.git/teams/../teams/nothing",
    ] {
        let ran = run(folder, &audit).exits(2);
        assert!(ran.stderr.contains("there is no such folder"), "{folder}: {}", ran.stderr);
    }
}
