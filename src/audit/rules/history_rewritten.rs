//! `history-rewritten`: the history no longer holds what an earlier audit saw.

use super::words;
use crate::audit::LedgerInput;
use crate::audit::classify::short;
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "history-rewritten",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "The ledger's history no longer contains what an earlier audit saw.",
    explain: include_str!("../../../docs/rules/history-rewritten.md"),
};

pub(super) fn check(ledger: &LedgerInput) -> Vec<Finding> {
    ledger
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
        })
        .collect()
}
