//! `handoff init`: a folder becomes a ledger and keeps what is in it.

use std::fs;

use serde_json::{Value, json};

use crate::intake::server::document;
use crate::sandbox::Sandbox;

#[test]
fn an_export_outside_of_the_ledger_is_refused_before_anything_is_written() {
    let sandbox = Sandbox::new();
    let line = ["init", "l", "--crm", "file", "--deals", "../deals.csv"];
    let ran = sandbox.handoff(".", &line).exits(2);
    assert!(ran.stderr.contains("outside of the ledger"), "{}", ran.stderr);
    assert!(!sandbox.join("l").exists());
}

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
fn words_that_contracts_share_with_other_papers_hand_none_of_those_over() {
    let sandbox = Sandbox::new();
    let line = "init l --crm none --esign pandadoc --contract";
    let line: Vec<&str> = line.split(' ').chain(["order form,agreement"]).collect();
    sandbox.handoff(".", &line).exits(0);
    // The sample has a total: what no rule decides would be a contract.
    for (at, (name, is_contract)) in [
        ("Mutual Non-Disclosure Agreement", false),
        ("Acme_NDA_signed.pdf", false),
        ("Data Processing Agreement", false),
        ("Offer letter and employment agreement", false),
        ("Geheimhaltungsvereinbarung", false),
        ("Accord de confidentialité", false),
        ("秘密保持契約書", false),
        ("Master Services Agreement", true),
        ("STANDARD AGREEMENT", true),
        ("Order Form - NDA attached", true),
    ]
    .into_iter()
    .enumerate()
    {
        let mut event: Value = serde_json::from_slice(&document(&format!("d{at}"))).unwrap();
        event[0]["data"]["name"] = json!(name);
        sandbox.write("event.json", event.to_string());
        let ran = sandbox.handoff("l", &["sign", "../event.json", "--no-deliver"]);
        let (code, said) = if is_contract { (0, "") } else { (4, "no contract with a customer") };
        assert!(
            ran.code == code && ran.stderr.contains(said),
            "{name}: {} {}",
            ran.code,
            ran.stderr
        );
    }
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
fn options_that_come_too_late_are_said_and_the_end_tells_of_the_settings_that_are_there() {
    let sandbox = Sandbox::new();
    let first = ["init", "l", "--yes", "--crm", "file", "--csm", "Sam Lee <sam@example.com>"];
    let ran = sandbox.handoff(".", &first).exits(0);
    assert!(ran.stdout.contains("  cd l\n"), "what comes next is run there: {}", ran.stdout);
    let before = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    let late = ["init", ".", "--yes", "--crm", "salesforce", "--timezone", "Europe/Berlin"];
    let ran = sandbox.handoff("l", &late).exits(0);
    let said =
        "handoff.yaml is there already and was not changed: --crm, --timezone were not taken over";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(!ran.stdout.contains("handoff coverage\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("cp EXPORT deals.csv"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("Name your CSMs"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("  cd "), "{}", ran.stdout);
    assert_eq!(fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap(), before);
    // The same provider twice is one.
    sandbox.handoff(".", &["init", "twice", "--yes", "--esign", "pandadoc,pandadoc"]).exits(0);
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
fn a_bare_repository_is_left_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "-q", "--bare", "bare.git"]);
    let ran = sandbox.handoff("bare.git", &["init", "--yes"]).exits(2);
    assert!(ran.stderr.contains("in a clone of it"), "{}", ran.stderr);
    assert!(!sandbox.join("bare.git/handoff.yaml").exists());
}

#[test]
fn settings_that_cannot_work_are_said_before_anything_is_made() {
    let sandbox = Sandbox::new();
    let sam = ["--csm", "Sam Lee <sam@example.com> @samlee", "--csm"];
    for (arguments, words) in [
        ([&sam[..], &["Sam Lee <sam@example.com> @samlee"]].concat(), "`samlee` means two people"),
        ([&sam[..], &["Samuel <SAM@example.com>"]].concat(), "means two people"),
        ([&sam[..], &["Kim <kim>"]].concat(), "without an @"),
        (vec!["--install-from", "tools/handoff"], "tools/handoff"),
    ] {
        let arguments = [&["init", "l", "--yes"][..], &arguments].concat();
        let ran = sandbox.handoff(".", &arguments);
        assert_ne!(ran.code, 0, "{arguments:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("handoff.yaml:"), "no such file is there: {}", ran.stderr);
        assert!(!sandbox.join("l").exists(), "{arguments:?} left something");
    }
    // The same of settings that are there.
    sandbox.write("broken/handoff.yaml", "version: 1\nteem: {}\n");
    sandbox.handoff("broken", &["init", "--yes"]).exits(2);
    assert!(!sandbox.join("broken/.git").exists());
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

/// `handoff init` on a terminal of its own.
#[cfg(unix)]
mod conversation {
    use std::fs::{self, File};
    use std::io::{Read as _, Write as _};
    use std::process::{Child, Stdio};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use crate::sandbox::Sandbox;

    const RETURN: &str = "\r";
    const INTERRUPT: &str = "\u{3}";
    const DOWN: &str = "\u{1b}[B";

    struct Terminal {
        child: Child,
        keys: File,
        shown: Arc<Mutex<String>>,
        /// How much of what is shown was waited for already.
        seen: usize,
    }

    impl Terminal {
        fn start(sandbox: &Sandbox, folder: &str) -> Self {
            let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
            grantpt(&master).unwrap();
            unlockpt(&master).unwrap();
            let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
            let open = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
            let child = sandbox
                .command(env!("CARGO_BIN_EXE_handoff"), sandbox.join(folder))
                .env("TERM", "xterm")
                .args(["--now", crate::sandbox::NOW, "init"])
                .stdin(open())
                .stdout(open())
                .stderr(open())
                .spawn()
                .unwrap();
            let keys = File::from(master);
            let mut screen = keys.try_clone().unwrap();
            let shown = Arc::new(Mutex::new(String::new()));
            let kept = Arc::clone(&shown);
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                // The terminal ends with an error once nobody has it open.
                while let Ok(count @ 1..) = screen.read(&mut bytes) {
                    kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
                }
            });
            Self { child, keys, shown, seen: 0 }
        }

        /// Waits until these words are shown behind those waited for before.
        #[track_caller]
        fn expect(&mut self, words: &str) {
            let until = Instant::now() + Duration::from_secs(60);
            loop {
                let shown = self.shown.lock().unwrap().clone();
                if let Some(at) = shown[self.seen..].find(words) {
                    self.seen += at + words.len();
                    return;
                }
                assert!(Instant::now() < until, "{words} never came:\n{}", &shown[self.seen..]);
                std::thread::sleep(Duration::from_millis(10));
            }
        }

        fn press(&mut self, keys: &str) {
            self.keys.write_all(keys.as_bytes()).unwrap();
        }

        #[track_caller]
        fn answer(&mut self, prompt: &str, keys: &str) {
            self.expect(prompt);
            self.press(keys);
        }

        fn ends(mut self) -> (i32, String) {
            let code = self.child.wait().unwrap().code().unwrap_or(-1);
            // What was printed last is read before the terminal ends.
            std::thread::sleep(Duration::from_millis(200));
            let shown = self.shown.lock().unwrap().clone();
            (code, shown)
        }
    }

    const EXPORT: &str = "Deal ID,Name,Stage,Closed won at,Owner,Amount,Currency\n\
        1,Acme platform,Closed Won,2026-11-05,Riley Ross,48000,USD\n";

    /// The prompts in their order, and an answer to each.
    const PROMPTS: [(&str, &str); 8] = [
        ("Your CRM, or where your deals are", RETURN),
        ("Export file", RETURN),
        ("E-signature providers", " \r"),
        ("Words in the names of your contracts", "order form\r"),
        ("The company's time zone", "Europe/Berlin\r"),
        ("Working hours for first touches", RETURN),
        ("GitHub repository for the CSM's tasks", "acme/handoffs\r"),
        ("A CSM:", "Sam Lee <sam@example.com> @samlee\r"),
    ];

    #[test]
    fn every_answer_is_checked_at_its_prompt() {
        let sandbox = Sandbox::new();
        sandbox.write("l/export.csv", EXPORT);
        let mut terminal = Terminal::start(&sandbox, "l");
        // The export that is there is the first choice; another one is looked at first.
        terminal.answer("Your CRM, or where your deals are", RETURN);
        terminal.answer("Export file", "gone.csv\r");
        terminal.answer("the file cannot be read", "\u{15}export.csv\r");
        terminal.answer("E-signature providers", " \r");
        terminal.answer("Words in the names of your contracts", "it's\r");
        terminal.answer("write the words alone", "\u{15}order form, agreement\r");
        terminal.answer("The company's time zone", "Berlin\r");
        terminal.answer("did you mean Europe/Berlin?", "\u{15}Europe/Berlin\r");
        terminal.answer("Working hours for first touches", "9 to 5\r");
        terminal.answer("hours", "\u{15}08:30-17:00\r");
        terminal.answer("GitHub repository for the CSM's tasks", "acme\r");
        terminal.answer("write it as owner/repo", "\u{15}acme/handoffs\r");
        terminal.answer("A CSM:", "@samlee\r");
        terminal.answer("has no name", "\u{15}Sam Lee <sam@example.com> @samlee\r");
        terminal.answer("Another CSM", "Samuel Lee <sam@example.com>\r");
        terminal.answer("means two people", "\u{15}Kim Park <kim>\r");
        terminal.answer("without an @", "\u{15}Kim Park <kim@example.com>\r");
        terminal.answer("Another CSM", RETURN);
        terminal.expect("Next:");
        for command in
            ["handoff coverage --deals export.csv --write", "handoff backfill", "handoff audit"]
        {
            terminal.expect(command);
        }
        terminal.answer("Audit export.csv now?", "y");
        terminal.expect("missing-handoff");
        let (code, shown) = terminal.ends();
        assert_eq!(code, 1, "{shown}");
        let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
        for line in [
            "timezone: \"Europe/Berlin\"",
            "deals: \"export.csv\"",
            "signature.document_name | says('order form')",
            "signature.document_name | says('agreement')",
            "hours: \"08:30-17:00\"",
            "repository: \"acme/handoffs\"",
            "github: \"samlee\"",
        ] {
            assert!(config.contains(line), "{line} is missing in:\n{config}");
        }
        assert!(sandbox.join("l/.gitignore").is_file());
        // The three commands that it named work.
        for arguments in [
            &["coverage", "--deals", "export.csv", "--write"][..],
            &["backfill", "--deals", "export.csv", "--dry-run"],
            &["audit", "--deals", "export.csv"],
        ] {
            let code = sandbox.handoff("l", arguments).code;
            assert!(code == 0 || code == 1, "{arguments:?} ended with {code}");
        }
    }

    #[test]
    fn an_interrupt_at_any_prompt_leaves_nothing_and_gives_the_cursor_back() {
        for stop in 0..PROMPTS.len() {
            let sandbox = Sandbox::new();
            sandbox.write("l/export.csv", EXPORT);
            let mut terminal = Terminal::start(&sandbox, "l");
            for (prompt, answer) in &PROMPTS[..stop] {
                terminal.answer(prompt, answer);
            }
            terminal.answer(PROMPTS[stop].0, INTERRUPT);
            let (code, shown) = terminal.ends();
            assert_eq!(code, 2, "at {}: {shown}", PROMPTS[stop].0);
            assert!(shown.contains("nothing was created"), "{shown}");
            let (hidden, back) = (shown.rfind("\u{1b}[?25l"), shown.rfind("\u{1b}[?25h"));
            assert!(hidden <= back, "the cursor stays hidden at {}: {shown:?}", PROMPTS[stop].0);
            let left: Vec<_> = fs::read_dir(sandbox.join("l")).unwrap().collect();
            assert_eq!(left.len(), 1, "only the export is there: {left:?}");
        }
    }

    #[test]
    fn a_crm_is_written_to_only_where_somebody_says_so() {
        let sandbox = Sandbox::new();
        fs::create_dir_all(sandbox.join("l")).unwrap();
        let mut terminal = Terminal::start(&sandbox, "l");
        terminal.answer("Your CRM, or where your deals are", RETURN);
        terminal.answer("E-signature providers", &format!("{DOWN} {RETURN}"));
        terminal.answer("Words in the names of your contracts", "order form\r");
        terminal.answer("May a signed contract move its deal to Closed Won", "y");
        terminal.answer("The company's time zone", RETURN);
        terminal.answer("Working hours for first touches", "24h\r");
        terminal.answer("GitHub repository for the CSM's tasks", RETURN);
        terminal.answer("A CSM:", RETURN);
        terminal.expect("handoff doctor --offline");
        let (code, shown) = terminal.ends();
        assert_eq!(code, 0, "{shown}");
        let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
        assert!(config.contains("hubspot: {update_closed_won: true}"), "{config}");
        sandbox.handoff("l", &["validate"]).exits(0);
    }
}

#[test]
fn what_is_said_in_flags_is_in_the_settings() {
    let sandbox = Sandbox::new();
    let arguments = [
        "init",
        "l",
        "--yes",
        "--crm",
        "hubspot",
        "--timezone",
        "Europe/Berlin",
        "--hours",
        "09:00-17:00",
        "--contract",
        "Order form,agreement",
    ];
    sandbox.handoff(".", &arguments).exits(0);
    let config = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    assert!(config.contains("timezone: \"Europe/Berlin\"\n"), "{config}");
    assert!(config.contains("signature.document_name | says('order form')"), "{config}");
    sandbox.handoff("l", &["validate"]).exits(0);
    for (option, value, words) in [
        ("--timezone", "Berlin", "did you mean Europe/Berlin?"),
        ("--timezone", "Berln", "did you mean Europe/Berlin?"),
        ("--timezone", "be", "such as Europe/Berlin\n"),
        ("--hours", "nine to five", "--hours: "),
    ] {
        let ran = sandbox.handoff(".", &["init", "x", option, value]).exits(2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(!sandbox.join("x").exists(), "nothing is made");
    }
}
