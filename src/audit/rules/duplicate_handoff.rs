//! `duplicate-handoff`: more than one signed brief for one deal.

use super::{Case, words};
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "duplicate-handoff",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "One deal has more than one signed brief.",
    explain: include_str!("../../../docs/rules/duplicate-handoff.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let kept = case.handed_over()?;
    let others: Vec<&str> = case
        .judged
        .handoffs
        .iter()
        .flat_map(|handoff| &handoff.folders)
        .filter(|folder| folder.signed_at_tip && folder.path != kept.folder())
        .map(|folder| folder.path.as_str())
        .collect();
    if others.is_empty() {
        return None;
    }
    let message = format!(
        "{} has {} signed briefs: {} and {}.",
        words::deal(case),
        others.len() + 1,
        kept.folder(),
        others.join(", ")
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "Keep one: move what the other knows into {}, close its task, and remove its folder.",
                kept.folder()
            ))
            .at(words::brief(case)),
    )
}
