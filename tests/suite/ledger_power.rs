//! The power goes: everything that was not synced is lost or torn, and each
//! commit that had returned is there all the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use handoff::ledger::{Change, Ledger, LedgerError};
use proptest::prelude::*;

use crate::ledger_world::{World, at, commit, folder, key, signed, writer};

/// What a copy of a git folder holds, by path inside it.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Where the records begin; see `src/ledger/write_ahead.rs`.
const RECORDS: usize = 4096;

fn files(git_dir: &Path) -> Files {
    let (mut found, mut open) = (Files::new(), vec![git_dir.to_path_buf()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let inside = path.strip_prefix(git_dir).expect("inside").to_path_buf();
                found.insert(inside, fs::read(&path).expect("read"));
            }
        }
    }
    found
}

fn replace(path: &Path, bytes: Option<&[u8]>) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
    if let Some(bytes) = bytes {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
}

fn journal(git_dir: &Path) -> PathBuf {
    git_dir.join("handoff/write-ahead")
}

/// The journal as the next boot of the machine finds it.
fn of_another_boot(mut bytes: Vec<u8>) -> Vec<u8> {
    let text = b"\nboot ";
    let at = bytes.windows(text.len()).position(|it| it == text).expect("a header") + text.len();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    bytes
}

fn boot_again(git_dir: &Path) {
    let path = journal(git_dir);
    let bytes = of_another_boot(fs::read(&path).expect("a journal"));
    fs::write(&path, bytes).expect("written");
}

fn is_empty(journal: &[u8]) -> bool {
    journal[RECORDS.min(journal.len())..].iter().all(|byte| *byte == 0)
}

/// How a file that was not synced may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// As it was before, or not at all.
    Undone,
    Empty,
    Half,
    Zeros,
    /// Written in time.
    None,
}

const LOSSES: [Loss; 5] = [Loss::Undone, Loss::Empty, Loss::Half, Loss::Zeros, Loss::None];

/// Whether handoff makes a file durable. The index and the logs are git's; it
/// writes them without a sync, too.
fn is_ours(path: &Path) -> bool {
    path.starts_with("objects") || path.starts_with("refs")
}

fn lose(git_dir: &Path, before: &Files, after: &Files, loss: impl Fn(&Path) -> Loss) {
    for (path, now) in after {
        if before.get(path) == Some(now) || path.starts_with("handoff/write-ahead") {
            continue;
        }
        let whole = git_dir.join(path);
        match loss(path) {
            Loss::Undone => replace(&whole, before.get(path).map(Vec::as_slice)),
            Loss::Empty => replace(&whole, Some(b"")),
            Loss::Half => replace(&whole, Some(&now[..now.len() / 2])),
            Loss::Zeros => replace(&whole, Some(&vec![0; now.len()])),
            Loss::None => {}
        }
    }
}

fn all_are_there(world: &World, root: &Path, commits: usize, handoffs: std::ops::Range<usize>) {
    // A handoff command is the first to look.
    let ledger = Ledger::open(root).expect("opened").on_branch("main").expect("a branch");
    world.fsck(root);
    assert_eq!(world.git(root, &["rev-list", "--count", "main"]).trim(), commits.to_string());
    for n in handoffs {
        let found = ledger.find(&key(n), Some("2026/11")).expect("read");
        let files = ledger.handoff(&found.unwrap_or_else(|| panic!("{n} is lost"))).expect("read");
        assert!(files.brief.is_some() && files.timeline.is_some(), "{n}");
    }
}

#[test]
fn everything_that_was_not_synced_is_lost_and_comes_back() {
    for loss in LOSSES {
        let world = World::new();
        let ledger = world.ledger("clone");
        let root = ledger.root().to_path_buf();
        let git_dir = root.join(".git");
        let before = files(&git_dir);
        let tips: Vec<String> =
            (0..3).map(|n| commit(&ledger, &signed(n)).id.to_string()).collect();
        let after = files(&git_dir);
        assert!(!is_empty(&after[Path::new("handoff/write-ahead")]), "it was not settled yet");

        lose(&git_dir, &before, &after, |path| {
            if is_ours(path) || loss == Loss::Undone { loss } else { Loss::None }
        });
        boot_again(&git_dir);
        // Reading is enough.
        let ledger = Ledger::open(&root).expect("opened");
        assert_eq!(ledger.tip().expect("a tip").expect("a commit").to_string(), tips[2]);
        all_are_there(&world, &root, 4, 0..3);
        assert!(is_empty(&fs::read(journal(&git_dir)).expect("a journal")), "{loss:?}: settled");
        drop(writer(&ledger));
        assert_eq!(world.status(&root), "");
    }
}

