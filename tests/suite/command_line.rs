//! The command line as people use it: examples that work, one grammar for
//! moments and for handoffs, help, manual pages, and the exit codes.

use std::fs;

use crate::sandbox::{Sandbox, fixture, ran};

/// The demo's ledger; its story ends at the sandbox's moment.
fn demo() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["demo", "d"]).exits(0);
    sandbox
}

/// A line as a shell takes it apart; only double quotes are used.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// The example lines in a command's help.
fn examples(help: &str) -> Vec<String> {
    let Some((_, below)) = help.split_once("Examples:\n") else { return Vec::new() };
    below.lines().filter_map(|line| line.strip_prefix("  handoff ")).map(str::to_owned).collect()
}

#[test]
fn every_help_has_examples_that_work_and_its_own_options_first() {
    let sandbox = demo();
    sandbox.write("d/answers.yaml", "success.metric: Forecast error\n");
    let help = sandbox.handoff(".", &["--help"]).exits(0).stdout;
    let commands: Vec<&str> = help
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 25, "{commands:?}");
    for name in commands {
        let help = sandbox.handoff(".", &[name, "--help"]).exits(0).stdout;
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{name} has no example:\n{help}");
        let (own, all) = (help.find("Options:"), help.find("Everywhere:").expect("a heading"));
        assert!(own.is_none_or(|own| own < all), "{name}: its own options come first:\n{help}");
        for line in examples {
            let words = words(&line);
            // What runs on, asks a server or a person's machine is read and no more.
            let waits = ["serve", "watch", "catch-up", "sync", "verify", "doctor", "init", "links"];
            if waits.contains(&words[0].as_str()) {
                let mut asked: Vec<&str> = words.iter().map(String::as_str).collect();
                asked.push("--no-such-option");
                let ran = sandbox.handoff("d", &asked).exits(2);
                let said = "unexpected argument '--no-such-option'";
                assert!(ran.stderr.contains(said), "{line}: {}", ran.stderr);
                continue;
            }
            let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
            let ran = sandbox.handoff("d", &arguments);
            let fine = ran.code == 0 || ran.code == 1 || name == "inbox" && ran.code == 4;
            assert!(fine, "`handoff {line}` ended with {}:\n{}", ran.code, ran.stderr);
        }
    }
}

#[test]
fn every_command_reads_moments_in_one_grammar() {
    let sandbox = demo();
    for time in
        ["2026-11-20", "2026-11", "2026-Q4", "2026", "30d", "yesterday", "2026-11-20T10:00:00Z"]
    {
        for command in [
            &["status", "--all", "--since"][..],
            &["deliver", "--dry-run", "--since"],
            &["promises", "--all", "--due-before"],
            &["audit", "--deals", "deals.csv", "--from"],
            &["audit", "--deals", "deals.csv", "--as-of"],
            &["backfill", "--deals", "deals.csv", "--dry-run", "--to"],
            &["refresh", "--dry-run", "--changed-since"],
            &["touch", "northwind", "--by", "samlee", "--no-push", "--at"],
        ] {
            let mut arguments = command.to_vec();
            arguments.push(time);
            let ran = sandbox.handoff("d", &arguments);
            // A moment before the signature is refused for what it says, an export has no changes.
            assert!(!ran.stderr.contains("is not a moment"), "{arguments:?}: {}", ran.stderr);
        }
    }
    for command in [&["status", "--since"][..], &["catch-up", "--since"], &["sync", "--since"]] {
        let mut arguments = command.to_vec();
        arguments.push("soon");
        let ran = sandbox.handoff("d", &arguments).exits(2);
        assert!(ran.stderr.contains("how long ago (30d)"), "{}", ran.stderr);
    }
}

