//! `handoff init`: a folder becomes a ledger and keeps what is in it.

use std::fs;

use crate::sandbox::Sandbox;

#[test]
fn an_empty_folder_becomes_a_ledger_that_validates() {
    let sandbox = Sandbox::new();
    let ran = sandbox
        .handoff(
            ".",
            &[
                "init",
                "ledger",
                "--crm",
                "hubspot",
                "--github",
                "acme/handoffs",
                "--csm",
                "Sam Lee <sam@example.com> @samlee",
            ],
        )
        .exits(0);
    for made in [
        "handoff.yaml",
        "schema/brief.schema.json",
        "templates/brief.md.j2",
        ".github/workflows/handoff-validate.yml",
    ] {
        assert!(ran.stdout.contains(made), "{made} is named:\n{}", ran.stdout);
        assert!(sandbox.join("ledger").join(made).is_file(), "{made} is there");
    }
    assert_eq!(sandbox.git("ledger", &["status", "--porcelain"]), "", "what was made is committed");
    assert_eq!(sandbox.git("ledger", &["fsck", "--strict"]), "");
    sandbox.handoff("ledger", &["validate"]).exits(0);
    let config = fs::read_to_string(sandbox.join("ledger/handoff.yaml")).unwrap();
    assert!(config.contains("acme/handoffs") && config.contains("samlee"), "{config}");
    assert!(!config.contains("{{") && !config.contains("{%"), "{config}");
    let is_set = |line: &str| line.trim_start().starts_with("update_closed_won");
    assert!(!config.lines().any(is_set), "nobody asked to write to the CRM:\n{config}");
    let workflow =
        fs::read_to_string(sandbox.join("ledger/.github/workflows/handoff-sign.yml")).unwrap();
    assert!(workflow.contains("|| github.token }}"), "{workflow}");
}

#[test]
fn a_second_run_changes_nothing_and_completes_what_is_gone() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    let first = sandbox.git("ledger", &["rev-parse", "HEAD"]);
    let again = sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    assert!(again.stdout.contains("already"), "{}", again.stdout);
    assert_eq!(sandbox.git("ledger", &["rev-parse", "HEAD"]), first);
    sandbox.write("ledger/README.md", "ours\n");
    fs::remove_file(sandbox.join("ledger/schema/brief.schema.json")).unwrap();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    assert_eq!(
        fs::read_to_string(sandbox.join("ledger/README.md")).unwrap(),
        "ours\n",
        "never overwrites"
    );
    assert!(
        sandbox.join("ledger/schema/brief.schema.json").is_file(),
        "what was gone is there again"
    );
}

#[test]
fn a_repository_with_work_in_it_keeps_it() {
    let sandbox = Sandbox::new();
    sandbox.write("ledger/src.txt", "one\n");
    sandbox.git("ledger", &["init", "-q", "-b", "main"]);
    sandbox.git("ledger", &["add", "src.txt"]);
    sandbox.handoff("ledger", &["init", "--yes"]).exits(0);
    assert_eq!(
        sandbox.git("ledger", &["status", "--porcelain"]),
        "A  src.txt\n",
        "what was staged stays staged"
    );
    let files = sandbox.git("ledger", &["ls-tree", "-r", "--name-only", "HEAD"]);
    assert!(!files.contains("src.txt"), "and is not swept into our commit:\n{files}");
}

#[test]
fn wrong_words_are_answered_with_the_right_ones() {
    let sandbox = Sandbox::new();
    for (arguments, words) in [
        (["init", "l", "--esign", "pandadok"], "pandadoc"),
        (["init", "l", "--github", "acme"], "owner/repo"),
        (["init", "l", "--csm", "@samlee"], "Sam Lee <sam@example.com> @samlee"),
    ] {
        let ran = sandbox.handoff(".", &arguments).exits(2);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}
