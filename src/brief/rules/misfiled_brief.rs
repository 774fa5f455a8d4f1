//! `misfiled-brief`: the folder is not the one this handoff belongs in.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::subject::{COMMIT_ITSELF, Checked};
use crate::brief::EventKind;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "misfiled-brief",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "The folder's name does not end with the handoff's key, or it lies under another month.",
    explain: include_str!("../../../docs/rules/misfiled-brief.md"),
};

pub(super) fn check(checked: &Checked<'_>, findings: &mut Vec<Finding>) {
    let inside = format!("{}/", checked.files.folder);
    for refused in checked.files.refused.iter().filter(|it| !it.path.starts_with(&inside)) {
        let message =
            format!("{} is {}, which handoff does not follow", quoted(&refused.path), refused.what);
        let place = Location::file(refused.path.clone());
        findings.push(Finding::new(&RULE, message).at(place).help(COMMIT_ITSELF));
    }
    let Some(subject) = checked.subject() else { return };
    let Some(key) = checked.brief_key() else { return };
    if checked.folder_key() != Some(key.as_str()) {
        let (parent, name) =
            checked.files.folder.rsplit_once('/').unwrap_or(("", checked.files.folder));
        let readable = name.rsplit_once("--").map_or(name, |(readable, _)| readable);
        let message = format!("the folder {} does not end with the brief's key", quoted(name));
        let slash = if parent.is_empty() { "" } else { "/" };
        let help = format!("rename it to {parent}{slash}{readable}--{key}, or fix `key`");
        findings.push(subject.finding(&RULE, "/key", message).help(help));
    }
    let Some(layout) = checked.context.layout else { return };
    let drafted = checked.timeline().and_then(|timeline| timeline.first(EventKind::Drafted));
    let times = [subject.view.signed_at(), drafted.map(|event| event.at)];
    // A draft that nothing dates may lie anywhere.
    let expected: Vec<String> =
        times.into_iter().flatten().filter_map(|time| format_time(time, layout)).collect();
    let Some(first) = expected.first() else { return };
    let parent = checked.files.folder.rsplit_once('/').map_or("", |(parent, _)| parent);
    let fits = |dated: &String| parent == dated || parent.ends_with(&format!("/{dated}"));
    if !expected.iter().any(fits) {
        let message = format!(
            "the folder lies in {}, and the contract was signed in {first}",
            quoted(parent)
        );
        let help = format!("move it to the folder {first}");
        findings.push(subject.finding(&RULE, "/signature/signed_at", message).help(help));
    }
}

/// `None` when the layout is no pattern of times; the configuration says so.
fn format_time(time: DateTime<Utc>, layout: &str) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", time.format(layout)).ok()?;
    Some(text)
}
