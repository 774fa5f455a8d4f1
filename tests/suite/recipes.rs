//! CONTRIBUTING's recipes hold for every connector there is: a folder, a row,
//! fixtures and a section of a page, and its name stands nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

use handoff::crm::CRMS;
use handoff::deliver::SINKS;
use handoff::esign::PROVIDERS;

/// Files outside of a connector's folder that may name it, and why.
const MAY_NAME: [(&str, &str); 8] = [
    ("src/model/key.rs", "Salesforce writes one id in two lengths, and a key has one of them"),
    ("src/crm/export/headers.rs", "whose export a file is, is told by its vendor's columns"),
    ("src/crm/export/columns.rs", "the same"),
    ("src/crm/export/load.rs", "the same"),
    ("src/esign/deal_refs.rs", "what providers call the CRMs"),
    ("src/esign/metadata.rs", "a document's name that begins with its provider's"),
    ("src/cli/demo.rs", "the demo tells of one company"),
    ("src/cli/init.rs", "the provider that is offered first"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of the folders in a folder.
fn folders(of: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(of)).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|it| it.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A section of its own, and each of its secrets where a user and an operator look.
fn is_described(name: &str, secrets: &[&str], heading: &str, on: &str, wrong: &mut Vec<String>) {
    let (text, operators) = (page(on), page("docs/operators.md"));
    if !text.lines().any(|line| line == format!("## {heading}")) {
        wrong.push(format!("{name}: {on} has no section `## {heading}`"));
    }
    for secret in secrets {
        for (page, text) in [(on, &text), ("docs/operators.md", &operators)] {
            if !text.contains(&format!("`{secret}`")) {
                wrong.push(format!("{name}: {page} does not name {secret}"));
            }
        }
    }
}

#[test]
fn a_crm_is_a_folder_a_mapping_a_row_fixtures_and_a_section() {
    let mut wrong = Vec::new();
    let own: Vec<_> = CRMS.iter().filter(|row| row.name != "file").collect();
    for row in &own {
        let name = row.name;
        for path in [
            format!("src/crm/{name}/mod.rs"),
            format!("templates/mapping/{name}.yaml"),
            format!("tests/fixtures/{name}"),
        ] {
            if !root().join(&path).exists() {
                wrong.push(format!("{name}: there is no {path}"));
            }
        }
        is_described(name, row.secrets, row.title, "docs/crm.md", &mut wrong);
    }
    let mut rows: Vec<&str> = own.iter().map(|row| row.name).chain(["export"]).collect();
    rows.sort_unstable();
    assert_eq!(folders("src/crm"), rows, "a folder is a row");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_esign_provider_is_a_folder_a_row_fixtures_and_a_section() {
    let mut wrong = Vec::new();
    let fixtures: Vec<String> = fs::read_dir(root().join("tests/fixtures/esign"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for row in PROVIDERS {
        // Adobe's are `adobe-…`, Dropbox Sign's `dropboxsign-…`.
        let begins = |name: &str| fixtures.iter().any(|it| it.starts_with(&format!("{name}-")));
        let first = row.name.split('_').next().unwrap_or_default();
        if !begins(&row.name.replace('_', "")) && !begins(first) {
            wrong.push(format!("{}: nothing in tests/fixtures/esign", row.name));
        }
        is_described(row.name, row.secrets, row.title, "docs/esign.md", &mut wrong);
    }
    let mut rows: Vec<&str> = PROVIDERS.iter().map(|row| folder_of(row.name)).collect();
    rows.sort_unstable();
    assert_eq!(folders("src/esign"), rows, "a folder is a row");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_sink_is_a_file_or_folder_a_row_and_a_section() {
    let mut wrong = Vec::new();
    for row in SINKS {
        let name = row.name;
        let places = [format!("src/deliver/{name}/mod.rs"), format!("src/deliver/{name}.rs")];
        if !places.iter().any(|path| root().join(path).exists()) {
            wrong.push(format!("{name}: there is no {}", places.join(" and no ")));
        }
        is_described(name, row.secrets, name, "docs/deliveries.md", &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_connectors_name_stands_in_its_own_folder() {
    let names: Vec<&str> = CRMS
        .iter()
        .map(|row| row.name)
        .filter(|name| *name != "file")
        .chain(PROVIDERS.iter().map(|row| row.name))
        .collect();
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    let (mut wrong, mut used) = (Vec::new(), Vec::new());
    for file in files {
        let shown = file.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or_default();
            let named = names.iter().filter(|name| line.contains(&format!("\"{name}\"")));
            for name in named.filter(|name| !shown.contains(&format!("/{}/", folder_of(name)))) {
                match MAY_NAME.iter().find(|(path, _)| shown == *path) {
                    Some((path, _)) => used.push(*path),
                    None => wrong.push(format!("{shown}:{}: {name}", number + 1)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "read the row instead, or say why not here:\n{}", wrong.join("\n"));
    let idle: Vec<_> = MAY_NAME.iter().filter(|(path, _)| !used.contains(path)).collect();
    assert!(idle.is_empty(), "these name no connector any more: {idle:?}");
}

/// The general form is a sender like those that settings describe.
fn folder_of(name: &str) -> &str {
    if name == "standard_webhooks" { "sender" } else { name }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            collect(&entry, files);
        } else if entry.extension().is_some_and(|it| it == "rs") {
            files.push(entry);
        }
    }
}
