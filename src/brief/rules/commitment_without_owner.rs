//! `commitment-without-owner`: a promise that nobody has to keep.

use super::subject::Subject;
use crate::brief::answer::is_blank;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "commitment-without-owner",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "A promise to the customer has no owner on our side.",
    explain: include_str!("../../../docs/rules/commitment-without-owner.md"),
};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for commitment in subject.view.commitments() {
        let pointer = format!("/commitments/{}", commitment.index);
        // Somebody may have said honestly that the owner is not known yet.
        let owner = subject.brief.json().pointer(&format!("{pointer}/owner"));
        if owner.is_some_and(|owner| !is_blank(owner)) {
            continue;
        }
        let Some(promise) = commitment.promise else { continue };
        let message = format!("the promise {} has no owner", quoted(promise));
        let help = "add `owner:` with the person or team that keeps it";
        findings.push(subject.finding(&RULE, &format!("{pointer}/promise"), message).help(help));
    }
}
