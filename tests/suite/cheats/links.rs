//! Links where the ledger's files and folders belong: refused by every command
//! that meets them, in a checkout and in the commits of a bare clone, and
//! nothing of what they point at is read.

use std::fs;
use std::os::unix::fs::symlink;

use super::Ledger;
use crate::sandbox::Ran;

/// What must never be shown: it stands in every file that a link points at.
const SECRET: &str = "hunter2-of-another-team";

/// A signed handoff, and beside the ledger a file with a secret.
fn ledger() -> (Ledger, String) {
    let ledger = Ledger::new();
    ledger.change("handoff.yaml", "deliver:\n  {}", "deliver:\n  outbox: {dir: outbox}");
    ledger.commit("2026-11-01T00:00:00Z", "an outbox");
    let folder = ledger.sign("1", "2026-11-02T10:00:00Z", "2026-11-02T10:05:00Z");
    fs::copy(ledger.sandbox.join("deals.csv"), ledger.sandbox.join("l/deals.csv")).unwrap();
    ledger.sandbox.write("secret", format!("{SECRET}: x\n"));
    ledger.sandbox.write("outside/brief.yaml", format!("{SECRET}: x\n"));
    ledger.sandbox.git("l", &["config", "note.secret", SECRET]);
    (ledger, folder)
}

fn check_silent(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains(SECRET), "`{}` shows the secret:\n{text}", ran.line);
    }
}

/// Runs a command in a folder; it must fail, name the link and tell no secret.
#[track_caller]
fn refuses(ledger: &Ledger, folder: &str, arguments: &[&str], link: &str) {
    let ran = ledger.sandbox.handoff(folder, arguments);
    check_silent(&ran);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(matches!(ran.code, 1..=3), "`{}` ended with {}:\n{said}", ran.line, ran.code);
    let named = said.lines().any(|line| {
        line.contains(link) && (line.contains("symbolic link") || line.contains("submodule"))
    });
    // `validate` has the path in the line below the message.
    let pointed = said.contains("does not follow") && said.contains(&format!("--> {link}"));
    assert!(named || pointed, "`{}` does not name {link}:\n{said}", ran.line);
}

const VALIDATE: &[&str] = &["validate"];
const AUDIT: &[&str] = &["audit", "--deals", "../deals.csv"];

/// Puts a link in the place of a file or folder of the checkout.
fn link(ledger: &Ledger, path: &str, target: &str) {
    let file = ledger.sandbox.join("l").join(path);
    if file.is_dir() {
        fs::remove_dir_all(&file).unwrap();
    } else if file.exists() {
        fs::remove_file(&file).unwrap();
    }
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    symlink(target, file).unwrap();
}

/// A bare clone of a tree in which one entry has another mode: a link or a submodule.
fn bare(ledger: &Ledger, path: &str, mode: &str) {
    ledger.sandbox.git(".", &["clone", "-q", "--bare", "l", "bare"]);
    let id = match mode {
        "120000" => {
            let target = ledger.sandbox.write("target", "../../../../../secret");
            let target = target.display().to_string();
            ledger.sandbox.git("l", &["hash-object", "-w", &target]).trim().to_owned()
        }
        _ => ledger.sandbox.git("l", &["rev-parse", "HEAD"]).trim().to_owned(),
    };
    ledger.sandbox.git("l", &["rm", "-rq", "--cached", "--ignore-unmatch", path]);
    let entry = format!("{mode},{id},{path}");
    ledger.sandbox.git("l", &["update-index", "--add", "--cacheinfo", &entry]);
    // Without a checkout the export of the settings is read from the commit.
    ledger.sandbox.git("l", &["add", "-f", "deals.csv"]);
    ledger.git_at("2026-11-03T09:00:00Z", &["commit", "-qm", "a link"]);
    ledger.sandbox.git("l", &["push", "-q", "../bare", "main"]);
}

