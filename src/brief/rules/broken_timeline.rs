//! `broken-timeline`: what happened cannot be told.

use chrono::Duration;

use super::subject::{Checked, place_of};
use crate::brief::TIMELINE_SCHEMA;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::text::{quoted, shorten};
use crate::yaml;

pub(super) static RULE: Rule = Rule {
    id: "broken-timeline",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "timeline.yaml is missing, cannot be read, or belongs to another handoff.",
    explain: include_str!("../../../docs/rules/broken-timeline.md"),
};

/// Clocks differ a little between machines.
const SLACK: Duration = Duration::minutes(10);

pub(super) fn check(checked: &Checked<'_>, findings: &mut Vec<Finding>) {
    let file = "timeline.yaml";
    if !checked.files.refused.is_empty() {
        // What is behind a link is not known, so nothing is missing for certain.
        findings.extend(checked.refused(&RULE, file));
        return;
    }
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
            let finding = checked.finding(&RULE, file, message.to_owned()).help(help);
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
            findings.push(checked.finding(&RULE, file, message).at(place).help(restore));
            return;
        }
    };
    let mut add = |pointer: &str, message: String, help: &str| {
        let place = place_in(source, pointer, checked.file(file));
        findings.push(checked.finding(&RULE, file, message).at(place).help(help));
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
            let message = format!("event {} stands here a second time", index + 1);
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
