//! `timeline-rewritten`: an event was changed or taken away again.

use super::{Case, words};
use crate::audit::classify::short;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "timeline-rewritten",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "An event that a timeline held was changed or removed.",
    explain: include_str!("../../../docs/rules/timeline-rewritten.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff =
        case.judged.handoffs.iter().find(|handoff| handoff.incidents().rewritten.is_some())?;
    let rewritten = handoff.incidents().rewritten.as_ref()?;
    let commit = short(rewritten.change.commit);
    let what = match &rewritten.event {
        Some(event) => format!("took `{event}` out of the timeline of"),
        None => "removed the timeline of".to_owned(),
    };
    let message = format!(
        "Commit {commit} of {} {what} {}.",
        words::moment(rewritten.change.at),
        words::deal(case)
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "Timelines only grow. See what it said with `git show {commit}`, and restore it in a new commit."
            ))
            .at(Location::file(format!("{}/timeline.yaml", handoff.location()))),
    )
}
