//! `first-touch-overdue`: no first touch, and its deadline has passed.

use super::{Case, words};
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::one_line;

pub(super) static RULE: Rule = Rule {
    id: "first-touch-overdue",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "The CSM has not touched the customer, and the deadline has passed.",
    explain: include_str!("../../../docs/rules/first-touch-overdue.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let row = &case.judged.row;
    let due = row.first_touch_due?;
    if row.first_touch_at.is_some() || case.input.as_of <= due {
        return None;
    }
    // Somebody says so, and that does not do here.
    let claimed = handoff.first_touch(false);
    let what = claimed.map_or_else(
        || "no first touch".to_owned(),
        |event| {
            let by = event.by.map_or_else(String::new, |by| format!(" by {}", one_line(by)));
            let at = words::moment(event.at);
            format!("no first touch that the CRM shows (one was claimed{by} on {at})")
        },
    );
    let message = format!(
        "{} has had {what}; it was due on {}, {} ago.",
        words::deal(case),
        words::moment(due),
        words::time_between(due, case.input.as_of)
    );
    let who = row.csm.as_deref().map_or_else(|| "The CSM".to_owned(), one_line);
    let key = &row.key;
    let help = if case.policy().first_touch_needs_evidence {
        format!(
            "{who} writes to or calls a contact of the deal, logged in the CRM; `handoff sync {key}` reads it."
        )
    } else {
        format!(
            "{who} contacts the customer now and records it with `handoff touch {key} --by WHO`, or by closing the task."
        )
    };
    Some(Finding::new(&RULE, message).help(help).at(words::brief(case)))
}
