//! `unknown-overdue`: an honest gap was to be closed by now.

use chrono::NaiveDate;

use super::subject::Subject;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "unknown-overdue",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "An answer marked unknown was to be found out by a day that has passed.",
    explain: include_str!("../../../docs/rules/unknown-overdue.md"),
};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let today = subject.context.now.date_naive();
    for gap in &subject.completeness.unknown {
        let day = gap.resolve_by.as_deref();
        let Some(by) = day.and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()) else {
            continue;
        };
        if by >= today {
            continue;
        }
        let days = (today - by).num_days();
        let plural = if days == 1 { "day" } else { "days" };
        let message = format!(
            "{} was to be known by {by}, {days} {plural} ago",
            Subject::field(&gap.pointer)
        );
        let help = match &gap.owner {
            Some(owner) => format!("ask {} for the answer, or agree on a new day", quoted(owner)),
            None => "find the answer out, or agree on a new day".to_owned(),
        };
        let pointer = format!("{}/unknown/resolve_by", gap.pointer);
        findings.push(subject.finding(&RULE, &pointer, message).help(help));
    }
}