#[test]
fn the_branch_alone_is_lost_in_each_way() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let git_dir = root.join(".git");
    let path = git_dir.join("refs/heads/main");
    let mut tips = vec![fs::read(&path).expect("a branch")];
    for n in 0..3 {
        commit(&ledger, &signed(n));
        tips.push(fs::read(&path).expect("a branch"));
    }
    let (last, whole) = (tips[3].clone(), fs::read(journal(&git_dir)).expect("a journal"));
    let log = git_dir.join("logs/refs/heads/main");
    let lines = fs::read_to_string(&log).expect("a log");
    for has_log in [true, false] {
        for lost in tips.iter().map(|tip| Some(tip.as_slice())).chain([
            None,
            Some(&b""[..]),
            Some(&last[..17]),
            Some(&[0; 41]),
        ]) {
            fs::write(&log, if has_log { lines.as_str() } else { "" }).expect("written");
            replace(&path, lost);
            // A lock of that time may be left, too, with nothing in it.
            fs::write(git_dir.join("refs/heads/main.lock"), "").expect("written");
            fs::write(journal(&git_dir), of_another_boot(whole.clone())).expect("written");
            let tip = Ledger::open(&root).expect("opened").tip().expect("read").expect("a tip");
            assert_eq!(format!("{tip}\n").as_bytes(), last, "{lost:?}");
            let left = git_dir.join("refs/heads/main.lock");
            if lost == Some(&last) {
                fs::remove_file(left).expect("it was not needed")
            } else {
                assert!(!left.exists())
            }
        }
    }
    all_are_there(&world, &root, 4, 0..3);
    drop(writer(&ledger));
    assert_eq!(world.status(&root), "");
}

/// A repository before and after one more commit.
struct Step {
    world: World,
    root: PathBuf,
    git_dir: PathBuf,
    before: Files,
    after: Files,
}

impl Step {
    fn new() -> Self {
        let world = World::new();
        let ledger = world.ledger("clone");
        let root = ledger.root().to_path_buf();
        let git_dir = root.join(".git");
        commit(&ledger, &signed(1));
        let before = files(&git_dir);
        commit(&ledger, &signed(2));
        let after = files(&git_dir);
        Self { world, root, git_dir, before, after }
    }

    fn go_back(&self) {
        for path in files(&self.git_dir).keys() {
            if !self.before.contains_key(path) {
                fs::remove_file(self.git_dir.join(path)).expect("removed");
            }
        }
        for (path, bytes) in &self.before {
            replace(&self.git_dir.join(path), Some(bytes));
        }
        self.world.git(&self.root, &["reset", "-q", "--hard"]);
        self.world.git(&self.root, &["clean", "-q", "-fd"]);
        replace(&self.git_dir.join("ORIG_HEAD"), None);
        replace(
            &self.git_dir.join("logs/HEAD"),
            self.before.get(Path::new("logs/HEAD")).map(Vec::as_slice),
        );
    }

    /// The journal after, which says that the step before was the last to be applied.
    fn recorded(&self) -> Vec<u8> {
        let name = Path::new("handoff/write-ahead");
        let (before, mut recorded) = (&self.before[name], self.after[name].clone());
        recorded[512..1024].copy_from_slice(&before[512..1024]);
        recorded
    }

    /// Where the last record begins and ends.
    fn last_record(&self) -> (usize, usize) {
        let end = |files: &Files| {
            let line = &files[Path::new("handoff/write-ahead")][512..1024];
            let line = String::from_utf8_lossy(line);
            line.split(' ').nth(1).expect("how far").parse::<usize>().expect("a number")
        };
        (end(&self.before), end(&self.after))
    }

