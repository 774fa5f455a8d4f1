//! Several writers at once: none loses anything.

use std::fs;
use std::thread;

use handoff::brief::{EventKind, Timeline};
use handoff::ledger::{Change, Ledger};

use crate::ledger_child::{Way, start};
use crate::ledger_world::{World, at, brief, folder, key, signed, timeline, writer};

fn all_are_there(world: &World, ledger: &Ledger, handoffs: usize, commits: usize) {
    let root = ledger.root();
    let (folders, gaps) = ledger.folders(None).expect("read").into_parts();
    assert_eq!((folders.len(), gaps.len()), (handoffs, 0));
    assert_eq!(world.git(root, &["rev-list", "--count", "main"]).trim(), commits.to_string());
    assert_eq!(world.git(root, &["rev-list", "--merges", "--count", "main"]).trim(), "0");
    assert_eq!(world.status(root), "");
    world.fsck(root);
}

#[test]
fn two_threads_of_fifty_handoffs_each() {
    let world = World::new();
    let ledger = world.ledger("clone");
    thread::scope(|scope| {
        for from in [0, 50] {
            let ledger = ledger.clone();
            scope.spawn(move || {
                for n in from..from + 50 {
                    writer(&ledger).commit(&signed(n)).expect("committed");
                }
            });
        }
    });
    all_are_there(&world, &ledger, 100, 101);
}

#[test]
fn two_processes_of_fifty_handoffs_each() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let children = [0, 50].map(|from| start(&world, ledger.root(), from, from + 50, Way::Single));
    for mut child in children {
        assert!(child.wait().expect("ends").success());
    }
    all_are_there(&world, &ledger, 100, 101);
}

#[test]
fn a_person_commits_meanwhile_with_git() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let mut child = start(&world, &root, 0, 60, Way::Single);
    let mut mine = 0;
    for n in 0..40 {
        fs::write(root.join(format!("note-{n}.txt")), "mine\n").expect("written");
        // git's own locks may be held for a moment; a person tries again.
        let done = ["add", "commit"].iter().all(|step| {
            let file = format!("note-{n}.txt");
            let args: &[&str] = match *step {
                "add" => &["add", &file],
                _ => &["commit", "-q", "-m", "mine", "--", &file],
            };
            (0..200).any(|_| {
                world.command(&root).args(args).output().expect("git runs").status.success() || {
                    thread::sleep(std::time::Duration::from_millis(5));
                    false
                }
            })
        });
        assert!(done, "a person can commit");
        mine += 1;
    }
    assert!(child.wait().expect("ends").success());
    drop(writer(&ledger));
    // `git commit` reads the index before it locks it and may so write back one
    // that lacks what was entered in between: git's own race, also between two
    // gits. The commits and the files are right in any case.
    world.git(&root, &["reset", "-q"]);
    all_are_there(&world, &ledger, 60, 61 + mine);
    assert_eq!(world.git(&root, &["ls-files", "note-*"]).lines().count(), mine);
}

#[test]
fn a_branch_that_moved_since_it_was_read_is_built_upon() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    writer(&ledger).commit(&signed(1)).expect("committed");

    let mut late = writer(&ledger);
    // A person's commit, between the writer's reading and its commit: one event and one answer more.
    let events = [(0, EventKind::Signed, "pandadoc"), (50, EventKind::Touched, "person")];
    let file = |name: &str| root.join(folder(1)).join(name);
    fs::write(file("timeline.yaml"), timeline(1, &events)).expect("written");
    fs::write(file("brief.yaml"), format!("# by a person\n{}", brief(1, ""))).expect("written");
    world.git(&root, &["commit", "-q", "-a", "-m", "mine"]);

    let events = [(0, EventKind::Signed, "pandadoc"), (30, EventKind::TaskOpened, "github")];
    let change = Change::of_handoff(folder(1), "Customer 1", &key(1), at(90))
        .put("timeline.yaml", timeline(1, &events))
        .put("brief.yaml", brief(1, "more: 1\n"));
    let done = late.commit(&change).expect("committed").expect("a commit");
    assert!(done.merged);
    let found = ledger.find(&key(1), None).expect("read").expect("found");
    let files = ledger.handoff(&found).expect("read");
    let merged = Timeline::parse(&files.timeline.expect("there")).expect("a timeline");
    let kinds: Vec<EventKind> = merged.events.iter().map(|event| event.event).collect();
    assert_eq!(kinds, [EventKind::Signed, EventKind::TaskOpened, EventKind::Touched]);
    let both = format!("# by a person\n{}", brief(1, "more: 1\n"));
    assert_eq!(String::from_utf8(files.brief.expect("there")).expect("text"), both);
    assert_eq!(world.status(&root), "");
}

#[test]
fn a_batch_is_built_again_on_a_branch_that_moved() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let done = writer(&ledger)
        .batch::<handoff::ledger::LedgerError>(|batch| {
            for n in 0..20 {
                batch.commit(signed(n))?;
                batch.commit(signed(n).put("brief.yaml", brief(n, "more: 1\n")))?;
            }
            fs::write(root.join("note.txt"), "mine\n").expect("written");
            world.git(&root, &["add", "note.txt"]);
            world.git(&root, &["commit", "-q", "-m", "mine"]);
            Ok(())
        })
        .expect("done");
    assert_eq!(done.commits.iter().flatten().count(), 40);
    assert_eq!(world.git(&root, &["log", "-1", "--format=%s", "main~40"]).trim(), "mine");
    let last = ledger.tip().expect("a tip");
    assert_eq!(done.commits.last().copied().flatten(), last, "the ids are those on the branch");
    all_are_there(&world, &ledger, 20, 42);
}
