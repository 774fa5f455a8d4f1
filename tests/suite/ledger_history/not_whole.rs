//! Repositories that do not hold everything: what is missing is named, and
//! the rest is still read.

use std::path::{Path, PathBuf};

use handoff::ledger::blobs::Blobs;
use handoff::ledger::history::{Scanned, scan, scan_cold};
use handoff::model::{FolderHistory, ObjectId};

use super::repo::{Repo, Stream, git, main};

const A: &[u8] = b"briefs/2026/11/acme--hubspot-1/brief.yaml";
const B: &[u8] = b"briefs/2026/12/globex--hubspot-2/brief.yaml";

/// Ten commits of which each changes one brief.
fn ledger() -> Repo {
    let mut stream = Stream::default();
    let mut parents = Vec::new();
    for number in 0..10 {
        let mark = stream.commit("main", 1_000 + number, &parents);
        stream.file(if number % 2 == 0 { A } else { B }, &format!("version {number}"));
        parents = vec![mark];
    }
    Repo::imported(&stream.bytes)
}

/// The commits and directories.
fn objects(repo: &Repo) -> Vec<ObjectId> {
    let list = repo.line(&["rev-list", "--objects", "--filter=blob:none", "main"]);
    list.lines().map(|line| line[..40].parse().expect("an id")).collect()
}

fn clone(repo: &Repo, arguments: &[&str]) -> (tempfile::TempDir, PathBuf) {
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}", repo.path().display());
    let mut words = vec!["clone", "-q", "--bare"];
    words.extend_from_slice(arguments);
    words.extend_from_slice(&[&url, "clone"]);
    git(dir.path(), &words);
    let path = dir.path().join("clone");
    (dir, path)
}

fn cold(path: &Path) -> Scanned {
    scan_cold(path, &main(), &|_| {}).expect("scans")
}

fn only_gap(scanned: &Scanned) -> (&str, &str, &str) {
    let [gap] = &scanned.gaps[..] else { panic!("one gap expected: {:?}", scanned.gaps) };
    (&gap.what, &gap.why, gap.help.as_deref().unwrap_or_default())
}

#[test]
fn a_shallow_clone_names_the_commit_where_it_ends_and_the_remedy() {
    let repo = ledger();
    let (_dir, path) = clone(&repo, &["--depth=3"]);
    for _ in 0..2 {
        // Twice: no cache may make it look whole.
        let found = scan(&path, &main(), &|_| {}).expect("scans");
        let (what, why, help) = only_gap(&found);
        assert_eq!(what, format!("the history before commit {}", repo.id("main~2")));
        assert!(why.contains("shallow") && help.contains("git fetch --unshallow"));
        assert_eq!(found.history.walked, 3);
    }
    git(&path, &["fetch", "-q", "--unshallow"]);
    assert_eq!(cold(&path).gaps, []);
    assert_eq!(cold(&path).history, repo.cold().history);
}

#[test]
fn a_shallow_clone_that_holds_the_whole_first_parent_history_is_whole() {
    let repo = ledger();
    let (_dir, path) = clone(&repo, &["--depth=50"]);
    assert_eq!(cold(&path), repo.cold());
}

#[test]
fn a_clone_without_blobs_says_how_many_are_missing_until_they_are_fetched() {
    let repo = ledger();
    let (_dir, path) = clone(&repo, &["--filter=blob:none"]);
    let found = cold(&path);
    let (what, why, help) = only_gap(&found);
    assert!(what.starts_with("10 file versions of the ledger, such as blob "), "{what}");
    assert!(why.contains("partial clone"));
    assert!(help.contains("git fetch --refetch --no-filter"));
    assert_eq!(found.history, repo.cold().history);
    let first = found.history.folders[0].versions[0].brief.expect("a brief");
    let error = Blobs::open(&path).expect("opens").read(first).expect_err("missing").to_string();
    assert!(error.contains(&first.to_string()), "{error}");

    // The remedy works as it is told.
    git(&path, &["fetch", "-q", "--refetch", "--no-filter"]);
    assert_eq!(cold(&path), repo.cold());
}

#[test]
fn a_treeless_clone_is_not_whole() {
    let repo = ledger();
    let (_dir, path) = clone(&repo, &["--filter=tree:0"]);
    let found = cold(&path);
    assert!(!found.gaps.is_empty());
    assert!(
        found.gaps.iter().any(|gap| gap.what.starts_with("the directory ")),
        "{:?}",
        found.gaps
    );
}

#[test]
fn each_lost_commit_or_directory_is_named_and_hides_nothing_else() {
    let repo = ledger();
    let truth = repo.cold();
    let at_the_tip = format!(
        "{}{}",
        repo.line(&["ls-tree", "-rt", "main"]),
        repo.line(&["rev-parse", "main^{tree}"])
    );
    for graph in [false, true] {
        if graph {
            repo.git(&["commit-graph", "write", "--reachable"]);
        }
        for id in objects(&repo) {
            let (file, away) = (repo.loose(id), repo.path().join("away"));
            std::fs::rename(&file, &away).expect("fast-import left it loose");
            let found = scan_cold(repo.path(), &main(), &|_| {});
            std::fs::rename(&away, &file).expect("comes back");
            let text = match &found {
                Ok(found) => format!("{:?}", found.gaps),
                Err(error) => error.to_string(),
            };
            assert!(text.contains(&id.to_string()), "object {id}, graph {graph}: {text}");
            if let Ok(found) = found
                && !at_the_tip.contains(&id.to_string())
            {
                assert_eq!(last(&found), last(&truth), "what the tip holds, without {id}");
            }
        }
    }
}

