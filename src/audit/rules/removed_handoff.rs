//! `removed-handoff`: a handoff that was there and is gone.

use super::{Case, words};
use crate::audit::Class;
use crate::audit::classify::short;
use crate::brief::EventKind;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "removed-handoff",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "A deal's handoff was there and is gone from the ledger.",
    explain: include_str!("../../../docs/rules/removed-handoff.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let row = &case.judged.row;
    if row.class == Class::Exempt {
        return exempted(case);
    }
    if row.class != Class::Removed {
        return brought_back(case);
    }
    let handoff = case.judged.handoffs.iter().find(|handoff| handoff.delivered.is_some())?;
    let deal = words::deal(case);
    let Some(removed) = handoff.incidents().removed else {
        return Some(Finding::new(
            &RULE,
            format!("{deal} was handed over, and its brief is gone."),
        ));
    };
    let commit = short(removed.commit);
    let (what, help) = if handoff.tip.is_some() {
        (
            "lost its signature",
            format!(
                "See what happened with `git show {commit}`, and restore the `signature:` of the brief."
            ),
        )
    } else {
        (
            "was removed",
            format!(
                "See what happened with `git show {commit}`; `git revert {commit}` brings the brief back. If none is needed, `handoff exempt {} --reason … --by …`.",
                row.key
            ),
        )
    };
    let message = format!(
        "{deal} was handed over, and its brief {what} on {} in commit {commit}.",
        words::moment(removed.at)
    );
    Some(Finding::new(&RULE, message).help(help).at(Location::file(handoff.location())))
}

/// A deal that had its handoff, which was taken away, and is exempt by an event
/// that handoff did not record after that: one that it did is the remedy.
fn exempted(case: &Case<'_>) -> Option<Finding> {
    let row = &case.judged.row;
    let handoff = case.judged.handoffs.iter().find(|handoff| handoff.delivered.is_some())?;
    let delivery = handoff.delivered.as_ref()?;
    let removed = handoff.incidents().removed?;
    let mut handoffs = case.judged.handoffs.iter();
    let decided = handoffs.find_map(|it| it.incidents().exempted)?;
    let mut foreign = case.judged.handoffs.iter().flat_map(|it| &it.incidents().foreign);
    let is_foreign = foreign.any(|(it, _)| it.event == EventKind::Exempted && it.change == decided);
    if !is_foreign && decided.order > removed.order {
        return None;
    }
    let commit = short(removed.commit);
    let message = format!(
        "{} was handed over on {}; its brief was removed on {} in commit {commit}, and it is exempt now, by {}.",
        words::deal(case),
        words::moment(delivery.at()),
        words::moment(removed.at),
        quoted(row.approver.as_deref().unwrap_or_default())
    );
    Some(
        Finding::new(&RULE, message)
            .severity(Severity::Warning)
            .help(format!(
                "Fine where the contract is void, or the deal's was another. Ask who decided it, and see what was removed with `git show {commit}`."
            ))
            .at(Location::file(handoff.location())),
    )
}

/// A brief that was gone for a while; the deal's class stays.
fn brought_back(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let (gone, back) = handoff.incidents().gone?;
    let message = format!(
        "The brief of {} was gone for {}, from commit {} of {} to commit {}.",
        words::deal(case),
        words::time_between(gone.at, back.at),
        short(gone.commit),
        words::moment(gone.at),
        short(back.commit)
    );
    Some(
        Finding::new(&RULE, message)
            .severity(Severity::Warning)
            .help(format!("See who removed it with `git show {}`.", short(gone.commit)))
            .at(words::brief(case)),
    )
}