    fn new_objects(&self) -> Vec<(&PathBuf, &Vec<u8>)> {
        let is_new = |(path, _): &(&PathBuf, &Vec<u8>)| {
            path.starts_with("objects") && !self.before.contains_key(*path)
        };
        self.after.iter().filter(is_new).collect()
    }
}

#[test]
fn killed_at_each_step_between_the_record_and_the_branch() {
    let step = Step::new();
    let objects = step.new_objects();
    let behind = format!(
        "{} refs/heads/main {}\n",
        step.world.git(&step.root, &["rev-parse", "main~1"]).trim(),
        fs::canonicalize(&step.git_dir).expect("a path").display()
    );
    for count in 0..=objects.len() {
        step.go_back();
        replace(&step.git_dir.join("handoff/checkouts-behind"), Some(behind.as_bytes()));
        fs::write(journal(&step.git_dir), step.recorded()).expect("written");
        for (path, bytes) in &objects[..count] {
            replace(&step.git_dir.join(path), Some(bytes));
        }
        // git's lock is held from before the record on.
        let new = &step.after[Path::new("refs/heads/main")];
        for lock in ["refs/heads/main.lock", "handoff/pending/refs/heads/main"] {
            replace(&step.git_dir.join(lock), Some(new));
        }
        // Who reads sees all or nothing of it.
        let ledger = Ledger::open(&step.root).expect("opened");
        assert!(ledger.find(&key(2), None).expect("read").is_none());
        all_are_there(&step.world, &step.root, 2, 1..2);
        // Who writes next ends it, and then makes nothing twice.
        assert_eq!(
            writer(&ledger).commit(&signed(2)).expect("fine"),
            None,
            "after {count} objects"
        );
        all_are_there(&step.world, &step.root, 3, 1..3);
        assert_eq!(step.world.status(&step.root), "");
        commit(&ledger, &signed(3));
        all_are_there(&step.world, &step.root, 4, 1..4);
    }
}

#[test]
fn killed_before_the_branch_moved_and_a_person_moved_it() {
    let step = Step::new();
    step.go_back();
    fs::write(journal(&step.git_dir), step.recorded()).expect("written");
    fs::write(step.root.join("note.txt"), "mine\n").expect("written");
    step.world.git(&step.root, &["add", "note.txt"]);
    step.world.git(&step.root, &["commit", "-q", "-m", "mine"]);
    let ledger = Ledger::open(&step.root).expect("opened");
    assert!(writer(&ledger).commit(&signed(2)).expect("fine").is_some(), "it is made now");
    all_are_there(&step.world, &step.root, 4, 1..3);
    // And it stays so when the power goes now.
    boot_again(&step.git_dir);
    all_are_there(&step.world, &step.root, 4, 1..3);
    assert_eq!(step.world.git(&step.root, &["for-each-ref", "refs/handoff"]), "");
}

#[test]
fn a_record_torn_at_any_byte_is_a_commit_that_never_returned() {
    let step = Step::new();
    let (start, end) = step.last_record();
    let recorded = of_another_boot(step.recorded());
    let tip = String::from_utf8(step.before[Path::new("refs/heads/main")].clone()).expect("text");
    step.go_back();
    let open = |bytes: &[u8]| {
        fs::write(journal(&step.git_dir), bytes).expect("written");
        Ledger::open(&step.root).expect("opened").tip().expect("read").expect("a tip").to_string()
    };
    for cut in start..end {
        // The file ends there, or what is behind was not written, or is of another time.
        assert_eq!(open(&recorded[..cut]), tip.trim(), "cut at {cut}");
        let mut torn = recorded[..end].to_vec();
        torn[cut] ^= 0x20;
        assert_eq!(open(&torn), tip.trim(), "another byte at {cut}");
        if cut % 16 == 0 {
            torn[cut..].fill(0);
            assert_eq!(open(&torn), tip.trim(), "zeros from {cut}");
        }
    }
    all_are_there(&step.world, &step.root, 2, 1..2);
    let new = String::from_utf8(step.after[Path::new("refs/heads/main")].clone()).expect("text");
    assert_eq!(open(&recorded), new.trim(), "the whole record is a commit");
    all_are_there(&step.world, &step.root, 3, 1..3);
}

