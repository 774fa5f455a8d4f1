//! The checkout follows, and nothing that a person has begun is touched.

use std::fs;
use std::path::Path;

use handoff::ledger::{Change, CheckoutRemark, LedgerError};

use crate::ledger_world::{World, at, brief, commit, folder, key, signed, writer};

/// Everything of a checkout that a person could miss: the files, and the index as git reads it.
fn picture(world: &World, root: &Path, except: &str) -> String {
    let mut picture =
        world.git(root, &["ls-files", "--stage", "-v", "--", ".", &format!(":!{except}")]);
    picture += &world.git(root, &["diff", "--cached", "--", ".", &format!(":!{except}")]);
    picture += &world.git(root, &["diff", "--", ".", &format!(":!{except}")]);
    picture += &world
        .git(root, &["status", "--porcelain", "--ignored", "--", ".", &format!(":!{except}")]);
    picture
}

#[test]
fn staged_and_dirty_files_elsewhere_stay_as_they_are() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    for n in 1..4 {
        commit(&ledger, &signed(n));
    }
    let brief_of = |n: usize| root.join(folder(n)).join("brief.yaml");
    fs::write(brief_of(1), "staged: 1\n").expect("written");
    fs::write(root.join("new.txt"), "staged\n").expect("written");
    world.git(&root, &["add", "-A"]);
    fs::write(brief_of(1), "staged: and dirty\n").expect("written");
    fs::write(brief_of(2), "dirty: 1\n").expect("written");
    fs::write(root.join("untracked.txt"), "x\n").expect("written");
    world.git(&root, &["rm", "-q", "--cached", &format!("{}/README.md", folder(3))]);
    world.git(&root, &["add", "-N", "untracked.txt"]);
    let before = picture(&world, &root, &folder(9));

    let done = commit(&ledger, &signed(9));
    assert_eq!(done.remarks, []);
    assert_eq!(picture(&world, &root, &folder(9)), before);
    assert_eq!(world.git(&root, &["status", "--porcelain", "--", &folder(9)]), "");
    assert_eq!(
        world.git(&root, &["show", "--stat", "--format=", "--name-only", "main"]).lines().count(),
        3
    );
    assert_eq!(fs::read_to_string(brief_of(1)).expect("there"), "staged: and dirty\n");
    world.fsck(&root);
}

#[test]
fn a_file_that_a_person_is_editing_is_left_and_said_so() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    commit(&ledger, &signed(1));
    let file = format!("{}/brief.yaml", folder(1));
    fs::write(root.join(&file), "edited: by a person\n").expect("written");
    let change = Change::of_handoff(folder(1), "Customer 1", &key(1), at(90))
        .put("brief.yaml", brief(1, "more: 1\n"))
        .put("README.md", "# Anew\n");
    let done = commit(&ledger, &change);
    assert_eq!(done.remarks, [CheckoutRemark::FileLeft { path: file.clone() }]);
    assert!(done.remarks[0].to_string().contains(&file));
    assert_eq!(fs::read_to_string(root.join(&file)).expect("there"), "edited: by a person\n");
    assert_eq!(
        fs::read_to_string(root.join(folder(1)).join("README.md")).expect("there"),
        "# Anew\n"
    );
    assert_eq!(ledger.read(&file).expect("read"), Some(brief(1, "more: 1\n").into_bytes()));
    assert_eq!(world.status(&root), format!("MM {file}\n"));
}

#[test]
fn what_a_person_staged_in_the_folder_is_left_and_said_so() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    commit(&ledger, &signed(1));
    let file = format!("{}/brief.yaml", folder(1));
    fs::write(root.join(&file), "staged: by a person\n").expect("written");
    world.git(&root, &["add", &file]);
    let staged = world.git(&root, &["ls-files", "--stage", &file]);
    let done = commit(
        &ledger,
        &Change::new(folder(1), "x", at(90)).put("brief.yaml", brief(1, "more: 1\n")),
    );
    assert_eq!(done.remarks, [CheckoutRemark::StagedLeft { path: file.clone() }]);
    assert_eq!(world.git(&root, &["ls-files", "--stage", &file]), staged);
    // An untracked file where a new one is to be is a person's, too.
    let new = format!("{}/brief.yaml", folder(2));
    fs::create_dir_all(root.join(folder(2))).expect("made");
    fs::write(root.join(&new), "mine: 1\n").expect("written");
    let done = commit(&ledger, &signed(2));
    assert_eq!(done.remarks, [CheckoutRemark::FileLeft { path: new.clone() }]);
    assert_eq!(fs::read_to_string(root.join(&new)).expect("there"), "mine: 1\n");
}

