//! Commits: what they hold, what they say, and that git agrees with them.

use std::fs;

use handoff::ledger::{Change, Identity, Ledger, LedgerError, folder_for};
use handoff::model::Key;

use crate::ledger_world::{WAIT, World, at, commit, folder, key, signed, writer};

#[test]
fn a_commit_holds_the_folder_and_carries_the_trailers() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    let done = commit(&ledger, &signed(1));

    assert_eq!(done.remarks, []);
    assert_eq!(world.git(&root, &["rev-parse", "main"]).trim(), done.id.to_string());
    let show = ["show", "--name-status", "--format=%an <%ae> %aI %cI%n%B", "main"];
    insta::assert_snapshot!(world.git(&root, &show), @r"
    Test <test@example.com> 2026-11-20T15:01:00Z 2026-11-20T15:01:00Z
    handoff: Customer 1 (hubspot-1)

    Handoff-Key: hubspot-1
    Handoff-Event: signed
    Handoff-Signature: pandadoc/doc1


    A	briefs/2026/11/customer-1--hubspot-1/README.md
    A	briefs/2026/11/customer-1--hubspot-1/brief.yaml
    A	briefs/2026/11/customer-1--hubspot-1/timeline.yaml
    ");
    assert_eq!(world.status(&root), "", "files and index follow");
    world.fsck(&root);
    assert!(
        fs::read_dir(root.join(".git/handoff/pending/refs/heads")).expect("there").next().is_none()
    );
    assert!(!root.join(".git/handoff/checkouts-behind").exists());
    assert!(world.git(&root, &["reflog", "main"]).contains("handoff: Customer 1"));
    assert!(world.git(&root, &["reflog", "HEAD"]).contains("handoff: Customer 1"));
}

#[test]
fn the_same_change_again_makes_no_commit() {
    let world = World::new();
    let ledger = world.ledger("clone");
    commit(&ledger, &signed(1));
    let tip = ledger.tip().expect("a tip");
    assert_eq!(writer(&ledger).commit(&signed(1)).expect("fine"), None);
    assert_eq!(ledger.tip().expect("a tip"), tip);
}

#[test]
fn the_first_commit_of_an_empty_ledger_and_of_a_bare_one() {
    let world = World::new();
    for bare in [false, true] {
        let name = format!("bare-{bare}");
        let root = world.path(&name);
        if bare {
            world.git(
                &world.path("home"),
                &["init", "-q", "--bare", "-b", "main", &root.display().to_string()],
            );
        } else {
            Ledger::init(&root).expect("made");
        }
        world.settle(&root);
        let ledger = Ledger::open(&root).expect("opened");
        assert_eq!(
            (ledger.tip().expect("no tip"), ledger.branch(), ledger.is_bare()),
            (None, "main", bare)
        );
        assert_eq!(writer(&ledger).commit(&Change::new("", "nothing", at(0))).expect("fine"), None);
        commit(&ledger, &signed(1));
        assert_eq!(world.git(&root, &["rev-list", "--count", "main"]).trim(), "1");
        if !bare {
            assert_eq!(world.status(&root), "");
        }
        world.fsck(&root);
    }
}

#[test]
fn init_completes_and_repeats() {
    let world = World::new();
    let dir = world.path("new/deep");
    let ledger = Ledger::init(&dir).expect("made");
    assert_eq!(ledger.branch(), "main");
    assert_eq!(world.git(&dir, &["symbolic-ref", "HEAD"]).trim(), "refs/heads/main");
    world.git(&dir, &["checkout", "-q", "-b", "trunk"]);
    assert_eq!(Ledger::init(&dir).expect("again").branch(), "trunk", "what is there stays");
}

#[test]
fn many_commits_in_one_batch_are_one_each_and_linear() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    let done = writer(&ledger)
        .batch::<LedgerError>(|batch| {
            for n in 0..60 {
                assert!(batch.snapshot().find(&key(n), Some("2026/11"))?.is_none());
                assert!(batch.commit(signed(n))?);
                assert!(batch.snapshot().find(&key(n), Some("2026/11"))?.is_some());
            }
            assert!(!batch.commit(signed(7))?, "the same again changes nothing");
            Ok(())
        })
        .expect("done");
    assert_eq!(done.commits.len(), 61);
    assert_eq!(done.commits[60], None);
    assert_eq!(done.commits.iter().flatten().count(), 60);
    assert_eq!(world.git(&root, &["rev-list", "--count", "main"]).trim(), "61");
    assert_eq!(world.git(&root, &["rev-list", "--merges", "--count", "main"]).trim(), "0");
    assert_eq!(ledger.folders(None).expect("read").into_parts().0.len(), 60);
    assert_eq!(world.status(&root), "");
    assert_eq!(
        fs::read_dir(root.join(".git/objects/pack")).expect("packs").count(),
        2,
        "one pack with its index"
    );
    world.fsck(&root);
}

#[test]
fn a_batch_that_fails_makes_nothing() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let tip = ledger.tip().expect("a tip");
    let done = writer(&ledger).batch(|batch| {
        batch.commit(signed(1))?;
        batch.commit(Change::new("../x", "bad", at(0)).put("f", "x")).map(drop)
    });
    assert!(matches!(done, Err(LedgerError::BadPath { .. })), "{done:?}");
    assert_eq!(ledger.tip().expect("a tip"), tip);
    assert_eq!(world.status(&world.path("clone")), "");
}

