//! The laid-down workflow that says on a pull request what a change of the
//! settings would do, run as a runner of GitHub runs it.

use std::fs;

use serde_json::json;

use crate::sandbox::Sandbox;
use crate::workflows::{DEALS, FOLDER, Runner};

#[test]
fn a_change_of_the_settings_is_explained_in_one_comment_that_is_edited_in_place() {
    for (crm, words) in [("file", "1 won deal"), ("none", "1 won deal"), ("hubspot", "0 won deals")]
    {
        let sandbox = Sandbox::new();
        sandbox.handoff(".", &["init", "l", "--crm", crm]).exits(0);
        sandbox.write("l/deals.csv", DEALS);
        sandbox.git("l", &["add", "-A"]);
        sandbox.git("l", &["commit", "-qm", "an export"]);
        sandbox.git("l", &["checkout", "-qb", "change"]);
        let settings = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
        sandbox
            .write("l/handoff.yaml", settings.replace("version: 1", "version: 1\nreminders: off"));
        sandbox.git("l", &["commit", "-qam", "no reminders"]);
        sandbox.git("l", &["checkout", "-q", "main"]);
        let runner = Runner::on(&sandbox, "l");
        let text =
            fs::read_to_string(sandbox.join("l").join(FOLDER).join("handoff-plan.yml")).unwrap();
        assert!(!text.contains("secrets."), "the files of a pull request get no secret:\n{text}");
        // What stands for GitHub keeps one comment.
        let comment = sandbox.join("comment.md");
        let keep = format!("'{}'", comment.display());
        runner.program(
            "gh",
            &format!(
                "case \"$*\" in\n*--paginate*) [ ! -e {keep} ] || echo 77;;\n*comments/77*--field*) echo edited >> \"$RUNNER_TEMP/said\"; cp \"$RUNNER_TEMP/comment.md\" {keep};;\n*issues/5/comments*--field*) echo made >> \"$RUNNER_TEMP/said\"; cp \"$RUNNER_TEMP/comment.md\" {keep};;\n*) exit 1;;\nesac"
            ),
        );
        let of = |repository: &str| {
            json!({"pull_request": {"number": 5, "base": {"ref": "main"},
                "head": {"ref": "change", "repo": {"full_name": repository}}}})
        };
        runner.green("plan", "pull_request", &of("acme/handoffs"));
        let told = fs::read_to_string(&comment).unwrap();
        assert!(
            told.starts_with("<!-- handoff plan -->\n**1 other setting that differs**"),
            "{told}"
        );
        assert!(told.contains("reminders") && told.contains(words), "{crm}: {told}");
        runner.green("plan", "pull_request", &of("acme/handoffs"));
        let said = fs::read_to_string(sandbox.join("runner/temp/said")).unwrap();
        assert_eq!(said, "made\nedited\n", "one comment");
        // A fork's has no token for it.
        runner.green("plan", "pull_request", &of("someone/handoffs"));
        assert_eq!(fs::read_to_string(sandbox.join("runner/temp/said")).unwrap(), said);
        // Settings that cannot be read: the comment says so, and the run is red.
        sandbox.git("l", &["checkout", "-q", "change"]);
        sandbox.write("l/handoff.yaml", "version: [\n");
        sandbox.git("l", &["commit", "-qam", "broken"]);
        let remote = sandbox.join("remote.git").display().to_string();
        sandbox.git("l", &["push", "-q", &remote, "change"]);
        let (code, said) = runner.red("plan", "pull_request", &of("acme/handoffs"));
        assert_eq!(code, 2, "{said}");
        let told = fs::read_to_string(&comment).unwrap();
        assert!(told.contains("Nothing could be compared"), "{told}");
    }
}
