//! The README's first command, its picture, and the project's own ledger.

use crate::report::picture::assert_picture;
use crate::sandbox::Sandbox;

#[test]
fn the_demo_ends_with_briefs_an_audit_and_what_to_do_next() {
    let sandbox = Sandbox::new();
    let ran = sandbox.handoff(".", &["--color", "always", "demo"]).exits(0);
    let plain = ran.stdout.replace("\u{1b}[0m", "");
    for words in [
        "its brief is complete",
        "missing-handoff",
        "late-handoff",
        "incomplete-handoff",
        "What to do next",
    ] {
        assert!(plain.contains(words), "the demo shows {words}:\n{plain}");
    }
    for file in [
        "audit.html",
        "deals.csv",
        "briefs/2026/11/acme-corp--hubspot-9876543210/README.md",
        "outbox",
    ] {
        assert!(sandbox.join("handoff-demo").join(file).exists(), "{file} is there");
    }
    assert_eq!(sandbox.git("handoff-demo", &["fsck", "--strict"]), "");
    let story = ran.stdout.split("handoff validate").next().unwrap();
    let audit = ran.stdout.split("handoff audit --deals deals.csv\n").nth(1).unwrap();
    let audit = audit.split("SIGNATURE TO").next().unwrap();
    assert_picture(
        "demo.svg",
        "handoff demo",
        &format!("{story}handoff audit --deals deals.csv\n{audit}"),
    );
    let again = sandbox.handoff(".", &["demo"]).exits(2);
    assert!(again.stderr.contains("handoff-demo-2"), "{}", again.stderr);
}

#[test]
fn the_demos_next_steps_work() {
    let sandbox = Sandbox::new();
    let ran = sandbox.handoff(".", &["demo"]).exits(0);
    let steps = ran.stdout.split("What to do next").nth(1).unwrap();
    let commands: Vec<&str> =
        steps.lines().map(str::trim).filter(|line| line.starts_with("handoff ")).collect();
    assert!(commands.len() >= 3, "{steps}");
    for line in commands {
        let words: Vec<&str> =
            line.split("  ").next().unwrap().split_whitespace().skip(1).collect();
        let code = sandbox.handoff("handoff-demo", &words).code;
        assert!(code == 0 || code == 1, "`{line}` ended with {code}");
    }
}

#[test]
fn the_projects_own_briefs_are_valid() {
    let sandbox = Sandbox::new();
    let ran = sandbox.handoff(".", &["-C", env!("CARGO_MANIFEST_DIR"), "validate"]).exits(0);
    assert!(ran.stdout.contains("checked 4 briefs"), "{}", ran.stdout);
}
