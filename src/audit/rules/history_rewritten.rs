//! `history-rewritten`: the history no longer holds what an earlier audit saw.

use super::words;
use crate::audit::classify::short;
use crate::audit::{LedgerInput, LostPush};
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "history-rewritten",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "The ledger's history no longer contains what an earlier audit saw.",
    explain: include_str!("../../../docs/rules/history-rewritten.md"),
};

pub(super) fn check(ledger: &LedgerInput) -> Vec<Finding> {
    let of_checkpoints = ledger
        .checkpoints
        .iter()
        .filter(|checkpoint| !checkpoint.contained)
        .map(|checkpoint| {
            let tip = short(checkpoint.tip);
            Finding::new(
                &RULE,
                format!(
                    "The audit of {} saw the history up to commit {tip}, and branch {} no longer contains it.",
                    words::moment(checkpoint.at),
                    crate::text::quoted(&ledger.branch)
                ),
            )
            .help(format!(
                "Somebody has rewritten the branch. See what is gone with `git log {}..{tip}`, and restore it; the checkpoint {} keeps it.",
                short(ledger.head),
                checkpoint.name
            ))
        });
    of_checkpoints.chain(ledger.arrivals.lost.iter().map(forced)).collect()
}

/// A push that took away what the branch had, as its server recorded it.
fn forced(lost: &LostPush) -> Finding {
    let LostPush { push, source } = lost;
    let by = push.by.as_deref().map_or_else(|| "somebody".to_owned(), crate::text::quoted);
    let was = push.before.map(short).unwrap_or_default();
    let what = match push.after.map(short) {
        Some(now) => format!("force-pushed the branch from {was} to {now}"),
        None => format!("deleted the branch, which was at {was}"),
    };
    let at = words::moment(push.at);
    Finding::new(&RULE, format!("{by} {what} on {at}, by {source}."))
        .help(format!(
            "Ask why, and bring back what is gone: `git log {was}` in a clone that still has it. Protect the branch against forced pushes and deletion."
        ))
}
