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

/// The commands that the help lists.
fn commands_in(help: &str) -> Vec<&str> {
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<&str> = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    commands
}

#[test]
fn every_help_has_examples_that_work_and_its_own_options_first() {
    let sandbox = demo();
    sandbox.write("d/answers.yaml", "success.metric: Forecast error\n");
    let help = sandbox.handoff(".", &["--help"]).exits(0).stdout;
    let all = commands_in(&help);
    assert!(all.len() > 25, "{all:?}");
    for name in all {
        let help = sandbox.handoff(".", &[name, "--help"]).exits(0).stdout;
        let mut examples = examples(&help);
        assert!(!examples.is_empty(), "{name} has no example:\n{help}");
        // So has each command below it.
        if help.contains("\nCommands:") {
            for inner in commands_in(&help) {
                let help = sandbox.handoff(".", &[name, inner, "--help"]).exits(0).stdout;
                let of_inner = self::examples(&help);
                assert!(!of_inner.is_empty(), "{name} {inner} has no example:\n{help}");
                examples.extend(of_inner);
            }
        }
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
    // What is no moment in the company's zone alone is found later, and names its option, too.
    let settings = fs::read_to_string(sandbox.join("d/handoff.yaml")).unwrap();
    sandbox.write("d/handoff.yaml", format!("{settings}timezone: America/New_York\n"));
    sandbox.git("d", &["commit", "--quiet", "--all", "--message", "settings: zone"]);
    sandbox.write("d/event.json", "{}");
    for command in [
        &["status", "--since"][..],
        &["deliver", "--dry-run", "--since"],
        &["promises", "--due-before"],
        &["refresh", "--dry-run", "--changed-since"],
        &["touch", "northwind-robotics", "--by", "samlee", "--no-push", "--at"],
        &["accept", "northwind-robotics", "--by", "samlee", "--no-push", "--at"],
        &["sign", "event.json", "--no-deliver", "--received-at"],
        &["audit", "--deals", "deals.csv", "--from"],
        &["audit", "--deals", "deals.csv", "--as-of"],
        &["backfill", "--deals", "deals.csv", "--dry-run", "--to"],
    ] {
        let option = command[command.len() - 1];
        let ran = sandbox.handoff("d", &[command, &["2026-03-08T02:30"]].concat()).exits(2);
        let words = format!("{option}: \"2026-03-08T02:30\" does not exist in America/New_York");
        assert!(ran.stderr.contains(&words), "{command:?}: {}", ran.stderr);
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
        let checked = sandbox.handoff("d", &["validate", name]).exits(0);
        assert!(checked.stdout.contains("checked 1 brief:"), "{name}: {}", checked.stdout);
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
fn no_width_of_a_terminal_breaks_a_key_a_day_or_a_rule() {
    let sandbox = demo();
    // A table, and the words that must stay whole.
    type Case = (&'static [&'static str], fn(&str) -> bool);
    let tables: [Case; 4] = [
        (&["status", "--all"], |word| word.starts_with("hubspot-98765432")),
        (&["promises"], |word| word.starts_with("20") && word.len() == 10 || word == "Onboarding"),
        (&["rules"], |word| word.contains('-') && word.len() > 10),
        (&["audit", "--deals", "deals.csv"], |word| {
            word == "COMPLETE" || word.starts_with("hubspot-")
        }),
    ];
    for (arguments, matters) in tables {
        let at = |columns: &str| {
            let ran = sandbox.handoff_with("d", arguments, &[("COLUMNS", columns)]);
            assert!(ran.code <= 1, "{}", ran.stderr);
            ran.stdout
        };
        let whole = |text: &str| {
            let words = text.split_whitespace().filter(|word| matters(word));
            words.map(str::to_lowercase).collect::<std::collections::BTreeSet<_>>()
        };
        let wanted = whole(&at("100000"));
        assert!(!wanted.is_empty(), "{arguments:?}");
        for columns in ["0", "1", "20", "40", "60", "70", "80", "90", "100", "120", "x"] {
            let text = at(columns);
            let words: std::collections::BTreeSet<String> =
                text.split_whitespace().map(str::to_lowercase).collect();
            let broken: Vec<&String> = wanted.difference(&words).collect();
            assert!(broken.is_empty(), "{arguments:?} at {columns}: {broken:?}\n{text}");
        }
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let sandbox = Sandbox::new();
    let page = sandbox.handoff(".", &["man", "audit"]).exits(0).stdout;
    for part in [
        ".TH handoff-audit",
        ".SH EXAMPLES",
        ".SH ENVIRONMENT",
        "HUBSPOT_TOKEN",
        ".SH FILES",
        "handoff.yaml",
        ".SH \"EXIT STATUS\"",
    ] {
        assert!(page.contains(part), "{part} is missing in:\n{page}");
    }
    let all = sandbox.handoff(".", &["man"]).exits(0).stdout;
    assert!(all.contains("handoff\\-coverage") && !all.contains(".SH EXTRA"), "{all}");
    // The pages that a page refers to are there, too.
    let links = sandbox.handoff(".", &["man", "links"]).exits(0).stdout;
    assert!(links.contains("links\\-make"), "{links}");
    let page = sandbox.handoff(".", &["man", "links-make"]).exits(0).stdout;
    assert!(page.contains(".TH handoff-links-make") && page.contains(".SH EXAMPLES"), "{page}");
    assert!(page.contains("\"handoff 0.1.0\""), "{page}");
    let ran = sandbox.handoff(".", &["man", "audti"]).exits(4);
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

/// The shell itself, with the script that `handoff completions SHELL` prints:
/// what is on the line after Tab, or what is offered.
#[test]
fn shells_complete_a_key() {
    let sandbox = demo();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_handoff")).parent().unwrap();
    let shells = [
        (
            "bash",
            &["--norc", "-c"][..],
            "source <(handoff completions bash) && COMP_WORDS=(handoff status nor) COMP_CWORD=2 \
             COMP_TYPE=9 && _clap_complete_handoff handoff nor status; echo \"$COMPREPLY\"",
        ),
        (
            "zsh",
            &["-f", "-c"],
            // Its completion wants a terminal, and is asked by its keys.
            r#"zmodload zsh/zpty; zpty shell zsh -f -i
            zpty -w shell 'autoload -Uz compinit; compinit -D -u; source <(handoff completions zsh); show() { print -r -- "<<$BUFFER>>" }; zle -N show; bindkey "^I" complete-word "^X" show; print ready-$((1+1))'
            zpty -r -m shell seen '*ready-2*'
            zpty -w -n shell $'handoff status nor\t'; zpty -w -n shell $'\C-x'
            zpty -r -m shell seen '*<<*>>*'; print -r -- "$seen"; zpty -d shell"#,
        ),
        (
            "fish",
            &["--no-config", "-c"],
            "handoff completions fish | source; complete -C 'handoff status nor'",
        ),
    ];
    for (shell, options, script) in shells {
        let mut command = sandbox.command(shell, sandbox.join("d"));
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", bin.display())).env("TERM", "dumb");
        command.args(options).arg(script);
        let Ok(output) = command.output() else {
            eprintln!("skipped: there is no {shell} here");
            continue;
        };
        let ran = ran(&output, shell.to_owned());
        assert!(
            ran.stdout.contains("northwind-robotics"),
            "{shell}: {} {}",
            ran.stdout,
            ran.stderr
        );
    }
}

/// A full disk behind standard output is said, by every command and its help;
/// a reader that went away is nobody to tell.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_said() {
    let sandbox = demo();
    sandbox.write("d/answers.yaml", "success.metric: Forecast error\n");
    let help = sandbox.handoff(".", &["--help"]).exits(0).stdout;
    sandbox.write("allowed-signers", "");
    let mut lines: Vec<Vec<String>> =
        ["--help", "--version", "help audit", "promises keep --help"].map(words).into();
    for name in commands_in(&help) {
        lines.push(vec![name.to_owned(), "--help".to_owned()]);
        let help = sandbox.handoff(".", &[name, "--help"]).exits(0).stdout;
        // What runs on, asks a server or needs one is not run here.
        let waits = ["serve", "watch", "work", "catch-up", "sync", "links", "inbox", "mcp", "init"];
        if !waits.contains(&name) {
            // A report that goes to a file prints nothing.
            let prints = |line: &String| !line.contains(" -o ") && !line.contains("--output");
            lines.extend(examples(&help).iter().filter(|line| prints(line)).map(|it| words(it)));
        }
    }
    let run = |line: &[String], stdout: std::process::Stdio| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join("d"));
        command.args(["--now", crate::sandbox::NOW]).args(line);
        command.stdout(stdout).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    for line in &lines {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = ran(&run(line, full.into()).wait_with_output().unwrap(), line.join(" ")).exits(3);
        assert!(ran.stderr.contains("cannot be written to standard output"), "{}", ran.stderr);
        assert!(ran.stderr.contains("help: "), "{line:?}: {}", ran.stderr);
    }
    // An assistant's connection, too, and in no words of the program's own.
    for (asked, code) in [("initialize", 3), ("tools/list", 3)] {
        let message = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": asked, "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"},
        }});
        sandbox.write("d/asked", format!("{message}\n"));
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut mcp = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join("d"));
        mcp.arg("mcp").stdin(fs::File::open(sandbox.join("d/asked")).unwrap()).stdout(full);
        let output = mcp.stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output();
        let ran = ran(&output.unwrap(), format!("mcp: {asked}")).exits(code);
        assert!(!ran.stderr.contains("::") && !ran.stderr.contains("Request"), "{}", ran.stderr);
    }
    for line in &lines {
        let mut child = run(line, std::process::Stdio::piped());
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some(), "{line:?} was killed: {stderr}");
        assert!(!stderr.contains("standard output"), "{line:?}: {stderr}");
    }
}

