//! `task-not-opened`: a delivered brief without a first-touch task.

use super::{Case, words};
use crate::brief::EventKind;
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "task-not-opened",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "A delivered brief has no first-touch task.",
    explain: include_str!("../../../docs/rules/task-not-opened.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let delivered = handoff.delivered.as_ref()?.at();
    let policy = case.policy();
    let done = [EventKind::TaskOpened, EventKind::Touched, EventKind::Accepted]
        .into_iter()
        .any(|kind| handoff.first(kind).is_some());
    let due = crate::time::deadline(delivered, policy.handoff_within, None);
    if !policy.expects_task || done || case.input.as_of <= due {
        return None;
    }
    let message = format!(
        "{} was handed over {} ago, and no first-touch task was opened.",
        words::deal(case),
        words::time_between(delivered, case.input.as_of)
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!("Run `handoff deliver {}`.", handoff.key))
            .at(words::brief(case)),
    )
}
