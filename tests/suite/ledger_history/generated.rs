//! Histories made at random: merges of every kind, roots, renames, deletions
//! and returns, odd paths and modes, dates that run backwards.

use std::collections::BTreeSet;

use handoff::model::CommitInfo;

use super::oracle;
use super::repo::{Repo, Stream};

const FOLDERS: [&[u8]; 12] = [
    b"briefs/2026/11/acme--hubspot-1",
    b"briefs/2026/11/acme--hubspot-10",
    b"briefs/2026/11/acme",
    b"briefs/2026/11/acme.x--hubspot-2",
    b"briefs/2026/12/globex--hubspot-3",
    b"briefs/2025/01/caf\xe9--pandadoc-x",
    b"briefs/2025/01/caf\xc3\xa9--pandadoc-y",
    b"briefs/2026",
    b"briefs/2026/11/brief.yaml",
    b"briefs/deep/a/b/c/d/e/f/g--h--i",
    b"briefs/2026/11/ends--",
    b"other/2026/11/acme--hubspot-1",
];
const NAMES: [&[u8]; 5] =
    [b"brief.yaml", b"timeline.yaml", b"sources.yaml", b"README.md", b"brief.yaml.bak"];

/// A history of so many commits; `main` is the last one.
pub(super) fn history(seed: u64, commits: usize) -> Stream {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stream = Stream::default();
    let mut marks: Vec<usize> = Vec::new();
    let mut trunk = None;
    let mut anew_lines = BTreeSet::new();
    for number in 0..commits {
        let mut at = 1_790_000_000 + i64::try_from(number).expect("small") * 600;
        if random.u8(..) < 12 {
            at -= random.i64(0..100_000);
        }
        let recent = |random: &mut fastrand::Rng| {
            let reach = if random.u8(..) < 25 { 12 } else { 3 };
            marks[marks.len() - 1 - random.usize(..reach.min(marks.len()))]
        };
        // Beside the trunk stand branches and histories of their own; they come
        // back by a merge, and now and then one of them becomes the trunk.
        let on_trunk = trunk.is_none() || random.u8(..) < 190;
        let mut parents: Vec<usize> = trunk.into_iter().collect();
        if !on_trunk {
            parents = if random.u8(..) < 20 { Vec::new() } else { vec![recent(&mut random)] };
        }
        while !parents.is_empty() && random.u8(..) < 60 && parents.len() < 4 {
            let other = recent(&mut random);
            if !parents.contains(&other) {
                parents.push(other);
            }
        }
        let mark = stream.commit("work", at, &parents);
        for _ in 0..random.usize(0..4) {
            change(&mut stream, &mut random);
        }
        marks.push(mark);
        // A line that began again would end the history; one seed in seven has that.
        let again = match parents.first() {
            None => !on_trunk,
            Some(first) => anew_lines.contains(first),
        };
        if again {
            anew_lines.insert(mark);
        }
        let may_switch = !again || seed.is_multiple_of(7);
        if on_trunk || (may_switch && random.u8(..) < 12) {
            trunk = Some(mark);
        }
    }
    let last = trunk.expect("some commits");
    stream.text(&format!("reset refs/heads/main\nfrom :{last}\n\n"));
    stream
}

fn change(stream: &mut Stream, random: &mut fastrand::Rng) {
    let folder = FOLDERS[random.usize(..FOLDERS.len())];
    let name = NAMES[random.usize(..NAMES.len())];
    let path = [folder, b"/", name].concat();
    let content = format!("content {}", random.u8(..9));
    match random.u8(..100) {
        0..62 => stream.file(&path, &content),
        62..72 => stream.delete(&path),
        72..79 => stream.delete(folder),
        79..82 => stream.entry("100755", &path, &content),
        82..85 => stream.entry("120000", &path, "target"),
        85..87 => stream.entry("160000", &path, ""),
        87..93 => stream.file(b"schema/brief.schema.json", &content),
        93..94 => stream.delete(b"schema"),
        94..95 => stream.delete(b"briefs"),
        95..96 => stream.file(b"briefs/brief.yaml", &content),
        96..97 => stream.file(b"briefs", &content),
        97..98 => stream.file(folder, &content),
        _ => stream.file(b"handoff.yaml", &content),
    }
}

/// Each way in which a repository may hold its objects.
pub(super) fn store(repo: &Repo, seed: u64) {
    if !seed.is_multiple_of(3) {
        repo.git(&["repack", "-adfq"]);
    }
    if seed.is_multiple_of(2) {
        repo.git(&["commit-graph", "write", "--reachable"]);
    }
}

#[test]
fn random_histories_are_read_as_git_log_tells_them() {
    let (mut versions, mut backdated) = (0, 0);
    for seed in 0..30 {
        let repo =
            Repo::imported(&history(seed, 20 + usize::try_from(seed * 9).expect("small")).bytes);
        store(&repo, seed);
        let found = repo.cold();
        let expected = oracle::expected(&repo, "main", "main");
        assert_eq!(found.history, expected, "seed {seed}");
        for gap in &found.gaps {
            assert!(gap.why.contains("symbolic link"), "seed {seed}: {gap:?}");
        }
        versions += expected.folders.iter().map(|folder| folder.versions.len()).sum::<usize>();
        let back = |c: &&CommitInfo| c.parent_committed_at.is_some_and(|p| c.committed_at < p);
        backdated += expected.commits.iter().filter(back).count();
    }
    assert!(
        versions > 1_500 && backdated > 100,
        "the seeds show too little: {versions} {backdated}"
    );
}

#[test]
fn a_long_history_that_is_read_in_pieces_is_the_same() {
    let repo = Repo::imported(&history(78, 8_000).bytes);
    for packed in [false, true] {
        if packed {
            repo.git(&["repack", "-adfq"]);
            repo.git(&["commit-graph", "write", "--reachable"]);
        }
        let expected = oracle::expected(&repo, "main", "main");
        assert!(expected.walked > 4_096, "too short to be cut: {}", expected.walked);
        assert_eq!(repo.cold().history, expected, "packed: {packed}");
    }
}
