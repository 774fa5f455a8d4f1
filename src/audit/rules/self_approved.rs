//! `self-approved`: an exemption by the deal's own rep, or by nobody who may.

use super::{Case, words};
use crate::audit::Class;
use crate::finding::{Finding, Location, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "self-approved",
    kind: RuleKind::Audit,
    severity: Severity::Error,
    summary: "An exemption was approved by the deal's own rep, or by somebody who may not.",
    explain: include_str!("../../../docs/rules/self-approved.md"),
};

pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let row = &case.judged.row;
    if row.class != Class::Exempt {
        return None;
    }
    let approver = row.approver.as_deref()?;
    let is = |name: &str| name.trim().eq_ignore_ascii_case(approver.trim());
    let owner = case.judged.deal.owner.as_ref();
    let is_rep = owner.is_some_and(|owner| {
        owner.name.as_deref().is_some_and(is) || owner.email.as_deref().is_some_and(is)
    });
    let approvers = &case.policy().approvers;
    let why = if is_rep {
        "is the deal's own rep".to_owned()
    } else if !approvers.is_empty() && !approvers.iter().any(|name| is(name)) {
        format!("is not one of the approvers ({})", approvers.join(", "))
    } else {
        return None;
    };
    let message = format!("{} was exempted by {}, who {why}.", words::deal(case), quoted(approver));
    let handoff = case.judged.handoffs.iter().find(|handoff| handoff.exemption().is_some())?;
    Some(
        Finding::new(&RULE, message)
            .help(format!(
                "Have somebody else decide: `handoff exempt {} --reason … --by …`; `team.approvers` in handoff.yaml says who may.",
                row.key
            ))
            .at(Location::file(format!("{}/timeline.yaml", handoff.location()))),
    )
}
