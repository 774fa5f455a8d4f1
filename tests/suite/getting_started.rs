//! The README and docs/getting-started.md, line by line as they stand, against the
//! fakes, and how long each line takes.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

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

/// How long the lines of a page took.
struct Times {
    way: &'static str,
    lines: Vec<(String, Duration)>,
}

impl Times {
    fn of(way: &'static str) -> Self {
        Self { way, lines: Vec::new() }
    }

    /// A table, also at the end of the file that `HANDOFF_TIMES` names: `.ci/run`
    /// prints it.
    fn tell(self) {
        let all: Duration = self.lines.iter().map(|(_, took)| *took).sum();
        let mut text = format!("{}: {:.2} s\n", self.way, all.as_secs_f64());
        for (line, took) in &self.lines {
            text.push_str(&format!("  {:6.2} s  {line}\n", took.as_secs_f64()));
        }
        print!("{text}");
        if let Some(file) = std::env::var_os("HANDOFF_TIMES") {
            let file = fs::OpenOptions::new().create(true).append(true).open(file);
            // One write, as tests run side by side.
            file.unwrap().write_all(text.as_bytes()).unwrap();
        }
    }
}

/// Runs a line of the page as a shell does, with this program as `handoff` and
/// GitHub's repository in a folder beside the ledger.
fn shell(sandbox: &Sandbox, line: &str, secrets: &[(&str, &str)], times: &mut Times) -> Ran {
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
    let began = Instant::now();
    let output = command.output().unwrap();
    times.lines.push((line.to_owned(), began.elapsed()));
    ran(&output, line.to_owned())
}

/// The README's first commands in an empty folder, then the same over an export of
/// one's own.
#[test]
fn from_the_readme_to_the_audit_of_ones_own_export() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.unwrap();
    let section = |heading: &str| {
        let section = readme.split(&format!("\n## {heading}\n")).nth(1).unwrap();
        let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
        // The program is built already: how long that takes is in docs/benchmarks.md.
        block.lines().map(|line| line.replace("cargo run -- ", "handoff ")).collect::<Vec<_>>()
    };
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.join("l")).unwrap();
    let mut times = Times::of("README: the demo, and an export of one's own");
    for line in section("Try it") {
        shell(&sandbox, &line, &[], &mut times).exits(0);
    }
    fs::copy(sandbox.join("l/handoff-demo/deals.csv"), sandbox.join("l/deals.csv")).unwrap();
    let lines = section("Audit your own export");
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        let code = i32::from(line.contains(" audit "));
        shell(&sandbox, &line, &[], &mut times).exits(code);
    }
    times.tell();
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
    let mut times = Times::of("getting started with HubSpot, PandaDoc and GitHub");
    for line in sections.into_iter().flat_map(commands) {
        let ran = shell(&sandbox, &line, &secrets, &mut times);
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
    times.tell();
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
    let mut times = Times::of("getting started without a CRM");
    for line in commands("Without a CRM") {
        let ran = shell(&sandbox, &line, &[], &mut times);
        let fine = match line.split(' ').nth(1) {
            Some("validate" | "audit") => ran.code <= 1,
            _ => ran.code == 0,
        };
        assert!(fine, "`{line}` ended with {}\n{}{}", ran.code, ran.stdout, ran.stderr);
    }
    times.tell();
    let briefs = sandbox.git("l", &["ls-files", "briefs/*README.md"]);
    assert_eq!(briefs.lines().count(), 1, "{briefs}");
    assert!(!briefs.contains("/customer--"), "the folder has a name: {briefs}");
}