#[test]
fn a_link_in_the_place_of_a_handoffs_file_is_refused_by_all() {
    for name in ["brief.yaml", "timeline.yaml"] {
        for target in ["/etc/passwd", "../../../../../secret", "../../../../.git/config"] {
            let (ledger, folder) = ledger();
            let file = format!("{folder}/{name}");
            link(&ledger, &file, target);
            refuses(&ledger, "l", VALIDATE, &file);
            refuses(&ledger, "l", &["validate", &folder], &file);
            refuses(&ledger, "l", &["validate", &file], &file);
            check_silent(&ledger.sandbox.handoff("l", &["doctor", "--offline"]));
            if name == "brief.yaml" {
                refuses(&ledger, "l", &["render", &file], &file);
                refuses(&ledger, "l", &["render", &folder], &file);
            }
            ledger.commit("2026-11-03T09:00:00Z", "a link");
            refuses(&ledger, "l", &["validate", "--since", "HEAD~1"], &file);
            refuses(&ledger, "l", AUDIT, &file);
            refuses(&ledger, "l", &["status"], &file);
            refuses(&ledger, "l", &["deliver"], &file);
            let event = ledger.event("1", "2026-11-02T10:00:00Z");
            refuses(&ledger, "l", &["sign", &event], &file);
            refuses(&ledger, "l", &["touch", "hubspot-1", "--by", "samlee"], &file);
            let kept = fs::read_link(ledger.sandbox.join("l").join(&file)).unwrap();
            assert_eq!(kept.to_str(), Some(target), "nothing was written in its place");
        }
    }
}

#[test]
fn a_link_in_the_place_of_sources_proposals_or_the_page_is_refused_by_validate() {
    for name in ["sources.yaml", "proposed.yaml", "README.md"] {
        let (ledger, folder) = ledger();
        let file = format!("{folder}/{name}");
        link(&ledger, &file, "../../../../../secret");
        refuses(&ledger, "l", VALIDATE, &file);
        refuses(&ledger, "l", &["validate", &file], &file);
        check_silent(&ledger.sandbox.handoff("l", &["why", "hubspot-1"]));
        ledger.commit("2026-11-03T09:00:00Z", "a link");
        refuses(&ledger, "l", &["validate", "--since", "HEAD~1"], &file);
        check_silent(&ledger.sandbox.handoff("l", &["why", "hubspot-1"]));
        if name == "sources.yaml" {
            refuses(&ledger, "l", AUDIT, &file);
            refuses(&ledger, "l", &["why", "hubspot-1"], &file);
        }
        for mode in ["120000", "160000"] {
            let (ledger, folder) = self::ledger();
            let file = format!("{folder}/{name}");
            bare(&ledger, &file, mode);
            refuses(&ledger, "bare", VALIDATE, &file);
        }
    }
}

#[test]
fn a_link_in_the_place_of_a_folder_is_refused_by_all_that_look_for_handoffs() {
    let (ledger, folder) = ledger();
    let month = folder.rsplit_once('/').unwrap().0.to_owned();
    let added = format!("{month}/new--hubspot-2");
    for (path, target) in [(&*added, "../../../../outside"), (&*month, "../../../outside")] {
        link(&ledger, path, target);
        refuses(&ledger, "l", VALIDATE, path);
        refuses(&ledger, "l", &["validate", path], path);
        ledger.commit("2026-11-03T09:00:00Z", "a link");
        refuses(&ledger, "l", &["validate", "--since", "HEAD~1"], path);
        refuses(&ledger, "l", AUDIT, path);
        refuses(&ledger, "l", &[&["audit", "--no-cache"], &AUDIT[1..]].concat(), path);
    }
    // Below a link, what it points at is not reached either.
    let behind = format!("{month}/brief.yaml");
    refuses(&ledger, "l", &["validate", &behind], &month);
    refuses(&ledger, "l", &["render", &behind], &month);
    link(&ledger, "briefs", "../outside");
    refuses(&ledger, "l", VALIDATE, "briefs");
    ledger.commit("2026-11-03T10:00:00Z", "all of it");
    refuses(&ledger, "l", AUDIT, "briefs");
    // It is gone, and nothing of it stays.
    ledger.git_at("2026-11-04T09:00:00Z", &["revert", "--no-edit", "HEAD", "HEAD~1", "HEAD~2"]);
    let (class, _) = ledger.audited();
    assert_eq!(class, "on_time");
    assert!(!ledger.sandbox.handoff("l", VALIDATE).stdout.contains("follow"));
}