#[test]
fn a_handoff_is_found_by_whatever_people_call_it() {
    let sandbox = demo();
    for name in [
        "hubspot-9876543210",
        "HubSpot-9876543210",
        "9876543210",
        "Acme Corp",
        "acme",
        "acme-corp",
        "briefs/2026/11/acme-corp--hubspot-9876543210",
        "briefs/2026/11/acme-corp--hubspot-9876543210/brief.yaml",
        "https://github.com/acme/handoffs/tree/main/briefs/2026/11/acme-corp--hubspot-9876543210",
    ] {
        let ran = sandbox.handoff("d", &["status", name]).exits(0);
        assert!(ran.stdout.starts_with("hubspot-9876543210  Acme Corp"), "{name}: {}", ran.stdout);
    }
    let ran = sandbox.handoff("d", &["status", "hubspot-98765432"]).exits(2);
    assert!(ran.stderr.contains("may be 5 handoffs: "), "{}", ran.stderr);
    let ran = sandbox.handoff("d", &["status", "acne-corp"]).exits(4);
    assert!(ran.stderr.contains("did you mean `acme-corp`?"), "{}", ran.stderr);
    sandbox.handoff("d", &["status", "salesforce-006000000000001aaa"]).exits(4);
    // What records something takes no beginning of a key.
    let ran = sandbox.handoff("d", &["accept", "hubspot-987654321", "--by", "Sam Lee"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("write more of the key"), "{}", ran.stderr);
    let ran = sandbox.handoff("d", &["touch", "acm", "--by", "Sam Lee"]).exits(4);
    assert!(ran.stderr.contains("`hubspot-9876543210` or `acme-corp`"), "{}", ran.stderr);
    // A task is found by its address.
    let timeline = "briefs/2026/11/acme-corp--hubspot-9876543210/timeline.yaml";
    let text = fs::read_to_string(sandbox.join("d").join(timeline)).unwrap();
    let task = text.lines().find(|line| line.contains("ref: ")).unwrap_or_default();
    assert!(!task.is_empty(), "{text}");
}

#[test]
fn a_report_in_a_file_says_in_one_line_what_is_in_it() {
    let sandbox = demo();
    let ran = sandbox.handoff("d", &["audit", "--deals", "deals.csv", "-o", "new.html"]);
    assert_eq!(ran.stdout, "");
    assert!(
        ran.stderr.contains("wrote new.html: 80.0 % handed over, 2 errors, "),
        "{}",
        ran.stderr
    );
    let ran = sandbox.handoff("d", &["validate", "-o", "found.json"]);
    assert!(ran.stderr.contains("wrote found.json: 5 briefs checked, "), "{}", ran.stderr);
    let ran = sandbox.handoff("d", &["-v", "audit", "--deals", "deals.csv", "-o", "new.html"]);
    for line in ["ledger ", "deals from deals.csv", "read 10 rows of deals.csv"] {
        assert!(ran.stderr.contains(line), "-v says {line}: {}", ran.stderr);
    }
}

#[test]
fn a_narrow_terminal_breaks_no_key() {
    let sandbox = demo();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join("d"));
    let output = command
        .env("COLUMNS", "60")
        .args(["--now", "2026-11-20T17:00:00Z", "status", "--all"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("hubspot-98765432").count(), 5, "{text}");
    for line in text.lines().filter(|line| line.contains("hubspot-")) {
        let key = line.split_whitespace().next().unwrap();
        assert_eq!(key.len(), "hubspot-9876543210".len(), "{text}");
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let sandbox = Sandbox::new();
    let page = sandbox.handoff(".", &["man", "audit"]).exits(0).stdout;
    for part in [
        ".TH handoff-audit",
        "Examples:",
        ".SH ENVIRONMENT",
        "HUBSPOT_TOKEN",
        ".SH FILES",
        "handoff.yaml",
        ".SH \"EXIT STATUS\"",
    ] {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
    assert!(sandbox.handoff(".", &["man"]).exits(0).stdout.contains("handoff\\-coverage"));
    let ran = sandbox.handoff(".", &["man", "audti"]).exits(2);
    assert!(ran.stderr.contains("did you mean `audit`?"), "{}", ran.stderr);
}

#[test]
fn completions_offer_keys_rules_formats_providers_and_commands() {
    let sandbox = demo();
    // As the script of `handoff completions SHELL` asks, from the ledger's folder.
    let ask = |shell: &str, folder: &str, words: &[&str]| {
        let index = words.len().to_string();
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join(folder));
        command.env("HANDOFF_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", index);
        command.args(["--", "handoff"]).args(words);
        let ran = ran(&command.output().unwrap(), format!("{shell} {words:?}")).exits(0);
        assert_eq!(ran.stderr, "", "{shell} {words:?}");
        ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let table: &[(&[&str], &str)] = &[
        (&["status", "hubspot-98"], "hubspot-9876543210"),
        (&["accept", "acme"], "acme-corp"),
        (&["links", "revoke", "north"], "northwind-robotics"),
        (&["render", "ember"], "ember-care"),
        (&["explain", "missing"], "missing-handoff"),
        (&["validate", "--format", "sa"], "sarif"),
        (&["init", "--esign", "panda"], "pandadoc"),
        (&["init", "--crm", "sales"], "salesforce"),
        (&["catch"], "catch-up"),
        (&["audit", "--deals", "dea"], "deals.csv"),
    ];
    for (words, wanted) in table {
        let offered = ask("bash", "d", words);
        assert!(offered.iter().any(|word| word.trim_end() == *wanted), "{words:?}: {offered:?}");
    }
    // The other shells show what a word means beside it.
    let status = ["status", "hubspot-9876543210"];
    assert_eq!(ask("fish", "d", &status), ["hubspot-9876543210\tacme-corp"]);
    assert_eq!(ask("zsh", "d", &status), ["hubspot-9876543210:acme-corp"]);
    assert_eq!(ask("bash", ".", &["-C", "d", "status", "acme"]), ["acme-corp"]);
    // Where nothing can be offered, nothing is said.
    sandbox.write("empty/keep", "");
    for (folder, word) in [("empty", ""), ("d", "zzz"), ("d", "../..")] {
        let offered = ask("bash", folder, &["status", word]);
        assert!(offered.iter().all(|word| word.starts_with("--")), "{folder}: {offered:?}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.handoff(".", &["completions", shell]).exits(0).stdout;
        assert!(script.contains("HANDOFF_COMPLETE"), "{shell}: {script}");
    }
}

/// The shell itself, with the script that `handoff completions bash` prints.
#[test]
fn bash_completes_a_key() {
    let sandbox = demo();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_handoff")).parent().unwrap();
    let script = "source <(handoff completions bash) && COMP_WORDS=(handoff status nor) \
        COMP_CWORD=2 COMP_TYPE=9 && _clap_complete_handoff handoff nor status; echo \"$COMPREPLY\"";
    let mut bash = sandbox.command("bash", sandbox.join("d"));
    let path = std::env::var("PATH").unwrap();
    bash.env("PATH", format!("{}:{path}", bin.display())).args(["-c", script]);
    let Ok(output) = bash.output() else {
        eprintln!("skipped: there is no bash here");
        return;
    };
    let ran = ran(&output, "bash".to_owned());
    assert_eq!(ran.stdout.trim(), "northwind-robotics", "{}", ran.stderr);
}

#[test]
fn the_page_of_exit_codes_is_what_the_program_has() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/ci.md")).unwrap();
    let help = Sandbox::new().handoff(".", &["--help"]).exits(0).stdout;
    let told = help.split("Exit codes:").nth(1).unwrap().replace('\n', " ");
    for code in 0..=4 {
        let row = page.lines().find(|line| line.starts_with(&format!("| {code} |"))).unwrap();
        let meaning = row.split('|').nth(2).unwrap().split(" (").next().unwrap().trim();
        let first: Vec<&str> = meaning.split(' ').take(2).collect();
        let first = format!("{code} {}", first.join(" "));
        assert!(told.contains(&first), "the help does not say `{first}`: {told}");
    }
}

/// One line of the table: exit code, arguments, a word or more of the message,
/// and of the suggestion.
#[test]
fn a_hundred_wrong_invocations_say_what_is_wrong_and_what_to_do() {
    let sandbox = demo();
    sandbox.write("empty/keep", "");
    sandbox.write("d/empty.csv", "");
    sandbox.write("d/text.txt", "hello\n");
    sandbox.write("d/bad.json", "{\"no\": \"provider\"}\n");
    let table = fs::read_to_string(fixture("invocations/wrong.txt")).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [code, folder, arguments, message, suggestion] = cells[..] else {
            panic!("five cells: {line}")
        };
        count += 1;
        let words = words(arguments);
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = sandbox.handoff(folder, &arguments);
        let says = |cell: &str| cell == "-" || ran.stderr.contains(cell);
        if ran.code.to_string() != code || !says(message) || !says(suggestion) {
            wrong.push(format!("{line}\n=> {}: {}", ran.code, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 100, "{count} are fewer than a hundred");
}