#[test]
fn a_journal_without_a_whole_header_is_begun_anew() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    commit(&ledger, &signed(1));
    for bytes in [&b""[..], b"\0\0\0\0", b"handoff write-ahead journal 1\nboot", &[0xff; 9_000]] {
        fs::write(journal(&root.join(".git")), bytes).expect("written");
        Ledger::open(&root).expect("opened");
        let done = writer(&ledger).commit(&signed(1)).expect("fine");
        assert_eq!(done, None);
    }
    commit(&ledger, &signed(2));
    all_are_there(&world, &root, 3, 1..3);
}

#[test]
fn what_a_person_set_back_stays_so_and_is_kept() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let git_dir = root.join(".git");
    let done: Vec<String> = (0..3).map(|n| commit(&ledger, &signed(n)).id.to_string()).collect();
    world.git(&root, &["reset", "-q", "--hard", &done[0]]);
    boot_again(&git_dir);
    let tip = Ledger::open(&root).expect("opened").tip().expect("read").expect("a tip");
    assert_eq!(tip.to_string(), done[0]);
    let kept = format!("refs/handoff/kept/main-{}", &done[2][..10]);
    // The commands that the message names.
    let range = format!("main..{kept}");
    assert_eq!(
        world.git(&root, &["log", "--format=%H", &range]),
        format!("{}\n{}\n", done[2], done[1])
    );
    world.git(&root, &["cherry-pick", &range]);
    all_are_there(&world, &root, 4, 0..3);
    world.git(&root, &["update-ref", "-d", &kept]);
    assert_eq!(world.status(&root), "");

    // The next commit builds on that, and is what comes back.
    commit(&ledger, &signed(3));
    boot_again(&git_dir);
    all_are_there(&world, &root, 5, 0..4);
    assert_eq!(world.git(&root, &["for-each-ref", "refs/handoff"]), "");
}

#[test]
fn a_branch_that_went_another_way_after_the_failure_is_left_and_the_commits_are_kept() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let git_dir = root.join(".git");
    let start = world.git(&root, &["rev-parse", "main"]);
    let before = files(&git_dir);
    let done = commit(&ledger, &signed(1)).id.to_string();
    let after = files(&git_dir);
    lose(&git_dir, &before, &after, |_| Loss::Undone);
    boot_again(&git_dir);
    // A person was faster than handoff, with git.
    world.git(&root, &["reset", "-q", "--hard", start.trim()]);
    world.git(&root, &["commit", "-q", "--allow-empty", "-m", "mine"]);
    let tip = Ledger::open(&root).expect("opened").tip().expect("read").expect("a tip");
    assert_eq!(world.git(&root, &["log", "-1", "--format=%s", &tip.to_string()]), "mine\n");
    let kept = format!("refs/handoff/kept/main-{}", &done[..10]);
    assert_eq!(world.git(&root, &["rev-parse", &kept]).trim(), done);
    world.fsck(&root);
}

#[test]
fn a_draft_that_was_deleted_does_not_come_back() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let git_dir = root.join(".git");
    let before = files(&git_dir);
    writer(&ledger)
        .commit_on_branch("handoff/hubspot-1", &signed(1))
        .expect("fine")
        .expect("a commit");
    let after = files(&git_dir);
    let branch = git_dir.join("refs/heads/handoff/hubspot-1");
    // A draft is kept as well as the ledger's own branch.
    lose(&git_dir, &before, &after, |_| Loss::Undone);
    boot_again(&git_dir);
    Ledger::open(&root).expect("opened");
    assert!(branch.exists());
    world.fsck(&root);

    writer(&ledger)
        .commit_on_branch("handoff/hubspot-1", &signed(1).put("brief.yaml", "x: 1\n"))
        .expect("fine");
    writer(&ledger).land("handoff/hubspot-1", &signed(1)).expect("landed");
    boot_again(&git_dir);
    all_are_there(&world, &root, 2, 1..2);
    assert!(!branch.exists());
}

