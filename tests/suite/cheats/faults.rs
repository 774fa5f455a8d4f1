//! Faults that are over: what was broken and is gone, moved or fixed blocks no
//! later audit, and reports land where they were asked for.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::Ledger;

/// The audit sees everything, and the deal is late as it always was.
#[track_caller]
fn is_whole(ledger: &Ledger, after: &str) {
    for arguments in [&[][..], &["--no-cache"]] {
        let ran = ledger.audit(arguments);
        let report = ran.json();
        assert_eq!(report["complete"], true, "after {after}: {report}");
        assert_eq!(report["deals"][0]["class"], "late", "after {after}: {report}");
        assert_eq!(ran.code, 1, "late is a finding");
    }
}

#[test]
fn what_was_broken_and_is_gone_moved_or_fixed_blocks_no_later_audit() {
    let ledger = Ledger::late();
    let folder = ledger.sandbox.git("l", &["ls-files", "briefs/*brief.yaml"]);
    let folder = folder.trim().strip_suffix("/brief.yaml").unwrap().to_owned();
    let path = |name: &str| ledger.sandbox.join("l").join(name);
    let mut hour = 0;
    let mut commit = |message: &str| {
        hour += 1;
        ledger.commit(&format!("2026-11-03T{hour:02}:00:00Z"), message);
    };
    for name in ["brief.yaml", "timeline.yaml"] {
        let file = path(&format!("{folder}/{name}"));
        let good = fs::read(&file).unwrap();
        fs::write(&file, "events: [\n\u{0}").unwrap();
        commit("broken");
        assert_eq!(ledger.audit(&[]).code, 3, "a broken {name} at the tip is said");
        fs::write(&file, &good).unwrap();
        commit("fixed");
        is_whole(&ledger, &format!("a broken {name} that was fixed"));
    }
    // A stranger's broken folder, moved, then removed.
    let stray = format!("{}/stray--hubspot-9", folder.rsplit_once('/').unwrap().0);
    ledger.sandbox.write(&format!("l/{stray}/brief.yaml"), "key: [\n");
    ledger.sandbox.write(&format!("l/{stray}/timeline.yaml"), "\t\n");
    commit("a stranger");
    assert_eq!(ledger.audit(&[]).code, 3);
    let moved = stray.replace("/stray--", "/lost--");
    fs::rename(path(&stray), path(&moved)).unwrap();
    commit("moved");
    assert_eq!(ledger.audit(&[]).code, 3);
    fs::remove_dir_all(path(&moved)).unwrap();
    commit("gone");
    is_whole(&ledger, "a broken folder that was moved and removed");
    // A link in the brief's place, then the brief again.
    let file = path(&format!("{folder}/brief.yaml"));
    let good = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    symlink("/etc/passwd", &file).unwrap();
    commit("a link");
    assert_eq!(ledger.audit(&[]).code, 3);
    fs::remove_file(&file).unwrap();
    fs::write(&file, &good).unwrap();
    commit("the brief again");
    is_whole(&ledger, "a link that was replaced");
    ledger.is_found("removed-handoff", "was gone for 1 h");
}

#[test]
fn a_brief_that_came_under_a_schema_that_was_broken_is_judged_by_the_one_before() {
    let ledger = Ledger::late();
    let schema = ledger.sandbox.join("l/schema/brief.schema.json");
    let good = fs::read(&schema).unwrap();
    ledger.git_at("2026-11-02T12:00:00Z", &["reset", "-q", "--soft", "HEAD~1"]);
    fs::write(&schema, "{").unwrap();
    ledger.commit("2026-11-02T13:00:00Z", "a schema that is none, and the brief");
    fs::write(&schema, &good).unwrap();
    ledger.commit("2026-11-02T14:00:00Z", "fixed");
    is_whole(&ledger, "a broken schema that was fixed");
}

#[test]
fn reports_go_through_links_and_have_the_mode_that_the_mask_leaves() {
    let ledger = Ledger::late();
    let at = |name: &str| ledger.sandbox.join(name);
    let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    symlink("real.html", at("linked.html")).unwrap();
    symlink("nothing-yet.html", at("dangling.html")).unwrap();
    ledger.sandbox.write("real.html", "before");
    ledger.sandbox.write("closed.html", "before");
    fs::set_permissions(at("closed.html"), fs::Permissions::from_mode(0o600)).unwrap();
    let handoff = env!("CARGO_BIN_EXE_handoff");
    for name in ["new.html", "linked.html", "dangling.html", "closed.html"] {
        let line = format!(
            "umask 027; exec {handoff} --now 2026-11-20T17:00:00Z audit --deals ../deals.csv --format html --output ../{name}"
        );
        let mut shell = ledger.sandbox.command("sh", at("l"));
        let output = shell.args(["-c", &line]).output().unwrap();
        let ran = crate::sandbox::ran(&output, line).exits(1);
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
        assert!(fs::read_to_string(at(name)).unwrap().contains("<html"), "{name}");
    }
    for name in ["linked.html", "dangling.html"] {
        assert!(at(name).symlink_metadata().unwrap().is_symlink(), "{name} stays a link");
    }
    assert_eq!((mode("new.html"), mode("nothing-yet.html")), (0o640, 0o640));
    assert_eq!(mode("closed.html"), 0o600, "what is there keeps its mode");
}

