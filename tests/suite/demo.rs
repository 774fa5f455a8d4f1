//! The README's first command, its picture, and the project's own ledger.

use std::fs;
use std::path::Path;

use crate::report::picture::assert_picture;
use crate::sandbox::{Sandbox, ran};

#[test]
fn the_demo_ends_with_briefs_an_audit_and_what_to_do_next() {
    let sandbox = Sandbox::new();
    let ran = sandbox.handoff(".", &["--color", "always", "demo"]).exits(0);
    let plain = ran.stdout.replace("\u{1b}[0m", "");
    for words in [
        "1. The contract",
        "2. The brief",
        "| First action, due Wed 2026-11-18 10:01 EST, Sam Lee",
        "3. The CSM's task",
        "4. The team's message",
        "missing-handoff",
        "late-handoff",
        "incomplete-handoff",
        "Where to look",
    ] {
        assert!(plain.contains(words), "the demo shows {words}:\n{plain}");
    }
    assert!(plain.lines().count() <= 50, "one screen:\n{plain}");
    for file in [
        "audit.html",
        "deals.csv",
        "briefs/2026/11/acme-corp--hubspot-9876543210/README.md",
        "outbox",
    ] {
        assert!(sandbox.join("handoff-demo").join(file).exists(), "{file} is there");
    }
    assert_eq!(sandbox.git("handoff-demo", &["fsck", "--strict"]), "");
    assert_eq!(
        sandbox.git("handoff-demo", &["status", "--porcelain", "--ignored"]),
        "",
        "everything it made is committed"
    );
    let story = ran.stdout.split("\nWhere to look").next().unwrap();
    assert_picture("demo.svg", "handoff demo", story);
    let again = sandbox.handoff(".", &["demo"]).exits(2);
    assert!(again.stderr.contains("handoff-demo-2"), "{}", again.stderr);
}

#[test]
fn the_demo_runs_under_any_git_configuration_of_the_user() {
    let sandbox = Sandbox::new();
    sandbox.write("ignored", "*.html\nbriefs/\noutbox/\n*.csv\n");
    sandbox.write("attributes", "* text eol=crlf filter=lfs\n");
    let hook = sandbox.write("hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let place = |name: &str| sandbox.join(name).display().to_string();
    let settings = format!(
        "[commit]\n gpgsign = true\n[tag]\n gpgsign = true\n[gpg]\n program = /nowhere/gpg\n\
         [user]\n signingkey = NOBODY\n useConfigOnly = true\n[init]\n defaultBranch = trunk\n templateDir = {}\n\
         [core]\n autocrlf = true\n safecrlf = true\n excludesFile = {}\n attributesFile = {}\n hooksPath = {}\n fsmonitor = true\n\
         [filter \"lfs\"]\n clean = false\n smudge = false\n required = true\n[protocol]\n allow = never\n",
        place("hooks"),
        place("ignored"),
        place("attributes"),
        place("hooks"),
    );
    let global = sandbox.write("gitconfig", settings).display().to_string();
    let demo = ["demo", "shown"];
    let ran = sandbox.handoff_with(".", &demo, &[("GIT_CONFIG_GLOBAL", &global)]).exits(0);
    assert!(ran.stdout.contains("Where to look"), "{}", ran.stdout);
    let plain = sandbox.handoff(".", &["demo", "plain"]).exits(0);
    let commits = |folder: &str| sandbox.git(folder, &["log", "--format=%T %s", "main"]);
    assert_eq!(commits("shown"), commits("plain"), "the same as without");
    assert_eq!(plain.stdout.replace("plain", "shown"), ran.stdout);
    let mut status = sandbox.command("git", sandbox.join("shown"));
    let status = status.env("GIT_CONFIG_GLOBAL", &global).args(["status", "--porcelain"]).output();
    assert_eq!(String::from_utf8_lossy(&status.unwrap().stdout), "");
    // Whoever plays it may be called as somebody of the story.
    for name in ["Sam Lee", "Riley Ross"] {
        let email = name.to_lowercase().replace(' ', ".") + "@example.com";
        let settings = format!("[user]\n name = {name}\n email = {email}\n");
        let global = sandbox.write("gitconfig", settings).display().to_string();
        let folder = name.replace(' ', "-");
        let demo = ["demo", &folder];
        sandbox.handoff_with(".", &demo, &[("GIT_CONFIG_GLOBAL", &global)]).exits(0);
        assert_eq!(commits(&folder), commits("plain"));
    }
}

#[test]
fn the_demos_next_steps_work() {
    let sandbox = Sandbox::new();
    sandbox.write("deep/er/keep", "");
    let binary = Path::new(env!("CARGO_BIN_EXE_handoff"));
    fs::create_dir_all(sandbox.join("target/debug")).unwrap();
    fs::create_dir_all(sandbox.join(".home/own tools")).unwrap();
    fs::copy(binary, sandbox.join("target/debug/handoff")).unwrap();
    fs::copy(binary, sandbox.join(".home/own tools/handoff")).unwrap();
    let on_path =
        format!("{}:{}", sandbox.join("target/debug").display(), std::env::var("PATH").unwrap());
    let usual = std::env::var("PATH").unwrap();
    // Where it runs, the program, the folder's name, the search path, and how lines call it.
    let built = sandbox.join("target/debug/handoff");
    let table: [(&str, &Path, &str, &str, Option<&str>); 6] = [
        (".", binary, "handoff-demo", &usual, None),
        (".", &built, "two words; it's one", &usual, Some("target/debug/handoff")),
        ("target/debug", &built, "here", &usual, Some("./handoff")),
        ("deep/er", &built, "../../up/demo", &usual, None),
        ("deep/er", &built, "demo", &on_path, Some("handoff")),
        (".", &sandbox.join(".home/own tools/handoff"), "home", &usual, None),
    ];
    for (folder, program, name, path, called) in table {
        let shell = |line: &str| {
            let mut shell = sandbox.command("sh", sandbox.join(folder));
            let output = shell.env("PATH", path).args(["-c", line]).output().unwrap();
            ran(&output, line.to_owned())
        };
        let mut demo = sandbox.command(program.to_str().unwrap(), sandbox.join(folder));
        let output = demo.env("PATH", path).args(["demo", name]).output().unwrap();
        let ran = ran(&output, name.to_owned()).exits(0);
        let steps = ran.stdout.split("Where to look").nth(1).unwrap();
        let commands: Vec<&str> =
            steps.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert_eq!(commands.len(), 6, "{steps}");
        // As a reader would: copied into a shell, the words behind blanks left away.
        for line in commands {
            let line = line.split("    ").next().unwrap();
            let ran = shell(line);
            assert!(ran.code == 0 || ran.code == 1, "`{line}`: {} {}", ran.code, ran.stderr);
            let is_git = line.starts_with("git ");
            assert!(
                is_git || called.is_none_or(|it| line.starts_with(&format!("{it} "))),
                "{line}"
            );
        }
    }
    let ran = sandbox.handoff(".", &["demo", "all", "--verbose"]).exits(0);
    for words in
        ["What happened", "its brief is complete", "unanswered-question", "touched by samlee"]
    {
        assert!(ran.stdout.contains(words), "--verbose shows {words}:\n{}", ran.stdout);
    }
}

#[test]
fn the_projects_own_briefs_are_valid() {
    let sandbox = Sandbox::new();
    let ran = sandbox.handoff(".", &["-C", env!("CARGO_MANIFEST_DIR"), "validate"]).exits(0);
    assert!(ran.stdout.contains("checked 4 briefs"), "{}", ran.stdout);
}
