//! `history-rewritten`: the history no longer holds what an earlier audit saw.

use super::words;
use crate::audit::classify::short;
use crate::audit::{LedgerInput, LostPush, TurnedMerge};
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
        .telling_checkpoints()
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
    let displaced = ledger.telling_checkpoints().filter_map(|checkpoint| {
        let (merge, tip) = (short(checkpoint.displaced_by?), short(checkpoint.tip));
        let (at, branch) = (words::moment(checkpoint.at), crate::text::quoted(&ledger.branch));
        let message = format!(
            "The audit of {at} saw the history up to commit {tip}, and branch {branch} holds it only behind merge {merge}, whose first parent is another line: that one is audited now."
        );
        let help = format!("{TURNED} What differs is shown by `git diff {tip} {merge}`. {BACK}");
        Some(Finding::new(&RULE, message).help(help))
    });
    let turned = ledger.turned.iter().map(turned);
    let lost = ledger.arrivals.lost.iter().map(forced);
    of_checkpoints.chain(displaced).chain(turned).chain(lost).collect()
}

const TURNED: &str = "Somebody merged the branch into a line of their own and pushed that, which a remote takes as a fast-forward; a `git pull` without `--rebase` does so, too.";
const BACK: &str =
    "Have the remote take no merges that are pushed, and `git config pull.rebase true` in clones.";

/// A merge behind which the audit goes on along the branch's own line.
fn turned(turned: &TurnedMerge) -> Finding {
    let (merge, tip) = (short(turned.merge), short(turned.tip));
    let message = format!(
        "Merge {merge} by {} has another first parent than commit {tip}, with which the branch ended by {}; the audit follows {tip}.",
        crate::text::quoted(&turned.by),
        turned.source
    );
    Finding::new(&RULE, message).severity(Severity::Warning).help(format!("{TURNED} {BACK}"))
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