#[test]
fn a_person_collects_garbage_in_between() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let git_dir = root.join(".git");
    (0..3).for_each(|n| drop(commit(&ledger, &signed(n))));
    world.git(&root, &["gc", "-q", "--prune=now"]);
    let before = files(&git_dir);
    (3..5).for_each(|n| drop(commit(&ledger, &signed(n))));
    let after = files(&git_dir);
    lose(&git_dir, &before, &after, |path| if is_ours(path) { Loss::Empty } else { Loss::None });
    boot_again(&git_dir);
    all_are_there(&world, &root, 6, 0..5);
    let packs = fs::read_dir(git_dir.join("objects/pack")).expect("packs").count();
    assert!(packs >= 2, "{packs}");
}

#[test]
fn bare_clones_worktrees_subfolders_and_borrowed_objects() {
    let world = World::new();
    let origin = world.ledger("origin");
    commit(&origin, &signed(0));
    let from = world.path("origin").display().to_string();
    let to = |name: &str| world.path(name).display().to_string();
    let home = world.path("home");
    world.git(&home, &["clone", "-q", "--bare", "--shared", &from, &to("bare.git")]);
    world.git(&home, &["clone", "-q", "--shared", &from, &to("shared")]);
    world.settle(&world.path("shared"));
    world.git(&world.path("shared"), &["checkout", "-q", "-b", "other"]);
    world.git(&world.path("shared"), &["worktree", "add", "-q", &to("tree"), "main"]);
    for (open, git_dir) in [("bare.git", "bare.git"), ("tree", "shared/.git")] {
        let (open, git_dir) = (world.path(open), world.path(git_dir));
        let ledger = Ledger::open(&open).expect("opened").on_branch("main").expect("a branch");
        let before = files(&git_dir);
        (1..3).for_each(|n| drop(commit(&ledger, &signed(n))));
        let after = files(&git_dir);
        lose(
            &git_dir,
            &before,
            &after,
            |path| {
                if is_ours(path) { Loss::Empty } else { Loss::None }
            },
        );
        boot_again(&git_dir);
        all_are_there(&world, &open, 4, 0..3);
        if !ledger.is_bare() {
            assert_eq!(world.status(&open), "");
        }
    }
}

#[test]
fn a_copy_on_another_machine_looks_after_itself() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let before = files(&root.join(".git"));
    commit(&ledger, &signed(1));
    // Copied while it was written: the branch and the index first, the journal last.
    let copy = world.path("copy");
    let status = std::process::Command::new("cp").arg("-a").args([&root, &copy]).status();
    assert!(status.expect("cp runs").success());
    for file in ["refs/heads/main", "index"] {
        replace(&copy.join(".git").join(file), before.get(Path::new(file)).map(Vec::as_slice));
    }
    boot_again(&copy.join(".git"));
    let was = files(&root.join(".git"));
    all_are_there(&world, &copy, 3 - 1, 1..2);
    drop(writer(&Ledger::open(&copy).expect("opened")));
    assert_eq!(world.status(&copy), "");
    assert_eq!(files(&root.join(".git")), was, "the original is not touched");
}

/// Runs a test of this file again, as a user who may not write everything.
fn as_nobody(test: &str) {
    use std::os::unix::process::CommandExt as _;
    const IS_NOBODY: &str = "HANDOFF_TEST_AS_NOBODY";
    const NOBODY: u32 = 65_534;
    assert!(std::env::var_os(IS_NOBODY).is_none(), "nobody may write everything, too");
    let binary = std::env::current_exe().expect("this binary");
    let mut command = std::process::Command::new(binary);
    let name = format!("ledger_power::{test}");
    command.args(["--exact", &name, "--nocapture"]).env(IS_NOBODY, "1").env("HOME", "/");
    command.current_dir("/");
    match command.uid(NOBODY).gid(NOBODY).output() {
        Err(error) => println!("skipped: this binary cannot be run as nobody: {error}"),
        Ok(ran) => {
            let told = String::from_utf8_lossy(&ran.stdout);
            let why = String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success() && told.contains("1 passed"), "{told}{why}");
        }
    }
}

