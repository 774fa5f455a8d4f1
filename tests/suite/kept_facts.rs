//! What commands keep of each handoff's folder in `.git/handoff/folders`: with
//! nothing new no file is read, whatever does not fit is ignored, and the answer
//! is the same with and without it.

use std::fs;
use std::path::PathBuf;

use crate::sandbox::{Ran, Sandbox, fixture};

const MANY: u32 = 90;

fn folder(number: u32) -> String {
    format!("ledger/briefs/2026/11/customer-{number}--hubspot-{number}")
}

/// A ledger with more handoffs in a month than git's own library keeps parsed.
fn ledger() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["init", "ledger", "--yes"]).exits(0);
    for number in 1..=MANY {
        let day = 1 + number % 18;
        let brief = format!(
            "schema: handoff/brief/v1\nkey: hubspot-{number}\n\
             signature: {{provider: pandadoc, document_id: d{number}, signed_at: 2026-11-{day:02}T15:44:00Z}}\n\
             customer: {{name: Customer {number}}}\n\
             commitments:\n  - {{promise: Import {number}, owner: Data team, due: 2026-11-{day:02}}}\n"
        );
        let timeline = format!(
            "schema: handoff/timeline/v1\nkey: hubspot-{number}\nevents:\n  \
             - {{at: 2026-11-{day:02}T15:45:00Z, event: signed, via: pandadoc, ref: d{number}}}\n"
        );
        sandbox.write(&format!("{}/brief.yaml", folder(number)), brief);
        sandbox.write(&format!("{}/timeline.yaml", folder(number)), timeline);
    }
    commit(&sandbox);
    sandbox
}

fn commit(sandbox: &Sandbox) {
    sandbox.git("ledger", &["add", "briefs"]);
    sandbox.git("ledger", &["commit", "-qm", "briefs"]);
}

const COMMANDS: [&[&str]; 4] = [
    &["status", "--all", "--format", "json"],
    &["status", "--all"],
    &["promises", "--format", "json"],
    &["promises", "--now", "2026-11-09T12:00:00Z"],
];
/// Finds by what is kept, and reads what it found.
const CUSTOMER: &[&str] = &["status", "--customer", "Customer 7", "--format", "json"];

fn printed(sandbox: &Sandbox) -> Vec<String> {
    COMMANDS.map(|line| sandbox.handoff("ledger", line).exits(0).stdout).to_vec()
}

/// What the commands print with what earlier ones kept and without it, which is
/// the same.
#[track_caller]
fn printed_twice(sandbox: &Sandbox) -> Vec<String> {
    let lines =
        [&COMMANDS[..], &[CUSTOMER, &["deliver", "--dry-run", "--format", "json"]]].concat();
    let run = |line: &&[&str]| sandbox.handoff("ledger", line);
    let kept: Vec<Ran> = lines.iter().map(run).collect();
    fs::remove_dir_all(folders(sandbox)).unwrap();
    for (kept, again) in kept.iter().zip(lines.iter().map(run)) {
        assert_eq!((kept.code, &kept.stdout), (again.code, &again.stdout), "{}", kept.line);
        assert_eq!(kept.stderr, again.stderr, "{}", kept.line);
    }
    kept.into_iter().map(|ran| ran.stdout).collect()
}

fn folders(sandbox: &Sandbox) -> PathBuf {
    sandbox.join("ledger/.git/handoff/folders")
}

/// The files of one kind.
fn kept(sandbox: &Sandbox, kind: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(folders(sandbox)).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().unwrap() == kind).collect()
}

/// Removes the objects of every brief and timeline, so that none can be read,
/// but for one folder.
fn lose_the_files(sandbox: &Sandbox, but: Option<&str>) {
    for line in sandbox.git("ledger", &["ls-tree", "-r", "HEAD", "briefs"]).lines() {
        if but.is_some_and(|folder| line.contains(folder)) {
            continue;
        }
        let id = line.split_whitespace().nth(2).unwrap();
        let object = sandbox.join(format!("ledger/.git/objects/{}/{}", &id[..2], &id[2..]));
        if object.exists() {
            fs::remove_file(object).unwrap();
        }
    }
}

