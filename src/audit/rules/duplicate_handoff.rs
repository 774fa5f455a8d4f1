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
    let mut others: Vec<String> = case
        .judged
        .handoffs
        .iter()
        .flat_map(|handoff| {
            let signed = handoff.folders.iter().filter(|folder| folder.signed_at_tip);
            signed.map(|folder| handoff.locate(&folder.path))
        })
        .collect();
    let kept = kept.location();
    others.retain(|folder| *folder != kept);
    if others.is_empty() {
        return None;
    }
    let message = format!(
        "{} has {} signed briefs: {kept} and {}.",
        words::deal(case),
        others.len() + 1,
        others.join(", ")
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "Keep one: move what the other knows into {kept}, close its task, and remove its folder."
            ))
            .at(words::brief(case)),
    )
}
