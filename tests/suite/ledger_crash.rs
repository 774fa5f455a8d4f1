//! A writer that is killed leaves a sound repository, and the next run completes.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use handoff::ledger::Ledger;

use crate::ledger_child::{Way, start};
use crate::ledger_world::{World, commit, folder, key, signed, writer};

fn killed_again_and_again(way: Way) {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let mut from = 0;
    for round in 0..10_u64 {
        let mut child = start(&world, &root, from, from + 400, way);
        // Different moments: before the first commit, or behind the first or second, and a little more.
        let mine = format!("{}\n", child.id());
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let mut last = read(".git/refs/heads/main");
        let mut moves = 0;
        while read(".git/handoff.lock") != mine || moves < round % 3 {
            assert!(child.try_wait().expect("asked").is_none(), "it ended before it was killed");
            let now = read(".git/refs/heads/main");
            if !now.is_empty() && now != last {
                (last, moves) = (now, moves + 1);
            }
            sleep(Duration::from_micros(200));
        }
        sleep(Duration::from_millis((round * 37) % 61));
        child.kill().expect("killed");
        child.wait().expect("ended");
        world.fsck(&root);

        let next = writer(&Ledger::open(&root).expect("opened"));
        assert_eq!(next.remarks(), [], "round {round}");
        drop(next);
        assert_eq!(world.status(&root), "", "round {round}: the checkout has caught up");
        for lock in [".git/index.lock", ".git/refs/heads/main.lock"] {
            assert!(!root.join(lock).exists(), "round {round}: {lock} is left");
        }
        let (folders, gaps) = ledger.folders(None).expect("read").into_parts();
        assert_eq!(gaps, []);
        // Each handoff up to the last is there: none is lost in the middle.
        for n in 0..folders.len() {
            assert!(ledger.find(&key(n), Some("2026/11")).expect("read").is_some(), "{n} is lost");
        }
        from = folders.len();
        let commits = world.git(&root, &["rev-list", "--count", "main"]);
        assert_eq!(commits.trim(), (from + 1).to_string());
    }
    // What the rounds wait for, added up; how many more there are depends on the machine.
    assert!(
        from >= (0..10).map(|round| round % 3).sum(),
        "only {from} handoffs were written at all"
    );
    commit(&ledger, &signed(from));
    world.git(&root, &["commit", "-q", "--allow-empty", "-m", "a person can go on"]);
    world.fsck(&root);
}

#[test]
fn killed_between_single_commits() {
    killed_again_and_again(Way::Single);
}

#[test]
fn killed_between_batches() {
    killed_again_and_again(Way::Batch);
}

#[test]
fn what_each_moment_of_a_kill_leaves_is_mended_by_the_next_run() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let git = root.join(".git");
    let start = world.git(&root, &["rev-parse", "main"]);
    commit(&ledger, &signed(1));
    let tip = world.git(&root, &["rev-parse", "main"]);

    // Killed with the branch locked, before it moved.
    fs::create_dir_all(git.join("handoff/pending/refs/heads")).expect("made");
    fs::write(git.join("handoff/pending/refs/heads/main"), &tip).expect("written");
    fs::write(git.join("refs/heads/main.lock"), &tip).expect("written");
    // Killed with half of the staging made, half an index copied and half a file written.
    fs::write(git.join("handoff/staging/new/abcd"), "half").expect("written");
    fs::write(git.join("handoff-index"), "half").expect("written");
    fs::write(git.join("handoff-index.lock"), "half").expect("written");
    fs::write(git.join("handoff-file"), "half").expect("written");
    world.fsck(&root);
    commit(&ledger, &signed(2));
    assert!(!git.join("refs/heads/main.lock").exists());
    assert_eq!(world.status(&root), "");

    // Killed after the branch moved and before the checkout followed.
    let before = world.git(&root, &["rev-parse", "main"]);
    let done = commit(&ledger, &signed(3));
    world.git(&root, &["reset", "-q", "--hard", before.trim()]);
    world.git(&root, &["update-ref", "refs/heads/main", &done.id.to_string()]);
    assert_ne!(world.status(&root), "");
    let line = format!(
        "{} refs/heads/main {}\n",
        before.trim(),
        fs::canonicalize(&git).expect("a path").display()
    );
    fs::write(git.join("handoff/checkouts-behind"), &line).expect("written");
    fs::create_dir_all(root.join(folder(3))).expect("made");
    fs::copy(root.join(folder(2)).join("README.md"), root.join("x.txt")).expect("copied");
    drop(writer(&ledger));
    assert_eq!(world.status(&root), "?? x.txt\n");
    assert!(!git.join("handoff/checkouts-behind").exists());

    // A lock of git's own is no business of ours.
    fs::write(git.join("refs/heads/main.lock"), &start).expect("written");
    let error = writer(&ledger).commit(&signed(4)).expect_err("git holds the branch");
    assert!(error.to_string().contains("main.lock"), "{error}");
    assert!(git.join("refs/heads/main.lock").exists());
    fs::remove_file(git.join("refs/heads/main.lock")).expect("git is done");
    commit(&ledger, &signed(4));
    world.fsck(&root);
}

#[test]
fn packed_refs_and_packed_objects_are_built_upon() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    for n in 0..6 {
        commit(&ledger, &signed(n));
        if n % 2 == 0 {
            world.git(&root, &["pack-refs", "--all"]);
            world.git(&root, &["gc", "-q", "--prune=now"]);
        }
    }
    assert_eq!(world.git(&root, &["rev-list", "--count", "main"]).trim(), "7");
    assert_eq!(world.status(&root), "");
    world.fsck(&root);
}
