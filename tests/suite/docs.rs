//! Every command block of the README and the docs runs as it stands.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sandbox::Sandbox;

#[test]
fn every_command_block_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    collect(&root.join("docs"), &mut pages);
    pages.sort();
    let sandbox = Sandbox::new();
    sandbox.handoff(".", &["demo", "handoff-demo"]).exits(0);
    let mut blocks = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let shown = page.strip_prefix(root).unwrap().display().to_string();
        for (number, block) in sh_blocks(&text) {
            blocks += 1;
            for line in
                block.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
            {
                run(&sandbox, line, &format!("{shown}:{number}"));
            }
        }
    }
    assert!(blocks >= 2, "the README has its two commands");
}

/// Runs one line in the demo's ledger; what an audit finds is no failure.
fn run(sandbox: &Sandbox, line: &str, place: &str) {
    if line == "cargo test" || line == "cargo run -- demo" {
        // The first is what runs this; the second stands above, through the same binary.
        return;
    }
    let mut command = sandbox.command("sh", sandbox.join("handoff-demo"));
    let binary = Path::new(env!("CARGO_BIN_EXE_handoff")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let output = command.env("PATH", path).args(["-c", line]).output().unwrap();
    let code = output.status.code().unwrap_or(-1);
    assert!(
        code == 0 || code == 1,
        "{place}: `{line}` ended with {code}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn sh_blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut open {
            Some(_) if line.trim_end() == "```" => blocks.extend(open.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
            None if line.trim_end() == "```sh" => open = Some((number + 1, String::new())),
            None => {}
        }
    }
    blocks
}

fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|e| e == "md") {
            pages.push(path);
        }
    }
}

#[test]
fn every_path_of_the_recipes_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let recipes = text.split("## Recipes").nth(1).unwrap().split("## Words").next().unwrap();
    let paths: Vec<&str> =
        recipes.split('`').skip(1).step_by(2).filter(|word| word.contains('/')).collect();
    assert!(paths.len() > 15, "{paths:?}");
    let gone: Vec<&&str> = paths.iter().filter(|path| !root.join(path).exists()).collect();
    assert!(gone.is_empty(), "CONTRIBUTING names what is not there: {gone:?}");
}

#[test]
fn the_book_has_every_page_once() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let mut listed: Vec<String> = summary
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(str::to_owned)
        .collect();
    listed.sort();
    let mut pages = Vec::new();
    collect(&docs, &mut pages);
    let mut there: Vec<String> = pages
        .iter()
        .map(|page| page.strip_prefix(&docs).unwrap().display().to_string())
        .filter(|page| page != "SUMMARY.md")
        .collect();
    there.sort();
    assert_eq!(listed, there, "docs/SUMMARY.md lists the pages of docs/");
}