#[test]
fn with_nothing_new_no_file_is_read_and_the_answer_is_the_same() {
    let sandbox = ledger();
    let first = printed(&sandbox);
    assert!(first[0].contains("\"hubspot-90\"") && first[2].contains("Import 90"));
    // What was kept on one day says nothing of what is overdue on another.
    assert!(first[3].contains("90 promises: 90 open, 40 overdue"), "{}", first[3]);
    lose_the_files(&sandbox, None);
    assert_eq!(printed(&sandbox), first);
    fs::remove_dir_all(folders(&sandbox)).unwrap();
    for line in &COMMANDS[..3] {
        assert_ne!(sandbox.handoff("ledger", line).code, 0, "nothing is left to read");
    }
}

#[test]
fn what_is_kept_is_ignored_wherever_it_is_cut_or_changed() {
    let sandbox = ledger();
    let lines = [COMMANDS[0], COMMANDS[0], COMMANDS[2], CUSTOMER];
    let first = lines.map(|line| sandbox.handoff("ledger", line).exits(0).stdout);
    for (at, kind) in ["handoffs", "names", "promises", "customers"].into_iter().enumerate() {
        let (line, expected) = (lines[at], &first[at]);
        let files = kept(&sandbox, kind);
        let [file] = &files[..] else { panic!("{kind}: one month, one file: {files:?}") };
        let whole = fs::read(file).unwrap();
        let places = [0, 3, 15, 16, 19, 20, 52, 72, 76, 90, whole.len() / 2, whole.len() - 1];
        for at in places {
            let mut changed = whole.clone();
            changed[at] ^= 0x41;
            for bytes in [&whole[..at], &changed] {
                fs::write(file, bytes).unwrap();
                let ran = sandbox.handoff("ledger", line).exits(0);
                assert_eq!(&ran.stdout, expected, "{kind} at byte {at}");
            }
        }
        assert_eq!(fs::read(file).unwrap(), whole, "{kind} was rebuilt");
    }
}

#[test]
fn a_file_of_another_place_or_kind_is_ignored() {
    let sandbox = ledger();
    // The same customers and promises in another month, with other words.
    for number in 1..=MANY {
        let (old, new) = (folder(number), folder(number + MANY).replace("/11/", "/10/"));
        for name in ["brief.yaml", "timeline.yaml"] {
            let text = fs::read_to_string(sandbox.join(format!("{old}/{name}"))).unwrap();
            let key = format!("hubspot-{number}\n");
            let text = text.replace(&key, &format!("hubspot-{}\n", number + MANY));
            sandbox.write(&format!("{new}/{name}"), text.replace("Import", "Export"));
        }
    }
    commit(&sandbox);
    let answers = || {
        let customer = sandbox.handoff("ledger", CUSTOMER).exits(0).stdout;
        [printed(&sandbox), vec![customer]].concat()
    };
    let first = answers();
    for kind in ["handoffs", "names", "promises", "customers"] {
        let files = kept(&sandbox, kind);
        assert_eq!(files.len(), 2, "{kind}: one for each month");
        let both = [fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap()];
        fs::write(&files[0], &both[1]).unwrap();
        fs::write(&files[1], &both[0]).unwrap();
        assert_eq!(answers(), first, "{kind} of the two months changed places");
    }
    fs::copy(&kept(&sandbox, "promises")[0], &kept(&sandbox, "handoffs")[0]).unwrap();
    assert_eq!(answers(), first);
}

