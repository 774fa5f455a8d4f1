//! `audit-incomplete`: something could not be read.

use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::model::Gap;

pub(super) static RULE: Rule = Rule {
    id: "audit-incomplete",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "Something could not be read, so the audit proves nothing about it.",
    explain: include_str!("../../../docs/rules/audit-incomplete.md"),
};

pub(super) fn check(gap: &Gap) -> Finding {
    let why = gap.why.trim_end_matches('.');
    let finding = Finding::new(&RULE, format!("Could not read {}: {why}.", gap.what));
    match &gap.help {
        Some(help) => finding.help(help),
        None => finding.help("Fix the cause and run the audit again."),
    }
}
