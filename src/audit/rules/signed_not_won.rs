//! `signed-not-won`: a document was signed, and its deal is not Closed Won.

use super::words;
use crate::audit::{SignatureClass, SignatureRow};
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "signed-not-won",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "A document was signed, and its deal is not Closed Won.",
    explain: include_str!("../../../docs/rules/signed-not-won.md"),
};

pub(super) fn check(row: &SignatureRow) -> Option<Finding> {
    if row.class != SignatureClass::NotWon {
        return None;
    }
    let deal = words::named_deal(row);
    let stage = row
        .stage
        .as_deref()
        .map_or_else(String::new, |stage| format!(" (stage {})", quoted(stage)));
    let signed = words::signed(row);
    Some(if row.has_handoff {
        let message = format!("{signed}, and its deal {deal} is not Closed Won{stage}.");
        let help = "Close the deal in the CRM; `update_closed_won` in handoff.yaml does so after each signature.";
        Finding::new(&RULE, message).help(help).severity(Severity::Warning)
    } else {
        let message =
            format!("{signed}, its deal {deal} is not Closed Won{stage}, and it has no handoff.");
        Finding::new(&RULE, message).help(words::catch_up(row))
    })
}
