//! The floors of the house: a room imports from lower floors only, and rooms
//! on one floor do not know each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FLOORS: &[&[&str]] = &[
    &["disk", "model", "text"],
    &["finding", "time", "yaml"],
    &["brief", "http", "settings", "webhook"],
    &["audit", "esign", "crm", "ledger", "deliver"],
    &["config", "report"],
    &["workflow", "intake"],
    &["cli"],
];

#[test]
fn rooms_import_from_lower_floors_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let floor: BTreeMap<&str, usize> = FLOORS
        .iter()
        .enumerate()
        .flat_map(|(floor, rooms)| rooms.iter().map(move |room| (*room, floor)))
        .collect();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let room = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(&own) = floor.get(room.as_str()) else {
            wrong.push(format!("src/{room} stands on no floor: list it in tests/suite/architecture.rs and src/lib.rs"));
            continue;
        };
        for file in rust_files(&path) {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                for (at, _) in line.match_indices("crate::") {
                    let target: String = line[at + 7..]
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect();
                    let allowed = target == room
                        || floor.get(target.as_str()).is_none_or(|&other| other < own);
                    if !allowed {
                        let shown = file.strip_prefix(&source).unwrap().display().to_string();
                        wrong.push(format!(
                            "src/{shown}:{}: {room} (floor {own}) imports {target}",
                            number + 1
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn files_hold_one_thing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let long: Vec<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)))
        .filter_map(|file| {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            (lines > 800).then(|| {
                format!("{} has {lines} lines", file.strip_prefix(root).unwrap().display())
            })
        })
        .collect();
    assert!(long.is_empty(), "files past 800 lines are two things:\n{}", long.join("\n"));
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
