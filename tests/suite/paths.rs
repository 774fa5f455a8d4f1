//! Paths as people give them: names that are not UTF-8, `..`, and exports in a
//! clone without a checkout.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::sandbox::{NOW, Ran, Sandbox, fixture, ran};

/// A name in Latin-1, as old shares have them.
fn name(end: &str) -> OsString {
    let mut bytes = b"caf\xe9".to_vec();
    bytes.extend_from_slice(end.as_bytes());
    OsStr::from_bytes(&bytes).to_owned()
}

fn handoff(sandbox: &Sandbox, folder: &str, arguments: &[&OsStr]) -> Ran {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_handoff"), sandbox.join(folder));
    command.args(["--now", NOW]).args(arguments);
    ran(&command.output().unwrap(), format!("handoff {arguments:?}"))
}

#[test]
fn files_whose_names_are_not_utf8_are_read_wherever_a_file_is_given() {
    let sandbox = crate::refresh::ledger();
    let folder = sandbox.join("ledger");
    let event = fixture("esign/pandadoc-completed-full.body.json");
    fs::copy(event, folder.join(name(".json"))).unwrap();
    let json = name(".json");
    let sign = [OsStr::new("sign"), &json, OsStr::new("--no-deliver")];
    handoff(&sandbox, "ledger", &sign).exits(0);
    let path = sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]);
    let path = path.trim();

    // A brief, and its answers from a file.
    let yaml = name(".yaml");
    fs::copy(folder.join(path), folder.join(&yaml)).unwrap();
    let page = handoff(&sandbox, "ledger", &[OsStr::new("render"), &yaml]).exits(0).stdout;
    assert_eq!(page, sandbox.handoff("ledger", &["render", path]).exits(0).stdout);
    fs::write(folder.join(&yaml), "context.replaces: Spreadsheets\n").unwrap();
    let key = path.rsplit("--").next().unwrap().trim_end_matches("/brief.yaml").to_owned();
    let propose = ["propose", &key, "--by", "tool", "--cite", "call", "--file"].map(OsStr::new);
    handoff(&sandbox, "ledger", &[&propose[..], &[&yaml]].concat()).exits(0);

    // A form that is none, and one that is not there: the path is named.
    let form = [OsStr::new("sign"), &json, OsStr::new("--form"), &yaml];
    let refused = handoff(&sandbox, "ledger", &form).exits(2).stderr;
    assert!(refused.contains("caf\u{fffd}.yaml is not a filled-in handoff form"), "{refused}");
    let none = name(".none");
    for arguments in [["draft", "--form"], ["draft", ""], ["sign", "--form"]] {
        let given: Vec<&OsStr> =
            arguments.iter().filter(|it| !it.is_empty()).map(|it| OsStr::new(*it)).collect();
        let refused = handoff(&sandbox, "ledger", &[&given[..], &[&none]].concat()).exits(2).stderr;
        assert!(refused.contains("caf\u{fffd}.none cannot be read"), "{arguments:?}: {refused}");
    }
}

#[test]
fn an_argument_that_is_a_text_and_not_utf8_is_named() {
    let sandbox = crate::refresh::ledger();
    let word = name("");
    for arguments in [["accept", "acme", "--by"], ["status", "--customer", ""], ["why", "", ""]] {
        let given: Vec<&OsStr> =
            arguments.iter().filter(|it| !it.is_empty()).map(|it| OsStr::new(*it)).collect();
        let refused = handoff(&sandbox, "ledger", &[&given[..], &[&word]].concat()).exits(2).stderr;
        let told = "error: not UTF-8, and so no text: \"caf\u{fffd}\"\nhelp: ";
        assert!(refused.starts_with(told), "{arguments:?}: {refused}");
    }
}

