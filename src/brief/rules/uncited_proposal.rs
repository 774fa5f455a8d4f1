//! `uncited-proposal`: a tool proposed an answer and does not say where it is taken from.

use super::subject::{Checked, place_of};
use crate::brief::proposed::{PROPOSED_SCHEMA, Proposals};
use crate::finding::{Finding, Rule, RuleKind, Severity};
use crate::text::{quoted, shorten};

pub(super) static RULE: Rule = Rule {
    id: "uncited-proposal",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "A tool proposed an answer without saying where it is taken from.",
    explain: include_str!("../../../docs/rules/uncited-proposal.md"),
};

pub(super) fn check(checked: &Checked<'_>, findings: &mut Vec<Finding>) {
    let file = Proposals::FILE;
    findings.extend(checked.refused(&RULE, file));
    let Some(source) = checked.files.proposed else { return };
    let finding = |message: String, help: &str| checked.finding(&RULE, file, message).help(help);
    let proposals = match Proposals::parse(source) {
        Ok(proposals) => proposals,
        Err(error) => {
            let message = format!("{file} cannot be read: {}", shorten(&error.message, 160));
            let help =
                "a proposal that cannot be read has no citation; make it with `handoff propose`";
            findings.push(finding(message, help).at(place_of(&error, checked.file(file), source)));
            return;
        }
    };
    if proposals.schema != PROPOSED_SCHEMA || checked.key().is_some_and(|key| key != proposals.key)
    {
        let message = format!(
            "{file} is of the schema {} and of the handoff {}",
            quoted(&proposals.schema),
            proposals.key
        );
        findings.push(finding(message, "make it with `handoff propose`"));
    }
    for proposal in &proposals.proposals {
        for answer in proposal.answers.iter().filter(|answer| answer.citation().is_none()) {
            let message = format!(
                "{} proposed {} without a citation",
                quoted(&proposal.proposed_by),
                quoted(&answer.field)
            );
            let help = "say under `cite:` where it is taken from, such as a recording with the minute, or leave the answer out";
            findings.push(finding(message, help));
        }
    }
}
