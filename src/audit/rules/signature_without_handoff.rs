//! `signature-without-handoff`: a document was signed for a won deal that has
//! no handoff.

use super::words;
use crate::audit::{SignatureClass, SignatureRow};
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "signature-without-handoff",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "A document was signed for a won deal, and there is no handoff.",
    explain: include_str!("../../../docs/rules/signature-without-handoff.md"),
};

pub(super) fn check(row: &SignatureRow) -> Option<Finding> {
    (row.class == SignatureClass::WithoutHandoff).then(|| {
        let deal = words::named_deal(row);
        let message = format!("{} for deal {deal}, and has no handoff.", words::signed(row));
        Finding::new(&RULE, message).help(words::catch_up(row))
    })
}
