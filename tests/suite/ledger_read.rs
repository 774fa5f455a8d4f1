//! Reading the tip: names, files, branches, and what kind of repository it is.

use std::fs;

use handoff::ledger::{Change, Folder, Ledger, LedgerError, key_of};
use handoff::model::{Evidence, Key};

use crate::ledger_world::{World, at, brief, commit, folder, key, signed, writer};

fn paths(folders: Evidence<Folder>) -> Vec<String> {
    let (folders, gaps) = folders.into_parts();
    assert_eq!(gaps, []);
    folders.into_iter().map(|folder| folder.path).collect()
}

#[test]
fn what_is_read_is_the_commit_and_never_the_checkout() {
    let world = World::new();
    let ledger = world.ledger("clone");
    commit(&ledger, &signed(1));
    let file = format!("{}/brief.yaml", folder(1));
    fs::write(world.path("clone").join(&file), "scribble").expect("written");
    world.git(&world.path("clone"), &["add", "-A"]);
    assert_eq!(ledger.read(&file).expect("read"), Some(brief(1, "").into_bytes()));
    assert_eq!(ledger.read("briefs/none").expect("read"), None);
    assert_eq!(ledger.read("briefs").expect("a folder is no file"), None);
    let found = ledger.find(&key(1), None).expect("read").expect("found");
    let files = ledger.handoff(&found).expect("read");
    assert_eq!(files.readme.as_deref(), Some(&b"# Customer 1\n"[..]));
    assert!(files.timeline.is_some());
}

#[test]
fn folders_are_found_at_any_depth_of_the_layout() {
    let world = World::new();
    let ledger = world.ledger("clone");
    for folder in [
        "briefs/acme--a-1",
        "briefs/2026/11/beta--b-2",
        "briefs/2025/01/02/c--corp--c-3",
        "briefs/old/no-key",
    ] {
        commit(&ledger, &Change::new(folder, "x", at(0)).put("brief.yaml", "x: 1\n"));
    }
    commit(&ledger, &Change::new("briefs/2026", "x", at(0)).put("README.md", "the year\n"));
    commit(
        &ledger,
        &Change::new("briefs/2026/11/beta--b-2/attachments--x-9", "x", at(0)).put("f", "x\n"),
    );
    assert_eq!(
        paths(ledger.folders(None).expect("read")),
        [
            "briefs/2025/01/02/c--corp--c-3",
            "briefs/2026/11/beta--b-2",
            "briefs/acme--a-1",
            "briefs/old/no-key"
        ]
    );
    assert_eq!(paths(ledger.folders(Some("2026/11")).expect("read")), ["briefs/2026/11/beta--b-2"]);
    assert_eq!(paths(ledger.folders(Some("2030/11")).expect("read")), Vec::<String>::new());
    let find = |key: &str, month: Option<&str>| {
        ledger
            .find(&Key::parse(key).expect("a key"), month)
            .expect("read")
            .map(|folder| folder.path)
    };
    assert_eq!(find("b-2", Some("2026/11")).as_deref(), Some("briefs/2026/11/beta--b-2"));
    assert_eq!(
        find("c-3", Some("2026/11")).as_deref(),
        Some("briefs/2025/01/02/c--corp--c-3"),
        "found elsewhere"
    );
    assert_eq!(find("c-3", None).as_deref(), Some("briefs/2025/01/02/c--corp--c-3"));
    assert_eq!(find("x-9", None), None, "what lies inside a handoff is none");
    assert_eq!(find("2", Some("2026/11")), None, "a key is the whole of what stands behind --");
}

#[test]
fn a_search_sees_what_was_written_since_the_last_one() {
    let world = World::new();
    let ledger = world.ledger("clone");
    for n in 0..5 {
        assert_eq!(ledger.find(&key(n), Some("2025/01")).expect("read"), None);
        commit(&ledger, &signed(n));
        assert_eq!(
            ledger.find(&key(n), Some("2025/01")).expect("read").map(|f| f.path),
            Some(folder(n))
        );
    }
}

