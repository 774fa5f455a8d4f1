//! `checkpoint-contradicted`: an earlier audit saw something else.

use std::collections::{BTreeMap, BTreeSet};

use super::words;
use crate::audit::rows::Judged;
use crate::audit::{AuditInput, Class, DealRow, LedgerInput};
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::model::{CheckpointDeal, Key, Money};

pub(super) static RULE: Rule = Rule {
    id: "checkpoint-contradicted",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "A checkpoint is missing, replaced or not signed, or this audit contradicts what it kept.",
    explain: include_str!("../../../docs/rules/checkpoint-contradicted.md"),
};

/// What is wrong with the chain itself.
pub(super) fn check_ledger(ledger: &LedgerInput) -> Vec<Finding> {
    let of_each = ledger.checkpoints.iter().flat_map(|checkpoint| {
        let told = move |fault: &String| {
            format!("The checkpoint of {} {fault}.", words::moment(checkpoint.at))
        };
        checkpoint.faults.iter().map(told)
    });
    let of_chain = ledger.checkpoint_faults.iter().map(|fault| format!("{fault}."));
    let help = "Find out who changed it: `handoff verify` shows the whole chain, and a clone that has the earlier one still holds it.";
    of_each.chain(of_chain).map(|message| Finding::new(&RULE, message).help(help)).collect()
}

/// What is gone from the population, and whose class became better than it
/// can: time that has passed does not come back.
pub(super) fn check_deals(input: &AuditInput<'_>, judged: &[Judged<'_>]) -> Vec<Finding> {
    let now: BTreeMap<&str, &DealRow> =
        judged.iter().map(|judged| (judged.row.key.as_str(), &judged.row)).collect();
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let checkpoints = input.ledgers().flat_map(|ledger| ledger.telling_checkpoints().rev());
    for checkpoint in checkpoints {
        for deal in &checkpoint.deals {
            if !seen.insert(deal.key.as_str()) {
                continue;
            }
            let when = words::moment(checkpoint.at);
            let key = Key::parse(&deal.key).ok();
            let (mut severity, row) = (RULE.severity, now.get(deal.key.as_str()));
            let what = match row.copied() {
                None if deal
                    .won_at
                    .is_some_and(|at| !input.window.contains(at) || at > input.as_of) =>
                {
                    continue;
                }
                None => format!("and is no longer in the population ({})", deal.class),
                Some(row) if is_better(&deal.class, row.class) => {
                    format!("as {} and is {} now", deal.class, row.class.as_str())
                }
                Some(row) => match changed(deal, row) {
                    Some((worse, what)) => {
                        severity = worse;
                        what
                    }
                    None => continue,
                },
            };
            let value = deal.value.as_deref().map_or_else(String::new, |it| format!(" ({it})"));
            let finding = Finding::new(
                &RULE,
                format!("The audit of {when} saw deal {}{value} {what}.", deal.key),
            )
            .severity(severity)
            .help(format!(
                "See what changed in the CRM and in the ledger since; the checkpoint {} keeps what was seen.",
                checkpoint.name
            ));
            findings.push(match key {
                Some(key) => finding.key(&key),
                None => finding,
            });
        }
    }
    findings
}

/// What a deal is worth now, or whose it is, that is not what a checkpoint saw,
/// and how bad that is. What a deal without a punctual handoff was worth is what
/// was missed; an amount in a checkpoint without one was not known.
fn changed(before: &CheckpointDeal, now: &DealRow) -> Option<(Severity, String)> {
    let is_missed = matches!(before.class.as_str(), "late" | "missing" | "removed");
    let shown = |money: &Money| CheckpointDeal::told_value(money);
    if let Some(was) = before.money()
        && now.value.as_ref().is_none_or(|is| *is != was)
    {
        let is = now.value.as_ref();
        let is_less = is.is_none_or(|is| is.currency != was.currency || is.amount < was.amount);
        let severity = if is_missed && is_less { Severity::Error } else { Severity::Warning };
        let is = is.map_or_else(|| "without an amount".to_owned(), shown);
        return Some((severity, format!("as {}, and it is {is} now", before.class)));
    }
    let (was, is) = (before.owner.as_deref()?, now.owner.as_deref().unwrap_or_default());
    let what = format!(
        "as {}, of {}, and it is {} now",
        before.class,
        crate::text::quoted(was),
        if is.is_empty() {
            "nobody's".to_owned()
        } else {
            format!("of {}", crate::text::quoted(is))
        }
    );
    (is_missed && was != is).then_some((Severity::Warning, what))
}

/// Whether a class cannot have become this one by what happened since.
fn is_better(before: &str, now: Class) -> bool {
    match before {
        // What was handed over needs no exemption.
        "late" => {
            matches!(now, Class::OnTime | Class::Pending | Class::Excluded | Class::Exempt)
        }
        "missing" | "removed" => {
            matches!(now, Class::OnTime | Class::Pending | Class::Excluded)
        }
        _ => false,
    }
}