#[test]
fn a_file_of_a_later_version_is_refused_with_what_to_do() {
    let what_to_do = "(docs/versions.md)";
    for (name, from, to) in [
        ("brief.yaml", "schema: handoff/brief/v1", "schema: handoff/brief/v2\nnews: 1"),
        ("timeline.yaml", "schema: handoff/timeline/v1", "schema: handoff/timeline/v2\nnews: 1"),
        ("sources.yaml", "schema: handoff/sources/v1", "schema: handoff/sources/v2\nnews: 1"),
    ] {
        let ledger = Ledger::late();
        let path = ledger.sandbox.git("l", &["ls-files", &format!("briefs/*{name}")]);
        ledger.change(path.trim(), from, to);
        ledger.commit("2026-11-03T09:00:00Z", "of a later version");
        let later = to.split_once(' ').unwrap().1.split_once('\n').unwrap().0;
        let validate = ledger.sandbox.handoff("l", &["validate"]).exits(1).stdout;
        assert!(validate.contains(later) && validate.contains(what_to_do), "{validate}");
        assert!(!validate.contains("write `schema:"), "no advice to write another: {validate}");
        if name == "sources.yaml" {
            continue;
        }
        let commands: &[&[&str]] = &[&["touch", "hubspot-1", "--by", "samlee"], &["status"]];
        for command in commands {
            let ran = ledger.sandbox.handoff("l", command);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(said.contains(what_to_do), "{command:?} ended with {}: {said}", ran.code);
        }
        let audit = ledger.audit(&[]);
        assert_eq!(audit.code, 3, "{}", audit.stdout);
        assert!(audit.stdout.contains(what_to_do), "{}", audit.stdout);
        let kept = fs::read_to_string(ledger.sandbox.join("l").join(path.trim())).unwrap();
        assert!(kept.contains(later), "nothing is written over it");
    }
    let ledger = Ledger::late();
    ledger.change("handoff.yaml", "version: 1\n", "version: 2\nnews: {all: new}\n");
    for command in [&["validate"][..], &["status"], &["doctor", "--offline"]] {
        let ran = ledger.sandbox.handoff("l", command).exits(2);
        assert!(ran.stderr.contains("are of version 2"), "{}", ran.stderr);
        assert!(ran.stderr.contains(what_to_do), "{}", ran.stderr);
        assert!(!ran.stderr.contains("news"), "and nothing else is judged: {}", ran.stderr);
    }
}

/// A history that ends, for this clone, after the moment that was asked for is
/// not one that had not begun.
#[test]
fn what_cannot_be_followed_back_to_a_moment_says_nothing_of_it() {
    let ledger = Ledger::late();
    let at = ["--as-of", "2026-11-02T12:00:00Z"];
    let whole = ledger.audit(&at);
    assert_eq!((whole.code, &whole.json()["complete"]), (1, &serde_json::json!(true)));
    let origin = format!("file://{}", ledger.sandbox.join("l").display());
    ledger.sandbox.git(".", &["clone", "-q", "--depth", "1", &origin, "shallow"]);
    let line = ["audit", "--deals", "../deals.csv", at[0], at[1]];
    let ran = ledger.sandbox.handoff("shallow", &line).exits(3);
    let refused = "cannot be followed back to 2026-11-02 12:00:00 UTC";
    assert!(ran.stderr.contains(refused) && ran.stderr.contains("--unshallow"), "{}", ran.stderr);
    let id = ledger.sandbox.git("l", &["rev-parse", "HEAD~1"]);
    let id = id.trim();
    let file = ledger.sandbox.join(format!("l/.git/objects/{}/{}", &id[..2], &id[2..]));
    for content in [None, Some(&b""[..]), Some(b"noise"), Some(b"x\x01")] {
        fs::remove_file(&file).unwrap_or_default();
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        for more in [&[][..], &["--no-cache"]] {
            let ran = ledger.sandbox.handoff("l", &[&line[..], more].concat()).exits(3);
            assert!(ran.stderr.contains(refused) && ran.stderr.contains(id), "{}", ran.stderr);
        }
    }
}