#[test]
fn who_may_only_read_is_told_what_to_do_and_sees_nothing_torn() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let git_dir = root.join(".git");
    let before = files(&git_dir);
    commit(&ledger, &signed(1));
    let after = files(&git_dir);
    boot_again(&git_dir);
    // A folder in the lock's place cannot be opened as a file, as on a disk that is read only;
    // which user runs the tests does not matter.
    let set_locked = |is_locked: bool| {
        use std::os::unix::fs::PermissionsExt as _;
        let lock = git_dir.join("handoff.lock");
        if !lock.exists() {
            // It was lost with the rest.
            fs::write(&lock, "").expect("a lock");
        }
        let mode = if is_locked { 0o555 } else { 0o755 };
        fs::set_permissions(&git_dir, fs::Permissions::from_mode(mode)).expect("set");
        let mode = if is_locked { 0o444 } else { 0o644 };
        fs::set_permissions(lock, fs::Permissions::from_mode(mode)).expect("set");
    };
    set_locked(true);
    if fs::OpenOptions::new().write(true).open(git_dir.join("handoff.lock")).is_ok() {
        set_locked(false);
        return as_nobody("who_may_only_read_is_told_what_to_do_and_sees_nothing_torn");
    }
    assert!(Ledger::open(&root).is_ok(), "nothing was lost");
    set_locked(false);
    lose(&git_dir, &before, &after, |_| Loss::Undone);
    set_locked(true);
    let error = Ledger::open(&root).expect_err("something is lost");
    assert!(matches!(error, LedgerError::PowerFailure { .. }), "{error}");
    assert!(error.help().contains("handoff status"));
    set_locked(false);
    all_are_there(&world, &root, 2, 1..2);
}

#[cfg(unix)]
#[test]
fn the_journal_is_for_those_who_may_read_the_objects() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    for (objects, file) in [(0o700, 0o600), (0o750, 0o640), (0o775, 0o664)] {
        let world = World::new();
        let ledger = world.ledger("clone");
        let git_dir = ledger.root().join(".git");
        let folder = git_dir.join("objects");
        fs::set_permissions(folder, fs::Permissions::from_mode(objects)).expect("set");
        commit(&ledger, &signed(1));
        assert_eq!(mode(&journal(&git_dir)), file, "objects are {objects:o}");
    }
}

#[test]
fn a_large_journal_is_settled_and_small_ones_are_not() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let path = journal(&ledger.root().join(".git"));
    commit(&ledger, &signed(1));
    let length = fs::metadata(&path).expect("there").len();
    commit(&ledger, &signed(2));
    assert_eq!(fs::metadata(&path).expect("there").len(), length, "its room is made in advance");
    assert!(!is_empty(&fs::read(&path).expect("read")));
    let large = signed(3).put("README.md", "many words ".repeat(1_600_000));
    commit(&ledger, &large);
    assert!(is_empty(&fs::read(&path).expect("read")));
    commit(&ledger, &signed(4));
    assert!(!is_empty(&fs::read(&path).expect("read")));
    boot_again(&ledger.root().join(".git"));
    all_are_there(&world, ledger.root(), 5, 1..5);
}

#[test]
fn a_part_that_cannot_be_read_takes_nothing_else_with_it() {
    let world = World::new();
    let ledger = world.ledger("clone");
    let root = ledger.root().to_path_buf();
    let git_dir = root.join(".git");
    let start = fs::read(git_dir.join("refs/heads/main")).expect("a branch");
    (0..3).for_each(|n| drop(commit(&ledger, &signed(n))));
    let mut bytes = of_another_boot(fs::read(journal(&git_dir)).expect("a journal"));
    bytes[RECORDS + 100] ^= 1;
    fs::write(journal(&git_dir), bytes).expect("written");
    replace(&git_dir.join("refs/heads/main"), Some(&start));
    // The first record is damaged: the branch is not where the second begins, and nobody
    // can tell what happened in between. It is left, and what came after is kept.
    let tip = Ledger::open(&root).expect("opened").tip().expect("read").expect("a tip");
    assert_eq!(format!("{tip}\n").as_bytes(), start);
    let kept = world.git(&root, &["for-each-ref", "--format=%(refname)", "refs/handoff/kept"]);
    assert_eq!(world.git(&root, &["rev-list", "--count", kept.trim()]).trim(), "4");
    world.fsck(&root);
}