#[test]
fn settings_schema_and_templates_are_never_links() {
    for path in ["handoff.yaml", "schema/brief.schema.json", "templates/brief.md.j2"] {
        for target in ["/etc/passwd", "../secret", "../../secret"] {
            let (ledger, folder) = ledger();
            link(&ledger, path, target);
            for command in [&["validate"][..], &["doctor", "--offline"], &["status"], AUDIT] {
                refuses(&ledger, "l", command, path);
            }
            refuses(&ledger, "l", &["render", &folder], path);
        }
    }
    // Nor do they lie behind a folder that is one.
    let (ledger, _) = ledger();
    fs::rename(ledger.sandbox.join("l/templates"), ledger.sandbox.join("others")).unwrap();
    link(&ledger, "templates", "../others");
    refuses(&ledger, "l", VALIDATE, "templates");
}

#[test]
fn links_and_submodules_in_the_commits_of_a_bare_clone_are_refused() {
    for mode in ["120000", "160000"] {
        for name in ["brief.yaml", "timeline.yaml"] {
            let (ledger, folder) = ledger();
            let file = format!("{folder}/{name}");
            bare(&ledger, &file, mode);
            refuses(&ledger, "bare", VALIDATE, &file);
            refuses(&ledger, "bare", AUDIT, &file);
            refuses(&ledger, "bare", &["status"], &file);
            refuses(&ledger, "bare", &["deliver"], &file);
            refuses(&ledger, "bare", &["accept", "hubspot-1", "--by", "samlee"], &file);
            // The checkout that made it has the entry in its index alone.
            if mode == "160000" {
                fs::remove_file(ledger.sandbox.join("l").join(&file)).unwrap();
                refuses(&ledger, "l", VALIDATE, &file);
            }
        }
        let (ledger, folder) = ledger();
        let added = format!("{}/new--hubspot-2", folder.rsplit_once('/').unwrap().0);
        bare(&ledger, &added, mode);
        refuses(&ledger, "bare", VALIDATE, &added);
        refuses(&ledger, "bare", AUDIT, &added);
        if mode == "160000" {
            refuses(&ledger, "l", VALIDATE, &added);
        }
        for path in ["handoff.yaml", "schema/brief.schema.json", "templates/brief.md.j2", "schema"]
        {
            let (ledger, _) = self::ledger();
            bare(&ledger, path, mode);
            refuses(&ledger, "bare", VALIDATE, path);
            if path.starts_with("schema") {
                let report = ledger.sandbox.handoff("l", AUDIT);
                check_silent(&report);
                assert_eq!(report.code, 3, "{}{}", report.stdout, report.stderr);
            }
        }
    }
}

#[test]
fn settings_name_no_export_outside_of_the_ledger() {
    let (ledger, _) = ledger();
    for (deals, why) in [
        ("/etc/passwd", "outside of the ledger"),
        ("../secret", "outside of the ledger"),
        ("briefs/../../secret", "outside of the ledger"),
        (".git/config", "git's own folder"),
        ("linked.csv", "a symbolic link"),
    ] {
        link(&ledger, "linked.csv", "../secret");
        ledger.git_at("2026-11-03T09:00:00Z", &["checkout", "-q", "--", "handoff.yaml"]);
        ledger.change("handoff.yaml", "deals: \"deals.csv\"", &format!("deals: {deals}"));
        for command in [&["coverage"][..], &["audit"], &["doctor", "--offline"]] {
            let ran = ledger.sandbox.handoff("l", command);
            check_silent(&ran);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!said.contains("root:x:0"), "{said}");
            if command[0] != "audit" {
                assert!(said.contains(why), "`{}` with {deals}:\n{said}", ran.line);
            }
        }
    }
    // The person who runs it may name any file, and the machine a folder for exports.
    ledger.sandbox.handoff("l", &["coverage", "--deals", "../deals.csv"]).exits(0);
    ledger.change("handoff.yaml", "deals: linked.csv", "deals: ../deals.csv");
    let exports = ledger.sandbox.join(".").display().to_string();
    let variables = [("HANDOFF_EXPORTS", exports.as_str())];
    ledger.sandbox.handoff_with("l", &["coverage"], &variables).exits(0);
    ledger.sandbox.handoff("l", &["coverage"]).exits(2);
}