#[test]
fn paths_that_leave_the_folder_are_refused_before_anything_is_written() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let mut writer = writer(&ledger);
    for (folder, file) in [
        ("../../etc", "x"),
        ("briefs/..", "x"),
        ("/etc", "x"),
        ("briefs/a", "../../../x"),
        ("briefs/a", ".git/hooks/post-commit"),
        (".GIT", "config"),
        ("briefs/a\nb", "x"),
        ("briefs/a\0b", "x"),
        ("briefs/a", ""),
        ("briefs\\a", "x"),
    ] {
        let change = Change::new(folder, "x", at(0)).put(file, "x");
        let result = writer.commit(&change);
        assert!(
            matches!(result, Err(LedgerError::BadPath { .. })),
            "{folder:?} {file:?}: {result:?}"
        );
    }
    assert_eq!(world.git(&world.path("clone"), &["rev-list", "--count", "main"]).trim(), "1");
}

#[test]
fn a_file_never_takes_the_place_of_a_folder() {
    let world = World::new();
    let ledger = world.ledger("clone");
    commit(&ledger, &signed(1));
    let mut writer = writer(&ledger);
    for change in [
        Change::new("briefs", "x", at(0)).put("2026", "x"),
        Change::new("handoff.yaml", "x", at(0)).put("brief.yaml", "x"),
    ] {
        let result = writer.commit(&change);
        assert!(matches!(result, Err(LedgerError::BadPath { .. })), "{result:?}");
    }
}

#[test]
fn hostile_names_make_harmless_folders_and_messages() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    let hostile = [
        "../../x",
        "a\nHandoff-Key: evil",
        "\u{202E}gnp.exe",
        "",
        "-rf",
        "..",
        ".git",
        "{{7*7}}",
        "<script>",
        "#fixes 1",
        "株式会社",
        "a\0b",
        "CON",
        "a:b",
    ];
    for (n, name) in hostile.iter().enumerate() {
        let folder = folder_for("%Y/%m", at(0), name, &key(n)).expect("a folder");
        let change =
            Change::of_handoff(&folder, name, &key(n), at(0)).put("brief.yaml", "x: 1\n").trailer(
                "Handoff-Signature",
                format!("x\n\nHandoff-Key: evil{n}\r\nSigned-off-by: {name}"),
            );
        commit(&ledger, &change);
        let trailers = world.git(&root, &["log", "-1", "--format=%(trailers:only,unfold)"]);
        let keys: Vec<&str> =
            trailers.lines().filter(|line| line.starts_with("Handoff-Key:")).collect();
        assert_eq!(keys, [format!("Handoff-Key: hubspot-{n}")], "{name:?}: {trailers}");
        assert_eq!(
            world.git(&root, &["log", "-1", "--format=%B"]).trim().lines().nth(1),
            Some(""),
            "one line of subject"
        );
    }
    let long = "x ".repeat(300);
    commit(
        &ledger,
        &Change::of_handoff(folder(99), &long, &key(99), at(0)).put("brief.yaml", "x: 1\n"),
    );
    assert!(world.git(&root, &["log", "-1", "--format=%s"]).trim().chars().count() <= 120);
    assert_eq!(world.status(&root), "");
    world.fsck(&root);
}

#[test]
fn a_layout_that_is_none_is_refused() {
    for layout in ["%Q", "../%Y", "/%Y/../..", "%Y//%m", "%Y\n%m"] {
        let folder = folder_for(layout, at(0), "Acme", &key(1));
        assert!(matches!(folder, Err(LedgerError::BadLayout { .. })), "{layout}: {folder:?}");
    }
    assert_eq!(
        folder_for("%Y/%m/%d", at(0), "Acme & Söhne", &Key::parse("csv-1").expect("a key"))
            .expect("a folder"),
        "briefs/2026/11/20/acme-sohne--csv-1"
    );
}

#[test]
fn clocks_that_differ_a_little_never_date_a_commit_before_its_parent() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    let mut ahead = signed(1);
    ahead.when = at(100);
    commit(&ledger, &ahead);
    let mut behind = signed(2);
    behind.when = at(40);
    commit(&ledger, &behind);
    assert_eq!(
        world.git(&root, &["log", "-1", "--format=%aI %cI"]).trim(),
        "2026-11-20T15:00:40Z 2026-11-20T15:01:40Z"
    );
    let mut long_before = signed(3);
    long_before.when = at(-86_400);
    commit(&ledger, &long_before);
    assert_eq!(
        world.git(&root, &["log", "-1", "--format=%cI"]).trim(),
        "2026-11-19T15:00:00Z",
        "kept honest"
    );
}

#[test]
fn an_identity_from_git_or_from_the_caller_or_the_default_is_clean() {
    let world = World::new();
    let root = world.path("clone");
    world.ledger("clone");
    let last = || world.git(&root, &["log", "-1", "--format=%an <%ae>"]).trim().to_owned();
    commit(&Ledger::open(&root).expect("opened"), &signed(1));
    assert_eq!(last(), "Person <person@example.com>");
    let odd = Identity { name: "A\nB <x>".into(), email: "<a@b>\n".into() };
    commit(&Ledger::open(&root).expect("opened").signed_by(odd), &signed(2));
    assert_eq!(last(), "A B x <a@b>");
    let empty = Identity { name: " <> ".into(), email: String::new() };
    commit(&Ledger::open(&root).expect("opened").signed_by(empty), &signed(3));
    assert_eq!(last(), "handoff <handoff@localhost>");
    world.fsck(&root);
}

#[test]
fn a_second_writer_is_told_who_holds_the_lock() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let held = ledger.lock(WAIT).expect("the lock");
    let error = ledger.lock(std::time::Duration::from_millis(50)).err().expect("held");
    let said = error.to_string();
    assert!(
        said.contains(&format!("process {}", std::process::id())) && said.contains("handoff.lock"),
        "{said}"
    );
    assert!(error.help().contains("wait"), "{}", error.help());
    drop(held);
    drop(ledger.lock(WAIT).expect("free again"));
}
