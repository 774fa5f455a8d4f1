//! `duplicate-brief`: one handoff in two folders.

use std::collections::BTreeMap;

use super::subject::FolderSummary;
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "duplicate-brief",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "Two folders hold the same handoff, the same deal or the same signed document.",
    explain: include_str!("../../../docs/rules/duplicate-brief.md"),
};

pub(super) fn check(folders: &[FolderSummary], findings: &mut Vec<Finding>) {
    let mut sorted: Vec<&FolderSummary> = folders.iter().collect();
    sorted.sort_by(|a, b| a.folder.cmp(&b.folder));
    let (mut keys, mut deals, mut documents) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for folder in sorted {
        let same_key = folder.key.as_ref().and_then(|key| first(&mut keys, key, folder));
        let same_deal = folder.deal.as_ref().and_then(|deal| first(&mut deals, deal, folder));
        let same_document =
            folder.document.as_ref().and_then(|document| first(&mut documents, document, folder));
        if let Some(other) = same_key {
            let two_deals =
                folder.deal.is_some() && other.deal.is_some() && folder.deal != other.deal;
            findings.push(if two_deals {
                finding(folder, format!("two deals have the same key: this one and {}", other.folder))
                    .help("their ids differ only in case or punctuation; give one CRM another name in handoff.yaml")
            } else {
                finding(folder, format!("{} holds the same handoff", other.folder))
                    .help("keep the folder with the longer timeline, and remove the other")
            });
        } else if let Some(other) = same_deal {
            findings.push(
                finding(folder, format!("{} holds a brief of the same deal", other.folder)).help(
                    "a deal has one handoff: keep one folder, and move what the other adds into it",
                ),
            );
        } else if let Some(other) = same_document {
            findings.push(
                finding(folder, format!("{} has the same signed document", other.folder))
                    .help("fine when one contract covers two deals; else remove one of them")
                    .severity(Severity::Warning),
            );
        }
    }
}

/// The first folder with this identity, unless it is this one.
fn first<'a, K: Ord>(
    seen: &mut BTreeMap<&'a K, &'a FolderSummary>,
    identity: &'a K,
    folder: &'a FolderSummary,
) -> Option<&'a FolderSummary> {
    let found = *seen.entry(identity).or_insert(folder);
    (found.folder != folder.folder).then_some(found)
}

fn finding(folder: &FolderSummary, message: String) -> Finding {
    let finding = Finding::new(&RULE, message).at(folder.place.clone());
    match &folder.key {
        Some(key) => finding.key(key),
        None => finding,
    }
}
