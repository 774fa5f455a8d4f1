//! The same history from the words of `git log --raw -m --first-parent`.

use std::collections::{BTreeMap, BTreeSet};

use handoff::model::{CommitInfo, FolderHistory, History, ObjectId, Version};

use super::repo::Repo;

type Files = (Option<ObjectId>, Option<ObjectId>, Option<ObjectId>);

/// What the scan of a revision must give.
pub(super) fn expected(repo: &Repo, revision: &str, branch: &str) -> History {
    let commits = commits(repo, revision);
    let mut folders: BTreeMap<Vec<u8>, Vec<(usize, Files)>> = BTreeMap::new();
    let mut schemas: Vec<(usize, Option<ObjectId>)> = Vec::new();
    let mut settings: Vec<(usize, Option<ObjectId>)> = Vec::new();
    for (at, commit) in commits.iter().enumerate() {
        for (path, blob) in &commit.changes {
            let versions = match path.as_slice() {
                b"schema/brief.schema.json" => Some(&mut schemas),
                b"handoff.yaml" => Some(&mut settings),
                _ => None,
            };
            if let Some(versions) = versions {
                if versions.last().and_then(|s| s.1) != *blob {
                    versions.push((at, *blob));
                }
                continue;
            }
            let Some(slash) = path.iter().rposition(|b| *b == b'/') else { continue };
            let (folder, name) = (&path[..slash], &path[slash + 1..]);
            if !folder.starts_with(b"briefs/") {
                continue;
            }
            let versions = folders.entry(folder.to_vec()).or_default();
            let mut files = versions.last().map_or((None, None, None), |v| v.1);
            match name {
                b"brief.yaml" => files.0 = *blob,
                b"timeline.yaml" => files.1 = *blob,
                b"sources.yaml" => files.2 = *blob,
                _ => continue,
            }
            match versions.last_mut() {
                Some(last) if last.0 == at => last.1 = files,
                _ => versions.push((at, files)),
            }
        }
    }
    for versions in folders.values_mut() {
        for (_, files) in
            versions.iter_mut().filter(|(_, files)| (files.0, files.1) == (None, None))
        {
            files.2 = None;
        }
        let mut before = (None, None, None);
        versions.retain(|(_, files)| std::mem::replace(&mut before, *files) != *files);
    }
    folders.retain(|_, versions| !versions.is_empty());
    let backdated = (1..commits.len()).filter(|at| commits[*at].time < commits[at - 1].time);
    let mut used: BTreeSet<usize> = backdated.collect();
    used.extend(folders.values().flatten().map(|v| v.0));
    used.extend(schemas.iter().chain(&settings).map(|s| s.0));
    let places: Vec<usize> = used.into_iter().collect();
    let index = |at: usize| u32::try_from(places.binary_search(&at).expect("used")).expect("small");
    let mut folders: Vec<FolderHistory> = folders
        .iter()
        .map(|(path, versions)| FolderHistory {
            path: shown(path),
            key_text: key_text(&shown(path)),
            versions: versions
                .iter()
                .map(|(at, files)| Version {
                    commit: index(*at),
                    brief: files.0,
                    timeline: files.1,
                    sources: files.2,
                })
                .collect(),
        })
        .collect();
    folders.sort_by(|a, b| a.path.cmp(&b.path));
    History {
        head: commits.last().expect("a commit").id,
        branch: branch.to_owned(),
        walked: commits.len(),
        commits: places
            .iter()
            .map(|at| CommitInfo {
                id: commits[*at].id,
                committed_at: commits[*at].time,
                parent_committed_at: at.checked_sub(1).map(|p| commits[p].time),
            })
            .collect(),
        folders,
        schemas: schemas.into_iter().map(|(at, blob)| (index(at), blob)).collect(),
        settings: settings.into_iter().map(|(at, blob)| (index(at), blob)).collect(),
    }
}

pub(super) struct Commit {
    pub(super) id: ObjectId,
    pub(super) time: i64,
    /// Path, and the file that stands there now.
    changes: Vec<(Vec<u8>, Option<ObjectId>)>,
}

/// The first-parent chain, oldest first.
pub(super) fn commits(repo: &Repo, revision: &str) -> Vec<Commit> {
    let log = repo.git(&[
        "-c",
        "log.showRoot=true",
        "log",
        "--raw",
        "--no-renames",
        "-m",
        "--first-parent",
        "--no-abbrev",
        "-z",
        "--format=commit %H %ct",
        revision,
        "--",
    ]);
    let mut commits: Vec<Commit> = Vec::new();
    let mut fields = log.split(|byte| *byte == 0);
    while let Some(field) = fields.next() {
        // With -z the header of a commit may begin after a line feed.
        let field = field.strip_prefix(b"\n").unwrap_or(field);
        if let Some(header) = field.strip_prefix(b"commit ") {
            let header = std::str::from_utf8(header).expect("text").trim();
            let (id, time) = header.split_once(' ').expect("two words");
            let (id, time) = (id.parse().expect("an id"), time.parse().expect("a time"));
            commits.push(Commit { id, time, changes: Vec::new() });
        } else if field.first() == Some(&b':') {
            // :old-mode new-mode old-id new-id status
            let words: Vec<&str> = std::str::from_utf8(field).expect("text").split(' ').collect();
            let path = fields.next().expect("a path").to_vec();
            let blob = words[1].starts_with("100").then(|| words[3].parse().expect("an id"));
            commits.last_mut().expect("a commit").changes.push((path, blob));
        }
    }
    commits.reverse();
    commits
}

fn shown(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

fn key_text(path: &str) -> Option<String> {
    let (_, key) = path.rsplit('/').next()?.rsplit_once("--")?;
    (!key.is_empty()).then(|| key.to_owned())
}