#[test]
fn an_unreadable_folder_is_a_gap_and_an_error_never_an_absence() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    commit(&ledger, &signed(1));
    let tree = world.git(&root, &["rev-parse", "main:briefs/2026/11"]);
    let (a, b) = tree.trim().split_at(2);
    fs::remove_file(root.join(".git/objects").join(a).join(b)).expect("removed");
    let ledger = Ledger::open(&root).expect("opened");
    let folders = ledger.folders(None).expect("the tip is there");
    let (items, gaps) = folders.parts();
    assert!(
        items.is_empty() && gaps.len() == 1 && gaps[0].what.contains("briefs/2026/11"),
        "{gaps:?}"
    );
    assert!(ledger.find(&key(1), None).is_err());
    assert!(ledger.find(&key(1), Some("2026/11")).is_err());
}

#[test]
fn the_briefs_of_a_month_are_read_with_one_reading_of_its_folder() {
    let world = World::new();
    let root = world.path("clone");
    world.ledger("clone");
    let month = root.join("briefs/2026/11");
    // Names that git sorts otherwise than bytes do: a folder counts as if it ended in a slash.
    let names = (0..150).map(|n| format!("customer-{n}--hubspot-{n}"));
    let names: Vec<String> = names.chain(["a--b-1".to_owned(), "a--b-1.old".to_owned()]).collect();
    for name in &names {
        fs::create_dir_all(month.join(name)).expect("made");
        fs::write(month.join(name).join("brief.yaml"), format!("of: {name}\n")).expect("written");
    }
    fs::write(month.join("a--b-1-note"), "a file between\n").expect("written");
    world.git(&root, &["add", "."]);
    world.git(&root, &["commit", "-q", "-m", "a month"]);

    let ledger = Ledger::open(&root).expect("opened");
    let snapshot = ledger.snapshot().expect("read");
    let read = |name: &str| snapshot.read(&format!("briefs/2026/11/{name}/brief.yaml"));
    assert!(read(&names[0]).expect("read").is_some());
    // Whoever asks the object store for the month again finds nothing.
    let tree = world.git(&root, &["rev-parse", "main:briefs/2026/11"]);
    let (a, b) = tree.trim().split_at(2);
    fs::remove_file(root.join(".git/objects").join(a).join(b)).expect("removed");
    for name in &names {
        assert_eq!(read(name).expect("read"), Some(format!("of: {name}\n").into_bytes()));
    }
    let note = snapshot.read("briefs/2026/11/a--b-1-note").expect("read");
    assert_eq!(note.as_deref(), Some(&b"a file between\n"[..]));
    assert_eq!(snapshot.read("briefs/2026/11/a--b-1-not/brief.yaml").expect("read"), None);
    assert_eq!(snapshot.read("briefs/2026/11/a--b-1").expect("a folder is no file"), None);
    let key = Key::parse("hubspot-77").expect("a key");
    let found = ledger.find(&key, Some("2026/11")).expect("read").expect("found");
    assert_eq!(found.path, "briefs/2026/11/customer-77--hubspot-77");
}

#[test]
fn the_repository_is_found_upwards_in_worktrees_and_bare() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    commit(&ledger, &signed(1));
    let inside = Ledger::open(&root.join(folder(1))).expect("found upwards");
    assert_eq!(inside.root(), fs::canonicalize(&root).expect("a path"));
    world.git(&root, &["worktree", "add", "-q", "-b", "side", "../tree"]);
    let tree =
        Ledger::open(&world.path("tree")).expect("a worktree").on_branch("main").expect("a name");
    assert_eq!(tree.git_dir(), fs::canonicalize(root.join(".git")).expect("a path"));
    assert_eq!(tree.root(), fs::canonicalize(world.path("tree")).expect("a path"));
    assert_eq!(tree.tip().expect("a tip"), ledger.tip().expect("a tip"));
    world.git(&root, &["clone", "-q", "--bare", ".", "../bare.git"]);
    let bare = Ledger::open(&world.path("bare.git")).expect("bare");
    assert!(bare.is_bare());
    assert_eq!(bare.tip().expect("a tip"), ledger.tip().expect("a tip"));
    let none = Ledger::open(&world.path("home"));
    assert!(matches!(none, Err(LedgerError::NotFound { .. })), "{none:?}");
}

