//! The rules about a handoff's files: their form, their place, their history.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Duration, Utc};

use super::subject::{COMMIT_ITSELF, Checked, FolderSummary, Subject, place_of};
use crate::brief::{
    BriefSources, EventKind, RenderInput, SOURCES_SCHEMA, SourcesFile, TIMELINE_SCHEMA,
};
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::text::{quoted, shorten};
use crate::yaml;

pub(super) static SCHEMA_VIOLATION: Rule = Rule {
    id: "schema-violation",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "The brief is not valid YAML, or does not match its schema.",
    explain: include_str!("../../../docs/rules/schema-violation.md"),
};

pub(super) fn schema_violation(checked: &Checked<'_>, findings: &mut Vec<Finding>) {
    findings.extend(checked.refused(&SCHEMA_VIOLATION, "brief.yaml"));
    match (&checked.brief, checked.files.brief) {
        (Some(Err(error)), Some(source)) => {
            let place = place_of(error, checked.file("brief.yaml"), source);
            let message = format!("brief.yaml cannot be read: {}", error.message);
            let help = "look at this line and the one before it: quotes and brackets must be closed, \
                        and what belongs together is indented alike";
            findings.push(
                checked.finding(&SCHEMA_VIOLATION, "brief.yaml", message).at(place).help(help),
            );
        }
        (Some(Ok(brief)), _) => {
            let Some(subject) = checked.subject() else { return };
            for violation in checked.context.schema.check(brief) {
                // An answer that is not there is `unanswered-question`'s.
                let owed = subject.completeness.missing.iter().any(|missing| {
                    missing.pointer == violation.pointer
                        || missing.pointer.starts_with(&format!("{}/", violation.pointer))
                });
                if violation.absent && owed {
                    continue;
                }
                let mut finding =
                    subject.finding(&SCHEMA_VIOLATION, &violation.pointer, violation.message);
                if violation.of_key {
                    let file = checked.file("brief.yaml");
                    finding = finding.at(brief.place_of_key(&file, &violation.pointer));
                }
                if let Some(help) = violation.help {
                    finding = finding.help(help);
                }
                findings.push(finding);
            }
        }
        _ => {}
    }
}

// `misfiled-brief`: the folder is not the one this handoff belongs in.

pub(super) static MISFILED_BRIEF: Rule = Rule {
    id: "misfiled-brief",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "The folder's name does not end with the handoff's key, or it is under another month.",
    explain: include_str!("../../../docs/rules/misfiled-brief.md"),
};

pub(super) fn misfiled_brief(checked: &Checked<'_>, findings: &mut Vec<Finding>) {
    let inside = format!("{}/", checked.files.folder);
    for refused in checked.files.refused.iter().filter(|it| !it.path.starts_with(&inside)) {
        let message =
            format!("{} is {}, which handoff does not follow", quoted(&refused.path), refused.what);
        let place = Location::file(refused.path.clone());
        findings.push(Finding::new(&MISFILED_BRIEF, message).at(place).help(COMMIT_ITSELF));
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
        findings.push(subject.finding(&MISFILED_BRIEF, "/key", message).help(help));
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
        let message =
            format!("the folder is in {}, and the contract was signed in {first}", quoted(parent));
        let help = format!("move it to the folder {first}");
        findings.push(subject.finding(&MISFILED_BRIEF, "/signature/signed_at", message).help(help));
    }
}

/// `None` when the layout is no pattern of times; the configuration says so.
fn format_time(time: DateTime<Utc>, layout: &str) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", time.format(layout)).ok()?;
    Some(text)
}

// `duplicate-brief`: one handoff in two folders.

pub(super) static DUPLICATE_BRIEF: Rule = Rule {
    id: "duplicate-brief",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "Two folders hold the same handoff, the same deal or the same signed document.",
    explain: include_str!("../../../docs/rules/duplicate-brief.md"),
};

pub(super) fn duplicate_brief(folders: &[FolderSummary], findings: &mut Vec<Finding>) {
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
    let finding = Finding::new(&DUPLICATE_BRIEF, message).at(folder.place.clone());
    match &folder.key {
        Some(key) => finding.key(key),
        None => finding,
    }
}

// `stale-rendering`: README.md is not what its brief gives.

pub(super) static STALE_RENDERING: Rule = Rule {
    id: "stale-rendering",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "README.md does not match brief.yaml, the schema and the template.",
    explain: include_str!("../../../docs/rules/stale-rendering.md"),
};