#[test]
fn what_changed_is_read_and_no_more() {
    let sandbox = ledger();
    let first = printed(&sandbox);
    let timeline = sandbox.join(format!("{}/timeline.yaml", folder(7)));
    let mut text = fs::read_to_string(&timeline).unwrap();
    text.push_str("  - {at: 2026-11-19T09:00:00Z, event: touched, via: slack, by: samlee}\n");
    fs::write(&timeline, &text).unwrap();
    let brief = sandbox.join(format!("{}/brief.yaml", folder(7)));
    let changed = fs::read_to_string(&brief).unwrap().replace("Import 7", "Import seven");
    fs::write(&brief, changed).unwrap();
    commit(&sandbox);
    lose_the_files(&sandbox, Some("customer-7--"));
    let second = printed(&sandbox);
    assert!(second[2].contains("Import seven") && !second[2].contains("\"Import 7\""));
    assert!(second[0].contains("samlee") && !first[0].contains("samlee"));
}

#[test]
fn edits_removals_and_force_pushes_give_the_same_with_and_without_it() {
    let sandbox = ledger();
    let start = printed_twice(&sandbox);
    let tip = sandbox.git("ledger", &["rev-parse", "HEAD"]);
    // More edits than are worth writing the file again, and removals.
    for number in 1..=40 {
        let brief = sandbox.join(format!("{}/brief.yaml", folder(number)));
        let text = fs::read_to_string(&brief).unwrap().replace("Import", "Move");
        fs::write(&brief, text).unwrap();
    }
    commit(&sandbox);
    let edited = printed_twice(&sandbox);
    assert!(edited[2].contains("Move 40") && edited[2].contains("Import 41"));
    sandbox.git("ledger", &["rm", "-rqf", folder(7).strip_prefix("ledger/").unwrap()]);
    sandbox.git("ledger", &["commit", "-qm", "removed"]);
    let removed = printed_twice(&sandbox);
    assert!(!removed[2].contains("hubspot-7\""), "it is gone");
    // The same folder under another name holds the same tree.
    let (old, new) = (folder(8), folder(8).replace("customer-8", "renamed"));
    let inside = |path: &str| path.strip_prefix("ledger/").unwrap().to_owned();
    sandbox.git("ledger", &["mv", &inside(&old), &inside(&new)]);
    sandbox.git("ledger", &["commit", "-qm", "renamed"]);
    let renamed = printed_twice(&sandbox);
    assert!(renamed[2].contains("renamed--hubspot-8") && !renamed[2].contains("customer-8--"));
    // A second folder of the same key: the first by path is the handoff.
    let copy = sandbox.join(format!("{}/brief.yaml", folder(9)));
    let text = fs::read_to_string(copy).unwrap().replace("Customer 9", "Another");
    let second = folder(9).replace("/11/", "/09/");
    sandbox.write(&format!("{second}/brief.yaml"), text);
    commit(&sandbox);
    let twice = printed_twice(&sandbox);
    assert!(twice[0].contains("\"Another\"") && !twice[0].contains("\"Customer 9\""));
    // A force push back to where it began.
    sandbox.git("ledger", &["reset", "-q", "--hard", tip.trim()]);
    assert_eq!(printed_twice(&sandbox), start);
}

#[test]
fn a_brief_that_cannot_be_read_is_said_each_time() {
    let sandbox = ledger();
    printed(&sandbox);
    sandbox.write(&format!("{}/brief.yaml", folder(5)), "key: [");
    commit(&sandbox);
    for _ in 0..2 {
        let ran = sandbox.handoff("ledger", &["promises"]);
        assert!(ran.stderr.contains("customer-5--hubspot-5"), "{}", ran.stderr);
        let ran = sandbox.handoff("ledger", &["status"]).exits(3);
        assert!(ran.stderr.contains("hubspot-5"), "{}", ran.stderr);
    }
}

/// A ledger with one signed and delivered handoff, and what signs it again.
fn signed() -> (Sandbox, impl Fn(&Sandbox) -> serde_json::Value) {
    let sandbox = Sandbox::new();
    let csm = ["--crm", "file", "--csm", "Sam Lee <sam@example.com> @samlee"];
    sandbox.handoff(".", &[&["init", "ledger"][..], &csm].concat()).exits(0);
    let deal = "18640329741,Brightwater - Growth 2026,Closed Won,2026-10-14 15:44";
    let deals = format!("Record ID,Deal Name,Deal Stage,Close Date\n{deal}\n");
    sandbox.write("ledger/deals.csv", deals);
    let event = fixture("esign/pandadoc-completed-full.body.json").display().to_string();
    let sign = move |sandbox: &Sandbox| {
        sandbox.handoff("ledger", &["sign", &event, "--format", "json"]).exits(0).json()
    };
    sign(&sandbox);
    (sandbox, sign)
}

