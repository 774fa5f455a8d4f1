//! `incomplete-handoff`: a brief that left questions open when it was delivered.

use std::collections::BTreeSet;

use super::{Case, words};
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "incomplete-handoff",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "A brief left required questions unanswered when it was delivered.",
    explain: include_str!("../../../docs/rules/incomplete-handoff.md"),
};

/// Fields that a message names before it says how many more there are.
const NAMED: usize = 4;

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let delivery = case.handed_over()?.delivered.as_ref()?;
    if delivery.brief.complete {
        return None;
    }
    let unanswered = &delivery.brief.unanswered;
    let deal = words::deal(case);
    let fields: Vec<&str> =
        unanswered.iter().take(NAMED).map(|missing| missing.field.as_str()).collect();
    let more = unanswered.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = if fields.is_empty() {
        format!("The brief of {deal} did not fit its schema when it was delivered.")
    } else {
        format!("The brief of {deal} was delivered without {}{more}.", fields.join(", "))
    };
    let whom = case
        .judged
        .row
        .owner
        .as_deref()
        .map_or_else(|| "the rep".to_owned(), crate::text::one_line);
    let finding = Finding::new(&RULE, message)
        .help(format!("Ask {whom} and answer in the brief; `handoff coverage` shows which fields the CRM cannot answer."))
        .at(words::brief(case));
    let questions: BTreeSet<Option<u8>> =
        unanswered.iter().map(|missing| missing.question).collect();
    match questions.into_iter().collect::<Vec<_>>()[..] {
        [Some(question)] => Some(finding.question(question)),
        _ => Some(finding),
    }
}
