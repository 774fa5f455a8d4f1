//! `handoff-returned`: a handoff that the CSM returned and nobody has answered.

use super::{Case, words};
use crate::brief::EventKind;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::{one_line, quoted};

pub(super) static RULE: Rule = Rule {
    id: "handoff-returned",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "The CSM returned the handoff, and it has not been resubmitted.",
    explain: include_str!("../../../docs/rules/handoff-returned.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    if !handoff.events.has(EventKind::Returned) {
        return None;
    }
    let ends =
        |kind| matches!(kind, EventKind::Returned | EventKind::Resubmitted | EventKind::Accepted);
    let last = handoff.events.iter().filter(|event| ends(event.event)).last()?;
    if last.event != EventKind::Returned {
        return None;
    }
    let who = last.by.map_or_else(|| "the CSM".to_owned(), one_line);
    let why = last.reason.map_or_else(String::new, |why| format!(": {}", quoted(why)));
    let message = format!(
        "{} was returned by {who} {} ago{why}.",
        words::deal(case),
        words::time_between(last.at, case.input.as_of)
    );
    let rep = case.judged.row.owner.as_deref().map_or_else(|| "The rep".to_owned(), one_line);
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "{rep} corrects the deal or the brief; then `handoff resubmit {} --by WHO` sends it to the CSM again.",
                handoff.key
            ))
            .at(words::brief(case)),
    )
}
