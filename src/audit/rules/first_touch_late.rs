//! `first-touch-late`: a first touch after its deadline.

use super::{Case, words};
use crate::brief::TouchEvidence;
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "first-touch-late",
    kind: RuleKind::Audit,
    severity: Severity::Warning,
    summary: "The CSM's first touch came after its deadline.",
    explain: include_str!("../../../docs/rules/first-touch-late.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    case.handed_over()?;
    let row = &case.judged.row;
    let (due, touched) = (row.first_touch_due?, row.first_touch_at?);
    if touched <= due {
        return None;
    }
    let who = row
        .csm
        .as_deref()
        .map_or_else(String::new, |csm| format!(" by {}", crate::text::one_line(csm)));
    let proof = match row.first_touch_evidence {
        Some(TouchEvidence::Crm) => "shown by the CRM",
        _ => "claimed",
    };
    let message = format!(
        "The first touch of {}{who} ({proof}) came {} after its deadline of {}.",
        words::deal(case),
        words::time_between(due, touched),
        words::moment(due)
    );
    Some(
        Finding::new(&RULE, message)
            .help(format!("See `handoff status {}` for what it waited on.", row.key))
            .at(words::brief(case)),
    )
}