pub(super) fn stale_rendering(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    if let Some(refused) = subject.checked.refused(&STALE_RENDERING, "README.md") {
        findings.push(refused);
        return;
    }
    let checked = subject.checked;
    if checked.is_as_written {
        return;
    }
    let confirmed = &checked.files.confirmed();
    let input = RenderInput { brief: subject.brief, schema: subject.context.schema, confirmed };
    let (message, help) = match subject.context.renderer.readme_with(&input, subject.completeness) {
        Err(error) => (
            error.to_string(),
            "fix templates/brief.md.j2, or remove it to use the one that is built in",
        ),
        Ok(page) if is_same(checked.files.readme, &page) => return,
        Ok(page) => {
            let (message, place) = difference(subject, &page);
            let finding = checked.finding(&STALE_RENDERING, "README.md", message);
            let finding = match place {
                Some(place) => finding.at(place),
                None => finding,
            };
            findings.push(
                finding.help("run `handoff validate --fix`; edit brief.yaml, never README.md"),
            );
            return;
        }
    };
    findings.push(checked.finding(&STALE_RENDERING, "README.md", message).help(help));
}

/// The same text, whatever line ends a checkout gave it.
pub(super) fn is_same(readme: Option<&[u8]>, page: &str) -> bool {
    readme.is_some_and(|readme| {
        readme == page.as_bytes()
            || (readme.contains(&b'\r')
                && String::from_utf8_lossy(readme).replace("\r\n", "\n") == page)
    })
}

/// What differs first, and where.
fn difference(subject: &Subject<'_>, page: &str) -> (String, Option<Location>) {
    let Some(readme) = subject.checked.files.readme else {
        return ("README.md is missing; it is what people read".to_owned(), None);
    };
    let readme = String::from_utf8_lossy(readme);
    let mut lines = readme.lines();
    let mut number = 0;
    for wanted in page.lines() {
        number += 1;
        let line = lines.next();
        if line != Some(wanted) {
            return place(subject, number, line);
        }
    }
    place(subject, number + 1, lines.next())
}

fn place(subject: &Subject<'_>, number: usize, line: Option<&str>) -> (String, Option<Location>) {
    let place = Location {
        line: Some(number),
        column: Some(1),
        source: line.map(str::to_owned),
        ..Location::file(subject.checked.file("README.md"))
    };
    ("README.md does not match brief.yaml from this line on".to_owned(), Some(place))
}

// `broken-sources`: where the answers come from cannot be told.

pub(super) static BROKEN_SOURCES: Rule = Rule {
    id: "broken-sources",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "sources.yaml is missing, cannot be read, or is not what handoff wrote.",
    explain: include_str!("../../../docs/rules/broken-sources.md"),
};

pub(super) fn broken_sources(checked: &Checked<'_>, findings: &mut Vec<Finding>) {
    let name = BriefSources::FILE;
    if !checked.files.refused.is_empty() {
        findings.extend(checked.refused(&BROKEN_SOURCES, name));
        return;
    }
    if checked.is_as_written {
        return;
    }
    let help = "only handoff writes it: bring back the last version of it that handoff committed";
    let mut add = |finding: Finding| findings.push(finding.help(help));
    let finding = |message: &str| checked.finding(&BROKEN_SOURCES, name, message.to_owned());
    // A timeline that cannot be read is `broken-timeline`'s, and records nothing.
    let timeline = checked.timeline();
    let recorded =
        || timeline.iter().flat_map(|it| &it.events).filter_map(|event| event.sources.as_deref());
    let Some(file @ SourcesFile { bytes, .. }) = checked.files.sources else {
        if checked.brief.is_some() && recorded().next().is_some() {
            add(finding("sources.yaml is missing, and the timeline says that handoff wrote it"));
        }
        return;
    };
    let sources = match BriefSources::parse(bytes) {
        Ok(sources) => sources,
        Err(error) => {
            let place = place_of(&error, checked.file(name), bytes);
            let message = format!("sources.yaml cannot be read: {}", shorten(&error.message, 160));
            add(finding(&message).at(place));
            return;
        }
    };
    if sources.schema != SOURCES_SCHEMA || checked.key().is_some_and(|key| key != sources.key) {
        let schema = quoted(&sources.schema);
        let message =
            format!("sources.yaml is of the schema {schema} and of the handoff {}", sources.key);
        add(finding(&message));
        return;
    }
    if matches!(checked.timeline, Some(Err(_))) {
        return;
    }
    if !file.ids().into_iter().any(|id| recorded().any(|recorded| recorded == id)) {
        add(finding("sources.yaml is not what handoff wrote: no event of the timeline records it"));
    }
}

