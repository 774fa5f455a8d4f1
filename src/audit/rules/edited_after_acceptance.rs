//! `edited-after-acceptance`: a brief that changed after the CSM had accepted it.

use super::{Case, words};
use crate::audit::classify::short;
use crate::brief::EventKind;
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "edited-after-acceptance",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "The brief changed after the CSM had accepted it.",
    explain: include_str!("../../../docs/rules/edited-after-acceptance.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let accepted = handoff.last(EventKind::Accepted)?;
    // By their order, as a push that was made again dates commits again. What handoff
    // wrote itself has an event of its own, which asks the CSM to accept again.
    let known = handoff.accepted?.order;
    let edits: Vec<_> = handoff
        .versions
        .iter()
        .filter(|version| version.change.order > known && !version.recorded)
        .collect();
    let last = edits.last()?;
    let times = if edits.len() == 1 { "once".to_owned() } else { format!("{} times", edits.len()) };
    let who =
        accepted.by.map_or_else(String::new, |by| format!(" by {}", crate::text::one_line(by)));
    let message = format!(
        "The brief of {} was accepted{who} on {} and changed {times} since, last on {} in commit {}.",
        words::deal(case),
        words::moment(accepted.at),
        words::moment(last.change.at),
        short(last.change.commit)
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "See the change with `git log -p -- {}`; the CSM accepts it again with `handoff accept {} --by WHO`.",
                handoff.folder(),
                handoff.key
            ))
            .at(words::brief(case)),
    )
}
