//! Single shapes of history, each with what the scan must say about it.

use chrono::DateTime;
use handoff::ledger::history::{HistoryError, ScanAt, Scanned, scan_cold};
use handoff::model::FolderHistory;

use super::oracle;
use super::repo::{Repo, Stream, main};

const A: &[u8] = b"briefs/2026/11/acme--hubspot-1";
const B: &[u8] = b"briefs/2026/12/acme-inc--hubspot-1";

fn brief(folder: &[u8]) -> Vec<u8> {
    [folder, b"/brief.yaml"].concat()
}

fn at_time(repo: &Repo, seconds: i64) -> Result<Scanned, HistoryError> {
    let at = DateTime::from_timestamp(seconds, 0).expect("a time");
    scan_cold(repo.path(), &ScanAt::AsOf { branch: "main".to_owned(), at }, &|_| {})
}

fn folder<'a>(scanned: &'a Scanned, path: &str) -> &'a FolderHistory {
    let found = scanned.history.folders.iter().find(|folder| folder.path == path);
    found.unwrap_or_else(|| panic!("{path} is not in {:?}", scanned.history.folders))
}

#[test]
fn a_brief_that_came_with_a_merge_counts_at_the_merge() {
    let mut stream = Stream::default();
    let root = stream.commit("main", 100, &[]);
    stream.file(b"x", "1");
    let side = stream.commit("side", 150, &[root]);
    stream.file(&brief(A), "1");
    let trunk = stream.commit("main", 160, &[root]);
    stream.file(b"x", "2");
    stream.commit("main", 200, &[trunk, side]);
    stream.file(&brief(A), "1");
    let repo = Repo::imported(&stream.bytes);
    let found = repo.cold();
    assert_eq!(found.gaps, []);
    assert_eq!(found.history.walked, 3);
    let version = folder(&found, "briefs/2026/11/acme--hubspot-1").versions[0];
    assert_eq!(found.history.commits[version.commit as usize].committed_at, 200);
}

#[test]
fn a_folder_that_moved_is_two_paths_with_one_key() {
    let mut stream = Stream::default();
    let root = stream.commit("main", 100, &[]);
    stream.file(&brief(A), "1");
    stream.commit("main", 200, &[root]);
    stream.rename(A, B);
    let repo = Repo::imported(&stream.bytes);
    let found = repo.cold();
    let keys: Vec<_> = found.history.folders.iter().map(|f| f.key_text.as_deref()).collect();
    assert_eq!(keys, [Some("hubspot-1"), Some("hubspot-1")]);
    let [old, new] = &found.history.folders[..] else { panic!("two paths") };
    assert_eq!(old.versions.len(), 2);
    assert_eq!((old.versions[1].brief, old.versions[1].timeline), (None, None));
    assert_eq!(new.versions[0].brief, old.versions[0].brief);
}

#[test]
fn a_brief_that_went_and_came_back_has_three_versions() {
    let mut stream = Stream::default();
    let root = stream.commit("main", 100, &[]);
    stream.file(&brief(A), "1");
    let gone = stream.commit("main", 200, &[root]);
    stream.delete(A);
    stream.commit("main", 300, &[gone]);
    stream.file(&brief(A), "1");
    let repo = Repo::imported(&stream.bytes);
    let found = repo.cold();
    let there: Vec<bool> =
        found.history.folders[0].versions.iter().map(|v| v.brief.is_some()).collect();
    assert_eq!(there, [true, false, true]);
}

#[test]
fn paths_that_are_not_utf8_are_shown_and_kept_apart() {
    let mut stream = Stream::default();
    stream.commit("main", 100, &[]);
    stream.file(b"briefs/2026/caf\xe9--a-1/brief.yaml", "1");
    stream.file(b"briefs/2026/caf\xc3\xa9--a-1/brief.yaml", "2");
    let found = Repo::imported(&stream.bytes).cold();
    let paths: Vec<&str> = found.history.folders.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["briefs/2026/caf\\xe9--a-1", "briefs/2026/café--a-1"]);
}

#[test]
fn a_link_where_the_brief_belongs_is_a_gap_while_it_stands_at_the_tip() {
    for mode in ["120000", "160000"] {
        let mut stream = Stream::default();
        let root = stream.commit("main", 100, &[]);
        stream.file(&brief(A), "1");
        let link = stream.commit("main", 200, &[root]);
        stream.entry(mode, &brief(A), "elsewhere");
        let repo = Repo::imported(&stream.bytes);
        let found = repo.cold();
        assert_eq!(found.history.folders[0].versions[1].brief, None);
        assert_eq!(found.gaps.len(), 1, "mode {mode}");
        assert_eq!(found.gaps[0].what, "briefs/2026/11/acme--hubspot-1/brief.yaml");

        stream.commit("main", 300, &[link]);
        stream.file(&brief(A), "2");
        assert_eq!(Repo::imported(&stream.bytes).cold().gaps, [], "fixed, mode {mode}");
    }
}