// `broken-timeline`: what happened cannot be told.

pub(super) static BROKEN_TIMELINE: Rule = Rule {
    id: "broken-timeline",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "timeline.yaml is missing, cannot be read, or belongs to another handoff.",
    explain: include_str!("../../../docs/rules/broken-timeline.md"),
};

/// Clocks differ a little between machines.
const SLACK: Duration = Duration::minutes(10);

pub(super) fn broken_timeline(checked: &Checked<'_>, findings: &mut Vec<Finding>) {
    if !checked.files.refused.is_empty() {
        // What is behind a link is not known, so nothing is missing for certain.
        findings.extend(checked.refused(&BROKEN_TIMELINE, "timeline.yaml"));
        return;
    }
    let file = "timeline.yaml";
    let (Some(timeline), Some(source)) = (&checked.timeline, checked.files.timeline) else {
        let signed = checked.subject().is_some_and(|subject| !subject.draft);
        if signed || checked.brief.is_none() {
            let message = if checked.brief.is_none() {
                "the folder has neither brief.yaml nor timeline.yaml"
            } else {
                "the brief is signed and has no timeline.yaml"
            };
            let help = "restore it from the history (`git log -- <folder>`), or remove the folder; \
                        handoff writes it, nobody else does";
            let finding = checked.finding(&BROKEN_TIMELINE, file, message.to_owned()).help(help);
            findings.push(finding);
        }
        return;
    };
    let restore =
        "timeline.yaml is append-only and written by handoff: restore the last good version";
    let timeline = match timeline {
        Ok(timeline) => timeline,
        Err(error) => {
            let place = place_of(error, checked.file(file), source);
            let message = format!("timeline.yaml cannot be read: {}", shorten(&error.message, 160));
            findings.push(checked.finding(&BROKEN_TIMELINE, file, message).at(place).help(restore));
            return;
        }
    };
    let mut add = |pointer: &str, message: String, help: &str| {
        let place = place_in(source, pointer, checked.file(file));
        findings.push(checked.finding(&BROKEN_TIMELINE, file, message).at(place).help(help));
    };
    if timeline.schema != TIMELINE_SCHEMA {
        let message = format!("the timeline names the schema {}", quoted(&timeline.schema));
        add("/schema", message, "write `schema: handoff/timeline/v1`");
    }
    if let Some(key) = checked.brief_key() {
        if key != timeline.key {
            let message =
                format!("the timeline belongs to {}, and the brief to {key}", timeline.key);
            add("/key", message, "one of the two was copied from another handoff; restore it");
        }
    } else if checked.brief.is_none() {
        if checked.folder_key() != Some(timeline.key.as_str()) {
            let message =
                format!("the timeline belongs to {}, and the folder does not", timeline.key);
            add("/key", message, "rename the folder, or restore the timeline that belongs here");
        }
        if !checked.is_exempted() {
            let message = "there is no brief.yaml, and no event says that the deal is exempt";
            add(
                "/events",
                message.to_owned(),
                "restore brief.yaml, or run `handoff exempt KEY --reason WHY --by WHO`",
            );
        }
    }
    if timeline.events.is_empty() && checked.brief.is_some() {
        add("/events", "the timeline holds no event".to_owned(), restore);
    }
    for (index, event) in timeline.events.iter().enumerate() {
        if event.at > checked.context.now + SLACK {
            let message = format!(
                "event {} happens at {}, which is still to come",
                index + 1,
                event.at.format("%Y-%m-%d %H:%M UTC")
            );
            add(&format!("/events/{index}/at"), message, "fix the time, or the clock that gave it");
        }
        if timeline.events[..index].contains(event) {
            let message = format!("event {} occurs twice", index + 1);
            add(&format!("/events/{index}"), message, "remove the second one");
        }
    }
}

fn place_in(source: &[u8], pointer: &str, file: String) -> Location {
    let Ok(node) = yaml::read(source) else { return Location::file(file) };
    let Some(span) = node.pointer(pointer).map(|node| node.span) else {
        return Location::file(file);
    };
    let text = String::from_utf8_lossy(source);
    Location {
        line: Some(span.line),
        column: Some(span.column),
        width: (span.line == span.end_line).then(|| span.end_column.saturating_sub(span.column)),
        source: text.lines().nth(span.line.saturating_sub(1)).map(str::to_owned),
        ..Location::file(file)
    }
}
