//! The cache never changes an answer.

use std::borrow::Cow;
use std::path::PathBuf;

use chrono::DateTime;
use handoff::ledger::cache::KeptDigests;
use handoff::ledger::history::{ScanAt, scan, scan_cold};
use handoff::model::ObjectId;
use proptest::prelude::*;

use super::generated::{history, store};
use super::oracle;
use super::repo::Repo;

fn cache_file(repo: &Repo) -> PathBuf {
    repo.path().join("handoff/history")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() })]

    #[test]
    fn cold_and_warm_give_one_history(seed in 0u64..1 << 32, tips in prop::collection::vec(0usize..80, 1..6)) {
        let repo = Repo::imported(&history(seed, 80).bytes);
        store(&repo, seed);
        let commits = oracle::commits(&repo, "main");
        // The branch goes to and fro: forwards the cache is extended, backwards it is rebuilt.
        for tip in tips.into_iter().map(|tip| tip % commits.len()).chain([commits.len() - 1]) {
            repo.git(&["update-ref", "refs/heads/main", &commits[tip].id.to_string()]);
            let warm = repo.scan();
            prop_assert_eq!(&warm, &repo.cold());
            let at = DateTime::from_timestamp(commits[tip / 2].time, 0).expect("a time");
            let as_of = ScanAt::AsOf { branch: "main".to_owned(), at };
            let warm = scan(repo.path(), &as_of, &|_| {}).expect("scans");
            prop_assert_eq!(warm, scan_cold(repo.path(), &as_of, &|_| {}).expect("scans"));
            let revision = ScanAt::Revision(commits[tip / 3].id.to_string());
            let warm = scan(repo.path(), &revision, &|_| {}).expect("scans");
            prop_assert_eq!(warm, scan_cold(repo.path(), &revision, &|_| {}).expect("scans"));
        }
    }
}

#[test]
fn the_second_scan_reads_new_commits_only() {
    let repo = Repo::imported(&history(5, 9_000).bytes);
    let first = repo.scan();
    assert!(cache_file(&repo).is_file());
    let heard = std::cell::Cell::new(0);
    let second = scan(repo.path(), &super::repo::main(), &|done| heard.set(done)).expect("scans");
    assert_eq!(first, second);
    assert_eq!(heard.get(), 0, "commits compared by the second scan");
    // An older revision is cut out of what is known.
    let at = ScanAt::Revision("main~100".to_owned());
    let older = scan(repo.path(), &at, &|done| heard.set(done)).expect("scans");
    assert_eq!(older.history, oracle::expected(&repo, "main~100", "main~100"));
    assert_eq!(heard.get(), 0, "commits compared for an older revision");
}

#[test]
fn a_cache_that_was_cut_changed_or_is_of_another_kind_is_ignored() {
    let repo = Repo::imported(&history(6, 60).bytes);
    let truth = repo.cold();
    assert_eq!(repo.scan(), truth);
    let good = std::fs::read(cache_file(&repo)).expect("a cache");
    let mut bad: Vec<Vec<u8>> = vec![Vec::new(), b"not ours".to_vec()];
    bad.extend((0..good.len()).step_by(97).map(|cut| good[..cut].to_vec()));
    bad.extend((0..good.len()).step_by(41).map(|at| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    }));
    for bytes in bad {
        std::fs::write(cache_file(&repo), &bytes).expect("writes");
        assert_eq!(repo.scan(), truth);
        assert_eq!(std::fs::read(cache_file(&repo)).expect("a cache"), good, "rebuilt");
    }
}

#[test]
fn a_cache_of_another_ledger_is_ignored() {
    let (one, two) = (Repo::imported(&history(7, 60).bytes), Repo::imported(&history(8, 60).bytes));
    let _ = one.scan();
    std::fs::create_dir(two.path().join("handoff")).expect("makes");
    std::fs::copy(cache_file(&one), cache_file(&two)).expect("copies");
    assert_eq!(two.scan(), two.cold());
}

#[test]
fn a_git_folder_that_cannot_hold_a_cache_is_no_error() {
    let repo = Repo::imported(&history(9, 30).bytes);
    std::fs::write(repo.path().join("handoff"), "a file in the way").expect("writes");
    assert_eq!(repo.scan(), repo.cold());
}

#[test]
fn digests_are_kept_by_fingerprint_and_format() {
    let repo = Repo::new();
    let id = |number: u16| {
        let mut id = [0; 20];
        id[..2].copy_from_slice(&number.to_be_bytes());
        ObjectId(id)
    };
    let open = |format| KeptDigests::open(repo.path(), "audit", format).expect("opens");
    assert_eq!(open(1).get(id(1)), None);
    let texts: Vec<String> = (0..700).map(|number| number.to_string()).collect();
    // In an order of the caller's own, which is not that of the fingerprints.
    let rows: Vec<(ObjectId, Cow<'_, [u8]>)> = (0..700u16)
        .rev()
        .map(|number| (id(number * 3), Cow::Borrowed(texts[usize::from(number)].as_bytes())))
        .collect();
    KeptDigests::save(repo.path(), "audit", 1, &rows).expect("a repository");
    let again = open(1);
    for number in 0..2100u16 {
        let expected = (number % 3 == 0).then(|| (number / 3).to_string().into_bytes());
        assert_eq!(again.get(id(number)), expected.as_deref(), "{number}");
    }
    assert_eq!(open(2).get(id(9)), None, "another format knows nothing");
    KeptDigests::save(repo.path(), "audit", 1, &rows[..1]).expect("a repository");
    assert_eq!(open(1).get(id(9)), None, "only the last rows are kept");
    assert_eq!(open(1).get(id(2097)), Some(&b"699"[..]));

    let path = repo.path().join("handoff/audit.digests");
    let good = std::fs::read(&path).expect("reads");
    for cut in 0..good.len() {
        std::fs::write(&path, &good[..cut]).expect("writes");
        assert_eq!(open(1).get(id(2097)), None, "cut at {cut}");
    }
}
