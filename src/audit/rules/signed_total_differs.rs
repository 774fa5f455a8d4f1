//! `signed-total-differs`: the signed document and the deal name other amounts.

use super::{Case, words};
use crate::brief::EventKind;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::{one_line, shorten};

pub(super) static RULE: Rule = Rule {
    id: "signed-total-differs",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "The signed document adds up to another amount than the deal.",
    explain: include_str!("../../../docs/rules/signed-total-differs.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let handoff = case.handed_over()?;
    let signed = handoff.brief()?.total.as_ref()?;
    let deal = case.judged.deal.amount.as_ref()?;
    // With an amendment the first document is not all that was agreed.
    let is_amended = handoff.events.has(EventKind::Amended);
    if is_amended || !words::differ(deal, signed, case.policy().amount_tolerance) {
        return None;
    }
    let message = format!(
        "The document of {} adds up to {}, and the deal is worth {}.",
        words::deal(case),
        signed.shown(),
        deal.shown()
    );
    let id = shorten(&one_line(case.judged.deal.id.as_str()), 60);
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "The customer signed the document: correct the amount in the CRM, then `handoff sign --deal {id}` updates the brief. If the document is wrong, have it signed again."
            ))
            .at(words::brief(case)),
    )
}