#[test]
fn a_corrupt_loose_object_is_never_clean() {
    let repo = ledger();
    let truth = repo.cold();
    for id in objects(&repo) {
        let file = repo.loose(id);
        let good = std::fs::read(&file).expect("reads");
        std::fs::remove_file(&file).expect("removes");
        for at in [2, good.len() / 2, good.len() - 1] {
            let mut broken = good.clone();
            broken[at] ^= 0x11;
            std::fs::write(&file, &broken).expect("writes");
            if let Ok(found) = scan_cold(repo.path(), &main(), &|_| {}) {
                assert!(!found.gaps.is_empty() || found == truth, "{id}, byte {at}");
            }
        }
        let _ = std::fs::remove_file(&file);
        std::fs::write(&file, &good).expect("writes");
    }
    assert_eq!(repo.cold(), truth);
}

/// What each folder holds in the end.
fn last(scanned: &Scanned) -> Vec<(&str, Option<ObjectId>)> {
    let end = |folder: &FolderHistory| folder.versions.last().and_then(|version| version.brief);
    scanned.history.folders.iter().map(|f| (f.path.as_str(), end(f))).collect()
}

/// Flips each so-manieth byte of a file; how often nobody noticed, although
/// all briefs were read as well.
fn unnoticed(repo: &Repo, file: &Path, step: usize) -> usize {
    let truth = repo.cold();
    let good = std::fs::read(file).expect("reads");
    let ids: Vec<ObjectId> = truth
        .history
        .folders
        .iter()
        .flat_map(|folder| folder.versions.iter().filter_map(|version| version.brief))
        .collect();
    let mut unnoticed = 0;
    for at in (8..good.len()).step_by(step) {
        let mut broken = good.clone();
        broken[at] ^= 0x55;
        std::fs::remove_file(file).expect("removes");
        std::fs::write(file, &broken).expect("writes");
        let Ok(found) = scan_cold(repo.path(), &main(), &|_| {}) else { continue };
        if found.gaps.is_empty() {
            assert_eq!(found.history, truth.history, "byte {at} changed the history in silence");
            let Ok(blobs) = Blobs::open(repo.path()) else { continue };
            let read = blobs.read_many(&ids, |_, read| read.is_ok());
            unnoticed += usize::from(read.into_iter().all(|fine| fine));
        }
    }
    std::fs::remove_file(file).expect("removes");
    std::fs::write(file, &good).expect("writes");
    unnoticed
}

#[test]
fn a_corrupt_pack_is_never_clean_and_never_a_panic() {
    let repo = ledger();
    repo.git(&["repack", "-adfq"]);
    let pack = pack_of(repo.path());
    let length = std::fs::metadata(&pack).expect("a pack").len();
    let missed = unnoticed(&repo, &pack, 17);
    // The checksum at the end and bits of zlib's header that mean nothing.
    assert!(missed <= 4, "{missed} of {} broken bytes went unnoticed", length / 17);
}

#[test]
fn a_corrupt_pack_index_never_changes_the_history() {
    let repo = ledger();
    repo.git(&["repack", "-adfq"]);
    let index = pack_of(repo.path()).with_extension("idx");
    let _ = std::fs::remove_file(index.with_extension("rev"));
    // What matters is the assertion within: no other history in silence.
    let _ = unnoticed(&repo, &index, 29);
}

#[test]
fn a_corrupt_commit_graph_is_not_believed() {
    let repo = ledger();
    repo.git(&["repack", "-adfq"]);
    repo.git(&["commit-graph", "write", "--reachable"]);
    let truth = repo.cold();
    let graph = repo.path().join("objects/info/commit-graph");
    let good = std::fs::read(&graph).expect("a graph");
    for at in (0..good.len()).step_by(11) {
        let mut broken = good.clone();
        broken[at] ^= 0x04;
        std::fs::remove_file(&graph).expect("removes");
        std::fs::write(&graph, &broken).expect("writes");
        assert_eq!(repo.cold(), truth, "byte {at}");
    }
}

fn pack_of(repo: &Path) -> PathBuf {
    let entries = std::fs::read_dir(repo.join("objects/pack")).expect("reads");
    let mut paths = entries.map(|entry| entry.expect("reads").path());
    paths.find(|path| path.extension().is_some_and(|e| e == "pack")).expect("a pack")
}

#[test]
fn objects_in_alternates_are_found() {
    let repo = ledger();
    repo.git(&["repack", "-adfq"]);
    let dir = tempfile::tempdir().expect("a folder");
    let url = repo.path().display().to_string();
    git(dir.path(), &["clone", "-q", "--bare", "--shared", &url, "clone"]);
    assert_eq!(cold(&dir.path().join("clone")), repo.cold());
}

#[test]
fn a_linked_worktree_is_read_like_its_repository() {
    let repo = ledger();
    repo.git(&["worktree", "add", "-q", "--detach", "linked", "main"]);
    assert_eq!(cold(&repo.path().join("worktrees/linked")), repo.cold());
}
