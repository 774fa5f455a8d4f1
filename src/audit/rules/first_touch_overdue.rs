//! `first-touch-overdue`: no first touch, and its deadline has passed.

use super::{Case, words};
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "first-touch-overdue",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "The CSM has not touched the customer, and the deadline has passed.",
    explain: include_str!("../../../docs/rules/first-touch-overdue.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    case.handed_over()?;
    let row = &case.judged.row;
    let due = row.first_touch_due?;
    if row.first_touch_at.is_some() || case.input.as_of <= due {
        return None;
    }
    let message = format!(
        "{} has had no first touch; it was due on {}, {} ago.",
        words::deal(case),
        words::moment(due),
        words::time_between(due, case.input.as_of)
    );
    let who = row.csm.as_deref().map_or_else(|| "The CSM".to_owned(), crate::text::one_line);
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "{who} contacts the customer now and records it with `handoff touch {}`, or by closing the task.",
                row.key
            ))
            .at(words::brief(case)),
    )
}