#[test]
fn messages_show_paths_without_detours() {
    let sandbox = crate::refresh::ledger();
    let root = fs::canonicalize(sandbox.join(".")).unwrap();
    let at = |path: &str| root.join(path).display().to_string();
    for (arguments, shown) in [
        (&["-C", "../ledger/../none", "status"][..], at("none")),
        (&["audit", "--deals", "../ledger/./../x.csv"], at("x.csv")),
        (&["audit", "--output", "../ledger/../none/a.json"], at("none")),
        (&["-C", "../ledger/..", "status"], at("")),
    ] {
        let told = sandbox.handoff("ledger", arguments);
        assert!(told.code >= 2, "{}", told.stderr);
        let shown = shown.trim_end_matches('/');
        assert!(told.stderr.contains(shown), "{arguments:?}: {shown} is not in {}", told.stderr);
        assert!(!told.stderr.contains("ledger/.."), "{arguments:?}: {}", told.stderr);
    }
    // Behind a link `..` is somewhere else.
    fs::create_dir_all(sandbox.join("far/away")).unwrap();
    std::os::unix::fs::symlink(sandbox.join("far/away"), sandbox.join("ledger/link")).unwrap();
    fs::copy(sandbox.join("ledger/deals.csv"), sandbox.join("far/deals.csv")).unwrap();
    fs::remove_file(sandbox.join("ledger/deals.csv")).unwrap();
    let audit = ["audit", "--deals", "link/../deals.csv", "--format", "json"];
    let report = sandbox.handoff("ledger", &audit).json();
    assert!(report["population"]["rows"].as_u64() > Some(0), "{report}");
}

#[test]
fn a_bare_clone_reads_the_committed_export_of_its_settings() {
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["demo", "l"]).exits(0);
    sandbox.git("l", &["add", "-A"]);
    sandbox.git("l", &["commit", "-q", "--allow-empty", "-m", "all of it"]);
    sandbox.git(".", &["clone", "-q", "--bare", "l", "b.git"]);
    let audit = ["audit", "--format", "json"];
    let report = |folder: &str| {
        let report = sandbox.handoff(folder, &audit).exits(1).json();
        (report["population"].clone(), report["deals"].clone(), report["findings"].clone())
    };
    assert_eq!(report("b.git"), report("l"));

    // The export of the commit, whatever lies in git's own folder.
    sandbox.write("b.git/deals.csv", "Record ID,Deal Name,Deal Stage\n1,Other,Closed Won\n");
    assert_eq!(report("b.git"), report("l"));
    sandbox.git("l", &["rm", "-q", "deals.csv"]);
    sandbox.git("l", &["commit", "-q", "-m", "no export"]);
    sandbox.git("l", &["push", "-q", "../b.git", "HEAD"]);
    let refused = sandbox.handoff("b.git", &audit).exits(2).stderr;
    assert!(refused.contains("deals.csv: the file cannot be read: there is none"), "{refused}");
    assert!(refused.contains("Commit the export to the ledger"), "{refused}");

    // Out of the ledger it is refused, and may be named by who runs this.
    let settings = fs::read_to_string(sandbox.join("l/handoff.yaml")).unwrap();
    let outside = settings.replacen("deals: deals.csv", "deals: ../deals.csv", 1);
    sandbox.write("l/handoff.yaml", outside);
    sandbox.git("l", &["commit", "-qam", "outside"]);
    sandbox.git("l", &["push", "-q", "../b.git", "HEAD"]);
    sandbox.write("deals.csv", sandbox.git("l", &["show", "HEAD~2:deals.csv"]));
    let refused = sandbox.handoff("b.git", &audit).exits(2).stderr;
    assert!(refused.contains("../deals.csv is outside of the ledger"), "{refused}");
    let exports = sandbox.join(".").display().to_string();
    let ran = sandbox.handoff_with("b.git", &audit, &[("HANDOFF_EXPORTS", &exports)]);
    assert_eq!(ran.json()["population"]["rows"], 10, "{}", ran.stderr);

    // Nothing is written where there is no checkout.
    let given = ["coverage", "--deals", "../deals.csv", "--write"];
    let refused = sandbox.handoff("b.git", &given).exits(2).stderr;
    assert!(refused.contains("has no checkout"), "{refused}");
    assert!(!sandbox.join("b.git/handoff.yaml").exists());
}
