//! `first-action-too-late`: the deadline is past the limit of the first touch.

use super::subject::Subject;
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "first-action-too-late",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "The first action is due later than first_touch.within allows.",
    explain: include_str!("../../../docs/rules/first-action-too-late.md"),
};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let Some(limit) = subject.context.first_touch else { return };
    let (Some(signed), Some(due)) = (subject.view.signed_at(), subject.view.first_action_due())
    else {
        return;
    };
    let latest = limit(signed);
    if due <= latest {
        return;
    }
    let form = "%Y-%m-%d %H:%M UTC";
    let message = format!(
        "the first action is due {}, and the first touch must be made by {}",
        due.format(form),
        latest.format(form)
    );
    let help = format!("set `due: {}` or earlier", latest.format("%Y-%m-%dT%H:%M:%SZ"));
    findings.push(subject.finding(&RULE, "/first_action/due", message).help(help));
}
