//! `never-accepted`: the CSM has neither accepted nor returned the handoff.

use chrono::TimeDelta;

use super::{Case, words};
use crate::brief::EventKind;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::one_line;

pub(super) static RULE: Rule = Rule {
    id: "never-accepted",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "A week after its deadline the CSM has neither accepted nor returned the handoff.",
    explain: include_str!("../../../docs/rules/never-accepted.md"),
};

/// Reminders go out at the deadline and in the days behind it; what nobody has
/// answered after a week is not on its way.
const AFTER: TimeDelta = TimeDelta::days(7);

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let row = &case.judged.row;
    let due = row.first_touch_due?;
    // One that was returned and not answered is said so by a rule of its own.
    let is_verdict = |kind| matches!(kind, EventKind::Accepted | EventKind::Returned);
    let is_open = !handoff.events.iter().any(|event| is_verdict(event.event));
    let is_soon = due.checked_add_signed(AFTER).is_none_or(|late| case.input.as_of <= late);
    if !is_open || is_soon {
        return None;
    }
    let who = row.csm.as_deref().map_or_else(|| "the CSM".to_owned(), one_line);
    let message = format!(
        "{} was neither accepted nor returned by {who}; its deadline was {}, {} ago.",
        words::deal(case),
        words::moment(due),
        words::time_between(due, case.input.as_of)
    );
    let key = &row.key;
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "The CSM reads the brief, then `handoff accept {key} --by WHO`, or `handoff return {key} --by WHO --reason WHY`."
            ))
            .at(words::brief(case)),
    )
}