#[test]
fn what_was_delivered_is_told_from_what_is_kept_and_not_read_again() {
    let (sandbox, _) = signed();
    let dry = ["deliver", "--dry-run", "--format", "json"];
    let again = sandbox.handoff("ledger", &dry).exits(0).json();
    assert_eq!(again["handoffs"][0]["key"], "hubspot-18640329741");
    assert_eq!(again["handoffs"][0]["would"], serde_json::json!([]));
    assert!(!again["handoffs"][0]["deliveries"].as_array().unwrap().is_empty(), "{again}");
    assert!(!kept(&sandbox, "handoffs").is_empty());
    sandbox.handoff("ledger", &["deliver"]).exits(0);
    lose_the_files(&sandbox, None);
    assert_eq!(sandbox.handoff("ledger", &dry).exits(0).json(), again);
    sandbox.handoff("ledger", &["deliver"]).exits(0);
}

#[test]
fn a_key_in_another_month_is_found_whatever_became_of_the_names() {
    let (sandbox, sign) = signed();
    let path = sign(&sandbox)["path"].as_str().unwrap().to_owned();
    let moved = path.replace("2026/10", "2026/11");
    fs::create_dir_all(sandbox.join("ledger/briefs/2026/11")).unwrap();
    sandbox.git("ledger", &["mv", &path, &moved]);
    sandbox.git("ledger", &["commit", "-qm", "moved"]);
    sandbox.handoff("ledger", &["status"]).exits(0);
    sign(&sandbox);
    let files = kept(&sandbox, "names");
    let file = files.iter().find(|file| file.exists()).expect("the month is kept");
    let whole = fs::read(file).unwrap();
    for at in [10, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        for bytes in [&whole[..], &whole[..at], &changed] {
            fs::write(file, bytes).unwrap();
            let again = sign(&sandbox);
            assert_eq!(
                (&again["path"], &again["created"]),
                (&moved.as_str().into(), &false.into())
            );
        }
    }
}

#[test]
fn commands_beside_one_another_and_a_writer_leave_what_fits() {
    let sandbox = ledger();
    let sandbox = &sandbox;
    std::thread::scope(|scope| {
        for line in COMMANDS.into_iter().chain([CUSTOMER]) {
            scope.spawn(move || {
                for _ in 0..3 {
                    sandbox.handoff("ledger", line).exits(0);
                }
            });
        }
        scope.spawn(move || {
            for number in 1..=20 {
                let brief = sandbox.join(format!("{}/brief.yaml", folder(number)));
                let text = fs::read_to_string(&brief).unwrap().replace("Import", "Move");
                fs::write(&brief, text).unwrap();
                commit(sandbox);
            }
        });
    });
    let last = printed_twice(sandbox);
    assert!(last[2].contains("Move 20") && last[2].contains("Import 21"));
}

/// How `validate` ends, and how many pages it calls stale.
fn stale(sandbox: &Sandbox) -> (i32, usize) {
    found(sandbox, "stale-rendering")
}

/// How `validate` ends, and how often it finds this.
fn found(sandbox: &Sandbox, rule: &str) -> (i32, usize) {
    let ran = sandbox.handoff("ledger", &["validate", "--format", "json"]);
    let said = ran.json();
    let findings = said["findings"].as_array().unwrap();
    (ran.code, findings.iter().filter(|it| it["rule"] == rule).count())
}

