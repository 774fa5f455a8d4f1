//! docs/getting-started.md, line by line as it stands, against the fakes.

use std::fs;
use std::path::Path;

use serde_json::json;
use tokio::runtime::Runtime;

use crate::deliver::fake::{Fake, Reply};
use crate::hubspot;
use crate::sandbox::Sandbox;

/// The commands of a section of the page, in their order.
fn commands(heading: &str) -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/getting-started.md");
    let page = fs::read_to_string(page).unwrap();
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter_map(|line| line.strip_prefix("handoff "));
    let words = |line: &str| -> Vec<String> {
        let parts = line.split('"').enumerate();
        parts
            .flat_map(|(at, part)| match at % 2 {
                0 => part.split_whitespace().map(str::to_owned).collect(),
                _ => vec![part.to_owned()],
            })
            .collect()
    };
    lines.map(words).collect()
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
    for words in commands("With HubSpot, PandaDoc and GitHub") {
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = sandbox.handoff_with("l", &arguments, &secrets);
        let fine = match words[0].as_str() {
            // What the account of the fakes lacks is said, and is not a failure of the page.
            "doctor" | "audit" | "backfill" | "status" => ran.code <= 1,
            _ => ran.code == 0,
        };
        assert!(
            fine,
            "`handoff {}` ended with {}\n{}{}",
            words.join(" "),
            ran.code,
            ran.stdout,
            ran.stderr
        );
        if words[0] == "init" {
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
    assert!(sandbox.join("l/audit.html").is_file());
    assert!(crm.writes().is_empty(), "nothing is written to the CRM unless somebody says so");
}

#[test]
fn from_nothing_to_the_first_handoff_without_a_crm() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.join("l")).unwrap();
    sandbox.write("l/event.json", event(None));
    sandbox.write("l/won.csv", "ID,Name,Stage,Close date\n1,Acme platform,Closed Won,2026-11-05\n");
    for words in commands("Without a CRM") {
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = sandbox.handoff("l", &arguments);
        let fine = match words[0].as_str() {
            "validate" | "audit" => ran.code <= 1,
            _ => ran.code == 0,
        };
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        assert!(fine, "`handoff {}` ended with {}\n{shown}", words.join(" "), ran.code);
    }
    let briefs = sandbox.git("l", &["ls-files", "briefs/*README.md"]);
    assert_eq!(briefs.lines().count(), 1, "{briefs}");
    assert!(!briefs.contains("/customer--"), "the folder has a name: {briefs}");
}