#[test]
fn the_ledgers_branch_is_the_remotes_default_then_what_is_checked_out() {
    let world = World::new();
    let ledger = world.ledger("origin");
    commit(&ledger, &signed(1));
    let origin = world.path("origin");
    world.git(&origin, &["branch", "feature"]);
    world.git(&world.path("home"), &["clone", "-q", "../origin", "../clone"]);
    let clone = world.path("clone");
    world.git(&clone, &["checkout", "-q", "feature"]);
    assert_eq!(Ledger::open(&clone).expect("opened").branch(), "main");
    world.git(&clone, &["branch", "-q", "-D", "main"]);
    let opened = Ledger::open(&clone).expect("opened");
    assert_eq!(opened.tip().expect("read from the remote's"), ledger.tip().expect("a tip"));
    world.git(&clone, &["remote", "set-head", "origin", "--delete"]);
    assert_eq!(Ledger::open(&clone).expect("opened").branch(), "feature");
    world.git(&clone, &["checkout", "-q", "--detach"]);
    assert_eq!(
        Ledger::open(&clone).expect("opened").branch(),
        "main",
        "detached: main, known from the remote"
    );
    world.git(&clone, &["branch", "-r", "-d", "origin/main"]);
    assert!(matches!(Ledger::open(&clone), Err(LedgerError::NoBranch { .. })));
    for bad in ["", "a b", "-x", "a..b", "x.lock", "a\nb"] {
        let ledger = Ledger::open(&origin).expect("opened").on_branch(bad);
        assert!(matches!(ledger, Err(LedgerError::BadBranch { .. })), "{bad:?}");
    }
}

#[test]
fn formats_that_are_not_supported_are_named() {
    let world = World::new();
    world.git(&world.path("home"), &["init", "-q", "--object-format=sha256", "../sha256"]);
    let error = Ledger::open(&world.path("sha256")).expect_err("not supported");
    assert!(error.to_string().contains("object format sha256"), "{error}");
    assert!(error.help().contains("SHA-1"));
    let made = world
        .command(&world.path("home"))
        .args(["init", "-q", "--ref-format=reftable", "../reftable"])
        .status();
    assert!(made.expect("git runs").success(), "this git has no reftable");
    let error = Ledger::open(&world.path("reftable")).expect_err("not supported");
    assert!(error.to_string().contains("reftable"), "{error}");
}

#[test]
fn only_what_changed_since_a_revision_is_listed() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    for n in 0..4 {
        commit(&ledger, &signed(n));
    }
    let base = ledger.tip().expect("a tip").expect("a commit").to_string();
    world.git(&root, &["branch", "other"]);
    commit(&ledger, &signed(4));
    commit(&ledger, &Change::new(folder(1), "x", at(0)).put("README.md", "again\n"));
    let gone = ["brief.yaml", "timeline.yaml", "README.md"]
        .into_iter()
        .fold(Change::new(folder(2), "x", at(0)), Change::delete);
    commit(&ledger, &gone);
    let since = |revision: &str, with_checkout| {
        ledger.changed_since(revision, with_checkout).expect("read")
    };
    assert_eq!(since(&base, false), [folder(1), folder(2), folder(4)]);
    assert_eq!(since("main", false), Vec::<String>::new());
    assert_eq!(since("main~1", false), [folder(2)]);
    fs::write(root.join(folder(0)).join("brief.yaml"), "dirty: 1\n").expect("written");
    fs::create_dir_all(root.join(folder(9))).expect("made");
    fs::write(root.join(folder(9)).join("brief.yaml"), "untracked: 1\n").expect("written");
    assert_eq!(since("main", true), [folder(0), folder(9)]);
    world.git(&root, &["stash", "-q", "-u"]);

    // What the other side did since the two parted does not count.
    world.git(&root, &["checkout", "-q", "other"]);
    assert_eq!(since("main", false), Vec::<String>::new());
    fs::write(root.join("handoff.yaml"), "version: 1 # changed\n").expect("written");
    world.git(&root, &["commit", "-q", "-a", "-m", "configuration"]);
    assert!(ledger.differs_since("main", "handoff.yaml").expect("read"));
    assert!(!ledger.differs_since("main", "schema/brief.schema.json").expect("read"));
    let unknown = ledger.changed_since("no-such-thing", false);
    assert!(matches!(unknown, Err(LedgerError::UnknownRevision { .. })), "{unknown:?}");
}

