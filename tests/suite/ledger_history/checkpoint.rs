//! Checkpoints: written, listed, kept from collection, and not to be faked.

use chrono::{DateTime, Utc};
use handoff::ledger::ChosenParents;
use handoff::ledger::blobs::Blobs;
use handoff::ledger::checkpoint::{
    CheckpointFacts, Containment, find_containment, is_contained, list_checkpoints,
    write_checkpoint,
};
use handoff::model::ObjectId;
use serde_json::{Value, json};

use super::repo::{Repo, Stream};

const A: &[u8] = b"briefs/2026/11/acme--hubspot-1/brief.yaml";

fn now(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + seconds, 0).expect("a time")
}

fn facts(tip: ObjectId, summary: &Value) -> CheckpointFacts {
    CheckpointFacts {
        is_current: false,
        pushes: Vec::new(),
        tip,
        population_sha256: "ab12".to_owned(),
        summary: summary.clone(),
        settings: None,
        schema: None,
        deals: Vec::new(),
    }
}

/// Three commits.
fn ledger() -> Repo {
    let mut stream = Stream::default();
    let mut parents = Vec::new();
    for number in 0..3 {
        let mark = stream.commit("main", 1_000 + number, &parents);
        stream.file(A, &format!("version {number}"));
        parents = vec![mark];
    }
    Repo::imported(&stream.bytes)
}

#[test]
fn a_checkpoint_is_read_as_it_was_written() {
    let repo = ledger();
    assert_eq!(list_checkpoints(repo.path()).expect("lists").found, []);
    let summary = json!({"on_time": 3, "missing": 1, "value": {"USD": "12.50"}});
    let write = |tip: &str, at| {
        write_checkpoint(repo.path(), &facts(repo.id(tip), &summary), now(at)).expect("writes")
    };
    let later = write("main", 60);
    let one = write("main~1", 0);
    let two = write("main", 0);
    assert_eq!(one.name, "refs/handoff/audit/20260921T141320Z");
    assert_eq!(two.name, "refs/handoff/audit/20260921T141320Z-1");
    assert_eq!(list_checkpoints(repo.path()).expect("lists").found, [one.clone(), two, later]);
    assert_eq!((one.facts.tip, one.facts.summary), (repo.id("main~1"), summary));
    repo.git(&["fsck", "--strict"]);
}

#[test]
fn what_a_checkpoint_saw_survives_a_rewrite_and_the_collector() {
    let repo = ledger();
    let tip = repo.id("main");
    write_checkpoint(repo.path(), &facts(tip, &json!({})), now(0)).expect("writes");
    assert!(is_contained(repo.path(), tip, repo.id("main")).expect("reads"));
    assert!(is_contained(repo.path(), repo.id("main~2"), tip).expect("reads"));
    let mut stream = Stream::default();
    stream.commit("rewritten", 5_000, &[]);
    stream.file(A, "another story");
    repo.import(&stream.bytes);
    repo.git(&["update-ref", "refs/heads/main", "refs/heads/rewritten"]);
    repo.git(&["-c", "gc.pruneExpire=now", "gc", "-q"]);
    let found = find_containment(repo.path(), &ChosenParents::default(), tip, repo.id("main"))
        .expect("reads");
    assert_eq!(found, Containment::Gone);
    let [kept] = &list_checkpoints(repo.path()).expect("lists").found[..] else { panic!("one") };
    let evidence = repo.id(&format!("{}:{}", kept.facts.tip, String::from_utf8_lossy(A)));
    let bytes = Blobs::open(repo.path()).expect("opens").read(evidence).expect("is kept");
    assert_eq!(bytes, b"version 2");
}

#[test]
fn a_history_hidden_behind_a_merge_is_told_apart() {
    let mut stream = Stream::default();
    let old = stream.commit("old", 1_000, &[]);
    stream.file(A, "1");
    let other = stream.commit("main", 1_000, &[]);
    stream.commit("main", 2_000, &[other, old]);
    let repo = Repo::imported(&stream.bytes);
    let (tip, head) = (repo.id("old"), repo.id("main"));
    let found = find_containment(repo.path(), &ChosenParents::default(), tip, head).expect("reads");
    assert_eq!(found, Containment::BehindMerge(head));
    assert!(!is_contained(repo.path(), tip, head).expect("reads"));
}

#[test]
fn a_ref_that_is_no_checkpoint_is_told_and_hides_no_other() {
    let repo = ledger();
    let tip = repo.id("main");
    let one = write_checkpoint(repo.path(), &facts(tip, &json!({})), now(0)).expect("writes");
    let blob = format!("main:{}", String::from_utf8_lossy(A));
    repo.git(&["tag", "-a", "-m", "{}", "t", "main"]);
    for (name, target, why) in [
        ("20261101T000000Z", "main", "it is a commit and not an annotated tag"),
        ("20261101T000001Z", blob.as_str(), "it is a blob and not an annotated tag"),
        ("20261101T000002Z", "main^{tree}", "it is a tree and not an annotated tag"),
        ("20261101T000003Z", "refs/tags/t", "missing field `schema`"),
        ("x", "main", "handoff gives no such name"),
        ("20261101T000004Z/x", "main", "handoff gives no such name"),
        ("20261101T0000é", "main", "handoff gives no such name"),
    ] {
        let name = format!("refs/handoff/audit/{name}");
        repo.git(&["update-ref", &name, target]);
        let listed = list_checkpoints(repo.path()).expect("lists");
        assert_eq!(listed.found, std::slice::from_ref(&one), "{name}");
        assert!(listed.odd[&name].starts_with(why), "{name}: {:?}", listed.odd);
        repo.git(&["update-ref", "-d", &name]);
    }
}

#[test]
fn a_checkpoint_beyond_a_shallow_cut_is_unknown_and_not_gone() {
    let repo = ledger();
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}", repo.path().display());
    super::repo::git(dir.path(), &["clone", "-q", "--bare", "--depth=1", &url, "clone"]);
    let error = is_contained(&dir.path().join("clone"), repo.id("main~2"), repo.id("main"))
        .expect_err("cannot be known")
        .to_string();
    assert!(error.contains("shallow"), "{error}");
}