#[test]
fn doctor_tells_what_is_so_from_what_somebody_should_look_at() {
    let said = demo().handoff("d", &["doctor", "--offline"]).exits(0).stdout;
    for file in ["contacts.csv", "line-items.csv"] {
        assert!(said.contains(&format!("ok       {file}: joined; its SHA-256 is ")), "{said}");
        let remark = format!("warning  deals.csv: remark: Deals without a row in {file}: ");
        assert!(said.contains(&remark), "{said}");
    }
    let warnings = said.lines().filter(|line| line.starts_with("warning"));
    assert!(warnings.clone().all(|line| !line.contains("SHA-256")), "{said}");
}

#[test]
fn a_draft_is_found_as_it_is_listed() {
    let sandbox = demo();
    sandbox.handoff("d", &["draft", "--deal", "9876543217", "--no-push"]).exits(0);
    let key = "hubspot-9876543217";
    let listed = sandbox.handoff("d", &["status"]).exits(0).stdout;
    assert!(listed.contains(key), "{listed}");
    for name in [key, "9876543217", "juniper-foods", "Juniper Foods"] {
        let ran = sandbox.handoff("d", &["status", name]).exits(0);
        assert!(ran.stdout.contains("draft, not signed yet"), "{name}: {}", ran.stdout);
        sandbox.handoff("d", &["render", name]).exits(0);
    }
    for line in [
        "accept juniper-foods --by samlee",
        "touch 9876543217 --by samlee",
        "deliver juniper-foods",
    ] {
        let ran = sandbox.handoff("d", &words(line).iter().map(String::as_str).collect::<Vec<_>>());
        assert!(ran.exits(3).stderr.contains("hubspot-9876543217 is a draft"), "{line}");
    }
    let drafted = sandbox.handoff("d", &["draft", "--deal", "9876543217", "--no-push"]).exits(0);
    let count = |text: &str| {
        text.split("missing ").nth(1).unwrap().trim().split(' ').next().unwrap().to_owned()
    };
    let listed = sandbox.handoff("d", &["status", "--format", "json"]).json();
    let row = listed["handoffs"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
    assert_eq!(row["missing"].as_array().unwrap().len().to_string(), count(&drafted.stdout));
    let ran = sandbox.handoff("d", &["status", "juniper-food"]).exits(0);
    assert!(ran.stdout.starts_with(key), "{}", ran.stdout);
}

#[test]
fn that_there_is_nothing_to_do_is_no_failure() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "l", "--yes"]).exits(0);
    sandbox
        .write("l/deals.csv", "ID,Name,Stage,Close date\n1,Acme platform,Closed Won,2026-11-05\n");
    for line in ["status", "status --all", "promises", "deliver", "deliver --dry-run", "validate"] {
        sandbox.handoff("l", &words(line).iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
    }
    for _ in 0..2 {
        sandbox.handoff("l", &["backfill", "--deals", "deals.csv"]).exits(0);
    }
    // A name that matches nothing is one.
    for line in [
        "status acme-inc",
        "status --customer Nobody",
        "promises nobody",
        "promises --owner nobody",
    ] {
        sandbox.handoff("l", &words(line).iter().map(String::as_str).collect::<Vec<_>>()).exits(4);
    }
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

#[test]
fn a_name_that_matches_nothing_is_4_whatever_it_is_a_name_of() {
    let sandbox = demo();
    for arguments in [
        &["status", "nobody"][..],
        &["why", "nobody"],
        &["explain", "nobody"],
        &["man", "nobody"],
        &["sign", "--deal", "1"],
        &["draft", "--deal", "1"],
        &["promises", "keep", "acme-corp", "9", "--by", "samlee"],
        &["accept", "nobody", "--by", "samlee"],
        &["inbox", "show", "nobody"],
    ] {
        let ran = sandbox.handoff("d", arguments).exits(4);
        assert!(ran.stderr.contains("help"), "{}", ran.stderr);
    }
    // A number that is none is said in words of ours.
    let ran = sandbox.handoff("d", &["promises", "keep", "acme-corp", "x", "--by", "s"]).exits(2);
    assert!(ran.stderr.contains("expected a whole number from 1 on"), "{}", ran.stderr);
    // One of a deal without a handoff has the customer's name, as the deal has it.
    let exempt = ["exempt", "hubspot-9876543214", "--reason", "paper", "--by", "Noor Haddad"];
    sandbox.handoff("d", &exempt).exits(0);
    let folders = sandbox.git("d", &["ls-tree", "-r", "--name-only", "HEAD"]);
    assert!(folders.contains("/garnet-mutual--hubspot-9876543214/timeline.yaml"), "{folders}");
    let status = sandbox.handoff("d", &["status", "--all"]);
    let row = status.stdout.lines().find(|line| line.contains("9876543214")).unwrap();
    assert!(row.contains("garnet-mutual"), "{row}");
    // An exemption finds a handoff by its customer, as every other command.
    let exempt = ["exempt", "acme-corp", "--by", "Alex Kim", "--reason", "a pilot"];
    let ran = sandbox.handoff("d", &exempt);
    assert!(!ran.stderr.contains("acme-corp: no handoff has this key"), "{}", ran.stderr);
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
