//! `onboarding-overdue`: open tasks of the onboarding project are past their day.

use std::collections::BTreeMap;

use super::{Case, words};
use crate::brief::EventKind;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::{one_line, shorten};

pub(super) static RULE: Rule = Rule {
    id: "onboarding-overdue",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "Open tasks of the onboarding project are past their day.",
    explain: include_str!("../../../docs/rules/onboarding-overdue.md"),
};

/// Judges by what `sync` read last: an audit asks no target.
pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    if !handoff.events.has(EventKind::OnboardingSeen) {
        return None;
    }
    let mut last = BTreeMap::new();
    for event in handoff.events.iter() {
        if matches!(event.event, EventKind::OnboardingSeen | EventKind::OnboardingDone) {
            last.insert(event.via, event);
        }
    }
    let is_late = |event: &&crate::audit::Happened<'_>| {
        event.event == EventKind::OnboardingSeen && event.due.is_some_and(|due| due < event.at)
    };
    let event = last.values().filter(is_late).min_by_key(|event| event.due)?;
    let seen = event.reason.map_or_else(
        || "tasks are open past their day".to_owned(),
        |reason| shorten(&one_line(reason), 300),
    );
    let message = format!(
        "The onboarding of {} is overdue: {seen} ({}, as of {}).",
        words::deal(case),
        one_line(event.via),
        words::moment(event.at)
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "Finish the tasks there, or give them another day; then `handoff sync {}` reads them again.",
                case.judged.row.key
            ))
            .at(words::brief(case)),
    )
}
