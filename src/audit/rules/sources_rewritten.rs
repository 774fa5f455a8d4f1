//! `sources-rewritten`: `sources.yaml` is not what handoff wrote.

use super::{Case, words};
use crate::audit::classify::short;
use crate::audit::folder_digest::Forgery;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "sources-rewritten",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "Somebody other than handoff changed or removed sources.yaml, which records where answers come from.",
    explain: include_str!("../../../docs/rules/sources-rewritten.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let mut handoffs = case.judged.handoffs.iter();
    let (handoff, (forged, folder)) =
        handoffs.find_map(|handoff| Some((handoff, handoff.incidents().forged.as_ref()?)))?;
    let commit = short(forged.change.commit);
    let what = match forged.what {
        Forgery::Written => "changed sources.yaml of",
        Forgery::BroughtBack => "brought back an earlier sources.yaml of",
        Forgery::Removed => "removed sources.yaml of",
    };
    let message = format!(
        "Commit {commit} of {} {what} {}, and no event of its timeline records that.",
        words::moment(forged.change.at),
        words::deal(case)
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "Only handoff writes it. See what was changed with `git show {commit}`, and restore the version before it."
            ))
            .at(Location::file(format!("{}/sources.yaml", handoff.locate(folder)))),
    )
}
