//! The fuzz targets on stable: every fixture, and seeded damage of it.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fastrand::Rng;

use handoff::ledger::Ledger;

use crate::ledger_world::{World, commit, signed};

#[path = "../../fuzz/targets.rs"]
mod targets;

/// So many damaged forms of each input.
const FORMS: u64 = 6;

/// Larger inputs are damaged where they begin.
const LONGEST: usize = 16 << 10;

/// What is put in: what readers treat specially.
const WORDS: [&[u8]; 28] = [
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\r",
    b"\n",
    b"\n---\n",
    b"&a ",
    b"*a",
    b"!!binary ",
    b"<<: ",
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[[",
    b"{{",
    b"{% ",
    b" %}",
    b": ",
    b",,",
    b"1e999",
    b"-9223372036854775809",
    b"9999-12-31T23:59:60Z",
    b"0000-00-00",
    b"\xe2\x80\xae",
    b"\\ud800",
];

/// The fixtures below a folder whose names end so.
fn files(folder: &str, ends: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut found: Vec<PathBuf> = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("fixtures") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no fixtures in {folder}");
    let read = |path: PathBuf| (path.display().to_string(), fs::read(&path).expect("read"));
    found.into_iter().map(read).collect()
}

fn damaged(input: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input[..input.len().min(LONGEST)].to_vec();
    for _ in 0..=rng.usize(..4) {
        let at = rng.usize(..=bytes.len());
        let end = (at + rng.usize(..40)).min(bytes.len());
        match rng.u8(..6) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].repeat(rng.usize(1..20));
                bytes.splice(at..at, again);
            }
            4 => {
                let other = rng.usize(..=bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(other..other, piece);
            }
            _ => {
                let word = WORDS[rng.usize(..WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
    bytes
}

/// Runs a target; an input that makes it panic is named with its seed.
fn run(inputs: &[(String, Vec<u8>)], target: impl Fn(&[u8])) {
    for (name, input) in inputs {
        for seed in 0..=FORMS {
            let bytes =
                if seed == 0 { input.clone() } else { damaged(input, &mut Rng::with_seed(seed)) };
            let done = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
            assert!(
                done.is_ok(),
                "{name}, seed {seed}, panics:\n{}",
                String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)])
            );
        }
    }
}

#[test]
fn no_brief_makes_a_panic() {
    run(&files("tests/fixtures/brief", &["brief.yaml"]), targets::brief);
}

#[test]
fn no_timeline_makes_a_panic() {
    run(&files("tests/fixtures/brief", &["timeline.yaml"]), targets::timeline);
}

#[test]
fn no_settings_make_a_panic() {
    let mut inputs = files("tests/fixtures/config", &[".yaml"]);
    inputs.extend(files("schema", &["brief.schema.json"]));
    run(&inputs, targets::settings);
}

#[test]
fn no_export_makes_a_panic() {
    let mut inputs =
        files("tests/fixtures/deals", &[".csv", ".json", ".jsonl", ".xls", ".xlsx", ".zip"]);
    inputs.push(("an empty file".to_owned(), Vec::new()));
    run(&inputs, targets::export);
}

#[test]
fn no_page_of_a_crm_makes_a_panic() {
    let pages = targets::Pages::new();
    let vendors = ["hubspot", "pipedrive", "salesforce"];
    for (place, name) in
        ["deals-search-page2", "deals-won-page2", "query-closed-won-page2"].into_iter().enumerate()
    {
        let (_, page) =
            &files(&format!("tests/fixtures/{}", vendors[place]), &[&format!("{name}.json")])[0];
        assert!(pages.read(page)[place] > 0, "{name} is read by its connector");
    }
    for vendor in vendors {
        let inputs = files(&format!("tests/fixtures/{vendor}"), &[".json"]);
        run(&inputs, |input| {
            pages.read(input);
        });
    }
}

#[test]
fn no_pack_makes_a_panic() {
    let inputs = files("tests/fixtures/packs", &[".entry", ".tree", ".delta"]);
    for (place, (name, input)) in inputs.iter().enumerate() {
        let folder = tempfile::tempdir().expect("a folder");
        let whole = targets::packs(folder.path(), input);
        assert!(whole[place], "{name} is read in its form");
        assert!(whole.iter().any(|whole| !whole), "{name} is read in no other");
    }
    let folder = tempfile::tempdir().expect("a folder");
    run(&inputs, |input| {
        targets::packs(folder.path(), input);
    });
}

#[test]
fn no_webhook_makes_a_panic() {
    let mut inputs = files("tests/fixtures/esign", &[".json", ".multipart"]);
    inputs.extend(files("tests/fixtures/senders", &[".json"]));
    run(&inputs, targets::webhook);
}

#[test]
fn no_form_makes_a_panic() {
    let form = "### 1. Who is the customer?\n\nAcme\n\n### Why did they buy?\n\n_No response_\n\n\
        ```yaml\nname: x\n```\n";
    let mut inputs = vec![("a form".to_owned(), form.as_bytes().to_vec())];
    inputs.extend(files("tests/fixtures/brief/samples", &[".yaml", ".md"]));
    run(&inputs, targets::form);
}

#[test]
fn no_expression_or_template_makes_a_panic() {
    let mut inputs: Vec<(String, Vec<u8>)> = [
        "deal.amount < 60 and customer.name | lower in ['acme', none]",
        "(deal.properties.seats | int) // 0 % 3 ** 2",
        "commitments[-1:99999999999].due | default('x', true) ~ 1e999",
        "not (deal.amount.amount | float > 9223372036854775807)",
        "{% for c in commitments %}{{ loop.index }} {{ c.promise | upper | replace('S', '') }}{% endfor %}",
        "{% if customer.tier == 'gold' %}{{ customer.name[::-1] | truncate(-1) }}{% else %}-{% endif %}",
    ]
    .iter()
    .map(|text| ((*text).to_owned(), text.as_bytes().to_vec()))
    .collect();
    inputs.extend(files("templates", &[".j2"]));
    run(&inputs, targets::expression);
}

/// What is kept of each month, from behind the tree on, whole and damaged.
fn months(ledger: &Ledger) -> Vec<(String, Vec<u8>)> {
    drop(ledger.snapshot().expect("a snapshot").folder_names());
    let files = fs::read_dir(ledger.git_dir().join("handoff/folders")).expect("months are kept");
    let mut found = Vec::new();
    for file in files.flatten() {
        let whole = fs::read(file.path()).expect("read");
        let rest = whole[72..whole.len() - 4].to_vec();
        found.extend((0..8).map(|n| {
            let rest = damaged(&rest, &mut Rng::with_seed(2_000 + n));
            (format!("a month, damage {n}"), rest)
        }));
        found.push(("a whole month".to_owned(), rest));
    }
    assert!(!found.is_empty(), "a month is kept");
    found
}

#[test]
fn a_damaged_cache_is_ignored() {
    let world = World::new();
    let ledger = world.ledger("clone");
    (0..3).for_each(|n| drop(commit(&ledger, &signed(n))));
    let git_dir = ledger.git_dir();
    let at = handoff::ledger::ScanAt::Branch("main".to_owned());
    let _ = handoff::ledger::scan(git_dir, &at, &|_| ()).expect("scanned");
    let whole = fs::read(git_dir.join("handoff/history")).expect("the scan leaves its record");
    // What stands between header and checksum is given a right checksum again.
    let body = whole[20..whole.len() - 4].to_vec();
    let noise = (0..200).map(|n| (n * 37 % 256) as u8).collect();
    let inputs: Vec<(String, Vec<u8>)> = (0..60)
        .map(|n| (format!("damage {n}"), damaged(&body, &mut Rng::with_seed(1_000 + n))))
        .chain([("a whole body".to_owned(), body.clone()), ("noise".to_owned(), noise)])
        .chain(months(&ledger))
        .collect();
    run(&inputs, |input| targets::caches(git_dir, input));
}