#[test]
fn a_known_page_is_known_by_all_that_it_is_made_from() {
    let sandbox = ledger();
    sandbox.handoff("ledger", &["validate", "--fix"]);
    let (code, none) = stale(&sandbox);
    assert_eq!(none, 0);
    let file = sandbox.join("ledger/.git/handoff/pages.digests");
    let whole = fs::read(&file).unwrap();
    assert_eq!(stale(&sandbox), (code, 0));
    assert_eq!(fs::read(&file).unwrap(), whole, "nothing is new");

    let changed = |path: &str, change: &dyn Fn(String) -> String, expected: usize| {
        let path = sandbox.join(path);
        let before = fs::read_to_string(&path).unwrap();
        let after = change(before.clone());
        assert_ne!(before, after, "{}", path.display());
        fs::write(&path, after).unwrap();
        let (_, found) = stale(&sandbox);
        fs::write(&path, before).unwrap();
        assert_eq!(found, expected, "{}", path.display());
    };
    let other = fs::read_to_string(sandbox.join(format!("{}/README.md", folder(2)))).unwrap();
    changed(&format!("{}/README.md", folder(1)), &|_| other.clone(), 1);
    let rename = |text: String| text.replace("Customer 3", "Customer three");
    changed(&format!("{}/brief.yaml", folder(3)), &rename, 1);
    let many = usize::try_from(MANY).unwrap();
    changed("ledger/templates/brief.md.j2", &|text| format!("{text}\nMore.\n"), many);
    let seller = |text: String| text.replace("the sales rep", "the seller");
    changed("ledger/schema/brief.schema.json", &seller, many);
    changed("ledger/handoff.yaml", &|text| format!("{text}\ntimezone: Asia/Tokyo\n"), many);
    // All of that has left other pages or none; the first ones are found again.
    assert_eq!(stale(&sandbox), (code, 0));
    let kept = fs::read(&file).unwrap();
    for at in [0, 3, 16, 20, 24, kept.len() / 2, kept.len() - 1] {
        let mut changed = kept.clone();
        changed[at] ^= 0x41;
        for bytes in [&kept[..at], &changed] {
            fs::write(&file, bytes).unwrap();
            assert_eq!(stale(&sandbox), (code, 0), "byte {at}");
        }
    }
}

#[test]
fn known_sources_are_known_by_all_that_they_are_judged_by() {
    let sandbox = ledger();
    let file = |name: &str| format!("{}/{name}", folder(1));
    let sources = "schema: handoff/sources/v1\nkey: hubspot-1\nbrief: none\nanswers: {}\n";
    sandbox.write(&file("sources.yaml"), sources);
    let path = sandbox.join(file("sources.yaml"));
    let id = sandbox.git("ledger", &["hash-object", path.to_str().unwrap()]);
    let timeline = fs::read_to_string(sandbox.join(file("timeline.yaml"))).unwrap();
    let recorded = timeline.replace("ref: d1}", &format!("ref: d1, sources: {}}}", id.trim()));
    assert_ne!(timeline, recorded);
    sandbox.write(&file("timeline.yaml"), recorded.clone());
    sandbox.handoff("ledger", &["validate", "--fix"]);
    let broken = || found(&sandbox, "broken-sources").1;
    assert_eq!((broken(), broken()), (0, 0));
    assert!(sandbox.join("ledger/.git/handoff/pages.digests").exists());

    for other in
        [&format!("{sources}\n"), "schema: [\n", &sources.replace("hubspot-1", "hubspot-2")]
    {
        sandbox.write(&file("sources.yaml"), other);
        assert_eq!((broken(), broken()), (1, 1), "{other}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!((broken(), broken()), (1, 1));
    sandbox.write(&file("sources.yaml"), sources);
    assert_eq!(broken(), 0);
    sandbox.write(&file("timeline.yaml"), timeline);
    assert_eq!((broken(), broken()), (1, 1));
    // What was not looked at beside a link is not known once the link is gone.
    #[cfg(unix)]
    {
        let link = sandbox.join(file("proposed.yaml"));
        std::os::unix::fs::symlink("elsewhere", &link).unwrap();
        broken();
        broken();
        fs::remove_file(&link).unwrap();
        assert_eq!((broken(), broken()), (1, 1));
    }
    sandbox.write(&file("timeline.yaml"), recorded);
    assert_eq!(broken(), 0);
}