#[test]
fn deleted_files_go_from_the_checkout_with_their_empty_folders() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    commit(&ledger, &signed(1));
    let gone = ["brief.yaml", "timeline.yaml", "README.md"]
        .into_iter()
        .fold(Change::new(folder(1), "x", at(0)), Change::delete);
    commit(&ledger, &gone);
    assert_eq!(world.status(&root), "");
    assert!(!root.join("briefs").exists(), "empty folders go, too");
    assert!(root.join("handoff.yaml").exists());
    world.fsck(&root);
}

#[test]
fn a_busy_index_leaves_the_checkout_behind_and_the_next_write_catches_up() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    fs::write(root.join(".git/index.lock"), "").expect("a lock of git's");
    let done = commit(&ledger, &signed(1));
    assert!(
        matches!(done.remarks[..], [CheckoutRemark::CheckoutBehind { .. }]),
        "{:?}",
        done.remarks
    );
    assert!(root.join(".git/index.lock").exists(), "git's own lock is left alone");
    fs::remove_file(root.join(".git/index.lock")).expect("git is done");
    assert_ne!(world.status(&root), "");
    commit(&ledger, &signed(2));
    assert_eq!(world.status(&root), "", "both are there now");
}

#[test]
fn a_detached_or_other_checkout_stays_as_it_is() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    for how in [&["checkout", "-q", "--detach"][..], &["checkout", "-q", "-b", "feature"]] {
        world.git(&root, how);
        let n = how.len();
        let head = world.git(&root, &["rev-parse", "HEAD"]);
        let done = commit(&ledger, &signed(n));
        assert_eq!(done.remarks, []);
        assert_eq!(world.git(&root, &["rev-parse", "HEAD"]), head);
        assert_eq!(world.status(&root), "");
        assert!(!root.join(folder(n)).exists());
    }
    world.git(&root, &["checkout", "-q", "main"]);
    assert!(root.join(folder(3)).join("brief.yaml").exists());
}

#[test]
fn the_worktree_that_has_the_branch_follows() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    world.git(&root, &["checkout", "-q", "-b", "feature"]);
    world.git(&root, &["worktree", "add", "-q", "../tree", "main"]);
    commit(&ledger.clone().on_branch("main").expect("a name"), &signed(1));
    assert!(world.path("tree").join(folder(1)).join("brief.yaml").exists());
    assert_eq!(
        (world.status(&world.path("tree")).as_str(), world.status(&root).as_str()),
        ("", "")
    );
    assert!(!root.join(folder(1)).exists());
    world.fsck(&root);
}

#[test]
fn line_ends_are_as_git_would_write_them() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    world.git(&root, &["config", "core.autocrlf", "true"]);
    commit(&ledger, &signed(1));
    let file = root.join(folder(1)).join("brief.yaml");
    assert_eq!(fs::read_to_string(&file).expect("there"), brief(1, "").replace('\n', "\r\n"));
    assert_eq!(world.status(&root), "");
    // Changed again: the file with CRLF counts as untouched.
    let done = commit(
        &ledger,
        &Change::new(folder(1), "x", at(90)).put("brief.yaml", brief(1, "more: 1\n")),
    );
    assert_eq!(done.remarks, []);
    assert!(fs::read_to_string(&file).expect("there").ends_with("more: 1\r\n"));
    assert_eq!(
        ledger.read(&format!("{}/brief.yaml", folder(1))).expect("read"),
        Some(brief(1, "more: 1\n").into_bytes())
    );
    fs::write(root.join(".gitattributes"), "*.yaml text eol=lf\n").expect("written");
    commit(&ledger, &signed(2));
    assert_eq!(
        fs::read_to_string(root.join(folder(2)).join("brief.yaml")).expect("there"),
        brief(2, "")
    );
    assert_eq!(
        fs::read_to_string(root.join(folder(2)).join("README.md")).expect("there"),
        "# Customer 2\r\n"
    );
    assert_eq!(world.status(&root), "?? .gitattributes\n");
    // Wherever it stands, and also what is not to be changed.
    let own = root.join(folder(7));
    fs::create_dir_all(&own).expect("made");
    let places = [
        (3, root.join(".gitattributes")),
        (4, root.join("briefs/.gitattributes")),
        (5, root.join(".git/info/attributes")),
        (6, world.path("of-this-person")),
        (7, own.join(".gitattributes")),
    ];
    for (n, place) in places {
        fs::create_dir_all(place.parent().expect("it has one")).expect("made");
        fs::write(&place, "*.md -text\n").expect("written");
        if n == 6 {
            let file = place.to_str().expect("text");
            world.git(&root, &["config", "core.attributesFile", file]);
        }
        commit(&ledger, &signed(n));
        let read = |name: &str| fs::read_to_string(root.join(folder(n)).join(name)).expect("there");
        assert_eq!(read("README.md"), format!("# Customer {n}\n"), "{}", place.display());
        assert_eq!(read("brief.yaml"), brief(n, "").replace('\n', "\r\n"));
        let readme = format!("{}/README.md", folder(n));
        assert!(!world.status(&root).contains(&readme), "{}", world.status(&root));
        fs::remove_file(place).expect("removed");
    }
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    commit(&ledger, &signed(1));
    world.git(&root, &["sparse-checkout", "set", "--cone", "--no-sparse-index", "docs"]);
    assert!(!root.join("briefs").exists());
    let done = commit(&ledger, &signed(2));
    assert_eq!(done.remarks, []);
    commit(&ledger, &Change::new(folder(1), "x", at(90)).put("brief.yaml", brief(1, "more: 1\n")));
    assert!(!root.join("briefs").exists(), "what is outside stays outside");
    assert_eq!(world.status(&root), "");
    world.git(&root, &["sparse-checkout", "disable"]);
    assert_eq!(world.status(&root), "");
    assert!(root.join(folder(2)).join("brief.yaml").exists());
}