#[test]
fn the_key_is_what_stands_behind_the_last_pair_of_dashes() {
    let key = |folder: &str| key_of(folder).map(String::from);
    assert_eq!(
        key("briefs/2026/11/acme-corp--hubspot-9876543210").as_deref(),
        Some("hubspot-9876543210")
    );
    assert_eq!(key("a--b--csv-1").as_deref(), Some("csv-1"));
    assert_eq!(key("briefs/a--csv-1/x"), None);
    assert_eq!(key("acme"), None);
    assert_eq!(key("acme--UPPER"), None);
}

/// libgit2 reads an object's file that ends early without end.
#[test]
fn a_cut_object_is_named_and_keeps_nobody_waiting() {
    let sandbox = crate::refresh::signed();
    let brief = sandbox.git("ledger", &["ls-files", "briefs/*brief.yaml"]);
    let folder = brief.trim().trim_end_matches("/brief.yaml").to_owned();
    let lines = [&["promises"][..], &["why", crate::refresh::KEY]];
    let older = [&["why", crate::refresh::KEY][..], &["validate", "--since", "HEAD~1"]];
    let all = [
        (format!("HEAD:{}", brief.trim()), lines),
        (format!("HEAD:{folder}"), lines),
        ("HEAD~1".to_owned(), older),
    ];
    for (revision, lines) in all {
        let id = sandbox.git("ledger", &["rev-parse", &revision]);
        let id = id.trim();
        let file = sandbox.join(format!("ledger/.git/objects/{}/{}", &id[..2], &id[2..]));
        let whole = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let _ = std::fs::remove_dir_all(sandbox.join("ledger/.git/handoff"));
        for line in lines {
            let ran = sandbox.handoff("ledger", line).exits(3);
            assert!(ran.stderr.contains("cut or damaged"), "{line:?} {}", ran.stderr);
        }
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, &whole).unwrap();
    }
}

/// Whatever object is cut, a command ends: it says the same as before, or that
/// it could not do it.
#[test]
fn no_cut_object_keeps_a_command_waiting() {
    let sandbox = crate::refresh::signed();
    let lines = [
        &["promises"][..],
        &["status"],
        &["why", crate::refresh::KEY],
        &["validate"],
        &["validate", "--since", "HEAD~1"],
        &["plan", "--base", "HEAD~1"],
        &["audit", "-q", "--no-cache"],
    ];
    let run = |line: &[&str]| {
        let _ = std::fs::remove_dir_all(sandbox.join("ledger/.git/handoff"));
        let ran = sandbox.handoff("ledger", line);
        (ran.code, ran.stdout, ran.stderr)
    };
    let whole: Vec<_> = lines.iter().map(|line| run(line)).collect();
    let objects = sandbox.git("ledger", &["rev-list", "--objects", "HEAD"]);
    let is_ours =
        |path: &str| path.is_empty() || path == "handoff.yaml" || path.starts_with("briefs");
    let objects = objects.lines().filter_map(|line| {
        let (id, path) = line.split_once(' ').unwrap_or((line, ""));
        is_ours(path).then_some((id, path))
    });
    let mut cut = 0;
    for (id, path) in objects {
        let file = sandbox.join(format!("ledger/.git/objects/{}/{}", &id[..2], &id[2..]));
        let Ok(bytes) = std::fs::read(&file) else { continue };
        cut += 1;
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        for (line, whole) in lines.iter().zip(&whole) {
            let (code, stdout, stderr) = run(line);
            let is_same = (code, &stdout) == (whole.0, &whole.1);
            assert!(
                is_same || matches!(code, 2 | 3),
                "{id} {path}, {line:?} ends with {code}\n{stdout}\n{stderr}"
            );
        }
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, &bytes).unwrap();
    }
    assert!(cut > 10, "only {cut} objects have files of their own");
}