#[test]
fn backdated_commits_are_reported_even_when_they_change_no_brief() {
    let mut stream = Stream::default();
    let root = stream.commit("main", 1_000, &[]);
    let back = stream.commit("main", 500, &[root]);
    stream.file(b"x", "1");
    stream.commit("main", 2_000, &[back]);
    let found = Repo::imported(&stream.bytes).cold();
    let [commit] = &found.history.commits[..] else { panic!("one commit is backdated") };
    assert_eq!((commit.committed_at, commit.parent_committed_at), (500, Some(1_000)));
}

#[test]
fn as_of_takes_the_newest_commit_dated_by_then_and_all_behind_it() {
    let mut stream = Stream::default();
    let one = stream.commit("main", 100, &[]);
    stream.file(&brief(A), "1");
    // This one claims a later time than its child.
    let two = stream.commit("main", 900, &[one]);
    stream.file(&brief(A), "2");
    let three = stream.commit("main", 300, &[two]);
    stream.file(&brief(A), "3");
    stream.commit("main", 1_000, &[three]);
    stream.file(&brief(A), "4");
    let repo = Repo::imported(&stream.bytes);
    for (moment, versions) in [(100, 1), (299, 1), (300, 3), (899, 3), (999, 3), (1_000, 4)] {
        let found = at_time(&repo, moment).expect("scans");
        assert_eq!(found.history.folders[0].versions.len(), versions, "as of {moment}");
        let expected = oracle::expected(&repo, &found.history.head.to_string(), "main");
        assert_eq!(found.history, expected, "as of {moment}");
    }
    let error = at_time(&repo, 99).expect_err("nothing is that old").to_string();
    assert!(error.contains("has no commit dated at or before 1970-01-01 00:01:39 UTC"), "{error}");
    assert!(error.contains("1970-01-01 00:01:40 UTC"), "{error}");
}

#[test]
fn a_revision_is_scanned_as_it_was() {
    let mut stream = Stream::default();
    let one = stream.commit("main", 100, &[]);
    stream.file(&brief(A), "1");
    stream.commit("main", 200, &[one]);
    stream.file(&brief(A), "2");
    let repo = Repo::imported(&stream.bytes);
    let at = ScanAt::Revision("main~1".to_owned());
    let found = scan_cold(repo.path(), &at, &|_| {}).expect("scans");
    assert_eq!(found.history, oracle::expected(&repo, "main~1", "main~1"));
}

#[test]
fn replacement_objects_and_grafts_do_not_change_what_was_committed() {
    let mut stream = Stream::default();
    let one = stream.commit("main", 100, &[]);
    stream.file(&brief(A), "1");
    stream.commit("main", 200, &[one]);
    stream.file(&brief(A), "2");
    let repo = Repo::imported(&stream.bytes);
    let before = repo.cold();
    repo.git(&["replace", "--graft", "main"]);
    assert_eq!(repo.line(&["rev-list", "--count", "main"]), "1", "git itself follows it");
    assert_eq!(repo.cold(), before);
}

#[test]
fn a_branch_or_revision_that_is_not_there_is_an_error_that_names_it() {
    let repo = Repo::new();
    let error = scan_cold(repo.path(), &main(), &|_| {}).expect_err("no commits").to_string();
    assert!(error.starts_with("There is no branch \"main\" with commits in "), "{error}");
    let at = ScanAt::Revision("v1".to_owned());
    let error = scan_cold(repo.path(), &at, &|_| {}).expect_err("no tag").to_string();
    assert!(error.starts_with("\"v1\" names no commit in "), "{error}");
    let nowhere = repo.path().join("nowhere");
    let error = scan_cold(&nowhere, &main(), &|_| {}).expect_err("no repository").to_string();
    assert!(error.contains("nowhere cannot be opened: "), "{error}");
}

#[test]
fn a_tag_does_not_stand_in_for_the_branch_of_the_same_name() {
    let mut stream = Stream::default();
    let one = stream.commit("main", 100, &[]);
    stream.commit("main", 200, &[one]);
    let repo = Repo::imported(&stream.bytes);
    repo.git(&["tag", "main", "main~1"]);
    assert_eq!(repo.cold().history.walked, 2);
}