#[test]
fn a_split_and_a_sparse_index_are_followed() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    commit(&ledger, &signed(1));
    world.git(&root, &["config", "core.splitIndex", "true"]);
    world.git(&root, &["update-index", "--split-index"]);
    fs::write(root.join("staged.txt"), "mine\n").expect("written");
    world.git(&root, &["add", "staged.txt"]);
    assert_eq!(commit(&ledger, &signed(2)).remarks, []);
    assert_eq!(world.status(&root), "A  staged.txt\n");
    world.git(&root, &["commit", "-q", "-m", "mine"]);
    world.git(&root, &["config", "core.splitIndex", "false"]);

    fs::create_dir(root.join("docs")).expect("made");
    fs::write(root.join("docs/x.md"), "x\n").expect("written");
    world.git(&root, &["add", "docs"]);
    world.git(&root, &["commit", "-q", "-m", "docs"]);
    world.git(&root, &["sparse-checkout", "set", "--cone", "--sparse-index", "docs"]);
    assert_eq!(commit(&ledger, &signed(3)).remarks, []);
    assert_eq!(world.status(&root), "");
    assert!(!root.join("briefs").exists());
    world.git(&root, &["sparse-checkout", "disable"]);
    assert_eq!(world.status(&root), "");
    world.fsck(&root);
}

#[test]
fn nothing_is_written_through_a_symbolic_link() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    let outside = world.path("outside");
    fs::create_dir(&outside).expect("made");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, root.join("briefs")).expect("linked");
    let done = commit(&ledger, &signed(1));
    assert_eq!(done.remarks.len(), 3, "{:?}", done.remarks);
    assert_eq!(fs::read_dir(&outside).expect("there").count(), 0);
}

#[test]
fn a_filter_program_is_not_passed_by() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    fs::create_dir_all(root.join("briefs")).expect("made");
    for place in [".gitattributes", "briefs/.gitattributes", ".git/info/attributes"] {
        let file = root.join(place);
        fs::create_dir_all(file.parent().expect("it has one")).expect("made");
        fs::write(&file, "*.md -filter\n*.yaml filter=git-crypt\n").expect("written");
        let result = writer(&ledger).commit(&signed(1));
        assert!(
            matches!(&result, Err(LedgerError::Filtered { path, .. }) if path.ends_with(".yaml")),
            "{place}: {result:?}"
        );
        fs::remove_file(&file).expect("removed");
    }
    assert_eq!(world.git(&root, &["rev-list", "--count", "main"]).trim(), "1");
}

#[test]
fn an_edit_right_after_a_commit_is_seen() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    for n in 0..20 {
        commit(&ledger, &signed(n));
        let file = format!("{}/README.md", folder(n));
        let text = fs::read_to_string(root.join(&file)).expect("there");
        // As long as before, and perhaps within the same tick of the clock.
        fs::write(root.join(&file), text.to_uppercase()).expect("written");
        assert_eq!(world.status(&root), format!(" M {file}\n"));
        fs::write(root.join(&file), text).expect("written");
        assert_eq!(world.status(&root), "");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_may_be_run_stays_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = world.path("clone");
    commit(&ledger, &signed(1));
    let file = root.join(folder(1)).join("README.md");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
    world.git(&root, &["commit", "-q", "-a", "-m", "may be run"]);
    commit(&ledger, &signed(1).put("README.md", "# Anew\n"));
    assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o111, 0o111);
    assert_eq!(world.status(&root), "");
}
