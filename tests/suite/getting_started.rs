//! docs/getting-started.md, line by line as it stands, against the fakes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use tokio::runtime::Runtime;

use crate::deliver::fake::{Fake, Reply};
use crate::hubspot;
use crate::sandbox::{NOW, Ran, Sandbox, ran};

/// The commands of a section of the page, in their order.
fn commands(heading: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/getting-started.md");
    let page = fs::read_to_string(page).unwrap();
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```text\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    assert!(!lines.is_empty(), "{heading} has no commands");
    lines
}

/// Runs a line of the page as a shell does, with this program as `handoff` and
/// GitHub's repository in a folder beside the ledger.
fn shell(sandbox: &Sandbox, line: &str, secrets: &[(&str, &str)]) -> Ran {
    for (name, script) in [
        ("handoff", format!("exec '{}' --now {NOW} \"$@\"", env!("CARGO_BIN_EXE_handoff"))),
        ("gh", format!("echo \"$@\" >> '{}'", sandbox.join("gh.log").display())),
    ] {
        let file = sandbox.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", sandbox.join("bin").display(), std::env::var("PATH").unwrap());
    let here = format!("url.{}.insteadOf", sandbox.join("remote.git").display());
    let mut command = sandbox.command("sh", sandbox.join("l"));
    command
        .args(["-c", line])
        .env("PATH", path)
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", here)
        .env("GIT_CONFIG_VALUE_0", "git@github.com:acme/handoffs.git")
        .envs(secrets.iter().copied());
    ran(&command.output().unwrap(), line.to_owned())
}

/// PandaDoc's notification of a signed order form, for a deal or for none.
fn event(deal: Option<&str>) -> String {
    let text = include_str!("../../templates/demo/events/01-acme-corp.pandadoc.json");
    let mut event: serde_json::Value = serde_json::from_str(text).unwrap();
    match deal {
        Some(deal) => event[0]["data"]["linked_objects"][0]["entity_id"] = json!(deal),
        None => {
            event[0]["data"]["linked_objects"] = json!([]);
            event[0]["data"]["recipients"][0]["company"] = json!("Acme Corp");
        }
    }
    event.to_string()
}

#[test]
fn from_nothing_to_the_weekly_audit_with_hubspot_pandadoc_and_github() {
    let runtime = Runtime::new().unwrap();
    let (crm, github) = runtime.block_on(async {
        let crm = hubspot::fake::Fake::start().await;
        let github = Fake::serve(|asked| match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/repos/acme/handoffs") => Reply::Json(
                200,
                json!({"full_name": "acme/handoffs", "default_branch": "main", "has_issues": true,
                    "permissions": {"push": true, "pull": true}}),
            ),
            ("POST", "/repos/acme/handoffs/issues") => Reply::Json(
                201,
                json!({"number": 1, "html_url": "https://github.com/acme/handoffs/issues/1",
                    "created_at": "2026-11-20T17:00:00Z", "assignees": [{"login": "samlee"}]}),
            ),
            ("GET", path) if path.ends_with("/issues") => Reply::Json(200, json!([])),
            ("GET", path) if path.contains("/assignees/") => Reply::Text(204, ""),
            ("GET", path) if path.contains("/labels/") => {
                Reply::Json(200, json!({"name": "handoff"}))
            }
            _ => Reply::Json(404, json!({"message": "Not Found"})),
        })
        .await;
        (crm, github)
    });
    let secrets = [
        ("HUBSPOT_TOKEN", hubspot::fake::TOKEN),
        ("PANDADOC_WEBHOOK_KEY", "a-shared-key-of-the-test"),
        ("GITHUB_TOKEN", "github_pat_test"),
    ];
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.join("l")).unwrap();
    sandbox.write("l/event.json", event(Some("31874500101")));
    sandbox.git(".", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
    let sections = ["With HubSpot, PandaDoc and GitHub", "Let it run by itself"];
    for line in sections.into_iter().flat_map(commands) {
        let ran = shell(&sandbox, &line, &secrets);
        let fine = match line.split(' ').take(2).collect::<Vec<_>>()[..] {
            // What the account of the fakes lacks is said, and is not a failure of the page.
            ["handoff", "doctor" | "audit" | "backfill" | "status"] => ran.code <= 1,
            _ => ran.code == 0,
        };
        assert!(fine, "`{line}` ended with {}\n{}{}", ran.code, ran.stdout, ran.stderr);
        if line.starts_with("handoff init .") {
            // The page is about the vendors' own servers; here are the fakes'.
            let path = sandbox.join("l/handoff.yaml");
            let text = fs::read_to_string(&path)
                .unwrap()
                .replace(
                    "  hubspot: {}",
                    &format!("  hubspot: {{base_url: '{}'}}", crm.base.as_str()),
                )
                .replace("as: issue}", &format!("as: issue, base_url: '{}'}}", github.url));
            fs::write(path, text).unwrap();
            sandbox.git("l", &["commit", "-qam", "the fakes"]);
        }
    }
    assert_eq!(github.count("POST", "/repos/acme/handoffs/issues"), 1, "one task");
    let task = github.asked().into_iter().find(|it| it.is("POST", "/repos/acme/handoffs/issues"));
    let task = task.unwrap().json();
    let link = "https://github.com/acme/handoffs/tree/main/briefs/";
    assert!(task["body"].as_str().unwrap().contains(link), "the brief is a link: {task}");
    // What the page says runs on GitHub is there.
    let pushed = sandbox.git("remote.git", &["ls-tree", "-r", "--name-only", "main"]);
    for file in ["tools/handoff", ".github/workflows/handoff-audit.yml", "/brief.yaml"] {
        assert!(pushed.contains(file), "{file} is not on GitHub:\n{pushed}");
    }
    let action = sandbox.git("remote.git", &["show", "main:.github/actions/handoff/action.yml"]);
    assert!(action.contains("# install-from: tools/handoff"), "{action}");
    let set = fs::read_to_string(sandbox.join("gh.log")).unwrap();
    for name in ["HUBSPOT_TOKEN", "PANDADOC_WEBHOOK_KEY"] {
        assert!(set.contains(&format!("secret set {name}")), "{set}");
    }
    assert!(sandbox.join("l/audit.html").is_file());
    assert!(crm.writes().is_empty(), "nothing is written to the CRM unless somebody says so");
}

#[test]
fn from_nothing_to_the_first_handoff_without_a_crm() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.join("l")).unwrap();
    sandbox.write("l/event.json", event(None));
    sandbox.write("l/won.csv", "ID,Name,Stage,Close date\n1,Acme platform,Closed Won,2026-11-05\n");
    for line in commands("Without a CRM") {
        let ran = shell(&sandbox, &line, &[]);
        let fine = match line.split(' ').nth(1) {
            Some("validate" | "audit") => ran.code <= 1,
            _ => ran.code == 0,
        };
        assert!(fine, "`{line}` ended with {}\n{}{}", ran.code, ran.stdout, ran.stderr);
    }
    let briefs = sandbox.git("l", &["ls-files", "briefs/*README.md"]);
    assert_eq!(briefs.lines().count(), 1, "{briefs}");
    assert!(!briefs.contains("/customer--"), "the folder has a name: {briefs}");
}