fn write(ledger: &Ledger, kind: usize, n: usize) -> usize {
    match kind {
        // One commit; a small batch; one that is large enough for a pack.
        0 => {
            commit(ledger, &signed(n));
            1
        }
        many => {
            let count = if many == 1 { 3 } else { 20 };
            let batch = |batch: &mut handoff::ledger::Batch| {
                (n..n + count).try_for_each(|n| batch.commit(signed(n)).map(drop))
            };
            writer(ledger).batch::<LedgerError>(batch).expect("committed");
            count
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_lost_what_had_returned_is_there(
        kinds in prop::collection::vec(0..3_usize, 1..5),
        losses in prop::collection::vec(0..LOSSES.len(), 40),
        settled in 0..3_usize,
        garbage in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let world = World::new();
        let ledger = world.ledger("clone");
        let root = ledger.root().to_path_buf();
        let git_dir = root.join(".git");
        let mut count = 0;
        let mut before = files(&git_dir);
        for (step, kind) in kinds.iter().enumerate() {
            count += write(&ledger, *kind, count);
            if step < settled.min(kinds.len() - 1) {
                // What was synced some time ago is not lost.
                before = files(&git_dir);
            } else {
                // Packs are synced before they have their names.
                let packs = files(&git_dir).into_iter().filter(|(path, _)| path.starts_with("objects/pack"));
                before.extend(packs);
            }
        }
        let after = files(&git_dir);
        lose(&git_dir, &before, &after, |path| {
            if !is_ours(path) {
                return Loss::None;
            }
            let place = path.as_os_str().as_encoded_bytes().iter().map(|it| usize::from(*it)).sum::<usize>();
            LOSSES[losses[place % losses.len()]]
        });
        // The beginning of a record that was being written when the power went.
        let mut bytes = of_another_boot(fs::read(journal(&git_dir)).expect("a journal"));
        let line = String::from_utf8_lossy(&bytes[512..1024]).into_owned();
        let end: usize = line.split(' ').nth(1).expect("how far").parse().expect("a number");
        bytes.truncate(end);
        bytes.extend(garbage);
        fs::write(journal(&git_dir), bytes).expect("written");

        Ledger::open(&root).expect("opened");
        all_are_there(&world, &root, count + 1, 0..count);
        commit(&ledger, &signed(count));
        all_are_there(&world, &root, count + 2, 0..count + 1);
    }
}

#[test]
fn a_pack_of_a_batch_has_the_same_commits_as_one_by_one() {
    let world = World::new();
    let (one, many) = (world.ledger("one"), world.ledger("many"));
    // More than one chain of deltas, and folders that change more than once.
    let changes: Vec<Change> = (0..130)
        .map(signed)
        .chain((0..30).map(|n| {
            Change::of_handoff(folder(n), "x", &key(n), at(90)).put("README.md", format!("# {n}\n"))
        }))
        .collect();
    changes.iter().for_each(|change| drop(commit(&one, change)));
    let batch = |batch: &mut handoff::ledger::Batch| {
        changes.iter().try_for_each(|change| batch.commit(change.clone()).map(drop))
    };
    writer(&many).batch::<LedgerError>(batch).expect("committed");
    assert_eq!(many.tip().expect("a tip"), one.tip().expect("a tip"));
    world.fsck(many.root());
    let packs: Vec<PathBuf> = files(&many.root().join(".git"))
        .into_keys()
        .filter(|path| path.extension().is_some_and(|it| it == "idx"))
        .collect();
    let pack = packs[0].display().to_string();
    let said = world.git(&many.root().join(".git"), &["verify-pack", "-v", &pack]);
    assert!(said.contains("chain length = 50: "), "{said}");
    assert!(!said.contains("chain length = 51: "));
}
