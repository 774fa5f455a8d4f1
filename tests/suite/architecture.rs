//! The floors of the house: a room imports from lower floors only, and rooms
//! on one floor do not know each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const FLOORS: &[&[&str]] = &[
    &["disk", "model", "text"],
    &["finding", "time", "yaml"],
    &["brief", "http", "link", "settings", "webhook"],
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
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ["lib", "main"].contains(&room.as_str()) {
            continue;
        }
        let Some(&own) = floor.get(room.as_str()) else {
            wrong.push(format!("src/{room} stands on no floor: list it in tests/suite/architecture.rs and src/lib.rs"));
            continue;
        };
        for file in if path.is_dir() { rust_files(&path) } else { vec![path] } {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                if line.contains("crate::{") {
                    wrong.push(format!(
                        "{}:{}: name one room in each `use crate::…`, so that it can be read here",
                        file.display(),
                        number + 1
                    ));
                }
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
fn inside_a_room_no_imports_run_in_circles() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let indexes = rust_files(&source).into_iter().filter(|path| path.ends_with("mod.rs"));
    let mut found: Vec<Vec<String>> =
        indexes.flat_map(|index| circles(&source, index.parent().unwrap())).collect();
    found.sort();
    let found: Vec<String> = found.iter().map(|circle| circle.join(" ⇄ ")).collect();
    assert!(found.is_empty(), "modules that import each other in a circle:\n{}", found.join("\n"));
}

/// The groups of a folder's modules that import each other in a circle.
fn circles(source: &Path, room: &Path) -> Vec<Vec<String>> {
    let name = room.strip_prefix(source).unwrap().to_str().unwrap();
    let path = format!("crate::{}::", name.replace('/', "::"));
    let index = code(&room.join("mod.rs"));
    let modules: BTreeMap<String, Vec<PathBuf>> = fs::read_dir(room)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("mod.rs"))
        .map(|path| {
            let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let files = if path.is_dir() { rust_files(&path) } else { vec![path] };
            (module, files)
        })
        .collect();
    // What the room's index gives on comes from a module, too.
    let mut owner: BTreeMap<String, &str> = BTreeMap::new();
    for module in modules.keys() {
        owner.insert(module.clone(), module);
        for names in after(&index, &format!("use {module}::")) {
            owner.extend(names.into_iter().map(|name| (name, module.as_str())));
        }
    }
    let mut imports: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (module, files) in &modules {
        let targets = imports.entry(module).or_default();
        for file in files {
            let text = code(file);
            let inside = file.strip_prefix(room).unwrap();
            let depth = inside.components().count() - usize::from(inside.ends_with("mod.rs"));
            let ways = ["super::".repeat(depth), path.clone()];
            let named = ways.iter().flat_map(|way| after(&text, way)).flatten();
            targets.extend(named.filter_map(|name| owner.get(&name).copied()));
        }
        targets.remove(module.as_str());
    }
    let reachable = |from: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut next: Vec<&str> = imports[from].iter().copied().collect();
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(&imports[module]);
            }
        }
        seen
    };
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        modules.keys().map(|module| (module.as_str(), reachable(module))).collect();
    let mut circles: Vec<Vec<String>> = reach
        .iter()
        .filter(|(module, there)| there.contains(*module))
        .map(|(module, there)| {
            let back = there.iter().filter(|other| reach[*other].contains(module));
            back.map(|other| format!("{name}/{other}")).collect()
        })
        .collect();
    circles.sort();
    circles.dedup();
    circles
}

/// The names that stand behind each place of a path: `a::{B, C}` gives B and C,
/// `a::b::C` gives b.
fn after(text: &str, path: &str) -> Vec<Vec<String>> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let begins = |at: usize| !text[..at].ends_with(|c: char| word(c) || c == ':');
    text.match_indices(path)
        .filter(|(at, _)| begins(*at))
        .map(|(at, _)| {
            let rest = &text[at + path.len()..];
            let names = match rest.strip_prefix('{') {
                Some(list) => &list[..list.find("};").unwrap_or(0)],
                None => &rest[..rest.find(|c: char| !word(c)).unwrap_or(rest.len())],
            };
            let names = names.split(|c: char| !word(c)).filter(|name| !name.is_empty());
            names.map(str::to_owned).collect()
        })
        .collect()
}

/// A file without its comments and tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
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
