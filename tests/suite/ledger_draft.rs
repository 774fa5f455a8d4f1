//! Drafts live on branches of their own until they land.

use handoff::ledger::{Change, Ledger, LedgerError};

use crate::ledger_world::{World, at, brief, commit, folder, key, signed, writer};

fn draft(n: usize) -> Change {
    Change::of_handoff(folder(n), &format!("Customer {n}"), &key(n), at(0))
        .put("brief.yaml", "draft: 1\n")
        .put("README.md", "# Draft\n")
        .trailer("Handoff-Event", "drafted")
}

#[test]
fn a_draft_grows_on_its_branch_and_no_checkout_changes() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    commit(&ledger, &signed(1));
    let branch = Ledger::draft_branch(&key(2));
    assert_eq!(branch, "handoff/hubspot-2");
    let first =
        writer(&ledger).commit_on_branch(&branch, &draft(2)).expect("committed").expect("one");
    assert_eq!(writer(&ledger).commit_on_branch(&branch, &draft(2)).expect("the same"), None);
    let more = draft(2).put("brief.yaml", "draft: 2\n");
    assert!(writer(&ledger).commit_on_branch(&branch, &more).expect("committed").is_some());
    assert_eq!(world.git(&root, &["rev-list", "--count", "main..handoff/hubspot-2"]).trim(), "2");
    assert_eq!(
        world.git(&root, &["rev-parse", "handoff/hubspot-2~1"]).trim(),
        first.id.to_string()
    );
    assert_eq!((world.status(&root).as_str(), root.join(folder(2)).exists()), ("", false));
    assert_eq!(ledger.find(&key(2), None).expect("read"), None, "the ledger does not have it yet");
    let on_branch = ledger.snapshot_of_branch(&branch).expect("read").expect("there");
    assert_eq!(
        on_branch.read(&format!("{}/brief.yaml", folder(2))).expect("read").as_deref(),
        Some(&b"draft: 2\n"[..])
    );
    assert!(on_branch.find(&key(1), None).expect("read").is_some());
    assert!(ledger.snapshot_of_branch("handoff/none").expect("read").is_none());
    world.fsck(&root);
}

#[test]
fn a_draft_lands_as_one_commit_and_its_branch_goes() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let branch = Ledger::draft_branch(&key(2));
    writer(&ledger).commit_on_branch(&branch, &draft(2)).expect("committed");
    commit(&ledger, &signed(1));
    let landing = Change::of_handoff(folder(2), "Customer 2", &key(2), at(90))
        .put("brief.yaml", brief(2, ""))
        .trailer("Handoff-Event", "signed");
    let landed = writer(&ledger).land(&branch, &landing).expect("landed").expect("a commit");
    assert_eq!(ledger.tip().expect("a tip"), Some(landed.id));
    assert_eq!(world.git(&root, &["branch", "--list", "handoff/*"]), "");
    assert_eq!(world.git(&root, &["rev-list", "--count", "--merges", "main"]).trim(), "0");
    assert_eq!(
        ledger.read(&format!("{}/README.md", folder(2))).expect("read").as_deref(),
        Some(&b"# Draft\n"[..])
    );
    assert_eq!(
        ledger.read(&format!("{}/brief.yaml", folder(2))).expect("read"),
        Some(brief(2, "").into_bytes())
    );
    assert_eq!(world.status(&root), "");
    assert_eq!(writer(&ledger).land(&branch, &landing).expect("again"), None);
}

#[test]
fn branches_that_must_not_go_stay() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    assert!(matches!(writer(&ledger).delete_branch("main"), Err(LedgerError::BranchBusy { .. })));
    world.git(&root, &["worktree", "add", "-q", "-b", "side", "../tree"]);
    assert!(matches!(writer(&ledger).delete_branch("side"), Err(LedgerError::BranchBusy { .. })));
    assert!(!writer(&ledger).delete_branch("none").expect("fine"));
    world.git(&root, &["branch", "handoff"]);
    let clash = writer(&ledger).commit_on_branch("handoff/x-1", &draft(1));
    assert!(clash.is_err(), "a branch named handoff is in the way: {clash:?}");
    world.git(&root, &["pack-refs", "--all"]);
    let clash = writer(&ledger).commit_on_branch("handoff/x-1", &draft(1));
    assert!(matches!(clash, Err(LedgerError::BranchBusy { .. })), "{clash:?}");
    world.fsck(&root);
}

#[test]
fn a_draft_is_pushed_edited_there_and_pushed_again() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    world.git(&root, &["clone", "-q", "--bare", ".", "../remote.git"]);
    world.git(&root, &["remote", "add", "origin", "../remote.git"]);
    let branch = Ledger::draft_branch(&key(1));
    let lines = "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n";
    writer(&ledger)
        .commit_on_branch(&branch, &draft(1).put("brief.yaml", lines))
        .expect("committed");
    ledger.push_branch("origin", &branch, at(10)).expect("pushed");

    // The rep answers in the pull request.
    world.git(&world.path("home"), &["clone", "-q", "-b", &branch, "../remote.git", "../rep"]);
    let rep = world.path("rep");
    world.settle(&rep);
    let file = format!("{}/brief.yaml", folder(1));
    std::fs::write(rep.join(&file), lines.replace("a: 1", "a: the rep")).expect("written");
    world.git(&rep, &["commit", "-q", "-a", "-m", "answers"]);
    world.git(&rep, &["push", "-q"]);

    let more = draft(1).put("brief.yaml", lines.replace("e: 1", "e: the machine"));
    writer(&ledger).commit_on_branch(&branch, &more).expect("committed");
    ledger.push_branch("origin", &branch, at(20)).expect("pushed");
    let remote = Ledger::open(&world.path("remote.git")).expect("the remote");
    let both = lines.replace("a: 1", "a: the rep").replace("e: 1", "e: the machine");
    let there = remote
        .snapshot_of_branch(&branch)
        .expect("read")
        .expect("there")
        .read(&file)
        .expect("read");
    assert_eq!(there, Some(both.into_bytes()));

    ledger.delete_remote_branch("origin", &branch).expect("deleted");
    ledger.delete_remote_branch("origin", &branch).expect("a second time is fine");
    assert!(remote.snapshot_of_branch(&branch).expect("read").is_none());
    assert!(ledger.tip().expect("a tip").is_some());
}
