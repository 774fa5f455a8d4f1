//! `signed-after-won`: the CRM calls a deal won long before it was signed.

use super::{Case, words};
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "signed-after-won",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "A deal was signed long after it was won: later than handoff_within allows.",
    explain: include_str!("../../../docs/rules/signed-after-won.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let (signed, won) = (handoff.signature()?.signed_at?, case.judged.deal.closed_won_at?);
    let policy = case.policy();
    if signed <= policy.in_time_until(won, policy.is_only_a_day(won)) {
        return None;
    }
    let message = format!(
        "{} was won on {} and signed {} later, on {}; the time of its handoff is counted from when it was won.",
        words::deal(case),
        words::moment(won),
        words::time_between(won, signed),
        words::moment(signed)
    );
    Some(
        Finding::new(&RULE, message)
            .help("Ask the rep which of the two is true: a deal is won when the contract is signed, and a brief must not be given a later signature than the document has.")
            .at(words::brief(case)),
    )
}
