//! `signature-without-deal`: a document was signed, its deal cannot be told,
//! and it has no handoff.

use super::words;
use crate::audit::{SignatureClass, SignatureRow};
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "signature-without-deal",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "A document was signed, its deal is unknown, and there is no handoff.",
    explain: include_str!("../../../docs/rules/signature-without-deal.md"),
};

pub(super) fn check(row: &SignatureRow) -> Option<Finding> {
    if row.class != SignatureClass::NoDeal {
        return None;
    }
    let deal = match &row.deal_id {
        Some(_) => format!("names deal {}, which the CRM does not have", words::named_deal(row)),
        None => "names no deal".to_owned(),
    };
    let message = format!("{}, {deal}, and has no handoff.", words::signed(row));
    Some(Finding::new(&RULE, message).help(words::catch_up(row)))
}
