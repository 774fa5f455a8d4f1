//! `owner-not-in-team`: the first action belongs to somebody who is no CSM here.

use super::subject::Subject;
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::quoted;

pub(super) static RULE: Rule = Rule {
    id: "owner-not-in-team",
    kind: RuleKind::Brief,
    severity: Severity::Warning,
    summary: "The first action's owner is not one of team.csms in handoff.yaml.",
    explain: include_str!("../../../docs/rules/owner-not-in-team.md"),
};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let team = subject.context.team;
    let Some(owner) = subject.view.first_action_owner() else { return };
    if team.is_empty() || team.has(&owner) {
        return;
    }
    let given = owner.email.or(owner.github).or(owner.slack).or(owner.name).unwrap_or_default();
    let nearest = team
        .members()
        .iter()
        .flat_map(|member| [&member.email, &member.github, &member.name])
        .flatten()
        .map(|known| {
            (strsim::damerau_levenshtein(&known.to_lowercase(), &given.to_lowercase()), known)
        })
        .filter(|(distance, known)| *distance <= 2.max(known.len() / 6))
        .min();
    let help = match nearest {
        Some((_, known)) => format!("did you mean {}?", quoted(known)),
        None => "name one of team.csms, or add this person to it in handoff.yaml".to_owned(),
    };
    let message = format!("{} is not in the team that handoff.yaml names", quoted(given));
    findings.push(subject.finding(&RULE, "/first_action/owner", message).help(help));
}
