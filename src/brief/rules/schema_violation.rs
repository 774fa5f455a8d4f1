//! `schema-violation`: the brief does not have the form its schema asks for.

use super::subject::{Checked, place_of};
use crate::finding::{Finding, Rule, RuleKind, Severity};

pub(super) static RULE: Rule = Rule {
    id: "schema-violation",
    kind: RuleKind::Brief,
    severity: Severity::Error,
    summary: "The brief is not valid YAML, or does not have the form its schema asks for.",
    explain: include_str!("../../../docs/rules/schema-violation.md"),
};

pub(super) fn check(checked: &Checked<'_>, findings: &mut Vec<Finding>) {
    findings.extend(checked.refused(&RULE, "brief.yaml"));
    match (&checked.brief, checked.files.brief) {
        (Some(Err(error)), Some(source)) => {
            let place = place_of(error, checked.file("brief.yaml"), source);
            let message = format!("brief.yaml cannot be read: {}", error.message);
            let help = "look at this line and the one before it: quotes and brackets must be closed, \
                        and what belongs together is indented alike";
            findings.push(checked.finding(&RULE, "brief.yaml", message).at(place).help(help));
        }
        (Some(Ok(brief)), _) => {
            let Some(subject) = checked.subject() else { return };
            for violation in checked.context.schema.check(brief) {
                // An answer that is not there is `unanswered-question`'s.
                let owed = subject.completeness.missing.iter().any(|missing| {
                    missing.pointer == violation.pointer
                        || missing.pointer.starts_with(&format!("{}/", violation.pointer))
                });
                if violation.absent && owed {
                    continue;
                }
                let mut finding = subject.finding(&RULE, &violation.pointer, violation.message);
                if violation.of_key {
                    let file = checked.file("brief.yaml");
                    finding = finding.at(brief.place_of_key(&file, &violation.pointer));
                }
                if let Some(help) = violation.help {
                    finding = finding.help(help);
                }
                findings.push(finding);
            }
        }
        _ => {}
    }
}
