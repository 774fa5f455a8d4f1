//! Commits a second: one durable commit each, and a backlog in batches, beside
//! `git add` + `git commit` with `core.fsync=all`, which gives the same promise.
//!
//! Run with `cargo bench --bench ledger_write [-- ROUNDS]`. The rounds take
//! turns, so that a busy moment of the machine meets all three.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that fails should stop where it fails")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::DateTime;
use handoff::ledger::{Change, Identity, Ledger, LedgerError, folder_for};
use handoff::model::Key;

const WITH_GIT: usize = 40;
const SINGLE: usize = 200;
const BACKLOG: usize = 1_000;
const BATCH: usize = 250;
/// What the ledger holds before.
const BEFORE: usize = 500;

fn main() {
    let rounds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(3);
    let mut rates = [const { Vec::new() }; 3];
    // Nothing is deleted before the end: ext4 makes files slowly after that.
    let dir = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let ways: [fn(&Path) -> f64; 3] = [with_git, single, backlog];
        for (number, (way, rates)) in ways.iter().zip(&mut rates).enumerate() {
            rates.push(way(&dir.path().join(format!("{round}-{number}"))));
        }
    }
    let git = median(&mut rates[0]);
    let ways = ["git add + git commit, core.fsync=all", "handoff, one durable commit each"];
    let backlog = format!("handoff, backlog in batches of {BATCH}");
    for (way, rates) in ways.into_iter().chain([&*backlog]).zip(&mut rates) {
        let rate = median(rates);
        let (least, most) = (rates[0], rates[rates.len() - 1]);
        println!("{way:38} {rate:8.1} commits/s ({least:.1}–{most:.1})  {:6.1} times", rate / git);
    }
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn ledger(root: &Path) -> Ledger {
    let ledger = Ledger::init(root).unwrap();
    git(root, &["config", "user.name", "Bench"]);
    git(root, &["config", "user.email", "bench@example.com"]);
    let ledger =
        ledger.signed_by(Identity { name: "Bench".into(), email: "bench@example.com".into() });
    write_batch(&ledger, 0, BEFORE);
    ledger
}

fn change(n: usize) -> Change {
    let when = DateTime::from_timestamp(1_795_000_000 + i64::try_from(n).unwrap(), 0).unwrap();
    let key = Key::parse(&format!("hubspot-{n}")).unwrap();
    let folder = folder_for("%Y/%m", when, &format!("Customer {n}"), &key).unwrap();
    let mut brief = format!("schema: handoff/brief/v1\nkey: {key}\n");
    let mut readme = format!("# Customer {n}\n");
    for line in 0..40 {
        brief += &format!("field_{line}: the answer {} of customer {n}\n", line * n);
        readme += &format!("| Question {line} | the answer {} of customer {n} |\n", line * n);
    }
    let timeline = format!(
        "schema: handoff/timeline/v1\nkey: {key}\nevents:\n  - {{at: 2026-11-20T15:00:00Z, event: signed, via: pandadoc}}\n"
    );
    Change::of_handoff(folder, &format!("Customer {n}"), &key, when)
        .put("brief.yaml", brief)
        .put("README.md", readme)
        .put("timeline.yaml", timeline)
        .trailer("Handoff-Event", "signed")
}

fn rate(count: usize, start: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / start.elapsed().as_secs_f64()
}

fn with_git(root: &Path) -> f64 {
    drop(ledger(root));
    let start = Instant::now();
    for n in BEFORE..BEFORE + WITH_GIT {
        let change = change(n);
        let dir = root.join(&change.folder);
        fs::create_dir_all(&dir).unwrap();
        for (name, bytes) in &change.files {
            fs::write(dir.join(name), bytes.as_ref().unwrap()).unwrap();
        }
        git(root, &["-c", "core.fsync=all", "add", &change.folder]);
        git(root, &["-c", "core.fsync=all", "commit", "-q", "-m", &change.subject]);
    }
    rate(WITH_GIT, start)
}

fn single(root: &Path) -> f64 {
    let ledger = ledger(root);
    let start = Instant::now();
    for n in BEFORE..BEFORE + SINGLE {
        let mut writer = ledger.lock(Duration::from_secs(10)).unwrap();
        writer.commit(&change(n)).unwrap().unwrap();
    }
    rate(SINGLE, start)
}

fn backlog(root: &Path) -> f64 {
    let ledger = ledger(root);
    let start = Instant::now();
    for from in (BEFORE..BEFORE + BACKLOG).step_by(BATCH) {
        write_batch(&ledger, from, from + BATCH);
    }
    rate(BACKLOG, start)
}

fn write_batch(ledger: &Ledger, from: usize, to: usize) {
    let mut writer = ledger.lock(Duration::from_secs(10)).unwrap();
    let done = writer
        .batch::<LedgerError>(|batch| {
            (from..to).try_for_each(|n| batch.commit(change(n)).map(drop))
        })
        .unwrap();
    assert_eq!(done.commits.iter().flatten().count(), to - from);
}

fn git(root: &Path, args: &[&str]) {
    let done = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .status()
        .unwrap();
    assert!(done.success(), "git {args:?}");
}