/// After a crash, or by a disk's fault, the file that names the branch's commit
/// may be gone or say something else.
#[test]
fn a_branch_that_was_there_is_not_begun_anew() {
    let sandbox = crate::refresh::signed();
    sandbox.git("ledger", &["pack-refs", "--all"]);
    let refs = sandbox.join("ledger/.git/packed-refs");
    let whole = std::fs::read_to_string(&refs).unwrap();
    let before = sandbox.handoff("ledger", &["status"]).exits(0).stdout;
    for damaged in [String::new(), whole.replace("refs/heads/", "refs/hfads/")] {
        std::fs::write(&refs, damaged).unwrap();
        let _ = std::fs::remove_dir_all(sandbox.join("ledger/.git/handoff"));
        for line in [
            &["status"][..],
            &["promises"],
            &["audit", "-q"],
            &["accept", crate::refresh::KEY, "--by", "Sam Lee"],
            &["sign", "--deal", "42"],
        ] {
            let ran = sandbox.handoff("ledger", line).exits(3);
            assert!(ran.stderr.contains("its log says"), "{line:?}: {}", ran.stderr);
        }
        let ran = sandbox.handoff("ledger", &["status"]).exits(3);
        let remedy = ran.stderr.split('`').find(|it| it.starts_with("git update-ref")).unwrap();
        let words: Vec<&str> = remedy.split(' ').skip(1).collect();
        sandbox.git("ledger", &words);
        assert_eq!(sandbox.handoff("ledger", &["status"]).exits(0).stdout, before);
        sandbox.git("ledger", &["pack-refs", "--all"]);
    }
    // As a power failure leaves the branch's own file.
    for cut in ["", "\0\0\0\0"] {
        std::fs::write(sandbox.join("ledger/.git/refs/heads/main"), cut).unwrap();
        let _ = std::fs::remove_dir_all(sandbox.join("ledger/.git/handoff"));
        let ran = sandbox.handoff("ledger", &["sign", "--deal", "42"]).exits(3);
        assert!(ran.stderr.contains("is cut"), "{}", ran.stderr);
        let remedies: Vec<&str> = ran.stderr.split('`').skip(1).step_by(2).collect();
        let file = remedies[0].strip_prefix("rm ").unwrap();
        std::fs::remove_file(file).unwrap();
        sandbox.git("ledger", &remedies[1].split(' ').skip(1).collect::<Vec<_>>());
        assert_eq!(sandbox.handoff("ledger", &["status"]).exits(0).stdout, before);
    }
}

/// A cut object is not taken for there when the same is committed again.
#[test]
fn nothing_is_committed_that_would_stand_in_a_cut_object() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let page = |n: usize| signed(n).put("README.md", "# The same page\n");
    commit(&ledger, &page(1));
    let dir = world.path("clone");
    let id = world.git(&dir, &["rev-parse", &format!("HEAD:{}/README.md", folder(1))]);
    let file = dir.join(format!(".git/objects/{}/{}", &id[..2], id[2..].trim()));
    let bytes = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let refused = writer(&ledger).commit(&page(2)).expect_err("it would not be whole");
    assert!(refused.to_string().contains("cut or damaged"), "{refused}");
    std::fs::remove_file(&file).unwrap();
    commit(&ledger, &page(2));
    world.fsck(&dir);
}
