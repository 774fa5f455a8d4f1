//! `late-handoff`: a handoff that came later than allowed.

use super::{Case, words};
use crate::audit::Class;
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "late-handoff",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "A handoff came later after the signature than handoff_within allows.",
    explain: include_str!("../../../docs/rules/late-handoff.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let row = &case.judged.row;
    if row.class != Class::Late {
        return None;
    }
    let deal = words::deal(case);
    let allowed = case.policy().handoff_within;
    let message = match (row.signed_at, row.delivered_at) {
        (Some(signed), Some(delivered)) if row.backfilled => format!(
            "{deal} was backfilled {} after its signature on {}.",
            words::time_between(signed, delivered),
            words::moment(signed)
        ),
        (Some(signed), Some(delivered)) => format!(
            "{deal} was handed over {} after its signature on {}; {allowed} is allowed.",
            words::time_between(signed, delivered),
            words::moment(signed)
        ),
        _ => format!("{deal} was handed over, and nothing says when it was signed."),
    };
    let help = match (row.received_at, row.delivered_at) {
        // What took a minute here was late before it came.
        (Some(received), Some(delivered)) if (delivered - received).num_minutes().abs() < 1 => {
            format!(
                "The signature reached handoff only on {}: check the webhook with `handoff doctor`.",
                words::moment(received)
            )
        }
        (Some(received), Some(delivered)) if received <= delivered => format!(
            "The signature arrived on {} and waited {}: see `handoff status {}` and `handoff inbox list`.",
            words::moment(received),
            words::time_between(received, delivered),
            row.key
        ),
        _ => format!(
            "See `handoff status {}`; if signatures arrive late, check the webhook with `handoff doctor`.",
            row.key
        ),
    };
    Some(Finding::new(&RULE, message).help(help).at(words::brief(case)))
}
